package digest

import (
	"errors"
	"strings"
)

// Challenge is what a WWW-Authenticate or Proxy-Authenticate header asks for.
type Challenge struct {
	Realm, Nonce, Opaque string
	Algorithm            Algorithm // MD5 where the header does not say it
	QOP                  []string  // "auth", "auth-int"; none is RFC 2069
	Stale                bool      // the password was right, the nonce is old
}

var errNoNonce = errors.New("realm or nonce is missing")

// ParseChallenge reads the value of one header.
func ParseChallenge(value string) (Challenge, error) {
	p, err := parseParams(value)
	if err != nil {
		return Challenge{}, err
	}
	realm, hasRealm := p["realm"]
	if !hasRealm || p["nonce"] == "" {
		return Challenge{}, errNoNonce
	}
	c := Challenge{
		Realm: realm, Nonce: p["nonce"], Opaque: p["opaque"],
		Algorithm: named(p["algorithm"]), Stale: strings.EqualFold(p["stale"], "true"),
	}
	for q := range strings.SplitSeq(p["qop"], ",") {
		if q = strings.ToLower(strings.Trim(q, blanks)); isToken(q) {
			c.QOP = append(c.QOP, q)
		}
	}
	return c, nil
}

// String returns the header's value.
func (c Challenge) String() string {
	var b strings.Builder
	b.WriteString("Digest realm=" + quoted(c.Realm) + ", nonce=" + quoted(c.Nonce))
	if c.Opaque != "" {
		b.WriteString(", opaque=" + quoted(c.Opaque))
	}
	if c.Stale {
		b.WriteString(", stale=true")
	}
	if c.Algorithm != "" {
		b.WriteString(", algorithm=" + string(c.Algorithm))
	}
	if len(c.QOP) > 0 {
		b.WriteString(", qop=" + quoted(strings.Join(c.QOP, ",")))
	}
	return b.String()
}
