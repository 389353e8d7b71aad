package doctor

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"math/big"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// noon is what every clock of the tests says.
var noon = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)

// The addresses of the tests: the gateway's, and that of the peers.
const (
	gatewayIP = "127.0.7.1"
	peerIP    = "127.0.7.2"
	otherIP   = "127.0.7.3"
)

// udpPeer answers datagrams until the test ends. answer may be nil: silence.
func udpPeer(t *testing.T, answer func(c *net.UDPConn, request string, from *net.UDPAddr)) (addr string) {
	t.Helper()
	c := udpSocket(t, peerIP)
	serve(t, c, func() {
		buf := make([]byte, 64<<10)
		for {
			n, from, err := c.ReadFromUDP(buf)
			if err != nil {
				return
			}
			if answer != nil && strings.HasPrefix(string(buf[:n]), "OPTIONS") {
				answer(c, string(buf[:n]), from)
			}
		}
	})
	return c.LocalAddr().String()
}

func udpSocket(t *testing.T, ip string) *net.UDPConn {
	t.Helper()
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.ParseIP(ip)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// says is a peer that answers everything with the same.
func says(status string, more ...string) func(*net.UDPConn, string, *net.UDPAddr) {
	return func(c *net.UDPConn, request string, from *net.UDPAddr) {
		fmt.Fprint(to{c, from}, reply(request, status, received(from), "", more...))
	}
}

// to writes datagrams to one address.
type to struct {
	*net.UDPConn
	addr *net.UDPAddr
}

func (t to) Write(b []byte) (int, error) { return t.WriteToUDP(b, t.addr) }

// received is what a peer adds to Via.
func received(from net.Addr) string {
	host, port, _ := net.SplitHostPort(from.String())
	return ";received=" + host + ";rport=" + port
}

// reply makes an answer to a request; via replaces ";rport" in it.
func reply(request, status, via, body string, more ...string) string {
	lines := []string{"SIP/2.0 " + status}
	for line := range strings.SplitSeq(request, "\r\n") {
		name, _, _ := strings.Cut(line, ":")
		switch name {
		case "Via":
			line = strings.Replace(line, ";rport", via, 1)
		case "From", "To", "Call-ID", "CSeq":
		default:
			continue
		}
		lines = append(lines, line)
	}
	lines = append(lines, more...)
	return strings.Join(append(lines, fmt.Sprintf("Content-Length: %d", len(body)), "", body), "\r\n")
}

// streamPeer takes connections until the test ends; secure may be nil.
func streamPeer(t *testing.T, secure *tls.Config, serveOne func(net.Conn)) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp4", peerIP+":0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	var all sync.WaitGroup
	serve(t, l, func() {
		for {
			c, err := l.Accept()
			if err != nil {
				break
			}
			if secure != nil {
				c = tls.Server(c, secure)
			}
			all.Go(func() { defer c.Close(); serveOne(c) })
		}
		all.Wait()
	})
	return l.Addr().String()
}

// serve runs f until closing c ends it.
func serve(t *testing.T, c io.Closer, f func()) {
	done := make(chan struct{})
	go func() { defer close(done); f() }()
	t.Cleanup(func() { c.Close(); <-done })
}

// sipPeer answers one OPTIONS on each connection.
func sipPeer(status string, more ...string) func(net.Conn) {
	return func(c net.Conn) {
		request, err := hear(c)
		if err == nil {
			fmt.Fprint(c, reply(request, status, received(c.RemoteAddr()), "", more...))
			_, _ = c.Read(make([]byte, 1)) // until it is closed
		}
	}
}

func hear(c net.Conn) (string, error) {
	in := bufio.NewReader(c)
	var all strings.Builder
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return "", err
		}
		if all.WriteString(line); line == "\r\n" {
			return all.String(), nil
		}
	}
}

// authority signs certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T, name string, by *authority) *authority {
	t.Helper()
	a := &authority{}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
		NotBefore: noon.AddDate(-1, 0, 0), NotAfter: noon.AddDate(9, 0, 0),
	}
	var err error
	if a.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	parent, signer := template, a.key
	if by != nil {
		parent, signer = by.cert, by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, a.key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return a
}

// certificate is one for a name, from noon minus a year until days after noon. by nil: by itself.
func certificate(t *testing.T, by *authority, name string, days int, weak bool) tls.Certificate {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: noon.AddDate(-1, 0, 0), NotAfter: noon.AddDate(0, 0, days), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if days > 1000 { // one of the future
		template.NotBefore = noon.AddDate(0, 0, 1)
	}
	elliptical, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := tls.Certificate{PrivateKey: elliptical}
	var public any = elliptical.Public()
	if weak {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			t.Fatal(err)
		}
		c.PrivateKey, public = key, key.Public()
	}
	parent, signer := template, any(c.PrivateKey)
	if by != nil {
		parent, signer = by.cert, by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, signer)
	if err != nil {
		t.Fatal(err)
	}
	c.Certificate = [][]byte{der}
	return c
}

// closed is where nobody listens.
const closed = "127.0.7.4:5060"
