package sip

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// TestTwoServers has one Server call another, with a re-INVITE's worth of everything on the way.
func TestTwoServers(t *testing.T) {
	for _, c := range []struct{ rule, network, addr string }{
		{"udp on IPv4", "udp", "127.0.0.1:0"},
		{"tcp on IPv4", "tcp", "127.0.0.1:0"},
		{"tls on IPv4", "tls", "127.0.0.1:0"},
		{"tls on IPv6", "tls", "[::1]:0"},
		{"udp on IPv6", "udp", "[::1]:0"},
		{"tcp on IPv6", "tcp", "[::1]:0"},
		{"udp on all addresses", "udp", "0.0.0.0:0"},
		{"tcp on all addresses", "tcp", "[::]:0"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			listen := []Listener{{c.network, netip.MustParseAddrPort(c.addr)}}
			ends := make(chan error, 1)
			invites := make(chan Invite, 1)
			rung := make(chan int, 1)
			callee := serve(t, Config{Listen: listen}, func(ctx context.Context, d *Dialog) {
				invites <- d.Invite()
				d.Ring(ctx)
				<-rung // sipgo may deliver two messages in any order
				d.Answer(ctx, []byte(testSDP))
				<-ctx.Done()
				ends <- context.Cause(ctx)
			})
			caller := serve(t, Config{Listen: listen}, answerAll(nil))
			to := callee.addr(c.network)
			if to.Addr().IsUnspecified() {
				to = netip.AddrPortFrom(map[bool]netip.Addr{
					true: netip.MustParseAddr("127.0.0.1"), false: netip.IPv6Loopback(),
				}[to.Addr().Is4()], to.Port())
			}
			d, answer, err := caller.Dial(t.Context(), Dial{
				To:          fmt.Sprintf("sip:board%%20room@%s;transport=%s", to, c.network),
				From:        Address{Display: `Ada "the" Countess`, User: "ada"},
				Asserted:    Address{User: "ada lovelace", Host: "example.org"},
				Private:     true,
				Offer:       []byte(testSDP),
				Provisional: func(code int, _ string, _ []byte) { rung <- code },
			})
			if err != nil {
				t.Fatal(err)
			}
			if string(answer) != testSDP {
				t.Errorf("got answer %q", answer)
			}
			i := wait(t, invites)
			if i.RequestURI.User != "board room" || i.From.Display != `Ada "the" Countess` || i.From.User != "ada" {
				t.Errorf("got %+v, %+v", i.RequestURI, i.From)
			}
			if pai, privacy := i.Header("P-Asserted-Identity"), i.Header("Privacy"); fmt.Sprint(pai) != "[<sip:ada%20lovelace@example.org>]" || fmt.Sprint(privacy) != "[id]" {
				t.Errorf("got %q, %q", pai, privacy)
			}
			if i.Local != to || i.Source.Addr() != to.Addr() {
				t.Errorf("got local %v, source %v; want %v", i.Local, i.Source, to)
			}
			if err := d.Hangup(t.Context(), "enough"); err != nil {
				t.Errorf("Hangup: %v", err)
			}
			if err := wait(t, ends); !errors.Is(err, ErrBye) {
				t.Errorf("callee: got %v, want %v", err, ErrBye)
			}
			if err := context.Cause(d.Context()); !errors.Is(err, ErrHangup) {
				t.Errorf("caller: got %v, want %v", err, ErrHangup)
			}
		})
	}
}

func TestCalleeHangsUp(t *testing.T) {
	dialled(t, func(t *testing.T, network string) {
		release := make(chan struct{})
		callee := serve(t, Config{}, func(ctx context.Context, d *Dialog) {
			d.Answer(ctx, []byte(testSDP))
			<-release
		})
		caller := serve(t, Config{}, answerAll(nil))
		d, _, err := caller.Dial(t.Context(), Dial{To: callee.uri(network), Offer: []byte(testSDP)})
		if err != nil {
			t.Fatal(err)
		}
		close(release)
		wait(t, d.Context().Done())
		if err := context.Cause(d.Context()); !errors.Is(err, ErrBye) {
			t.Errorf("got %v, want %v", err, ErrBye)
		}
	})
}

func (s testServer) uri(network string) string {
	return fmt.Sprintf("sip:room@%s;transport=%s", s.addr(network), network)
}

func TestDialRefused(t *testing.T) {
	callee := serve(t, Config{}, func(ctx context.Context, d *Dialog) {
		d.Reject(ctx, Refusal{Code: 488, Warning: Warning{305, "no common codec"}})
	})
	caller := serve(t, Config{}, answerAll(nil))
	_, _, err := caller.Dial(t.Context(), Dial{To: callee.uri("udp"), Offer: []byte(testSDP)})
	var status *StatusError
	if !errors.As(err, &status) || status.Code != 488 || status.Warning != (Warning{305, "no common codec"}) {
		t.Errorf("got %#v", err)
	}
}

