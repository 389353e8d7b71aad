// Package contact reads and writes lists of addresses: the Contact and Path headers of registrations (RFC 3261 section
// 20.10, RFC 3327). It knows no messages.
package contact

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Address is one element of a list: a name-addr with its parameters.
type Address struct {
	Display string
	URI     string // "*" where all are meant
	Params  []Param
}

// Param is one parameter. Its name is as it came, its value without quotes.
type Param struct{ Name, Value string }

// Bounds of a list.
const (
	maxList      = 8192 // bytes
	maxAddresses = 32
)

var (
	errLong   = errors.New("the list is too long")
	errSyntax = errors.New("not a list of addresses")
	errURI    = errors.New("not a SIP URI")
)

// Parse reads the values of a header, each of them a list.
func Parse(values ...string) ([]Address, error) {
	var all []Address
	for _, value := range values {
		if len(value) > maxList {
			return nil, errLong
		}
		for rest := trim(value); rest != ""; {
			a, after, err := parseOne(rest)
			if err != nil {
				return nil, err
			}
			if all = append(all, a); len(all) > maxAddresses {
				return nil, errLong
			}
			if rest = trim(after); rest == "" {
				break
			}
			if rest[0] != ',' {
				return nil, errSyntax
			}
			if rest = trim(rest[1:]); rest == "" {
				return nil, errSyntax
			}
		}
	}
	return all, nil
}

func trim(s string) string { return strings.Trim(s, " \t") }

// parseOne reads the first address of a list.
func parseOne(s string) (a Address, rest string, err error) {
	if s[0] == '"' {
		if a.Display, s, err = unquote(s); err != nil {
			return a, "", err
		}
		if s = trim(s); s == "" || s[0] != '<' {
			return a, "", errSyntax
		}
	}
	if end := strings.IndexAny(s, `<,;"`); end >= 0 && s[end] == '<' { // a display name may be words
		if a.Display == "" {
			a.Display = trim(s[:end])
		}
		uri, after, found := strings.Cut(s[end+1:], ">")
		if !found {
			return a, "", errSyntax
		}
		a.URI, rest = trim(uri), after
	} else { // without brackets, all parameters are the header's
		if end < 0 {
			end = len(s)
		}
		a.URI, rest = trim(s[:end]), s[end:]
	}
	if a.URI == "" || !plain(a.URI) || !plain(strings.ReplaceAll(a.Display, " ", "")) {
		return a, "", errSyntax
	}
	for rest = trim(rest); strings.HasPrefix(rest, ";"); rest = trim(rest) {
		var p Param
		if p, rest, err = parseParam(trim(rest[1:])); err != nil {
			return a, "", err
		}
		if p.Name != "" {
			a.Params = append(a.Params, p)
		}
	}
	return a, rest, nil
}

// parseParam reads "name", "name=value" or "name="value"".
func parseParam(s string) (p Param, rest string, err error) {
	end := strings.IndexAny(s, "=;,")
	if end < 0 {
		end = len(s)
	}
	p.Name = trim(s[:end])
	if !plain(p.Name) || strings.ContainsAny(p.Name, `"<>`) {
		return p, "", errSyntax
	}
	if rest = s[end:]; !strings.HasPrefix(rest, "=") {
		return p, rest, nil
	}
	if rest = trim(rest[1:]); p.Name == "" {
		return p, "", errSyntax
	}
	if strings.HasPrefix(rest, `"`) {
		p.Value, rest, err = unquote(rest)
		return p, rest, err
	}
	if end = strings.IndexAny(rest, ";,"); end < 0 {
		end = len(rest)
	}
	p.Value, rest = trim(rest[:end]), rest[end:]
	if !plain(p.Value) || strings.Contains(p.Value, `"`) {
		return p, "", errSyntax
	}
	return p, rest, nil
}

// unquote reads a quoted-string at the beginning of s.
func unquote(s string) (text, rest string, err error) {
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			return b.String(), s[i+1:], nil
		case c == '\\' && i+1 < len(s):
			i++
			c = s[i]
			fallthrough
		default:
			if c < ' ' && c != '\t' || c == 0x7f {
				return "", "", errSyntax
			}
			b.WriteByte(c)
		}
	}
	return "", "", errSyntax
}

// plain reports whether s has neither blanks nor control characters, nor brackets.
func plain(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f || r == '<' || r == '>' })
}

// String returns the address as a header has it.
func (a Address) String() string {
	var b strings.Builder
	if a.URI == "*" {
		return "*"
	}
	if a.Display != "" {
		b.WriteString(quoted(a.Display) + " ")
	}
	b.WriteString("<" + a.URI + ">")
	for _, p := range a.Params {
		b.WriteString(";" + p.Name)
		switch {
		case p.Value == "":
		case strings.Trim(p.Value, tokens) == "":
			b.WriteString("=" + p.Value)
		default:
			b.WriteString("=" + quoted(p.Value))
		}
	}
	return b.String()
}

// tokens are the characters of a value that needs no quotes.
const tokens = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.!%*_+`'~"

func quoted(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

// Param returns the value of a parameter.
func (a Address) Param(name string) (value string, has bool) {
	i := slices.IndexFunc(a.Params, func(p Param) bool { return strings.EqualFold(p.Name, name) })
	if i < 0 {
		return "", false
	}
	return a.Params[i].Value, true
}

// Set gives the address a parameter, in the place of the one with that name.
func (a *Address) Set(name, value string) {
	a.Params = slices.DeleteFunc(slices.Clone(a.Params), func(p Param) bool { return strings.EqualFold(p.Name, name) })
	a.Params = append(a.Params, Param{name, value})
}

// Expires returns the parameter of that name; false if there is none. What is no number is an hour, as RFC 3261
// section 10.2.1.1 says.
func (a Address) Expires() (time.Duration, bool) {
	v, has := a.Param("expires")
	if !has {
		return 0, false
	}
	return Seconds(v), true
}

// Seconds reads delta-seconds; what is none is an hour.
func Seconds(s string) time.Duration {
	n, err := strconv.ParseUint(trim(s), 10, 32)
	if err != nil {
		return time.Hour
	}
	return time.Duration(n) * time.Second
}

// Q returns the preference, 0 to 1000; 1000 where there is none.
func (a Address) Q() int {
	v, has := a.Param("q")
	f, err := strconv.ParseFloat(v, 64)
	if !has || err != nil || !(f >= 0 && f <= 1) {
		return 1000
	}
	return int(f * 1000)
}

// Key returns what two SIP URIs share that mean the same (RFC 3261 section 19.1.4): scheme, user, host, port and
// transport. Other parameters are left out: a phone that changes them is the same phone.
func Key(uri string) (string, error) {
	scheme, rest, found := strings.Cut(uri, ":")
	scheme = strings.ToLower(scheme)
	if !found || scheme != "sip" && scheme != "sips" {
		return "", errURI
	}
	rest, _, _ = strings.Cut(rest, "?")
	user := ""
	if at := strings.LastIndexByte(rest, '@'); at >= 0 {
		user, rest = rest[:at], rest[at+1:]
	}
	host, params, _ := strings.Cut(rest, ";")
	host = strings.ToLower(trim(host))
	if host == "" || strings.HasPrefix(host, ":") {
		return "", errURI
	}
	transport := ""
	for p := range strings.SplitSeq(params, ";") {
		if name, value, _ := strings.Cut(p, "="); strings.EqualFold(trim(name), "transport") {
			transport = strings.ToLower(trim(value))
		}
	}
	return scheme + ":" + user + "@" + host + ";" + transport, nil
}
