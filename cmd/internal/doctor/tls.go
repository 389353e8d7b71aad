package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"passerelle/config"
	"passerelle/sip"
)

// soon is how long before its end a certificate is worth a warning.
const soon = 21 * 24 * time.Hour

// trusting is our side of a probe's handshake: as the gateway's, but that it goes on whatever the certificate is, so that all
// that is wrong with it can be told.
func (p probe) trusting(o *outcome) *tls.Config {
	return &tls.Config{
		ServerName: p.name, MinVersion: tls.VersionTLS12, CipherSuites: slices.Concat(sip.StrongSuites(), p.suites),
		InsecureSkipVerify: true,
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			o.asked = true
			if p.mine == nil {
				return &tls.Certificate{}, nil
			}
			return p.mine, nil
		},
	}
}

// oldPeer returns what a peer speaks that the gateway can do no handshake with; "" if that is not known.
func (p probe) oldPeer(ctx context.Context) string {
	raw, err := p.dial(ctx)
	if err != nil {
		return ""
	}
	defer raw.Close()
	defer context.AfterFunc(ctx, func() { _ = raw.SetDeadline(time.Now()) })()
	anything := &tls.Config{ServerName: p.name, MinVersion: tls.VersionTLS10, InsecureSkipVerify: true}
	for _, suite := range slices.Concat(tls.CipherSuites(), tls.InsecureCipherSuites()) {
		anything.CipherSuites = append(anything.CipherSuites, suite.ID)
	}
	conn := tls.Client(raw, anything)
	if conn.HandshakeContext(ctx) != nil {
		return ""
	}
	return spokenWith(conn.ConnectionState())
}

func spokenWith(c tls.ConnectionState) string {
	return tls.VersionName(c.Version) + " with " + tls.CipherSuiteName(c.CipherSuite)
}

// handshake says why none came about.
func (s *sheet) handshake(at string, o outcome, trunk string) {
	var notTLS tls.RecordHeaderError
	switch {
	case errors.As(o.err, &notTLS):
		s.bad("%s does not speak TLS at that port", at).
			do("use its TLS port, which is 5061 with most, or transport=tcp in %s if it has none", trunk)
	case strings.HasPrefix(o.oldPeer, "TLS 1.2"):
		s.bad("%s speaks %s only, which is weak and not spoken without being named", at, o.oldPeer).
			do("have it speak ECDHE with AES-GCM, or add tls: {suites: [%s]} to the trunk", o.oldPeer[strings.LastIndexByte(o.oldPeer, ' ')+1:])
	case o.oldPeer != "":
		s.bad("%s speaks %s, which is too old", at, o.oldPeer).do("have TLS 1.2 or 1.3 switched on there; older versions are never spoken here")
	case o.asked:
		s.bad("%s asks for a certificate and does not want ours: %s", at, o.err).
			do("have our certificate's authority added there (networks[].tls.cert is what we show), or get one from an authority that it knows")
	default:
		s.bad("%s breaks the TLS handshake off: %s", at, o.err).do("look into its log for why; it may not know this address, or want a certificate")
	}
}

// chain judges a certificate as one who connects to host would, and everything that is wrong with it.
func (s *sheet) chain(at, host string, chain []*x509.Certificate, roots *x509.CertPool, now time.Time) {
	if len(chain) == 0 {
		s.bad("%s shows no certificate", at).do("have one put there")
		return
	}
	leaf := chain[0]
	wrong := s.validity(at, chain, now)
	if err := leaf.VerifyHostname(host); err != nil {
		wrong = true
		s.bad("the certificate of %s is for %s, and not for %s", at, namesOf(leaf), host).
			do("name the server as its certificate does, or have a certificate made for %s", host)
	}
	between := x509.NewCertPool()
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	_, err := leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, CurrentTime: within(leaf, now), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	var unknown x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired && wrong: // that has been told
	case errors.As(err, &unknown) && slices.Equal(leaf.RawIssuer, leaf.RawSubject):
		wrong = true
		s.bad("the certificate of %s is signed by itself, and this machine does not know it", at).
			do("put it (PEM, as NAME.crt) into /usr/local/share/ca-certificates and run update-ca-certificates, then restart the gateway")
	case errors.As(err, &unknown) && len(chain) == 1:
		wrong = true
		s.bad("nobody that this machine trusts vouches for the certificate of %s; it is from %q and comes alone: an intermediate certificate is missing, or its authority is a private one", at, leaf.Issuer.CommonName).
			do("have the whole chain put there (a fullchain file); for a private authority, put its certificate into /usr/local/share/ca-certificates and run update-ca-certificates, then restart the gateway")
	case errors.As(err, &unknown):
		wrong = true
		s.bad("nobody that this machine trusts vouches for the certificate of %s; its chain ends with %q", at, chain[len(chain)-1].Issuer.CommonName).
			do("put the certificate of that authority into /usr/local/share/ca-certificates and run update-ca-certificates, then restart the gateway")
	case err != nil:
		wrong = true
		s.bad("the certificate of %s is not taken: %s", at, err).do("have it replaced")
	}
	if !wrong {
		s.ok("the certificate of %s is for %s, from %q, and good for %s", at, host, leaf.Issuer.CommonName, days(leaf.NotAfter.Sub(now)))
	}
}

