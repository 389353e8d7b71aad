package ready

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"time"

	"github.com/pion/webrtc/v4"
)

// NewCertificate returns a DTLS certificate for all connections of a process. Peers know it by the fingerprint in
// the session description, which reaches them over the signalling; its dates only have to outlive the process.
func NewCertificate() (webrtc.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return webrtc.Certificate{}, fmt.Errorf("make a DTLS key: %w", err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return webrtc.Certificate{}, fmt.Errorf("make a DTLS certificate: %w", err)
	}
	name := pkix.Name{CommonName: "passerelle"}
	cert, err := webrtc.NewCertificate(key, x509.Certificate{
		SerialNumber: serial, Issuer: name, Subject: name, Version: 2,
		NotBefore: time.Now().AddDate(0, 0, -1), NotAfter: time.Now().AddDate(20, 0, 0),
	})
	if err != nil {
		return webrtc.Certificate{}, fmt.Errorf("make a DTLS certificate: %w", err)
	}
	return *cert, nil
}
