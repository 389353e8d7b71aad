package digest

import (
	"net/netip"
	"reflect"
	"testing"
)

// FuzzChallenge: what was read and is written is read as the same.
func FuzzChallenge(f *testing.F) {
	f.Add(`Digest realm="a\"b", nonce="n", opaque="o", stale=TRUE, algorithm=SHA-256, qop="auth,auth-int"`)
	f.Add(`Digest realm=r,nonce=n`)
	f.Add(`digest , realm="",  nonce = "x" ,`)
	f.Fuzz(func(t *testing.T, value string) {
		c, err := ParseChallenge(value)
		if err != nil {
			return
		}
		again, err := ParseChallenge(c.String())
		if err != nil || !reflect.DeepEqual(again, c) {
			t.Errorf("%q is %+v, and then %+v, %v", value, c, again, err)
		}
	})
}

// FuzzCredentials: likewise; and nobody gets in who does not know the password.
func FuzzCredentials(f *testing.F) {
	f.Add(`Digest username="u", realm="r", nonce="n", uri="sip:x", response="00"`)
	f.Add(`Digest username="u", realm="house", nonce="n", uri="sip:x", response="ab", qop=auth, nc=00000001, cnonce="c", algorithm=SHA-256`)
	f.Fuzz(func(t *testing.T, value string) {
		c, err := ParseCredentials(value)
		if err != nil {
			return
		}
		again, err := ParseCredentials(c.String())
		if err != nil || again != c {
			t.Errorf("%q is %+v, and then %+v, %v", value, c, again, err)
		}
		v := NewVerifier(func() *Realm {
			return &Realm{Name: "house", Accounts: map[string]Account{c.Username: NewAccount(c.Username, "house", "secret")}}
		})
		if _, _, err := v.Check(Request{Method: "REGISTER", URI: c.URI, Authorization: []string{value}, Source: netip.IPv6Loopback()}); err == nil {
			t.Errorf("%q is right", value)
		}
	})
}