// validity tells of certificates whose time is over or has not come; true if there are any.
func (s *sheet) validity(at string, chain []*x509.Certificate, now time.Time) (wrong bool) {
	for i, c := range chain {
		which := "the certificate"
		if i > 0 {
			which = fmt.Sprintf("the certificate of the authority %q", c.Subject.CommonName)
		}
		switch {
		case now.After(c.NotAfter):
			wrong = true
			s.bad("%s of %s has expired, on %s", which, at, c.NotAfter.UTC().Format(time.DateOnly)).do("have it renewed")
		case now.Before(c.NotBefore):
			wrong = true
			s.bad("%s of %s is not valid before %s, and this machine's clock says %s", which, at, moment(c.NotBefore), moment(now)).
				do("set the clock (timedatectl set-ntp true); if it is right, wait, or have the certificate replaced")
		case c.NotAfter.Sub(now) < soon:
			s.warn("%s of %s ends in %s, on %s", which, at, days(c.NotAfter.Sub(now)), c.NotAfter.UTC().Format(time.DateOnly)).do("see to it that it is renewed")
		}
	}
	return wrong
}

// within is now, or a time at which a certificate is valid, so that the rest of its chain can be looked at.
func within(c *x509.Certificate, now time.Time) time.Time {
	switch {
	case now.After(c.NotAfter):
		return c.NotAfter
	case now.Before(c.NotBefore):
		return c.NotBefore
	}
	return now
}

// namesOf are the hosts that a certificate is for.
func namesOf(c *x509.Certificate) string {
	names := slices.Clone(c.DNSNames)
	for _, ip := range c.IPAddresses {
		names = append(names, ip.String())
	}
	if len(names) == 0 {
		return fmt.Sprintf("nobody (its common name %q does not count)", c.Subject.CommonName)
	}
	return listed(names[:min(len(names), 8)])
}

func days(d time.Duration) string {
	switch n := int(d / (24 * time.Hour)); {
	case n > 1:
		return fmt.Sprintf("%d more days", n)
	case n == 1:
		return "1 more day"
	}
	return fmt.Sprintf("%d more hours", int(d/time.Hour))
}

func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }

// ownCertificate judges ours as those who call would. host is what we are called by; "" where nobody says.
func (s *sheet) ownCertificate(files config.TLS, setting, host string, roots *x509.CertPool, now time.Time) {
	pair, err := tls.LoadX509KeyPair(files.Cert, files.Key)
	if err != nil {
		s.bad("our certificate cannot be used: %s", err).do("look at %s", setting)
		return
	}
	var chain []*x509.Certificate
	for _, der := range pair.Certificate {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			s.bad("%s holds what is no certificate: %s", files.Cert, err).do("look at %s", setting)
			return
		}
		chain = append(chain, c)
	}
	leaf := chain[0]
	wrong := s.validity(files.Cert, chain, now)
	if host != "" && leaf.VerifyHostname(host) != nil {
		wrong = true
		s.warn("our certificate (%s) is for %s, and we say that we are %s", files.Cert, namesOf(leaf), host).
			do("peers that look at names will not take it: get one for %s, or have them call %s", host, namesOf(leaf))
	}
	between := x509.NewCertPool()
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	_, err = leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, CurrentTime: within(leaf, now), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
	switch {
	case err != nil && len(chain) == 1 && !slices.Equal(leaf.RawIssuer, leaf.RawSubject):
		wrong = true
		s.warn("our certificate (%s) is from %q, which this machine does not know, and the file has no other certificate", files.Cert, leaf.Issuer.CommonName).
			do("put the intermediate certificates behind it into that file (a fullchain file); for a private authority, give its certificate to those who call")
	case err != nil:
		wrong = true
		s.warn("our certificate (%s) is from %q, which this machine does not know", files.Cert, leaf.Issuer.CommonName).
			do("phones and trunks need the certificate of that authority, or they will not call over TLS")
	}
	if !wrong {
		s.ok("our certificate (%s) is for %s, and good for %s", files.Cert, namesOf(leaf), days(leaf.NotAfter.Sub(now)))
	}
}
