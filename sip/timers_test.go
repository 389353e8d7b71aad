package sip

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo/sip"
)

// paper is a wire and a responder that write down when something was sent. BYE is answered at once.
type paper struct {
	began time.Time
	wg    sync.WaitGroup

	mu   sync.Mutex
	sent []string // "200", "BYE"
	at   []time.Duration
	last *sip.Response // of ours
}

func (p *paper) note(what string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sent, p.at = append(p.sent, what), append(p.at, time.Since(p.began))
}

func (p *paper) Respond(res *sip.Response) error {
	p.note(res.StartLine()[8:11])
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last = res
	return nil
}

func (p *paper) Terminate() {}

func (p *paper) roundTrip(_ path, req *sip.Request) (*sip.Response, error) {
	p.note(string(req.Method))
	return sip.NewResponse(200, "OK"), nil
}

func (p *paper) reinvite(_ path, req *sip.Request, ack func(*sip.Response) (path, *sip.Request)) (*sip.Response, error) {
	res, err := p.roundTrip(path{}, req)
	if err == nil && res.IsSuccess() {
		_, req := ack(res)
		p.note(string(req.Method))
	}
	return res, err
}

func (p *paper) write(_ path, req *sip.Request) error { p.note(string(req.Method)); return nil }

func (p *paper) spawn(_ string, f func()) bool { p.wg.Go(f); return true }

// onPaper makes a callee's dialog without sockets, at the RFC's own T1.
func onPaper(t *testing.T, p *paper) *Dialog { t.Helper(); return onWire(t, p, p, "") }

// onWire is onPaper with another wire, and more headers of the INVITE.
func onWire(t *testing.T, p *paper, w wire, headers string) *Dialog {
	t.Helper()
	if headers != "" {
		headers = strings.ReplaceAll(headers, "\n", "\r\n") + "\r\n"
	}
	msg, err := sip.ParseMessage([]byte("INVITE sip:room@192.0.2.9 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKx\r\n" +
		"From: <sip:a@x>;tag=f\r\nTo: <sip:room@y>\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\nContact: <sip:a@192.0.2.1>\r\n" + headers + "\r\n"))
	if err != nil {
		t.Fatal(err)
	}
	req := msg.(*sip.Request)
	src := netip.MustParseAddrPort("192.0.2.1:5060")
	req.SetSource(src.String())
	d := &Dialog{
		callID: "c", localTag: "t", timing: timing{500 * time.Millisecond, 4 * time.Second}, wire: w,
		log: slog.New(slog.DiscardHandler), mail: make(chan func()), done: make(chan struct{}),
	}
	d.invite.Body = []byte(testSDP)
	d.ctx, d.end = context.WithCancelCause(t.Context())
	d.owned = owned{
		state: incoming, negotiation: remoteOffer, remoteTag: "f", remoteSeq: 1, remoteHeard: true,
		path: path{network: "udp", flow: src}, in: inbound{req: req, tx: p, from: origin{src: src}},
		unacked: map[uint32]*acceptance{},
	}
	d.path.learn(req, src, false)
	d.learnAllow(req)
	go d.run()
	return d
}

// ackOnPaper is the ACK to the INVITE of onPaper.
func ackOnPaper(t *testing.T, body string) *sip.Request {
	t.Helper()
	return inboundOnPaper(t, nil, "ACK", 1, body).req
}

// inboundOnPaper is a request in the dialog of onPaper.
func inboundOnPaper(t *testing.T, p *paper, method string, seq int, body string, more ...string) inbound {
	t.Helper()
	text := fmt.Sprintf("%[1]s sip:room@192.0.2.9 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK%[2]d\r\nFrom: <sip:a@x>;tag=f\r\n"+
		"To: <sip:room@y>;tag=t\r\nCall-ID: c\r\nCSeq: %[2]d %[1]s\r\n", method, seq)
	for _, line := range more {
		text += line + "\r\n"
	}
	if body != "" {
		text += "Content-Type: application/sdp\r\n"
	}
	msg, err := sip.ParseMessage([]byte(text + "Content-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body))
	if err != nil {
		t.Fatal(err)
	}
	src := netip.MustParseAddrPort("192.0.2.1:5060")
	req := msg.(*sip.Request)
	req.SetSource(src.String())
	return inbound{req: req, tx: p, from: origin{src: src}}
}

func TestAnswerIsSentAgainAtTheRFCsSpacing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &paper{began: time.Now()}
		d := onPaper(t, p)
		if err := d.Answer(t.Context(), []byte(testSDP)); err != nil {
			t.Fatal(err)
		}
		<-d.done
		p.wg.Wait()
		want := []time.Duration{0, 500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500, 32000}
		for i := range want {
			want[i] *= time.Millisecond
		}
		if !slices.Equal(p.at, want) {
			t.Errorf("got  %v\nwant %v", p.at, want)
		}
		if last := p.sent[len(p.sent)-1]; last != "BYE" {
			t.Errorf("got %s at 64*T1, want BYE", last)
		}
		if err := context.Cause(d.Context()); !errors.Is(err, ErrNoACK) {
			t.Errorf("got %v, want %v", err, ErrNoACK)
		}
	})
}

func TestAnswerIsNotSentAgainAfterItsACK(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &paper{began: time.Now()}
		d := onPaper(t, p)
		if err := d.Answer(t.Context(), []byte(testSDP)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		d.post(func() { d.acked(ackOnPaper(t, "")) })
		time.Sleep(time.Minute)
		if err := d.Hangup(t.Context(), ""); err != nil {
			t.Fatal(err)
		}
		p.wg.Wait()
		if want := []string{"200", "200", "200", "BYE"}; !slices.Equal(p.sent, want) {
			t.Errorf("got %v, want %v", p.sent, want)
		}
	})
}

func TestCommandsOfADeadDialog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &paper{began: time.Now()}
		d := onPaper(t, p)
		d.post(func() { _ = d.step(cancelHeard, occasion{}) })
		<-d.done
		for what, err := range map[string]error{
			"Ring": d.Ring(t.Context()), "Answer": d.Answer(t.Context(), []byte(testSDP)), "Reject": d.Reject(t.Context(), Refusal{Code: 486}),
		} {
			if !errors.Is(err, ErrCancelled) {
				t.Errorf("%s: got %v, want %v", what, err, ErrCancelled)
			}
		}
		if err := d.Hangup(t.Context(), ""); err != nil {
			t.Errorf("Hangup: got %v, want nil", err)
		}
	})
}

func TestPanicOfTheOwnerEndsTheDialogOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := onPaper(t, &paper{began: time.Now()})
		if err := d.ask(t.Context(), func() error { panic("on purpose") }); err == nil {
			t.Error("got no error")
		}
		<-d.done
	})
}
