package sip

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
)

// answering is a Negotiator that answers, and offers what offer says.
type answering struct {
	answer func(ctx context.Context, offer []byte) (answer []byte, err error)
	offer  string
	agree  func(answer []byte) error
}

func (a answering) Answer(ctx context.Context, offer []byte) ([]byte, error) {
	return a.answer(ctx, offer)
}
func (a answering) Offer() ([]byte, error)  { return []byte(a.offer), nil }
func (a answering) Repeat() ([]byte, error) { return []byte(a.offer), nil }
func (a answering) Agree(answer []byte) error {
	if a.agree == nil {
		return nil
	}
	return a.agree(answer)
}

// offerTaker is a handler that answers, and its offers with answer.
func offerTaker(f func(context.Context, []byte) ([]byte, error), ends chan<- error) HandlerFunc {
	h := answerAll(ends)
	return func(ctx context.Context, d *Dialog) {
		if f != nil {
			d.Negotiate(answering{answer: f, offer: testSDP})
		}
		h(ctx, d)
	}
}

func TestReinvite(t *testing.T) {
	networks(t, func(t *testing.T, network string) {
		ends := make(chan error, 1)
		p := serve(t, Config{}, offerTaker(func(_ context.Context, offer []byte) ([]byte, error) {
			return []byte(strings.Replace(string(offer), "sendonly", "recvonly", 1)), nil
		}, ends)).peer(network, "")
		tag := p.establish().toTag()
		hold := strings.Replace(testSDP, "sendrecv", "sendonly", 1)
		p.send(p.request("INVITE", "hold", 2, tag, hold))
		ok := p.expect(200)
		if !strings.Contains(ok.body, "a=recvonly") {
			t.Errorf("got answer %q", ok.body)
		}
		if again := p.expect(200); again.header("CSeq") != "2 INVITE" {
			t.Errorf("got CSeq %q, want the 200 to the re-INVITE again", again.header("CSeq"))
		}
		p.send(p.request("ACK", "holdack", 2, tag, ""))
		p.send(p.request("INVITE", "empty", 3, tag, "")) // how a call manager resumes
		if ok := p.expect(200); ok.body != testSDP {
			t.Errorf("got offer %q", ok.body)
		}
		p.send(p.request("ACK", "emptyack", 3, tag, testSDP))
		p.send(p.request("INVITE", "resume", 4, tag, testSDP))
		p.expect(200)
		p.send(p.request("ACK", "resumeack", 4, tag, ""))
		p.send(p.request("INVITE", "empty2", 5, tag, ""))
		p.expect(200)
		p.send(p.request("INVITE", "glare", 6, tag, testSDP)) // our offer has no answer yet
		m := p.hear()
		for m.code == 200 { // again, meanwhile
			m = p.hear()
		}
		if m.code != 491 {
			t.Errorf("got %q, want a 491", m.start)
		}
		p.send(p.request("ACK", "glare", 6, tag, ""))
		p.send(p.request("ACK", "empty2ack", 5, tag, testSDP))
		p.send(p.request("BYE", "bye", 7, tag, ""))
		p.expect(200)
		wait(t, ends)
	})
}

