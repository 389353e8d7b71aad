package bridge

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net/netip"
	"net/url"
	"testing"
	"time"

	"passerelle/config"
	"passerelle/sip"
)

// signed makes a certificate by an authority, or by itself where there is none.
func signed(t *testing.T, template *x509.Certificate, by *x509.Certificate, with *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template.SerialNumber = big.NewInt(1)
	if template.NotAfter.IsZero() {
		template.NotAfter = time.Now().Add(time.Hour)
	}
	if by == nil {
		by, with = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, by, key.Public(), with)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c, key
}

func TestTrunksAreKnownByTheirCertificate(t *testing.T) {
	ca := func() *x509.Certificate {
		return &x509.Certificate{IsCA: true, BasicConstraintsValid: true, Subject: pkix.Name{CommonName: "ca"}}
	}
	root, rootKey := signed(t, ca(), nil, nil)
	between, betweenKey := signed(t, ca(), root, rootKey)
	other, otherKey := signed(t, ca(), nil, nil)
	leaf := func(template *x509.Certificate, by *x509.Certificate, key *ecdsa.PrivateKey) *x509.Certificate {
		c, _ := signed(t, template, by, key)
		return c
	}
	pool := x509.NewCertPool()
	pool.AddCert(root)
	alone := leaf(&x509.Certificate{DNSNames: []string{"pinned.example"}}, nil, nil)
	pool.AddCert(alone)
	dns := func(name string) *x509.Certificate { return &x509.Certificate{DNSNames: []string{name}} }
	live := &config.Live{Trunks: []config.Trunk{
		{Name: "pbx", Certificate: &config.Certificate{Name: "pbx.example", Roots: pool}},
		{Name: "branch", From: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}, Certificate: &config.Certificate{Name: "branch.example", Roots: pool}},
		{Name: "pinned", Certificate: &config.Certificate{Name: "pinned.example", Roots: pool}},
	}}
	for _, c := range []struct {
		rule  string
		chain []*x509.Certificate
		src   string
		want  string
	}{
		{"a DNS name", []*x509.Certificate{leaf(dns("PBX.example"), root, rootKey)}, "198.51.100.1", "pbx"},
		{"a SIP URI", []*x509.Certificate{leaf(&x509.Certificate{URIs: []*url.URL{{Scheme: "sip", Opaque: "pbx.example"}}}, root, rootKey)}, "198.51.100.1", "pbx"},
		{"a common name alone", []*x509.Certificate{leaf(&x509.Certificate{Subject: pkix.Name{CommonName: "pbx.example"}}, root, rootKey)}, "198.51.100.1", "pbx"},
		{"a common name beside another name", []*x509.Certificate{leaf(&x509.Certificate{Subject: pkix.Name{CommonName: "pbx.example"}, DNSNames: []string{"x.example"}}, root, rootKey)}, "198.51.100.1", ""},
		{"a wildcard", []*x509.Certificate{leaf(dns("*.example"), root, rootKey)}, "198.51.100.1", ""},
		{"through an authority between", []*x509.Certificate{leaf(dns("pbx.example"), between, betweenKey), between}, "198.51.100.1", "pbx"},
		{"that one missing", []*x509.Certificate{leaf(dns("pbx.example"), between, betweenKey)}, "198.51.100.1", ""},
		{"another authority", []*x509.Certificate{leaf(dns("pbx.example"), other, otherKey), other}, "198.51.100.1", ""},
		{"expired", []*x509.Certificate{leaf(&x509.Certificate{DNSNames: []string{"pbx.example"}, NotAfter: time.Now().Add(-time.Hour)}, root, rootKey)}, "198.51.100.1", ""},
		{"itself", []*x509.Certificate{alone}, "198.51.100.1", "pinned"},
		{"where it may be shown", []*x509.Certificate{leaf(dns("branch.example"), root, rootKey)}, "::ffff:192.0.2.9", "branch"},
		{"where it may not", []*x509.Certificate{leaf(dns("branch.example"), root, rootKey)}, "198.51.100.1", ""},
	} {
		t.Run(c.rule, func(t *testing.T) {
			if got := Certified(live, "", netip.MustParseAddr(c.src), c.chain); got != c.want {
				t.Errorf("got trunk %q, want %q", got, c.want)
			}
		})
	}
	if Known(live, "", netip.MustParseAddr("192.0.2.9")) {
		t.Error("a trunk that has to show its certificate is known by its address")
	}
	invite := sip.Invite{Source: netip.MustParseAddrPort("198.51.100.1:5061"), Peer: "pbx"}
	if got := callerOf(live, "", invite); got == nil || got.Name != "pbx" {
		t.Errorf("the INVITE is from %v", got)
	}
	invite.Peer = "gone"
	if got := callerOf(live, "", invite); got != nil {
		t.Errorf("the INVITE of a trunk that is gone is from %v", got)
	}
	if !Expected(live, "", netip.MustParseAddr("198.51.100.1")) || Expected(&config.Live{Trunks: live.Trunks[1:2]}, "", netip.MustParseAddr("198.51.100.1")) {
		t.Error("who is expected where")
	}
}
