package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"passerelle/config"
)

func TestBehindProxy(t *testing.T) {
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	for _, test := range []struct {
		rule, peer string
		forwarded  []string
		want       string
	}{
		{"a proxy is believed", "10.0.0.1:99", []string{"192.0.2.1"}, "192.0.2.1:0"},
		{"a stranger is not", "192.0.2.9:99", []string{"192.0.2.1"}, "192.0.2.9:99"},
		{"what the browser made up stands further left", "10.0.0.1:99", []string{"198.51.100.1, 192.0.2.1"}, "192.0.2.1:0"},
		{"a chain of proxies is walked", "10.0.0.1:99", []string{"192.0.2.1, 10.0.0.7"}, "192.0.2.1:0"},
		{"also over several headers", "10.0.0.1:99", []string{"192.0.2.1", "10.0.0.7"}, "192.0.2.1:0"},
		{"an address with a port", "10.0.0.1:99", []string{"192.0.2.1:4711"}, "192.0.2.1:0"},
		{"IPv6", "10.0.0.1:99", []string{"2001:db8::1"}, "[2001:db8::1]:0"},
		{"IPv6 in brackets", "10.0.0.1:99", []string{"[2001:db8::1]"}, "[2001:db8::1]:0"},
		{"IPv6 with a port", "10.0.0.1:99", []string{"[2001:db8::1]:443"}, "[2001:db8::1]:0"},
		{"a proxy with a port in a chain", "10.0.0.1:99", []string{"192.0.2.1:4711, 10.0.0.7:8080"}, "192.0.2.1:0"},
		{"half a bracket is rubbish", "10.0.0.1:99", []string{"[2001:db8::1"}, "10.0.0.1:99"},
		{"rubbish ends the walk", "10.0.0.1:99", []string{"192.0.2.1, rubbish, 10.0.0.7"}, "10.0.0.7:0"},
		{"no header", "10.0.0.1:99", nil, "10.0.0.1:99"},
	} {
		t.Run(test.rule, func(t *testing.T) {
			got := ""
			handler := behindProxy(proxies, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.RemoteAddr }))
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.RemoteAddr = test.peer
			for _, value := range test.forwarded {
				r.Header.Add("X-Forwarded-For", value)
			}
			handler.ServeHTTP(httptest.NewRecorder(), r)
			if got != test.want {
				t.Errorf("RemoteAddr is %s, want %s", got, test.want)
			}
		})
	}
}

// writeCertificate puts a new certificate for name into dir, as a renewal would.
func writeCertificate(t *testing.T, dir, name string, at time.Time) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{name}, NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for path, block := range map[string]*pem.Block{
		cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: secret},
	} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

func TestTheCertificateIsReadAgain(t *testing.T) {
	dir, begin := t.TempDir(), time.Now().Add(-time.Hour)
	cert, key := writeCertificate(t, dir, "old.example", begin)
	pair := &keyPair{cert: cert, key: key, log: slog.New(slog.DiscardHandler)}
	if err := pair.load(); err != nil {
		t.Fatal(err)
	}
	name := func() string {
		pair.seen = time.Time{} // long ago
		got, err := pair.get(nil)
		if err != nil {
			t.Fatal(err)
		}
		return got.Leaf.DNSNames[0]
	}
	if got := name(); got != "old.example" {
		t.Errorf("the certificate is for %s", got)
	}
	writeCertificate(t, dir, "new.example", begin.Add(time.Minute))
	if got := name(); got != "new.example" {
		t.Errorf("after the renewal the certificate is for %s", got)
	}
	writeCertificate(t, dir, "older.example", begin.Add(-time.Minute))
	if got := name(); got != "older.example" {
		t.Errorf("with older files in their place the certificate is for %s", got)
	}
	if err := os.WriteFile(cert, []byte("half a file"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := name(); got != "older.example" {
		t.Errorf("a broken file was taken: %s", got)
	}
}

func TestThePageOverTLS(t *testing.T) {
	cert, key := writeCertificate(t, t.TempDir(), "rooms.example", time.Now())
	w, err := listenWeb(config.HTTP{
		Listen: netip.MustParseAddrPort("127.0.0.1:0"), TLS: &config.TLS{Cert: cert, Key: key},
	}, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "page") }), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- w.run(ctx) }()

	pem, err := os.ReadFile(cert)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: pool},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, w.listener.Addr().String())
		},
	}
	defer transport.CloseIdleConnections()
	response, err := (&http.Client{Transport: transport}).Get("https://rooms.example/")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if body, err := io.ReadAll(response.Body); err != nil || string(body) != "page" {
		t.Errorf("the page over TLS is %q, %v", body, err)
	}
	stop()
	if err := <-ran; err != nil {
		t.Error(err)
	}
}

// inside is a listener whose connections never leave the process.
type inside struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (l *inside) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conns:
		return conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *inside) Close() error   { l.once.Do(func() { close(l.closed) }); return nil }
func (l *inside) Addr() net.Addr { return &net.TCPAddr{} }

// dial sends a request, and returns where its answer comes.
func (l *inside) dial(t *testing.T) net.Conn {
	t.Helper()
	here, there := net.Pipe()
	l.conns <- there
	if _, err := io.WriteString(here, "GET / HTTP/1.1\r\nHost: rooms.example\r\nConnection: close\r\n\r\n"); err != nil {
		t.Error(err)
	}
	return here
}

func TestAServerClosesWhenItsRequestsAreAnswered(t *testing.T) {
	for _, test := range []struct {
		rule   string
		takes  time.Duration // to answer
		closed time.Duration // after that much the server has closed
		answer string
	}{
		{"a request in flight is finished", webCloseTime / 2, webCloseTime / 2, "page"},
		{"one that takes too long is cut", 2 * webCloseTime, webCloseTime, ""},
	} {
		t.Run(test.rule, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { closeInFlight(t, test.takes, test.closed, test.answer) })
		})
	}
}

func closeInFlight(t *testing.T, takes, closed time.Duration, answer string) {
	door := &inside{conns: make(chan net.Conn), closed: make(chan struct{})}
	w := &web{name: "the page", listener: door, server: &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			time.Sleep(takes)
			io.WriteString(w, "page")
		}),
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug),
	}}
	ctx, stop := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- w.run(ctx) }()
	conn := door.dial(t)
	defer conn.Close()
	got := make(chan string, 1)
	go func() {
		text, _ := io.ReadAll(conn)
		_, body, _ := strings.Cut(string(text), "\r\n\r\n")
		got <- body
	}()
	synctest.Wait() // the request is being answered

	began := time.Now()
	stop()
	if err := <-ran; err != nil {
		t.Error(err)
	}
	// The server looks twice a second, at most, whether it has nobody left.
	if took := time.Since(began); took < closed || took > closed+500*time.Millisecond {
		t.Errorf("the server closed after %v, want %v", took, closed)
	}
	if body := <-got; body != answer {
		t.Errorf("the answer is %q, want %q", body, answer)
	}
	time.Sleep(takes) // until the handler is gone, too
}

func TestAServerThatCannotServeSaysWhich(t *testing.T) {
	for _, name := range []string{"the page (http.listen)", "the counters (--debug)"} {
		listener, err := net.Listen("tcp", free)
		if err != nil {
			t.Fatal(err)
		}
		listener.Close()
		w := &web{name: name, listener: listener, server: &http.Server{}}
		if err := w.run(t.Context()); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("the error of a closed listener is %v, want %s", err, name)
		}
	}
}
