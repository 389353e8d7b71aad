package sip

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"
)

// knocks collects what was left unanswered.
type knocks struct {
	mu   sync.Mutex
	seen []Knock
	c    chan struct{}
}

func newKnocks() *knocks { return &knocks{c: make(chan struct{}, 1)} }

func (k *knocks) add(n Knock) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.seen = append(k.seen, n)
	select {
	case k.c <- struct{}{}:
	default:
	}
}

// await returns when something was left unanswered for this reason.
func (k *knocks) await(t *testing.T, why string) {
	t.Helper()
	deadline := time.After(patience)
	for {
		k.mu.Lock()
		for _, n := range k.seen {
			if n.Why == why {
				k.mu.Unlock()
				return
			}
		}
		k.mu.Unlock()
		select {
		case <-k.c:
		case <-deadline:
			t.Fatalf("no knock %q in %v", why, k.seen)
		}
	}
}

// only knows one address.
func only(a string) func(netip.AddrPort) bool {
	return func(src netip.AddrPort) bool { return src.Addr() == netip.MustParseAddr(a) }
}

func TestUnknownSourcesHearNothing(t *testing.T) {
	k := newKnocks()
	s := serve(t, Config{Known: only("127.0.0.1"), Unanswered: k.add}, answerAll(nil))
	p := s.peer("udp", "127.0.0.2")
	for _, msg := range []string{
		p.request("OPTIONS", "o", 1, "", ""),
		p.request("INVITE", "i", 1, "", testSDP),
		p.request("CANCEL", "i", 1, "", ""),
		p.request("REGISTER", "r", 1, "", ""),
		strings.Replace(p.request("OPTIONS", "p", 1, "", ""), "CSeq: 1", "CSeq: one", 1),
		"\r\n\r\n",
	} {
		p.send(msg)
	}
	p.silent(10 * testT1)
	k.await(t, "unknown source")

	tcp := s.peer("tcp", "127.0.0.2")
	tcp.conn.Write([]byte(tcp.request("OPTIONS", "o", 1, "", "")))
	if n, err := io.Copy(io.Discard, tcp.conn); n != 0 {
		t.Errorf("TCP: got %d bytes (%v), want none and the connection closed", n, err)
	}
	known := s.peer("udp", "")
	known.send(known.request("OPTIONS", "o", 1, "", ""))
	known.expect(200)
}

func TestBadMessagesGet400(t *testing.T) {
	networks(t, func(t *testing.T, network string) {
		s := serve(t, Config{}, answerAll(nil))
		p := s.peer(network, "")
		good := p.request("OPTIONS", "o", 1, "", "")
		for _, c := range []struct{ rule, old, new string }{
			{"CSeq is no number", "CSeq: 1 ", "CSeq: one "},
			{"CSeq names another method", "CSeq: 1 OPTIONS", "CSeq: 1 INVITE"},
			{"no Call-ID", "Call-ID: ", "X-Call-ID: "},
			{"no From", "From: ", "X-From: "},
			{"a quote never ends", `"Ada"`, `"Ada`},
			{"a line without a colon", "Max-Forwards: 70", "Max-Forwards 70"},
		} {
			t.Run(c.rule, func(t *testing.T) {
				bad := strings.Replace(good, c.old, c.new, 1)
				if bad == good {
					t.Fatal("not bad at all")
				}
				p.send(bad)
				if m := p.expect(400); !strings.Contains(m.header("Via"), "z9hG4bKo") {
					t.Errorf("got Via %q", m.header("Via"))
				}
				p.send(p.request("OPTIONS", newTag(), 1, "", ""))
				p.expect(200)
			})
		}
		p.send(strings.Replace(p.request("ACK", "a", 1, "", ""), "CSeq: 1 ", "CSeq: one ", 1)) // never answered
		p.send(strings.Replace(good, "SIP/2.0\r\n", "HTTP/1.1\r\n", 1))                        // not SIP: nor this
		if network == "udp" {
			p.silent(4 * testT1)
			return
		}
		if m, err := p.read(patience); !errors.Is(err, io.EOF) {
			t.Errorf("got %q, %v; want the connection closed", m.start, err)
		}
	})
}

