package sip

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// ringAnswer returns a handler that rings, and answers when told to.
func ringAnswer(answer <-chan struct{}, ends chan<- error) HandlerFunc {
	return func(ctx context.Context, d *Dialog) {
		defer func() { ends <- context.Cause(ctx) }()
		if d.Ring(ctx) != nil {
			return
		}
		select {
		case <-answer:
		case <-ctx.Done():
			return
		}
		if d.Answer(ctx, []byte(testSDP)) == nil {
			<-ctx.Done()
		}
	}
}

func TestCancel(t *testing.T) {
	networks(t, func(t *testing.T, network string) {
		ends := make(chan error, 1)
		p := serve(t, Config{}, ringAnswer(nil, ends)).peer(network, "")
		p.send(p.request("INVITE", "i", 1, "", testSDP))
		ringing := p.expect(180)
		p.send(p.request("CANCEL", "i", 1, "", ""))
		codes := map[int]heardMessage{}
		for range 2 {
			m := p.hear()
			codes[m.code] = m
		}
		for _, code := range []int{200, 487} {
			if m := codes[code]; m.toTag() != ringing.toTag() {
				t.Errorf("%d: got To tag %q, want the 180's %q", code, m.toTag(), ringing.toTag())
			}
		}
		p.send(p.request("ACK", "i", 1, ringing.toTag(), ""))
		if err := wait(t, ends); !errors.Is(err, ErrCancelled) {
			t.Errorf("got %v, want %v", err, ErrCancelled)
		}
		p.send(p.request("CANCEL", "elsewhere", 1, "", ""))
		p.expect(481)
	})
}

func TestCancelRightBehindTheInvite(t *testing.T) {
	networks(t, func(t *testing.T, network string) {
		ends := make(chan error, 1)
		p := serve(t, Config{}, ringAnswer(nil, ends)).peer(network, "")
		invite, cancel := p.request("INVITE", "i", 1, "", testSDP), p.request("CANCEL", "i", 1, "", "")
		if network == "tcp" {
			p.send(invite + cancel)
		} else {
			p.send(invite)
			p.send(cancel)
		}
		codes := map[int]bool{}
		for !codes[200] || !codes[487] {
			codes[p.hear().code] = true
		}
	})
}

func Test200CrossesCancel(t *testing.T) {
	networks(t, func(t *testing.T, network string) {
		ends := make(chan error, 1)
		p := serve(t, Config{}, answerAll(ends)).peer(network, "")
		p.send(p.request("INVITE", "i", 1, "", testSDP))
		ok := p.expect(200)
		p.send(p.request("CANCEL", "i", 1, "", ""))
		for m := p.expect(200); !strings.Contains(m.header("CSeq"), "CANCEL"); {
			m = p.expect(200) // the INVITE's, again
		}
		p.send(p.request("ACK", "a", 1, ok.toTag(), ""))
		p.send(p.request("BYE", "b", 2, ok.toTag(), ""))
		for m := p.expect(200); !strings.Contains(m.header("CSeq"), "BYE"); {
			m = p.expect(200)
		}
		if err := wait(t, ends); !errors.Is(err, ErrBye) {
			t.Errorf("got %v, want %v: the 200 stands", err, ErrBye)
		}
	})
}

func TestByeBeforeACK(t *testing.T) {
	networks(t, func(t *testing.T, network string) {
		ends := make(chan error, 1)
		p := serve(t, Config{}, answerAll(ends)).peer(network, "")
		p.send(p.request("INVITE", "i", 1, "", testSDP))
		ok := p.expect(200)
		p.send(p.request("BYE", "b", 2, ok.toTag(), ""))
		for m := p.expect(200); !strings.Contains(m.header("CSeq"), "BYE"); {
			m = p.expect(200)
		}
		if err := wait(t, ends); !errors.Is(err, ErrBye) {
			t.Errorf("got %v, want %v", err, ErrBye)
		}
		p.silent(4 * testT1) // no 200 comes again
	})
}

func TestNoACK(t *testing.T) {
	t.Parallel()
	networks(t, func(t *testing.T, network string) {
		t.Parallel()
		ends := make(chan error, 1)
		p := serve(t, Config{}, answerAll(ends)).peer(network, "")
		p.send(p.request("INVITE", "i", 1, "", testSDP))
		n := 0
		m := p.hear()
		for ; m.code == 200; m = p.hear() {
			n++
		}
		if m.code != 0 || m.method() != "BYE" {
			t.Fatalf("got %q, want BYE", m.start)
		}
		if n < 2 { // how often is a matter of the clock: TestAnswerIsSentAgainAtTheRFCsSpacing
			t.Errorf("the 200 came %d times, want it again", n)
		}
		p.reply(m, 200)
		if err := wait(t, ends); !errors.Is(err, ErrNoACK) {
			t.Errorf("got %v, want %v", err, ErrNoACK)
		}
	})
}

