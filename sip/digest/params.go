package digest

import (
	"errors"
	"strings"
)

// maxValue bounds a header value, in bytes.
const maxValue = 4096

var (
	errScheme = errors.New("the scheme is not Digest")
	errSyntax = errors.New("not a list of name=value")
	errTwice  = errors.New("a parameter is there twice")
	errLong   = errors.New("too long")
)

// params are the auth-params of one challenge or one set of credentials, by name in lower case.
type params map[string]string

// parseParams reads "Digest name=value, name="value", ..." (RFC 7235 section 2.1).
func parseParams(value string) (params, error) {
	if len(value) > maxValue {
		return nil, errLong
	}
	scheme, rest, _ := strings.Cut(strings.TrimSpace(value), " ")
	if !strings.EqualFold(scheme, "Digest") {
		return nil, errScheme
	}
	p := params{}
	for rest = skip(rest); rest != ""; rest = skip(rest) {
		name, after, found := strings.Cut(rest, "=")
		name = strings.ToLower(strings.Trim(name, blanks))
		if !found || !isToken(name) {
			return nil, errSyntax
		}
		text, after, err := readValue(strings.TrimLeft(after, blanks))
		if err != nil {
			return nil, err
		}
		if _, twice := p[name]; twice {
			return nil, errTwice
		}
		p[name] = text
		after = strings.TrimLeft(after, blanks)
		if after != "" && after[0] != ',' {
			return nil, errSyntax
		}
		rest = after
	}
	return p, nil
}

const blanks = " \t"

// skip leaves out blanks and commas; empty elements of a list say nothing.
func skip(s string) string { return strings.TrimLeft(s, blanks+",") }

// readValue reads a token or a quoted-string.
func readValue(s string) (text, rest string, err error) {
	if s == "" || s[0] != '"' {
		end := strings.IndexAny(s, ","+blanks)
		if end < 0 {
			end = len(s)
		}
		if !isPlain(s[:end]) {
			return "", "", errSyntax
		}
		return s[:end], s[end:], nil
	}
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
			if c < ' ' || c == 0x7f {
				return "", "", errSyntax
			}
			b.WriteByte(c)
		}
	}
	return "", "", errSyntax // it does not end
}

// isToken reports whether s is a token (RFC 3261 section 25.1).
func isToken(s string) bool {
	return s != "" && strings.Trim(s, tokens) == ""
}

// tokens are the characters of one.
const tokens = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.!%*_+`'~"

// isPlain reports whether s can stand without quotes. More than a token is taken: some write a URI like that.
func isPlain(s string) bool {
	return s != "" && strings.IndexFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f || r == '"' || r == ',' }) < 0
}

// quoted returns text as a quoted-string; what would end the line is left out.
func quoted(text string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(text) {
		switch c := text[i]; {
		case c < ' ' || c == 0x7f:
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			fallthrough
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}