func TestForgedCancel(t *testing.T) {
	networks(t, func(t *testing.T, network string) {
		ends, k := make(chan error, 1), newKnocks()
		s := serve(t, Config{Unanswered: k.add}, ringAnswer(nil, ends))
		p := s.peer(network, "")
		p.send(p.request("INVITE", "i", 1, "", testSDP))
		p.expect(180)
		good := p.request("CANCEL", "i", 1, "", "")
		for _, c := range []struct{ rule, old, new string }{
			{"another Call-ID", p.callID, "forged"},
			{"another From tag", ";tag=" + p.tag, ";tag=forged"},
			{"another CSeq", "CSeq: 1", "CSeq: 2"},
		} {
			p.send(strings.Replace(good, c.old, c.new, 1))
		}
		other := s.peer(network, "127.0.0.2")
		other.send(good) // right in every word, from another address
		p.silent(4 * testT1)
		other.silent(testT1)
		k.await(t, "forged CANCEL")
		select {
		case err := <-ends:
			t.Fatalf("the call ended: %v", err)
		default:
		}
		p.send(good)
		for m := p.hear(); m.code != 487; {
			m = p.hear()
		}
	})
}

func TestStreamIsCutAnywhere(t *testing.T) {
	streamed(t, func(t *testing.T, network string) {
		ends := make(chan error, 1)
		p := serve(t, Config{}, answerAll(ends)).peer(network, "")
		for _, b := range []byte("\r\n" + p.request("INVITE", "i", 1, "", testSDP)) {
			p.send(string(b))
		}
		ok := p.expect(200)
		p.send(p.request("ACK", "a", 1, ok.toTag(), "") + p.request("BYE", "b", 2, ok.toTag(), ""))
		for m := p.expect(200); !strings.Contains(m.header("CSeq"), "BYE"); {
			m = p.expect(200)
		}
		wait(t, ends)
		p.send("\r\n\r\n")
		p.conn.SetReadDeadline(time.Now().Add(patience))
		pong := make([]byte, 2)
		if _, err := io.ReadFull(p.in, pong); err != nil || string(pong) != "\r\n" {
			t.Errorf("got %q, %v; want the pong of RFC 5626", pong, err)
		}
	})
}

func TestStreamLimits(t *testing.T) {
	streamed(t, func(t *testing.T, network string) {
		limits := Limits{MessageSize: 2000, MessageTime: 100 * time.Millisecond}
		s := serve(t, Config{Limits: limits}, answerAll(nil))
		good := func(p *rawPeer) string { return p.request("OPTIONS", newTag(), 1, "", "") }
		for _, c := range []struct {
			rule string
			send func(p *rawPeer) string
			want int // 0: closed without a word
		}{
			{"no Content-Length", func(p *rawPeer) string {
				return strings.Replace(good(p), "Content-Length", "X-Length", 1)
			}, 400},
			{"two that differ", func(p *rawPeer) string {
				return strings.Replace(good(p), "Content-Length", "l: 5\r\nContent-Length", 1)
			}, 400},
			{"a negative one", func(p *rawPeer) string {
				return strings.Replace(good(p), "Content-Length: 0", "Content-Length: -1", 1)
			}, 400},
			{"a body larger than the limit", func(p *rawPeer) string {
				return p.request("OPTIONS", "o", 1, "", strings.Repeat("x", 2000))
			}, 513},
			{"a header section without end", func(p *rawPeer) string {
				return strings.Replace(good(p), "Max-Forwards", "X: "+strings.Repeat("x", 2500)+"\r\nMax-Forwards", 1)
			}, 513},
			{"half a message", func(p *rawPeer) string { return good(p)[:100] }, 0},
			{"half a body", func(p *rawPeer) string {
				m := p.request("OPTIONS", "o", 1, "", testSDP)
				return m[:len(m)-1]
			}, 0},
			{"nothing at all", func(*rawPeer) string { return "" }, 0},
			{"a handshake", func(*rawPeer) string { return "\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03" }, 0},
			{"HTTP", func(*rawPeer) string { return "GET / HTTP/1.1\r\nContent-Length: 0\r\n\r\n" }, 0},
		} {
			t.Run(c.rule, func(t *testing.T) {
				p := s.peer(network, "")
				p.t = t
				p.send(c.send(p))
				if c.want != 0 {
					p.expect(c.want)
				}
				if m, err := p.read(patience); !errors.Is(err, io.EOF) {
					t.Errorf("got %q, %v; want the connection closed", m.start, err)
				}
			})
		}
		t.Run("a connection at rest stays", func(t *testing.T) {
			p := s.peer(network, "")
			p.t = t
			p.send(good(p))
			p.expect(200)
			p.send("\r\n")
			p.silent(2 * limits.MessageTime)
			p.send(good(p))
			p.expect(200)
		})
	})
}

