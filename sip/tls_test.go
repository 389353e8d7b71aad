package sip

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"math/big"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"
)

// authority signs certificates of a test.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority() (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "tests"},
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	return &authority{cert, key}, err
}

// sign makes a certificate for a name and the loopback addresses.
func (a *authority) sign(name string) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), DNSNames: []string{name},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}, NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}

func (a *authority) pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(a.cert)
	return p
}

var house = sync.OnceValues(newAuthority)

func theHouse(t testing.TB) *authority {
	t.Helper()
	a, err := house()
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func certificate(t testing.TB, a *authority, name string) *tls.Certificate {
	t.Helper()
	c, err := a.sign(name)
	if err != nil {
		t.Fatal(err)
	}
	return &c
}

// ourTLS is the server's side.
func ourTLS(t testing.TB) *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{*certificate(t, theHouse(t), "gateway.example")}}
}

// theirTLS is the other one.
func theirTLS(t testing.TB) *tls.Config { return &tls.Config{RootCAs: theHouse(t).pool()} }

// pbx knows the certificates of pbx.example that the house has signed, from any address.
func pbx(t testing.TB) TLS {
	roots := theHouse(t).pool()
	return TLS{
		Server: ourTLS(t), Client: theirTLS(t),
		Expects: func(netip.AddrPort) bool { return true },
		Peer: func(_ netip.AddrPort, chain []*x509.Certificate) string {
			_, err := chain[0].Verify(x509.VerifyOptions{Roots: roots, DNSName: "pbx.example", KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
			if err != nil {
				return ""
			}
			return "pbx"
		},
	}
}

// closedUnheard fails unless a connection is closed without a byte.
func closedUnheard(t *testing.T, c net.Conn) {
	t.Helper()
	c.SetReadDeadline(time.Now().Add(patience))
	if n, err := io.Copy(io.Discard, c); n != 0 || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %d bytes, %v; want none and the connection closed", n, err)
	}
}

func tcpFrom(t *testing.T, s testServer, from string) net.Conn {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	c, err := d.Dial("tcp", s.addr("tls").String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func TestStrangersGetNoHandshake(t *testing.T) {
	k := newKnocks()
	s := serve(t, Config{Known: only("127.0.0.1"), Unanswered: k.add}, answerAll(nil))
	closedUnheard(t, tcpFrom(t, s, "127.0.0.2")) // before it has sent anything
	k.await(t, "unknown source")
}

func TestPeersAreKnownByTheirCertificate(t *testing.T) {
	other, err := newAuthority()
	if err != nil {
		t.Fatal(err)
	}
	k := newKnocks()
	invites := make(chan Invite, 1)
	s := serve(t, Config{Known: only("127.0.0.1"), TLS: pbx(t), Unanswered: k.add}, func(ctx context.Context, d *Dialog) {
		invites <- d.Invite()
		d.Answer(ctx, []byte(testSDP))
	})
	from := func(ip string) net.Dialer { return net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(ip)}} }
	for _, c := range []struct {
		rule, from string
		cert       *tls.Certificate
		peer       string
		refused    bool
	}{
		{"the right name, anywhere", "127.0.0.2", certificate(t, theHouse(t), "pbx.example"), "pbx", false},
		{"the right name at a known address", "127.0.0.1", certificate(t, theHouse(t), "pbx.example"), "pbx", false},
		{"none at a known address", "127.0.0.1", nil, "", false},
		{"the wrong one at a known address", "127.0.0.1", certificate(t, other, "pbx.example"), "", false},
		{"none", "127.0.0.3", nil, "", true},
		{"another name", "127.0.0.4", certificate(t, theHouse(t), "pbx.example.net"), "", true},
		{"another authority", "127.0.0.5", certificate(t, other, "pbx.example"), "", true},
	} {
		t.Run(c.rule, func(t *testing.T) {
			p := s.peerOn("tls", from(c.from), c.cert)
			p.t = t
			p.conn.Write([]byte(p.request("INVITE", "i", 1, "", testSDP)))
			if c.refused {
				if m, err := p.read(patience); err == nil {
					t.Errorf("got %q, want the connection closed", m.start)
				}
				k.await(t, "certificate of nobody who is known")
				return
			}
			p.expect(200)
			if i := wait(t, invites); i.Peer != c.peer || i.Transport != "tls" {
				t.Errorf("got peer %q over %s, want %q", i.Peer, i.Transport, c.peer)
			}
		})
	}
	t.Run("a certificate makes no address known", func(t *testing.T) {
		p := s.peer("udp", "127.0.0.2")
		p.send(p.request("OPTIONS", "o", 1, "", ""))
		p.silent(10 * testT1)
	})
}

func TestStrangersAreBounded(t *testing.T) {
	k := newKnocks()
	limits := Limits{Strangers: 2, StrangersPerAddress: 1}
	s := serve(t, Config{Known: only("127.0.0.1"), TLS: pbx(t), Unanswered: k.add, Limits: limits}, answerAll(nil))
	waiting := func() int {
		s.streams.mu.Lock()
		defer s.streams.mu.Unlock()
		return s.streams.strangers
	}
	hold := func(from string, n int) {
		t.Helper()
		tcpFrom(t, s, from)
		for deadline := time.Now().Add(patience); waiting() != n; {
			if time.Now().After(deadline) {
				t.Fatalf("%d in their handshake, want %d", waiting(), n)
			}
		}
	}
	hold("127.0.0.2", 1)
	closedUnheard(t, tcpFrom(t, s, "127.0.0.2"))
	hold("127.0.0.3", 2)
	closedUnheard(t, tcpFrom(t, s, "127.0.0.4"))
	k.await(t, "too many connections")
	p := s.peer("tls", "") // who is known does not wait behind them
	p.send(p.request("OPTIONS", "o", 1, "", ""))
	p.expect(200)
}

func TestStrangersHaveARate(t *testing.T) {
	s := serve(t, Config{Known: only("127.0.0.1"), TLS: pbx(t), Limits: Limits{StrangersPerSecond: 1}}, answerAll(nil))
	answered, began := 0, time.Now()
	for range 10 {
		c := tls.Client(tcpFrom(t, s, "127.0.0.2"), &tls.Config{RootCAs: theHouse(t).pool(), ServerName: "127.0.0.1"})
		c.SetDeadline(time.Now().Add(patience))
		if c.Handshake() == nil {
			answered++
		}
		c.Close()
	}
	if most := 3 + int(time.Since(began).Seconds()); answered < 2 || answered > most {
		t.Errorf("%d handshakes, want 2 and as many as seconds have passed, %d at most", answered, most)
	}
}

func TestHandshakeTakesItsTimeAndNoMore(t *testing.T) {
	k := newKnocks()
	s := serve(t, Config{Limits: Limits{HandshakeTime: 100 * time.Millisecond}, Unanswered: k.add}, answerAll(nil))
	for _, c := range []struct{ rule, sent string }{
		{"nothing is said", ""},
		{"half a ClientHello", "\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03"},
		{"SIP without TLS", "OPTIONS sip:a@b SIP/2.0\r\n\r\n"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			raw := tcpFrom(t, s, "127.0.0.1")
			raw.Write([]byte(c.sent))
			raw.SetReadDeadline(time.Now().Add(patience))
			if _, err := io.Copy(io.Discard, raw); err != nil && !strings.Contains(err.Error(), "reset") {
				t.Errorf("got %v, want the connection closed", err)
			}
			k.await(t, "no TLS handshake")
		})
	}
	counted := func() (int, int) {
		s.streams.mu.Lock()
		defer s.streams.mu.Unlock()
		return s.streams.shaking, len(s.streams.counts)
	}
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) { // the last is told of before it is gone
		shaking, addresses := counted()
		if shaking == 0 && addresses == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d handshakes are counted, of %d addresses", shaking, addresses)
		}
	}
}

