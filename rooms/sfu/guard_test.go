package sfu

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"passerelle/rooms/internal/ready"
)

func TestOrigin(t *testing.T) {
	for name, c := range map[string]struct {
		public, origin, host string
		tls                  bool
		want                 bool
	}{
		"the page of this host":                   {"", "http://127.0.0.1:8080", "127.0.0.1:8080", false, true},
		"localhost":                               {"", "http://localhost:8080", "localhost:8080", false, true},
		"IPv6":                                    {"", "http://[::1]:8080", "[::1]:8080", false, true},
		"another port is another page":            {"", "http://127.0.0.1:8081", "127.0.0.1:8080", false, false},
		"another host":                            {"", "https://evil.example", "127.0.0.1:8080", false, false},
		"a name that may point anywhere":          {"", "http://evil.example:8080", "evil.example:8080", false, false},
		"a name that the certificate vouches for": {"", "https://rooms.example", "rooms.example", true, true},
		"a name that begins like localhost":       {"", "http://localhost.evil.example", "localhost.evil.example", false, false},
		"no origin":                               {"", "", "127.0.0.1:8080", false, false},
		"a page without an origin":                {"", "null", "127.0.0.1:8080", false, false},
		"an origin with a path":                   {"", "http://127.0.0.1:8080/x", "127.0.0.1:8080", false, false},
		"the public page behind a proxy":          {"https://rooms.example/", "https://rooms.example", "10.0.0.1:8080", false, true},
		"the public page, its port spelt out":     {"https://rooms.example:443", "https://Rooms.Example", "rooms.example", false, true},
		"the public host without TLS":             {"https://rooms.example", "http://rooms.example", "rooms.example", false, false},
		"beside the public page, the address":     {"https://rooms.example", "http://127.0.0.1:8080", "127.0.0.1:8080", false, true},
	} {
		t.Run(name, func(t *testing.T) {
			o, err := newOrigin(c.public)
			if err != nil {
				t.Fatal(err)
			}
			r := &http.Request{Host: c.host, Header: http.Header{}}
			if c.origin != "" {
				r.Header.Set("Origin", c.origin)
			}
			if c.tls {
				r.TLS = &tls.ConnectionState{}
			}
			if got := o.allows(r); got != c.want {
				t.Errorf("allows = %v, want %v", got, c.want)
			}
		})
	}
	for _, bad := range []string{"rooms.example", "ftp://rooms.example", "https://", "https://%zz"} {
		if _, err := newOrigin(bad); err == nil {
			t.Errorf("public URL %q: no error", bad)
		}
	}
}

func TestGuests(t *testing.T) {
	now := time.Hour
	g := newGuests(func() time.Duration { return now })
	eve, ada := address("[2001:db8:1:2::1]:5000"), address("192.0.2.1:5000")
	for range socketsPerAddress {
		if !g.enter(eve) {
			t.Fatal("a WebSocket within the limit was refused")
		}
	}
	if g.enter(address("[2001:db8:1:2:ffff::9]:5000")) {
		t.Errorf("one more WebSocket from the same network was accepted")
	}
	if !g.enter(ada) {
		t.Errorf("a WebSocket from elsewhere was refused")
	}
	g.leave(eve)
	if !g.enter(eve) {
		t.Errorf("after one left, one more was refused")
	}
	for range passwordTries {
		if !g.mayTry(eve) {
			t.Fatal("a try within the limit was refused")
		}
		g.wrong(eve)
	}
	if g.mayTry(eve) || !g.mayTry(ada) {
		t.Errorf("after %d wrong passwords Eve may try: %v, Ada: %v, want false, true", passwordTries, g.mayTry(eve), g.mayTry(ada))
	}
	now += passwordInterval
	if !g.mayTry(eve) {
		t.Errorf("after a while Eve may not try")
	}
	if g.wrong(eve); g.mayTry(eve) {
		t.Errorf("Eve may try twice after the time for one")
	}
}

func TestGuestsAreForgotten(t *testing.T) {
	now := time.Hour
	g := newGuests(func() time.Duration { return now })
	stays := address("192.0.2.1:1")
	g.enter(stays)
	for n := range 3 * guestsKept {
		g.wrong(netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)}), 32))
		if len(g.by) > guestsKept {
			t.Fatalf("%d addresses are remembered, want at most %d", len(g.by), guestsKept)
		}
	}
	if who := g.by[stays]; who == nil || who.sockets != 1 {
		t.Errorf("who has a WebSocket is forgotten")
	}
}

func TestAddress(t *testing.T) {
	for remote, want := range map[string]string{
		"192.0.2.1:5000": "192.0.2.1/32", "[::ffff:192.0.2.1]:5000": "192.0.2.1/32",
		"[2001:db8::1]:80": "2001:db8::/64", "[fe80::1%eth0]:80": "fe80::/64", "@": "invalid Prefix",
	} {
		if got := address(remote).String(); got != want {
			t.Errorf("address(%q) = %s, want %s", remote, got, want)
		}
	}
}

// fakeWire is a WebSocket whose other end reads when it is let, and answers pings as it is told.
type fakeWire struct {
	mu      sync.Mutex
	written []string
	code    websocket.StatusCode
	gate    chan struct{} // closed: Write goes on
	pong    error
}