func TestConnectionCaps(t *testing.T) {
	streamed(t, func(t *testing.T, network string) {
		k := newKnocks()
		s := serve(t, Config{Limits: Limits{Connections: 3, ConnectionsPerAddress: 2}, Unanswered: k.add}, answerAll(nil))
		open := func(from string, want bool) *rawPeer {
			t.Helper()
			p := s.peer(network, from)
			p.conn.Write([]byte(p.request("OPTIONS", newTag(), 1, "", "")))
			if _, err := p.read(patience); (err == nil) != want {
				t.Errorf("a connection from %q: got %v, want answered %v", from, err, want)
			}
			return p
		}
		first := open("127.0.0.2", true)
		open("127.0.0.2", true)
		open("127.0.0.2", false)
		open("127.0.0.3", true)
		open("127.0.0.4", false)
		k.await(t, "too many connections")
		first.conn.Close()
		for deadline := time.Now().Add(patience); ; { // its place is free as soon as that is noticed
			s.streams.mu.Lock()
			n := len(s.streams.conns)
			s.streams.mu.Unlock()
			if n < 3 || time.Now().After(deadline) {
				break
			}
		}
		open("127.0.0.4", true)
	})
}

func TestFlood(t *testing.T) {
	k := newKnocks()
	s := serve(t, Config{Limits: Limits{MessagesPerSecond: 20, InvitesPerSecond: 2}, Unanswered: k.add, Help: func(_ netip.AddrPort, user string) bool { return user == "112" }}, ringAnswer(nil, make(chan error, 99)))
	p := s.peer("udp", "127.0.0.2")
	got503 := false
	for range 10 {
		p.callID = newTag()
		p.send(p.request("INVITE", newTag(), 1, "", testSDP))
		if m := p.hear(); m.code == 503 && m.header("Retry-After") != "" {
			got503 = true
			break
		}
	}
	if !got503 {
		t.Error("INVITEs without end: no 503")
	}
	p.callID = newTag()
	p.send(strings.Replace(p.request("INVITE", newTag(), 1, "", testSDP), "INVITE sip:room@", "INVITE sip:112@", 1))
	if m := p.hear(); m.code != 100 && m.code != 180 && m.code != 200 {
		t.Errorf("a call for help is one too many: %d", m.code)
	}
	for range 60 {
		p.send(p.request("OPTIONS", newTag(), 1, "", ""))
	}
	k.await(t, "flood")
	other := s.peer("udp", "127.0.0.3")
	other.send(other.request("OPTIONS", "o", 1, "", ""))
	other.expect(200)

	tcp := s.peer("tcp", "127.0.0.4") // over TCP nothing is lost, it only takes longer
	start := time.Now()
	for range 45 {
		tcp.send(tcp.request("OPTIONS", newTag(), 1, "", ""))
	}
	for range 45 {
		tcp.expect(200)
	}
	if took := time.Since(start); took < 150*time.Millisecond {
		t.Errorf("45 messages at 20 a second after a burst of 40 took %v", took)
	}
}

