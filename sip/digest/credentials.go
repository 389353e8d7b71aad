package digest

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Credentials are the answer to a challenge, in an Authorization or Proxy-Authorization header.
type Credentials struct {
	Username, Realm, Nonce, URI, Response string
	CNonce, Opaque                        string
	Algorithm                             Algorithm // MD5 where the header does not say it
	QOP                                   string    // "auth", "auth-int", or "": RFC 2069, without CNonce and NC
	NC                                    uint32    // how often the nonce was used, this time included
}

var (
	errIncomplete = errors.New("username, realm, nonce, uri or response is missing")
	errCount      = errors.New("qop without nc or cnonce")
)

// ParseCredentials reads the value of one header.
func ParseCredentials(value string) (Credentials, error) {
	p, err := parseParams(value)
	if err != nil {
		return Credentials{}, err
	}
	realm, hasRealm := p["realm"]
	c := Credentials{
		Username: p["username"], Realm: realm, Nonce: p["nonce"], URI: p["uri"], Response: strings.ToLower(p["response"]),
		CNonce: p["cnonce"], Opaque: p["opaque"], Algorithm: named(p["algorithm"]), QOP: strings.ToLower(p["qop"]),
	}
	if c.Username == "" || !hasRealm || c.Nonce == "" || c.URI == "" || c.Response == "" {
		return Credentials{}, errIncomplete
	}
	if c.QOP == "" {
		c.CNonce = ""
		return c, nil
	}
	nc, err := strconv.ParseUint(p["nc"], 16, 32)
	if err != nil || nc == 0 || c.CNonce == "" || !isToken(c.QOP) {
		return Credentials{}, errCount
	}
	c.NC = uint32(nc)
	return c, nil
}

// String returns the header's value. algorithm, qop and nc stand without quotes (RFC 7616 section 3.4).
func (c Credentials) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Digest username=%s, realm=%s, nonce=%s, uri=%s, response=%s",
		quoted(c.Username), quoted(c.Realm), quoted(c.Nonce), quoted(c.URI), quoted(c.Response))
	if c.Algorithm != "" {
		b.WriteString(", algorithm=" + string(c.Algorithm))
	}
	if c.Opaque != "" {
		b.WriteString(", opaque=" + quoted(c.Opaque))
	}
	if c.QOP != "" {
		fmt.Fprintf(&b, ", cnonce=%s, nc=%08x, qop=%s", quoted(c.CNonce), c.NC, c.QOP)
	}
	return b.String()
}

// expected returns the response that c must have (RFC 7616 section 3.4.1).
func (c Credentials) expected(ha1, method string, body []byte) string {
	a := c.Algorithm
	if a.sessions() {
		ha1 = a.sum(ha1, c.Nonce, c.CNonce)
	}
	a2 := a.sum(method, c.URI)
	if c.QOP == "auth-int" {
		a2 = a.sum(method, c.URI, a.sum(string(body)))
	}
	if c.QOP == "" {
		return a.sum(ha1, c.Nonce, a2)
	}
	return a.sum(ha1, c.Nonce, fmt.Sprintf("%08x", c.NC), c.CNonce, c.QOP, a2)
}
