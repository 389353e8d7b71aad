package sip

import (
	"net/netip"
	"net/url"
	"strings"

	"github.com/emiago/sipgo/sip"
)

// newInvite copies what a route wants to know out of an INVITE.
func newInvite(req *sip.Request, src, local netip.AddrPort) Invite {
	i := Invite{
		CallID:     string(*req.CallID()),
		From:       addressOf(req.From().DisplayName, &req.From().Address),
		To:         addressOf(req.To().DisplayName, &req.To().Address),
		RequestURI: uriParts(&req.Recipient),
		Source:     src,
		Local:      local,
		Transport:  sip.NetworkToLower(req.Transport()),
		headers:    map[string][]string{},
	}
	for _, h := range req.Headers() {
		key := headerKey(h.Name())
		i.headers[key] = append(i.headers[key], h.Value())
	}
	if ua := i.Header("User-Agent"); len(ua) > 0 {
		i.UserAgent = ua[0]
	}
	return i
}

func uriParts(u *sip.Uri) URI {
	parts := URI{Scheme: u.Scheme, User: userOf(u), Host: strings.Trim(u.Host, "[]"), Port: u.Port, Params: map[string]string{}}
	for _, p := range u.UriParams {
		parts.Params[strings.ToLower(p.K)] = p.V
	}
	return parts
}

func addressOf(display string, u *sip.Uri) Address {
	return Address{
		Display: unescapeQuotes(display),
		Scheme:  u.Scheme, User: userOf(u),
		Host: strings.Trim(u.Host, "[]"), Port: u.Port,
	}
}

// userOf returns the user part without its escapes (section 19.1.2); for a tel URI the number. Escapes of
// control characters stay escaped.
func userOf(u *sip.Uri) string {
	user := u.User
	if raw := u.Raw(); raw != "" {
		user, _, _ = strings.Cut(raw, ";")
	}
	if plain, err := url.PathUnescape(user); err == nil && printable(plain) {
		return plain
	}
	return user
}

// unescapeQuotes undoes the quoted-pairs of a display name (section 25.1).
func unescapeQuotes(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	escaped := false
	for _, r := range s {
		if r == '\\' && !escaped {
			escaped = true
			continue
		}
		escaped = false
		b.WriteRune(r)
	}
	return b.String()
}

// EscapeUser writes a user part as a SIP URI has it.
func EscapeUser(user string) string { return escapeUser(user) }

// escapeUser writes a user part (section 25.1: unreserved and user-unreserved stay, but for the slash: sipgo
// takes two at the beginning for those of a web address).
func escapeUser(user string) string {
	const plain = "-_.!~*'()&=+$,;?"
	var b strings.Builder
	for _, c := range []byte(user) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte(plain, c) >= 0:
			b.WriteByte(c)
		default:
			const hex = "0123456789ABCDEF"
			b.WriteString(string([]byte{'%', hex[c>>4], hex[c&15]}))
		}
	}
	return b.String()
}