func TestOldTLSIsRefused(t *testing.T) {
	s := serve(t, Config{}, answerAll(nil))
	for _, c := range []struct {
		rule   string
		config *tls.Config
		want   bool
	}{
		{"1.3", &tls.Config{MinVersion: tls.VersionTLS13}, true},
		{"1.2", &tls.Config{MaxVersion: tls.VersionTLS12}, true},
		{"1.2 without AEAD", &tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA}}, false},
		{"1.1", &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}, false},
	} {
		t.Run(c.rule, func(t *testing.T) {
			c.config.RootCAs, c.config.ServerName = theHouse(t).pool(), "127.0.0.1"
			conn := tls.Client(tcpFrom(t, s, "127.0.0.1"), c.config)
			if err := conn.Handshake(); (err == nil) != c.want {
				t.Errorf("got %v, want accepted %v", err, c.want)
			}
			conn.Close()
		})
	}
}

func TestContactSaysHowToComeBack(t *testing.T) {
	s := serve(t, Config{}, answerAll(nil))
	port := s.addr("tls").String()
	for _, c := range []struct {
		rule    string
		old, by string
		want    string
	}{
		{"SIP over TLS", "", "", "<sip:" + port + ";transport=tls>"},
		{"a SIPS URI", "INVITE sip:", "INVITE sips:", "<sips:" + port + ">"},
		{"a SIPS Contact", "Contact: <sip:", "Contact: <sips:", "<sips:" + port + ">"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			p := s.peer("tls", "")
			p.t = t
			p.send(strings.Replace(p.request("INVITE", "i", 1, "", testSDP), c.old, c.by, 1))
			ok := p.expect(200)
			if got := ok.header("Contact"); got != c.want {
				t.Errorf("got Contact %s, want %s", got, c.want)
			}
			p.send(p.request("ACK", "a", 1, ok.toTag(), ""))
			p.send(p.request("BYE", "b", 2, ok.toTag(), ""))
			p.expect(200)
		})
	}
}

