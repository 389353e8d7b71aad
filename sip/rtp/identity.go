package rtp

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	_ "crypto/sha256" // the hashes that a fingerprint may be made with
	_ "crypto/sha512"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"strings"
	"time"
)

// Identity is the certificate that we show in handshakes. Nobody vouches for it: the SDP has its fingerprint (RFC 5763
// section 5). One does for all lines, and may be used by them at once.
type Identity struct{ certificate tls.Certificate }

// identityTime is how long a certificate says that it is good. Peers look at its fingerprint alone; the gateway makes
// a new one with each start.
const identityTime = 10 * 365 * 24 * time.Hour

// NewIdentity makes a key, and a certificate that tells nothing of us.
func NewIdentity() (*Identity, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a DTLS key: %w", err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 126))
	if err != nil {
		return nil, fmt.Errorf("make a DTLS certificate: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: rand.Text()},
		NotBefore: time.Now().Add(-24 * time.Hour), NotAfter: time.Now().Add(identityTime),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("make a DTLS certificate: %w", err)
	}
	return &Identity{tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}}, nil
}

// Fingerprint returns the value of its fingerprint attribute, "sha-256 4A:AD:..." (RFC 8122 section 5).
func (i *Identity) Fingerprint() string {
	return "sha-256 " + strings.ReplaceAll(fmt.Sprintf("% X", digest(crypto.SHA256, i.certificate.Certificate[0])), " ", ":")
}

// Fingerprint is the hash of a peer's certificate (RFC 8122 section 5).
type Fingerprint struct {
	Hash   string // "sha-256", "sha-384" or "sha-512"; others fit nothing
	Digest []byte
}

// fits reports whether a certificate is the one that is meant.
func (f Fingerprint) fits(certificate []byte) bool {
	hashes := map[string]crypto.Hash{"sha-256": crypto.SHA256, "sha-384": crypto.SHA384, "sha-512": crypto.SHA512}
	h, ok := hashes[f.Hash]
	return ok && bytes.Equal(digest(h, certificate), f.Digest)
}

func digest(h crypto.Hash, data []byte) []byte {
	d := h.New()
	d.Write(data)
	return d.Sum(nil)
}