func TestDialIsGivenUp(t *testing.T) {
	dialled(t, func(t *testing.T, network string) {
		ends := make(chan error, 1)
		callee := serve(t, Config{}, ringAnswer(nil, ends))
		caller := serve(t, Config{}, answerAll(nil))
		ctx, cancel := context.WithCancel(t.Context())
		_, _, err := caller.Dial(ctx, Dial{
			To: callee.uri(network), Offer: []byte(testSDP),
			Provisional: func(int, string, []byte) { cancel() },
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want %v", err, context.Canceled)
		}
		if err := wait(t, ends); !errors.Is(err, ErrCancelled) {
			t.Errorf("callee: got %v, want %v", err, ErrCancelled)
		}
	})
}

func TestDialToNobody(t *testing.T) {
	t.Parallel()
	caller := serve(t, Config{}, answerAll(nil))
	silent, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	for _, c := range []struct {
		rule, to string
		want     error
	}{
		{"no answer in 64*T1", "sip:a@" + silent.LocalAddr().String(), ErrNoAnswer},
		{"nothing listens", "sip:a@127.0.0.1:1;transport=tcp", nil},
		{"no listener of the family", "sip:a@[::1]:5060", ErrNoListener},
		{"another transport", "sip:a@127.0.0.1;transport=sctp", nil},
		{"no URI", "ada@", nil},
		{"another scheme", "sips:a@127.0.0.1", nil},
		{"two lines", "sip:a@127.0.0.1\r\nX: y", nil},
	} {
		t.Run(c.rule, func(t *testing.T) {
			_, _, err := caller.Dial(t.Context(), Dial{To: c.to, Offer: []byte(testSDP)})
			if err == nil || c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

// phone is a raw peer that is called.
type phone struct {
	*rawPeer
	pc *net.UDPConn
}

// ring makes a server dial a raw phone and returns the INVITE and what becomes of the call.
func ring(ctx context.Context, t *testing.T, s testServer) (*phone, heardMessage, <-chan error) {
	t.Helper()
	return ringWith(ctx, t, s, Dial{Offer: []byte(testSDP)}, func(*Dialog, []byte) {})
}

// ringWith is ring with more to the call than its target; up is told of the call that is answered.
func ringWith(ctx context.Context, t *testing.T, s testServer, to Dial, up func(*Dialog, []byte)) (*phone, heardMessage, <-chan error) {
	t.Helper()
	pc, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pc.Close() })
	dialled := make(chan error, 1)
	go func() {
		to.To = "sip:phone@" + pc.LocalAddr().String()
		d, answer, err := s.Dial(ctx, to)
		if err == nil {
			up(d, answer)
		}
		dialled <- err
	}()
	p := rawPhone(t, pc)
	invite := p.expectRequest("INVITE")
	return p, invite, dialled
}

// connected answers whoever spoke last.
type connected struct {
	*net.UDPConn
	peer netip.AddrPort
}

func (c *connected) Read(b []byte) (n int, err error) {
	n, c.peer, err = c.ReadFromUDPAddrPort(b)
	return n, err
}

func (c *connected) Write(b []byte) (int, error) { return c.WriteToUDPAddrPort(b, c.peer) }

// answer answers an INVITE of the server's with a To tag.
func (p *phone) answer(invite heardMessage, code int, tag, body string, more ...string) {
	invite.headers = map[string][]string{
		"via": invite.headers["via"], "from": invite.headers["from"], "call-id": invite.headers["call-id"],
		"cseq": invite.headers["cseq"], "to": {invite.header("To") + ";tag=" + tag},
	}
	lines := []string{fmt.Sprintf("SIP/2.0 %d Fine", code)}
	for _, k := range []string{"Via", "From", "To", "Call-ID", "CSeq"} {
		lines = append(lines, k+": "+invite.header(k))
	}
	lines = append(lines, "Contact: <sip:phone@"+p.pc.LocalAddr().String()+">")
	if body != "" {
		lines = append(lines, "Content-Type: application/sdp")
	}
	p.send(wireMessage(body, append(lines, more...)...))
}

func TestNoCancelBeforeAProvisionalAnswer(t *testing.T) {
	s := serve(t, Config{}, answerAll(nil))
	ctx, cancel := context.WithCancel(t.Context())
	p, invite, dialled := ring(ctx, t, s)
	cancel()
	if err := wait(t, dialled); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if again := p.hear(); again.method() != "INVITE" {
		t.Fatalf("got %q, want the INVITE again", again.start)
	}
	p.answer(invite, 180, "one", "")
	var m heardMessage
	for m = p.hear(); m.method() == "INVITE"; {
		m = p.hear()
	}
	if m.method() != "CANCEL" || m.header("Via") != invite.header("Via") || m.header("To") != invite.header("To") {
		t.Errorf("got %q, Via %q, To %q", m.start, m.header("Via"), m.header("To"))
	}
	p.reply(m, 200)
	p.answer(invite, 487, "one", "")
	if m := p.expectRequest("ACK"); m.header("CSeq") != "1 ACK" {
		t.Errorf("got CSeq %q", m.header("CSeq"))
	}
}

func TestCancelCrosses200(t *testing.T) {
	s := serve(t, Config{}, answerAll(nil))
	ctx, cancel := context.WithCancel(t.Context())
	p, invite, dialled := ring(ctx, t, s)
	p.answer(invite, 180, "one", "")
	cancel()
	wait(t, dialled)
	for p.hear().method() != "CANCEL" {
	}
	p.answer(invite, 200, "one", testSDP)
	got := map[string]bool{}
	for !got["ACK"] || !got["BYE"] {
		m := p.hear()
		got[m.method()] = true
		if m.method() == "BYE" || m.method() == "CANCEL" {
			p.reply(m, 200)
		}
	}
}

func Test200ComesAgain(t *testing.T) {
	s := serve(t, Config{}, answerAll(nil))
	p, invite, dialled := ring(t.Context(), t, s)
	p.answer(invite, 200, "one", testSDP)
	first := p.expectRequest("ACK")
	if err := wait(t, dialled); err != nil {
		t.Fatal(err)
	}
	p.answer(invite, 200, "one", testSDP)
	if again := p.expectRequest("ACK"); again.header("Via") != first.header("Via") {
		t.Errorf("got Via %q, want the same ACK: %q", again.header("Via"), first.header("Via"))
	}
}

func TestForkedAnswers(t *testing.T) {
	s := serve(t, Config{}, answerAll(nil))
	p, invite, dialled := ring(t.Context(), t, s)
	p.answer(invite, 180, "one", "")
	p.answer(invite, 180, "two", "")
	p.answer(invite, 200, "one", testSDP)
	if ack := p.expectRequest("ACK"); ack.toTag() != "one" {
		t.Errorf("got ACK to %q, want one", ack.toTag())
	}
	if err := wait(t, dialled); err != nil {
		t.Fatal(err)
	}
	p.answer(invite, 200, "two", testSDP)
	got := map[string]string{}
	for len(got) < 2 {
		m := p.hear()
		got[m.method()] = m.toTag()
		if m.method() == "BYE" {
			p.reply(m, 200)
		}
	}
	if got["ACK"] != "two" || got["BYE"] != "two" {
		t.Errorf("got %v, want ACK and BYE to two", got)
	}
	p.silent(2 * testT1) // and the first is still up
}

func TestRedirect(t *testing.T) {
	s := serve(t, Config{}, answerAll(nil))
	p, invite, dialled := ring(t.Context(), t, s)
	p.answer(invite, 302, "one", "")
	var status *StatusError
	if err := wait(t, dialled); !errors.As(err, &status) || status.Code != 302 || len(status.Contact) != 1 ||
		!strings.Contains(status.Contact[0], p.pc.LocalAddr().String()) {
		t.Errorf("got %#v", status)
	}
	p.expectRequest("ACK")
}

func TestPeerThatWasDialledIsKnown(t *testing.T) {
	s := serve(t, Config{Known: func(netip.AddrPort) bool { return false }}, answerAll(nil))
	p, invite, dialled := ring(t.Context(), t, s)
	p.answer(invite, 200, "one", testSDP)
	if err := wait(t, dialled); err != nil {
		t.Fatal(err)
	}
	stranger := s.peer("udp", "127.0.0.2")
	stranger.send(stranger.request("OPTIONS", "o", 1, "", ""))
	stranger.silent(4 * testT1)
}

func TestPortIsTaken(t *testing.T) {
	for _, network := range []string{"udp", "tcp"} {
		first, err := Listen(Config{Listen: []Listener{{network, netip.MustParseAddrPort("127.0.0.1:0")}}})
		if err != nil {
			t.Fatal(err)
		}
		_, err = Listen(Config{Listen: first.Addrs()})
		var taken *ListenError
		if !errors.As(err, &taken) || taken.Listener != first.Addrs()[0] {
			t.Errorf("%s: got %v", network, err)
		}
		if err := first.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		again, err := Listen(Config{Listen: first.Addrs()})
		if err != nil {
			t.Fatalf("%s: after Close: %v", network, err)
		}
		again.Close()
	}
}

func TestDialWaitsForServe(t *testing.T) {
	s, err := Listen(Config{Listen: loopback(), TLS: TLS{Server: ourTLS(t)}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, _, err := s.Dial(ctx, Dial{To: "sip:a@127.0.0.1"}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want %v", err, context.DeadlineExceeded)
	}
}

func TestWeRedirect(t *testing.T) {
	callee := serve(t, Config{}, func(ctx context.Context, d *Dialog) {
		d.Reject(ctx, Refusal{Code: 302, Contact: "sip:a@elsewhere.example"})
	})
	caller := serve(t, Config{}, answerAll(nil))
	_, _, err := caller.Dial(t.Context(), Dial{To: callee.uri("udp"), Offer: []byte(testSDP)})
	var status *StatusError
	if !errors.As(err, &status) || status.Code != 302 || len(status.Contact) != 1 || status.Contact[0] != "sip:a@elsewhere.example" {
		t.Errorf("got %v, %+v", err, status)
	}
}
