package sip

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"math/big"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// rsaTLS is a server's side whose key is one of RSA, which some suites want.
func rsaTLS(t *testing.T) *tls.Config {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	a := theHouse(t)
	template := &x509.Certificate{SerialNumber: big.NewInt(3), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
}

// onlySuites is a client's side of TLS 1.2 that has these suites.
func onlySuites(t *testing.T, suites ...uint16) *tls.Config {
	t.Helper()
	return &tls.Config{RootCAs: theHouse(t).pool(), ServerName: "127.0.0.1", MaxVersion: tls.VersionTLS12, CipherSuites: suites}
}

// logLines are the lines of a log.
type logLines chan string

func (l logLines) Write(b []byte) (int, error) {
	l <- string(b)
	return len(b), nil
}

// Weaker suites are spoken with whom they are meant for, beside the others, and with nobody else; who that is is asked anew at
// each handshake.
func TestWeakerSuitesAreSpokenWithOnePeer(t *testing.T) {
	const weak, strong = tls.TLS_RSA_WITH_AES_128_CBC_SHA, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
	var old atomic.Value
	old.Store("127.0.0.2")
	known := func(src netip.AddrPort) bool { return src.Addr().String() != "127.0.0.4" }
	lines := make(logLines, 99)
	s := serve(t, Config{Known: known, Log: slog.New(slog.NewTextHandler(lines, nil)), TLS: TLS{Server: rsaTLS(t), Suites: func(peer netip.AddrPort) []uint16 {
		if peer.Addr().String() == old.Load() {
			return []uint16{weak}
		}
		return nil
	}}}, answerAll(nil))
	modern := theirTLS(t)
	modern.ServerName = "127.0.0.1"
	for _, c := range []struct {
		rule, old, from string
		config          *tls.Config
		want            uint16 // suite; 0 is refused
	}{
		{"the peer has the weak one only", "127.0.0.2", "127.0.0.2", onlySuites(t, weak), weak},
		{"it has a better one too", "127.0.0.2", "127.0.0.2", onlySuites(t, weak, strong), strong},
		{"it speaks TLS 1.3", "127.0.0.2", "127.0.0.2", modern, tls.TLS_AES_128_GCM_SHA256},
		{"it has another weak one", "127.0.0.2", "127.0.0.2", onlySuites(t, tls.TLS_RSA_WITH_AES_256_CBC_SHA), 0},
		{"another peer", "127.0.0.2", "127.0.0.3", onlySuites(t, weak), 0},
		{"a stranger", "127.0.0.2", "127.0.0.4", onlySuites(t, weak), 0},
		{"no longer", "127.0.0.3", "127.0.0.2", onlySuites(t, weak), 0},
		{"from now on", "127.0.0.3", "127.0.0.3", onlySuites(t, weak), weak},
	} {
		t.Run(c.rule, func(t *testing.T) {
			old.Store(c.old)
			conn := tls.Client(tcpFrom(t, s, c.from), c.config)
			defer conn.Close()
			conn.SetDeadline(time.Now().Add(patience))
			err := conn.Handshake()
			if got := conn.ConnectionState().CipherSuite; (err == nil) != (c.want != 0) || err == nil && got != c.want {
				t.Errorf("got %s, %v; want %s", tls.CipherSuiteName(got), err, tls.CipherSuiteName(c.want))
			}
		})
	}
	for _, peer := range []string{"127.0.0.2", "127.0.0.3"} { // the two that have spoken it, and nobody else, are worth a line
		if got, want := wait(t, lines), `level=WARN msg="TLS connection" peer=`+peer; !strings.Contains(got, want) ||
			!strings.Contains(got, `version="TLS 1.2" suite=TLS_RSA_WITH_AES_128_CBC_SHA`) {
			t.Errorf("logged %s, want %s", got, want)
		}
	}
}

// A peer that we connect to speaks the weaker suites that are meant for it.
func TestWeakerSuitesWhereWeConnect(t *testing.T) {
	const weak = tls.TLS_RSA_WITH_AES_128_CBC_SHA
	theirs := rsaTLS(t)
	theirs.MaxVersion, theirs.CipherSuites = tls.VersionTLS12, []uint16{weak}
	l, err := tls.Listen("tcp", "127.0.0.1:0", theirs)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for rule, suites := range map[string][]uint16{"meant for it": {weak}, "none": nil} {
		t.Run(rule, func(t *testing.T) {
			s := serve(t, Config{TLS: TLS{Server: ourTLS(t), Client: theirTLS(t), Suites: func(peer netip.AddrPort) []uint16 {
				if peer.String() != l.Addr().String() {
					return nil
				}
				return suites
			}}}, answerAll(nil))
			shaken := make(chan error, 1)
			go func() {
				c, err := l.Accept()
				if err == nil {
					defer c.Close()
					err = c.(*tls.Conn).HandshakeContext(t.Context())
				}
				shaken <- err
			}()
			raw, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer raw.Close()
			if _, err := s.streams.greet(t.Context(), raw, "127.0.0.1"); (err == nil) != (suites != nil) {
				t.Errorf("got %v", err)
			}
			if err := wait(t, shaken); (err == nil) != (suites != nil) {
				t.Errorf("the peer got %v", err)
			}
		})
	}
}
