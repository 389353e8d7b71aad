package config

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
)

// tls reads the names of a certificate and its key; nil if there is none.
func (b *builder) tls(t *tree) *TLS {
	if !t.ok() {
		return nil
	}
	return &TLS{
		Cert: value(b, t.get("cert"), b.secrets.path),
		Key:  value(b, t.get("key"), b.secrets.path),
	}
}

// checkKeyPair tells if a certificate and its key cannot be read, do not fit, or have had their time.
func (b *builder) checkKeyPair(t *tree, files *TLS) {
	if files == nil || files.Cert == "" || files.Key == "" {
		return
	}
	at := t.get("cert").at
	pair, err := tls.LoadX509KeyPair(files.Cert, files.Key)
	if err != nil {
		b.add(at, t.path, "%s", err)
		return
	}
	switch now := time.Now(); {
	case now.After(pair.Leaf.NotAfter):
		b.warn(at, t.path, "the certificate has expired, on %s", pair.Leaf.NotAfter.Format(time.DateOnly))
	case now.Before(pair.Leaf.NotBefore):
		b.warn(at, t.path, "the certificate is not valid before %s", pair.Leaf.NotBefore.Format(time.DateOnly))
	}
}

// certificate reads how a trunk is known by its certificate; nil if it is not.
func (b *builder) certificate(t *tree) *Certificate {
	if !t.ok() {
		return nil
	}
	return &Certificate{
		Name:  value(b, t.get("name"), parseCertificateName),
		Roots: value(b, t.get("ca"), b.secrets.authorities),
	}
}

// parseCertificateName reads the host that a certificate names.
func parseCertificateName(text string) (string, error) {
	if !isHostName(text) {
		return "", errors.New("a host name without a wildcard is wanted, such as pbx.example.org")
	}
	return strings.ToLower(strings.TrimSuffix(text, ".")), nil
}

// authorities reads a file of certificates.
func (s secrets) authorities(text string) (*x509.CertPool, error) {
	path, err := s.path(text)
	if err != nil {
		return nil, err
	}
	pem, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("there is no certificate (PEM) in %s", path)
	}
	return roots, nil
}

// checkTLS tells where TLS has no certificate, or nothing to do.
func (b *builder) checkTLS(c *Config) {
	encrypted := false
	for i, t := range b.items("networks") {
		if i >= len(c.Static.Networks) {
			return
		}
		n := &c.Static.Networks[i]
		listens := false
		for k, l := range n.Listen {
			if !Encrypted(l.Transport) {
				continue
			}
			listens, encrypted = true, encrypted || l.Transport == "tls"
			if item := t.get("listen").items[k]; t.get("tls") == nil {
				b.add(item.at, item.path, "it needs a certificate: %s.tls is missing", t.path)
			}
		}
		if at := t.get("tls"); at.ok() && !listens {
			b.warn(at.at, at.path, "nothing listens for TLS: there is no tls:// and no wss:// in listen")
		}
		b.checkKeyPair(t.get("tls"), n.TLS)
	}
	first := make(map[string]string)
	for _, t := range b.items("trunks") {
		at := t.get("accept").get("certificate")
		name := at.get("name")
		if !at.ok() || !name.ok() {
			continue
		}
		if !encrypted && !b.toldBelow("networks") {
			b.warn(at.at, at.path, "nobody can show it: no network listens on tls://")
		}
		key := strings.ToLower(name.text) + " " + at.get("ca").text
		if other, ok := first[key]; ok {
			b.add(name.at, name.path, "%s has this certificate already: whose calls are they?", other)
		}
		first[key] = t.path
	}
}