func (w *fakeWire) Write(ctx context.Context, _ websocket.MessageType, m []byte) error {
	select {
	case <-w.gate:
	case <-ctx.Done():
		return ctx.Err()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.written = append(w.written, string(m))
	return nil
}

func (w *fakeWire) Ping(context.Context) error { return w.pong }

func (w *fakeWire) Close(code websocket.StatusCode, _ string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.code = code
	return nil
}

func (*fakeWire) CloseNow() error { return nil }

func TestSocketWritesInOrderAndSaysGoodbye(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &fakeWire{gate: make(chan struct{})}
		s, ctx := newSocket(t.Context(), w)
		go s.write(ctx)
		s.send([]byte("one"))
		s.send([]byte("two"))
		s.finish([]byte("bye"), websocket.StatusGoingAway)
		s.finish([]byte("bye twice"), websocket.StatusNormalClosure)
		s.send([]byte("late"))
		close(w.gate)
		<-ctx.Done()
		if got := strings.Join(w.written, " "); got != "one two bye" || w.code != websocket.StatusGoingAway {
			t.Errorf("wrote %q and closed with %v, want one two bye, %v", got, w.code, websocket.StatusGoingAway)
		}
	})
}

func TestSlowBrowserIsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, ctx := newSocket(t.Context(), &fakeWire{gate: make(chan struct{})})
		go s.write(ctx)
		for n := range outboxSize + 2 {
			synctest.Wait()
			if ctx.Err() != nil {
				t.Fatalf("dropped after %d messages, want more patience", n)
			}
			if lags := n > outboxSize/2+1; s.lags() != lags {
				t.Errorf("after %d messages it lags: %v, want %v", n, s.lags(), lags)
			}
			s.send([]byte("news"))
		}
		<-ctx.Done() // never blocked: send returned each time
	})
}

func TestBrowserThatReadsNothingIsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, ctx := newSocket(t.Context(), &fakeWire{gate: make(chan struct{})})
		begin := time.Now()
		go s.write(ctx)
		s.send([]byte("news"))
		<-ctx.Done()
		if took := time.Since(begin); took != writeTimeout {
			t.Errorf("dropped after %v, want %v", took, writeTimeout)
		}
	})
}

func TestBrowserThatDoesNotAnswerPingsIsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, ctx := newSocket(t.Context(), &fakeWire{pong: context.DeadlineExceeded})
		begin := time.Now()
		go s.ping(ctx)
		<-ctx.Done()
		if took := time.Since(begin); took != pingInterval {
			t.Errorf("dropped after %v, want %v", took, pingInterval)
		}
	})
}

func TestFencedListener(t *testing.T) {
	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	f := newFenced(l, 10, 2)
	accepted := make(chan net.Conn)
	go func() {
		defer close(accepted)
		for {
			c, err := f.Accept()
			if err != nil {
				return
			}
			accepted <- c
		}
	}()
	dial := func() net.Conn {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		return c
	}
	dial()
	one := <-accepted
	dial()
	two := <-accepted
	if _, err := dial().Read(make([]byte, 1)); err == nil {
		t.Errorf("a third connection of one address was accepted")
	}
	_, _ = one.Close(), one.Close() // counted once
	dial()
	three := <-accepted
	if _, err := dial().Read(make([]byte, 1)); err == nil {
		t.Errorf("a third connection was accepted after one had ended")
	}
	_ = errors.Join(two.Close(), three.Close(), f.Close())
	<-accepted
	if f.open != 0 || len(f.from) != 0 {
		t.Errorf("%d connections are counted, %v by address, want none", f.open, f.from)
	}
}

func TestSteadySocketKnowsItsEnd(t *testing.T) {
	for name, reads := range map[string]int{"while it is read": 2, "between two packets": 1, "before it is read": 0} {
		t.Run(name, func(t *testing.T) {
			c, err := bindUDP(netip.MustParseAddrPort("127.0.0.1:0"))
			if err != nil {
				t.Fatal(err)
			}
			done, read := make(chan struct{}), make(chan error, 2)
			s := newSteady(c, func() { close(done) })
			to := c.LocalAddr().(*net.UDPAddr).AddrPort()
			if _, err := s.WriteToAddrPort([]byte("x"), to); err != nil {
				t.Fatal(err)
			}
			go func() {
				for range reads {
					_, _, err := s.ReadFromAddrPort(make([]byte, 10))
					read <- err
				}
				close(read)
			}()
			if reads > 0 {
				if err := <-read; err != nil {
					t.Fatal(err)
				}
			}
			if err := s.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
			<-done
			if err := <-read; reads == 2 && !errors.Is(err, net.ErrClosed) {
				t.Errorf("the read ended with %v, want %v", err, net.ErrClosed)
			}
		})
	}
}

func TestPionLog(t *testing.T) {
	var out bytes.Buffer
	log := ready.NewLog(slog.New(slog.NewTextHandler(&out, nil))).NewLogger("ice")
	log.Trace("a")
	log.Debugf("b %d", 1)
	log.Info("c")
	log.Warnf("d %s", "e")
	if out.Len() != 0 {
		t.Errorf("wrote %q, want nothing above debug: strangers can cause it", out.String())
	}
	for range 100 {
		log.Errorf("port %d is gone", 7882)
	}
	if n := strings.Count(out.String(), "port 7882 is gone"); n < 1 || n > 10 || !strings.Contains(out.String(), "pion=ice") {
		t.Errorf("an error 100 times was written %d times: %s", n, out.String())
	}
}