func TestRetransmittedInvite(t *testing.T) {
	var calls atomic.Int32
	answer, ends := make(chan struct{}), make(chan error, 1)
	h := ringAnswer(answer, ends)
	p := serve(t, Config{}, func(ctx context.Context, d *Dialog) {
		calls.Add(1)
		h(ctx, d)
	}).peer("udp", "")
	invite := p.request("INVITE", "i", 1, "", testSDP)
	p.send(invite)
	first := p.expect(180)
	p.send(invite)
	if again := p.expect(180); again.toTag() != first.toTag() {
		t.Errorf("got tag %q, want %q", again.toTag(), first.toTag())
	}
	close(answer)
	ok := p.expect(200)
	p.send(invite) // absorbed (RFC 6026)
	p.send(p.request("ACK", "a", 1, ok.toTag(), ""))
	p.send(p.request("BYE", "b", 2, ok.toTag(), ""))
	for m := p.expect(200); !strings.Contains(m.header("CSeq"), "BYE"); {
		m = p.expect(200)
	}
	wait(t, ends)
	if n := calls.Load(); n != 1 {
		t.Errorf("the handler ran %d times, want once", n)
	}
}

func TestMergedInvite(t *testing.T) {
	networks(t, func(t *testing.T, network string) {
		ends := make(chan error, 2)
		p := serve(t, Config{}, ringAnswer(nil, ends)).peer(network, "")
		p.send(p.request("INVITE", "one", 1, "", testSDP))
		p.expect(180)
		p.send(p.request("INVITE", "two", 1, "", testSDP))
		p.expect(482)
		p.send(p.request("ACK", "two", 1, "x", ""))
		p.send(p.request("CANCEL", "one", 1, "", "")) // the first goes on until here
		for m := p.hear(); m.code != 487; {
			m = p.hear()
		}
	})
}

func TestHangupBeforeACK(t *testing.T) {
	networks(t, func(t *testing.T, network string) {
		done := make(chan error, 1)
		p := serve(t, Config{}, func(ctx context.Context, d *Dialog) {
			d.Answer(ctx, []byte(testSDP))
			done <- d.Hangup(context.WithoutCancel(ctx), "dinner is ready")
		}).peer(network, "")
		p.send(p.request("INVITE", "i", 1, "", testSDP))
		ok := p.expect(200)
		if again := p.hear(); again.code != 200 {
			t.Fatalf("got %q, want the 200 again and no BYE before the ACK", again.start)
		}
		p.send(p.request("ACK", "a", 1, ok.toTag(), ""))
		bye := p.expectRequest("BYE")
		if got, want := bye.header("Reason"), `Q.850;cause=16;text="dinner is ready"`; got != want {
			t.Errorf("got Reason %q, want %q", got, want)
		}
		p.reply(bye, 200)
		if err := wait(t, done); err != nil {
			t.Errorf("Hangup: %v", err)
		}
	})
}

func TestReject(t *testing.T) {
	after := make(chan error, 1)
	p := serve(t, Config{}, func(ctx context.Context, d *Dialog) {
		d.Reject(ctx, Refusal{Code: 488, Warning: Warning{305, `no "common" codec`}, RetryAfter: 1500 * time.Millisecond})
		after <- d.Answer(context.WithoutCancel(ctx), []byte(testSDP))
	}).peer("udp", "")
	p.send(p.request("INVITE", "i", 1, "", testSDP))
	m := p.expect(488)
	if m.start != "SIP/2.0 488 Not Acceptable Here" {
		t.Errorf("got %q", m.start)
	}
	if got, want := m.header("Warning"), `305 127.0.0.1 "no \"common\" codec"`; got != want {
		t.Errorf("got Warning %q, want %q", got, want)
	}
	if got := m.header("Retry-After"); got != "2" {
		t.Errorf("got Retry-After %q, want 2", got)
	}
	if err := wait(t, after); !errors.Is(err, ErrRejected) {
		t.Errorf("Answer after Reject: got %v, want %v", err, ErrRejected)
	}
}

func TestHandlerThatLeaves(t *testing.T) {
	for _, c := range []struct {
		rule string
		h    HandlerFunc
		want int
	}{
		{"returns before the answer", func(context.Context, *Dialog) {}, 480},
		{"panics before the answer", func(context.Context, *Dialog) { panic("on purpose") }, 500},
	} {
		t.Run(c.rule, func(t *testing.T) {
			p := serve(t, Config{}, c.h).peer("udp", "")
			p.send(p.request("INVITE", "i", 1, "", testSDP))
			p.expect(c.want)
		})
	}
	t.Run("panics after the answer", func(t *testing.T) {
		p := serve(t, Config{}, func(ctx context.Context, d *Dialog) {
			d.Answer(ctx, []byte(testSDP))
			panic("on purpose")
		}).peer("udp", "")
		p.establish()
		p.reply(p.expectRequest("BYE"), 200)
	})
}