func TestRequestsOfOursGoOnTheFlow(t *testing.T) {
	release := make(chan struct{})
	p := serve(t, Config{}, func(ctx context.Context, d *Dialog) {
		d.Answer(ctx, []byte(testSDP))
		<-release
	}).peer("tls", "")
	p.establish()
	close(release)
	bye := p.expectRequest("BYE")
	if via := bye.header("Via"); !strings.HasPrefix(via, "SIP/2.0/TLS ") {
		t.Errorf("got Via %s", via)
	}
	p.reply(bye, 200)
}

func TestDialogOverTLSTakesNothingElse(t *testing.T) {
	s := serve(t, Config{}, answerAll(nil))
	p := s.peer("tls", "")
	ok := p.establish()
	for _, network := range []string{"udp", "tcp"} {
		q := s.peer(network, "")
		q.callID, q.tag = p.callID, p.tag
		q.send(q.request("BYE", newTag(), 5, ok.toTag(), ""))
		q.expect(481)
	}
	p.send(p.request("BYE", "b", 6, ok.toTag(), ""))
	p.expect(200)
}

func TestNobodyElseIsCalledOverTLS(t *testing.T) {
	other, err := newAuthority()
	if err != nil {
		t.Fatal(err)
	}
	callee := serve(t, Config{}, answerAll(nil))
	caller := serve(t, Config{TLS: TLS{Server: ourTLS(t), Client: &tls.Config{RootCAs: other.pool()}}}, answerAll(nil))
	_, _, err = caller.Dial(t.Context(), Dial{To: callee.uri("tls"), Offer: []byte(testSDP)})
	var unknown x509.UnknownAuthorityError
	if !errors.As(err, &unknown) {
		t.Errorf("got %v, want %T", err, unknown)
	}
}

func TestSIPSGoesOverTLS(t *testing.T) {
	invites := make(chan Invite, 1)
	callee := serve(t, Config{}, func(ctx context.Context, d *Dialog) {
		invites <- d.Invite()
		d.Answer(ctx, []byte(testSDP))
		<-ctx.Done()
	})
	caller := serve(t, Config{}, answerAll(nil))
	d, _, err := caller.Dial(t.Context(), Dial{To: "sips:room@" + callee.addr("tls").String(), Offer: []byte(testSDP)})
	if err != nil {
		t.Fatal(err)
	}
	if i := wait(t, invites); i.Transport != "tls" || i.RequestURI.Scheme != "sips" || i.From.Scheme != "sips" {
		t.Errorf("got %+v", i)
	}
	if err := d.Hangup(t.Context(), ""); err != nil {
		t.Error(err)
	}
}

func TestListenerWithoutCertificate(t *testing.T) {
	_, err := Listen(Config{Listen: []Listener{{"tls", netip.MustParseAddrPort("127.0.0.1:0")}}})
	if !errors.Is(err, errNoCertificate) {
		t.Errorf("got %v, want %v", err, errNoCertificate)
	}
}
