package bridge

import (
	"crypto/x509"
	"net/netip"
	"strings"

	"passerelle/config"
)

// Expected reports whether a trunk that is known by its certificate may come from src, on a network.
func Expected(live *config.Live, network string, src netip.Addr) bool {
	for i := range live.Trunks {
		if t := &live.Trunks[i]; t.Certificate != nil && t.Network == network && mayComeFrom(t, src) {
			return true
		}
	}
	return false
}

// Certified returns the name of the trunk that shows this certificate at src, on a network, "" if it is none's. chain is what the peer
// sent, its own certificate first.
func Certified(live *config.Live, network string, src netip.Addr, chain []*x509.Certificate) string {
	for i := range live.Trunks {
		t := &live.Trunks[i]
		if t.Certificate != nil && t.Network == network && mayComeFrom(t, src) && names(chain[0], t.Certificate.Name) && vouched(chain, t.Certificate.Roots) {
			return t.Name
		}
	}
	return ""
}

// Suites returns the weaker suites of TLS that are spoken with src, on a network, before it has shown a certificate: those of the
// trunk that has this address, or a server there (serverOf names its trunk), and of the trunks that may show theirs from it.
func Suites(live *config.Live, network string, src netip.Addr, serverOf func(netip.Addr) string) []uint16 {
	known := trunkOf(live, network, src)
	server := serverOf(src)
	var all []uint16
	for i := range live.Trunks {
		t := &live.Trunks[i]
		if t.Network != network || len(t.Suites) == 0 {
			continue
		}
		certified := t.Certificate != nil && len(t.From) > 0 && mayComeFrom(t, src)
		if t == known || certified || t.Name == server {
			all = append(all, t.Suites...)
		}
	}
	return all
}

// mayComeFrom reports whether src is one of the trunk's addresses, where it names any.
func mayComeFrom(t *config.Trunk, src netip.Addr) bool {
	src = src.Unmap().WithZone("")
	for _, prefix := range t.From {
		if prefix.Contains(src) {
			return true
		}
	}
	return len(t.From) == 0
}

// names reports whether a certificate is for a host, by a SIP URI or a DNS name; its common name counts where it has
// neither, and a wildcard never does (RFC 5922 sections 7.1 and 7.2).
func names(c *x509.Certificate, host string) bool {
	for _, u := range c.URIs {
		if strings.EqualFold(u.Scheme, "sip") && strings.EqualFold(u.Opaque, host) {
			return true
		}
	}
	for _, name := range c.DNSNames {
		if strings.EqualFold(name, host) {
			return true
		}
	}
	return len(c.URIs)+len(c.DNSNames) == 0 && strings.EqualFold(c.Subject.CommonName, host)
}

// vouched reports whether one of the trunk's authorities has signed the certificate, and it is in its time. What else
// the certificate is for is not asked: those of telephone systems are made for servers.
func vouched(chain []*x509.Certificate, roots *x509.CertPool) bool {
	between := x509.NewCertPool()
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	_, err := chain[0].Verify(x509.VerifyOptions{
		Roots: roots, Intermediates: between, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
	return err == nil
}