func TestReinviteWhileOneIsAnswered(t *testing.T) {
	asked, answer := make(chan struct{}, 1), make(chan struct{})
	ends := make(chan error, 1)
	p := serve(t, Config{}, offerTaker(func(ctx context.Context, _ []byte) ([]byte, error) {
		asked <- struct{}{}
		select {
		case answer <- struct{}{}:
		case <-ctx.Done():
		}
		return []byte(testSDP), ctx.Err()
	}, ends)).peer("udp", "")
	tag := p.establish().toTag()

	p.send(p.request("INVITE", "one", 2, tag, testSDP))
	wait(t, asked)
	p.send(p.request("INVITE", "two", 3, tag, testSDP))
	if m := p.expect(500); m.header("Retry-After") == "" {
		t.Error("a second re-INVITE: no Retry-After")
	}
	p.send(p.request("ACK", "two", 3, tag, ""))
	p.send(p.request("UPDATE", "three", 4, tag, testSDP))
	if m := p.expect(500); m.header("Retry-After") == "" {
		t.Error("an UPDATE meanwhile: no Retry-After")
	}
	p.send(p.request("CANCEL", "one", 2, tag, "")) // the re-INVITE only: the call goes on
	codes := map[int]bool{}
	for !codes[200] || !codes[487] {
		codes[p.hear().code] = true
	}
	p.send(p.request("ACK", "one", 2, tag, ""))

	p.send(p.request("INVITE", "four", 5, tag, testSDP))
	wait(t, asked)
	<-answer
	p.expect(200)
	p.send(p.request("ACK", "fourack", 5, tag, ""))

	// Nobody answers the last one.
	p.send(p.request("INVITE", "five", 6, tag, testSDP))
	wait(t, asked)
	p.send(p.request("BYE", "bye", 7, tag, ""))
	codes = map[int]bool{}
	for !codes[200] || !codes[487] { // section 15.1.2
		codes[p.hear().code] = true
	}
	if err := wait(t, ends); !errors.Is(err, ErrBye) {
		t.Errorf("got %v, want %v", err, ErrBye)
	}
}

// refusing is an error as sip/sdp has them.
type refusing struct{}

func (refusing) Error() string            { return "no common codec" }
func (refusing) SIPStatus() (int, string) { return 488, "Not Acceptable Here" }
func (refusing) Warning() (int, string)   { return 305, "no common codec" }

func TestOfferRefused(t *testing.T) {
	for _, c := range []struct {
		rule string
		f    func(context.Context, []byte) ([]byte, error)
		want int
	}{
		{"an error with a status", func(context.Context, []byte) ([]byte, error) { return nil, refusing{} }, 488},
		{"any other error", func(context.Context, []byte) ([]byte, error) { return nil, errors.New("no") }, 500},
		{"no answer at all", func(context.Context, []byte) ([]byte, error) { return nil, nil }, 500},
		{"a panic", func(context.Context, []byte) ([]byte, error) { panic("on purpose") }, 500},
		{"nobody to answer", nil, 488},
	} {
		t.Run(c.rule, func(t *testing.T) {
			p := serve(t, Config{}, offerTaker(c.f, nil)).peer("udp", "")
			tag := p.establish().toTag()
			p.send(p.request("INVITE", "i", 2, tag, testSDP))
			m := p.expect(c.want)
			if c.rule == "an error with a status" && m.header("Warning") != `305 127.0.0.1 "no common codec"` {
				t.Errorf("got Warning %q", m.header("Warning"))
			}
			p.send(p.request("ACK", "i", 2, tag, ""))
			p.send(p.request("OPTIONS", "o", 3, tag, "")) // the call is up as it was
			p.expect(200)
		})
	}
}