func TestFloodFromEverywhere(t *testing.T) {
	f := newFloods(Limits{}.withDefaults())
	now := time.Now()
	var messages, invites int
	for i := range uint32(20000) { // within one second, from 200 addresses
		src := netip.AddrFrom4([4]byte{10, 0, 0, byte(i % 200)})
		at := now.Add(time.Duration(i) * time.Second / 20000)
		if f.message(src, at) == 0 {
			messages++
		}
		if !f.invite(src, at) {
			invites++
		}
	}
	if messages > 15000 || invites > 900 {
		t.Errorf("%d messages and %d INVITEs of 20000 got in, want at most 3 times what is allowed in a second", messages, invites)
	}
}

func TestFloodsAreBounded(t *testing.T) {
	f := newFloods(Limits{}.withDefaults())
	now := time.Now()
	for i := range uint32(5 * floodSources) {
		f.message(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), now)
	}
	if n := len(f.young) + len(f.old); n > 2*floodSources {
		t.Errorf("%d sources are remembered, want at most %d", n, 2*floodSources)
	}
	a, b := netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8::ffff:2")
	if f.of(a) != f.of(b) {
		t.Error("two addresses of one /64 have an allowance each")
	}
}

// sipgo remembers every UDP peer for as long as its reader lives; a call lives longer.
func TestUDPReaderBeginsAnew(t *testing.T) {
	s, err := Listen(Config{Listen: loopback(), TLS: TLS{Server: ourTLS(t)}, T1: testT1})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range s.packets {
		c.keep = 8
	}
	ends := make(chan error, 1)
	ts := start(t, s, answerAll(ends))
	p := ts.peer("udp", "")
	ok := p.establish()
	for range 30 {
		other := ts.peer("udp", "")
		other.send(other.request("OPTIONS", newTag(), 1, "", ""))
		other.expect(200)
	}
	if n := s.ua.TransportLayer().Pool("udp").Size(); n > 2*8+1 {
		t.Errorf("sipgo's pool has %d entries, want at most two generations and the listener", n)
	}
	p.send(p.request("BYE", "b", 2, ok.toTag(), ""))
	p.expect(200)
	wait(t, ends)
}

// lameListener fails a few times before it accepts.
type lameListener struct {
	errs   int
	conns  chan net.Conn
	closed chan struct{}
}

func (l *lameListener) Accept() (net.Conn, error) {
	if l.errs--; l.errs >= 0 {
		return nil, errors.New("too many open files")
	}
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *lameListener) Close() error   { close(l.closed); return nil }
func (l *lameListener) Addr() net.Addr { return &net.TCPAddr{} }

func TestAcceptErrorsAreWaitedOut(t *testing.T) {
	c := Config{}.withDefaults()
	s := newStreams(newGuard(c), c)
	there, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer there.Close()
	client, err := net.Dial("tcp", there.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	conn, err := there.Accept()
	if err != nil {
		t.Fatal(err)
	}
	l := &lameListener{errs: 3, conns: make(chan net.Conn, 1), closed: make(chan struct{})}
	l.conns <- conn
	ended := make(chan struct{})
	go func() { defer close(ended); s.accept(t.Context(), l, "tcp") }()
	accepted := make(chan net.Conn, 1)
	go func() {
		c, _ := s.over["tcp"].Accept()
		accepted <- c
	}()
	if got := wait(t, accepted); got.RemoteAddr().String() != client.LocalAddr().String() {
		t.Errorf("accepted %v, want %v", got.RemoteAddr(), client.LocalAddr())
	}
	l.Close()
	wait(t, ended)
	s.closeAll()
}

func TestFloodRefusesNoInviteTwice(t *testing.T) {
	p := serve(t, Config{Limits: Limits{InvitesPerSecond: 1}}, ringAnswer(nil, make(chan error, 1))).peer("udp", "")
	for range 4 {
		p.send(p.request("INVITE", "i", 1, "", testSDP))
		p.expect(180) // and again: what is in progress is not one too many
	}
}