func TestInviteIsToldWhole(t *testing.T) {
	got := make(chan Invite, 1)
	s := serve(t, Config{}, func(_ context.Context, d *Dialog) { got <- d.Invite() })
	p := s.peer("udp", "")
	p.send(p.request("INVITE", "i", 1, "", testSDP, "User-Agent: Desk 1", "X-PIN: 0123", "k: timer"))
	p.expect(480)
	i := wait(t, got)
	for _, c := range []struct{ what, got, want string }{
		{"Call-ID", i.CallID, p.callID},
		{"From.Display", i.From.Display, "Ada"},
		{"From.User", i.From.User, "ada"},
		{"From.Host", i.From.Host, "127.0.0.1"},
		{"RequestURI.User", i.RequestURI.User, "room"},
		{"Transport", i.Transport, "udp"},
		{"UserAgent", i.UserAgent, "Desk 1"},
		{"X-PIN", strings.Join(i.Header("x-pin"), ","), "0123"},
		{"Supported", strings.Join(i.Header("Supported"), ","), "timer"},
		{"Body", string(i.Body), testSDP},
		{"Source", i.Source.String(), p.host()},
		{"Local", i.Local.String(), s.addr("udp").String()},
	} {
		if c.got != c.want {
			t.Errorf("%s: got %q, want %q", c.what, c.got, c.want)
		}
	}
}

// A 2xx with a whole conference in its SDP must not be lost for its size (docs/sipgo.md).
func TestLargeAnswerOverUDP(t *testing.T) {
	large := testSDP + strings.Repeat("a=x-line:0123456789\r\n", 200)
	p := serve(t, Config{}, func(ctx context.Context, d *Dialog) {
		d.Answer(ctx, []byte(large))
		<-ctx.Done()
	}).peer("udp", "")
	if ok := p.establish(); ok.body != large {
		t.Errorf("got %d bytes of body, want %d", len(ok.body), len(large))
	}
}

func TestACKWithTheBranchOfItsInvite(t *testing.T) {
	ends := make(chan error, 1)
	p := serve(t, Config{}, answerAll(ends)).peer("udp", "")
	p.send(p.request("INVITE", "i", 1, "", testSDP))
	ok := p.expect(200)
	p.send(p.request("ACK", "i", 1, ok.toTag(), "")) // as RFC 2543 had it
	for again := 0; ; again++ {
		if _, err := p.read(12 * testT1); err != nil {
			break // it takes no more than 8 T1 for the next one
		}
		if again == 5 {
			t.Fatal("the 200 comes again and again")
		}
	}
	p.send(p.request("BYE", "b", 2, ok.toTag(), ""))
	p.expect(200)
	wait(t, ends)
}

func TestShutdownHangsUp(t *testing.T) {
	networks(t, func(t *testing.T, network string) {
		ends, up := make(chan error, 1), make(chan struct{})
		ctx, cancel := context.WithCancel(t.Context())
		s, err := Listen(Config{Listen: loopback(), TLS: TLS{Server: ourTLS(t)}, T1: testT1})
		if err != nil {
			t.Fatal(err)
		}
		served := make(chan error, 1)
		go func() { served <- s.Serve(ctx, answerAll(ends)) }()
		p := testServer{s, t}.peer(network, "")
		p.establish()
		go func() { close(up) }()
		wait(t, up)
		cancel()
		bye := p.expectRequest("BYE")
		p.send(p.request("INVITE", "late", 9, "", testSDP))
		p.reply(bye, 200)
		if err := wait(t, served); err != nil {
			t.Errorf("Serve: %v", err)
		}
		if err := wait(t, ends); !errors.Is(err, ErrShutdown) {
			t.Errorf("got %v, want %v", err, ErrShutdown)
		}
	})
}

func TestAnswerThatCanNotBeSentLeavesNothing(t *testing.T) {
	answer, ends := make(chan struct{}), make(chan error, 1)
	s := serve(t, Config{}, ringAnswer(answer, ends))
	p := s.peer("tcp", "")
	p.send(p.request("INVITE", "i", 1, "", testSDP))
	p.expect(180)
	_ = p.conn.Close()
	time.Sleep(2 * testT1)
	close(answer)
	wait(t, ends)
	kept := func() int {
		s.guard.invites.mu.Lock()
		defer s.guard.invites.mu.Unlock()
		return len(s.guard.invites.taken)
	}
	for end := time.Now().Add(patience); kept() > 0; time.Sleep(testT1) {
		if time.Now().After(end) {
			t.Fatalf("%d INVITE transactions are kept", kept())
		}
	}
}