func TestRequestsInDialog(t *testing.T) {
	ends := make(chan error, 1)
	s := serve(t, Config{}, answerAll(ends))
	p := s.peer("udp", "")
	tag := p.establish().toTag()
	seq := 1
	for _, c := range []struct {
		rule, method, body string
		more               []string
		want               int
		header             string // that the answer has
	}{
		{"UPDATE without a body", "UPDATE", "", nil, 200, "Contact"},
		{"OPTIONS", "OPTIONS", "", nil, 200, "Allow"},
		{"INFO without a body", "INFO", "", nil, 200, ""},
		{"NOTIFY", "NOTIFY", "", nil, 489, "Allow-Events"},
		{"SUBSCRIBE", "SUBSCRIBE", "", nil, 489, "Allow-Events"},
		{"a method that we do not do", "MESSAGE", "", nil, 405, "Allow"},
		{"a transfer", "REFER", "", nil, 603, "Warning"},
		{"PRACK of nothing", "PRACK", "", []string{"RAck: 1 1 INVITE"}, 481, ""},
		{"an info package", "INFO", "", []string{"Info-Package: nothing"}, 469, ""},
		{"a method that nobody knows", "DANCE", "", nil, 501, "Allow"},
		{"an extension that we do not have", "UPDATE", "", []string{"Require: timer, nothingSupportsThis"}, 420, "Unsupported"},
		{"UPDATE with an offer that nobody answers", "UPDATE", testSDP, nil, 488, ""},
	} {
		t.Run(c.rule, func(t *testing.T) {
			seq++
			p.t = t
			p.send(p.request(c.method, newTag(), seq, tag, c.body, c.more...))
			m := p.expect(c.want)
			if c.header != "" && m.header(c.header) == "" {
				t.Errorf("got no %s", c.header)
			}
		})
	}
	p.t = t
	for typ, want := range map[string]int{
		"application/dtmf-relay": 200, "application/media_control+xml": 200, "text/poetry": 415,
	} {
		seq++
		p.send(strings.Replace(p.request("INFO", newTag(), seq, tag, "x"), "application/sdp", typ, 1))
		p.expect(want)
	}
	p.send(p.request("OPTIONS", newTag(), seq, tag, "")) // the same CSeq once more
	p.expect(500)
	p.send(p.request("OPTIONS", newTag(), 1, tag, "")) // a lower one
	p.expect(500)
	p.send(p.request("BYE", newTag(), seq+1, tag, ""))
	p.expect(200)
	wait(t, ends)
	p.send(p.request("BYE", newTag(), seq+2, tag, ""))
	p.expect(481)
}

func TestForgedInDialog(t *testing.T) {
	networks(t, func(t *testing.T, network string) {
		ends := make(chan error, 1)
		s := serve(t, Config{}, offerTaker(func(context.Context, []byte) ([]byte, error) {
			t.Error("an offer from elsewhere is answered")
			return nil, errors.New("no")
		}, ends))
		p := s.peer(network, "")
		tag := p.establish().toTag()
		other := s.peer(network, "127.0.0.2")
		other.callID, other.tag = p.callID, p.tag // everything is right but the address
		other.send(other.request("BYE", "f1", 2, tag, ""))
		other.expect(481)
		other.send(other.request("INVITE", "f2", 3, tag, testSDP))
		other.expect(481)
		other.send(other.request("ACK", "f2", 3, tag, ""))
		other.send(other.request("BYE", "f3", 4, "wrong", ""))
		other.expect(481)
		for _, c := range []struct{ old, new string }{{";tag=" + p.tag, ";tag=wrong"}, {p.callID, "wrong"}} {
			p.send(strings.Replace(p.request("BYE", newTag(), 5, tag, ""), c.old, c.new, 1))
			p.expect(481)
		}
		select {
		case err := <-ends:
			t.Fatalf("the call ended: %v", err)
		default:
		}
		p.send(p.request("BYE", "b", 2, tag, "")) // the forged CSeq numbers did not count
		p.expect(200)
		wait(t, ends)
	})
}

func TestRequestsOutsideOfDialogs(t *testing.T) {
	var status atomic.Int64
	status.Store(200)
	s := serve(t, Config{Options: func() int { return int(status.Load()) }, Load: func() string { return "calls=3" }}, answerAll(nil))
	p := s.peer("udp", "")
	for _, c := range []struct {
		rule, msg string
		want      int
		header    string
	}{
		{"OPTIONS", p.request("OPTIONS", "a", 1, "", ""), 200, "Accept"},
		{"OPTIONS with how busy we are", p.request("OPTIONS", "a2", 1, "", ""), 200, "Passerelle-Load"},
		{"OPTIONS with Max-Forwards 0 is for us (section 11)",
			strings.Replace(p.request("OPTIONS", "b", 1, "", ""), "Max-Forwards: 70", "Max-Forwards: 0", 1), 200, ""},
		{"INVITE with Max-Forwards 0", strings.Replace(p.request("INVITE", "c", 1, "", testSDP), "Max-Forwards: 70", "Max-Forwards: 0", 1), 483, ""},
		{"REGISTER", p.request("REGISTER", "d", 1, "", ""), 405, "Allow"},
		{"SUBSCRIBE", p.request("SUBSCRIBE", "e", 1, "", ""), 489, ""},
		{"a method that nobody knows", p.request("DANCE", "f", 1, "", ""), 501, "Allow"},
		{"BYE to nothing", p.request("BYE", "g", 1, "", ""), 481, ""},
		{"BYE to another dialog", p.request("BYE", "h", 1, "x", ""), 481, ""},
		{"INFO to nothing", p.request("INFO", "i", 1, "", ""), 481, ""},
		{"CANCEL to nothing", p.request("CANCEL", "j", 1, "", ""), 481, ""},
		{"Require", p.request("OPTIONS", "k", 1, "", "", "Require: nothingSupportsThis"), 420, "Unsupported"},
		{"another version", strings.Replace(p.request("OPTIONS", "l", 1, "", ""), " SIP/2.0\r", " SIP/7.0\r", 1), 505, ""},
		{"another scheme", strings.Replace(p.request("OPTIONS", "m", 1, "", ""), "OPTIONS sip:", "OPTIONS mailto:", 1), 416, ""},
		{"INVITE without Contact", strings.Replace(p.request("INVITE", "n", 1, "", testSDP), "Contact", "X-Contact", 1), 400, ""},
		{"INVITE with a poem", strings.Replace(p.request("INVITE", "o", 1, "", testSDP), "application/sdp", "text/poetry", 1), 415, "Accept"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			p.t = t
			callID := newTag()
			p.send(strings.Replace(c.msg, p.callID, callID, 1))
			m := p.hear()
			if m.code != c.want {
				t.Errorf("got %q, want a %d", m.start, c.want)
			}
			if c.header != "" && m.header(c.header) == "" {
				t.Errorf("got no %s", c.header)
			}
			if c.want >= 300 && strings.HasPrefix(c.msg, "INVITE") {
				method, branch := "ACK", strings.SplitN(strings.SplitN(c.msg, "z9hG4bK", 2)[1], ";", 2)[0]
				p.send(strings.Replace(p.request(method, branch, 1, m.toTag(), ""), p.callID, callID, 1))
			}
		})
	}
	p.t = t
	status.Store(503)
	p.send(p.request("OPTIONS", "z", 1, "", ""))
	p.expect(503)
}

func TestSDPInMultipart(t *testing.T) {
	got := make(chan Invite, 1)
	p := serve(t, Config{}, func(_ context.Context, d *Dialog) { got <- d.Invite() }).peer("udp", "")
	body := "--b1\r\nContent-Type: application/isup\r\n\r\n\x01\x02\r\n--b1\r\nContent-Type: application/sdp\r\n\r\n" + testSDP + "\r\n--b1--\r\n"
	p.send(strings.Replace(p.request("INVITE", "i", 1, "", body), "application/sdp", `multipart/mixed;boundary=b1`, 1))
	p.expect(480)
	if i := wait(t, got); string(i.Body) != testSDP {
		t.Errorf("got %q, want %q", i.Body, testSDP)
	}
}

func TestOffersAreAnsweredOneAtATime(t *testing.T) {
	began, left := make(chan struct{}, 2), make(chan struct{})
	p := serve(t, Config{}, func(ctx context.Context, d *Dialog) {
		d.Negotiate(answering{answer: func(ctx context.Context, _ []byte) ([]byte, error) {
			began <- struct{}{}
			<-ctx.Done()
			<-left
			return nil, ctx.Err()
		}})
		answerAll(nil)(ctx, d)
	}).peer("udp", "")
	ok := p.establish()
	p.send(p.request("INVITE", "r2", 2, ok.toTag(), testSDP))
	wait(t, began)
	p.send(p.request("CANCEL", "r2", 2, ok.toTag(), ""))
	p.expect(200)
	p.send(p.request("INVITE", "r3", 3, ok.toTag(), testSDP))
	p.expect(500) // the gateway has not let go of the first yet
	p.send(p.request("ACK", "r3", 3, ok.toTag(), ""))
	close(left)
	for p.hear().code != 487 { // the 500 may come again
	}
	p.send(p.request("ACK", "r2", 2, ok.toTag(), ""))
}
