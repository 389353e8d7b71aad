package sip

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo/sip"
)

// peerOnPaper answers requests of ours, one answer after the other; the last one stays.
type peerOnPaper struct {
	paper
	answers []string // whole headers after the status line: "200\r\nSession-Expires: 90;refresher=uac"; "" is none
	got     []*sip.Request
}

func (p *peerOnPaper) roundTrip(_ path, req *sip.Request) (*sip.Response, error) {
	p.note(string(req.Method))
	if req.Method == sip.BYE {
		return sip.NewResponse(200, "OK"), nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.got = append(p.got, req.Clone())
	text := p.answers[0]
	if len(p.answers) > 1 {
		p.answers = p.answers[1:]
	}
	if text == "" {
		return nil, ErrNoAnswer
	}
	status, headers, _ := strings.Cut(text, "\n")
	var code int
	if _, err := fmt.Sscan(status, &code); err != nil {
		return nil, err
	}
	res := sip.NewResponse(code, "As It Says")
	for line := range strings.SplitSeq(headers, "\n") {
		if name, value, ok := strings.Cut(line, ": "); ok {
			res.AppendHeader(sip.NewHeader(name, value))
		}
	}
	if req.IsInvite() && code == 200 {
		res.AppendHeader(sip.NewHeader("Content-Type", "application/sdp"))
		res.SetBody([]byte(testSDP))
	}
	return res, nil
}

func (p *peerOnPaper) reinvite(_ path, req *sip.Request, ack func(*sip.Response) (path, *sip.Request)) (*sip.Response, error) {
	res, err := p.roundTrip(path{}, req)
	if err == nil && res.IsSuccess() {
		_, req := ack(res)
		p.note(string(req.Method))
	}
	return res, err
}

// sentSince lists what was sent, each with the second of its sending.
func (p *peerOnPaper) log() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []string
	for i, what := range p.sent {
		all = append(all, fmt.Sprintf("%s@%d", what, int(p.at[i].Seconds())))
	}
	return all
}

// TestSessionTimer walks a call through its refreshes, on virtual time: the call is answered at 0 and acknowledged.
func TestSessionTimer(t *testing.T) {
	const update, noUpdate = "Allow: INVITE, ACK, BYE, UPDATE", "Allow: INVITE, ACK, BYE"
	for _, c := range []struct {
		rule    string
		invite  string   // headers of the INVITE
		ok      string   // Session-Expires of our 200
		require bool     // timer, in our 200
		answers []string // of the peer to our refreshes
		until   time.Duration
		want    []string // what we send, and at which second
		end     error    // nil: the call goes on
	}{
		{"we refresh by UPDATE", "Supported: timer\nSession-Expires: 1800;refresher=uas\n" + update, "1800;refresher=uas", false,
			[]string{"200\nSession-Expires: 1800;refresher=uac"}, 2000 * time.Second, []string{"200@0", "UPDATE@900", "UPDATE@1800"}, nil},
		{"we refresh by re-INVITE", "Supported: timer\nSession-Expires: 1800;refresher=uas\n" + noUpdate, "1800;refresher=uas", false,
			[]string{"200\nSession-Expires: 1800;refresher=uac"}, 1000 * time.Second, []string{"200@0", "INVITE@900", "ACK@900"}, nil},
		{"nobody is named: we refresh", "Supported: timer\nSession-Expires: 600\n" + update, "600;refresher=uas", false,
			[]string{"200\nSession-Expires: 600;refresher=uac"}, 400 * time.Second, []string{"200@0", "UPDATE@300"}, nil},
		{"the peer asks for none: 1800 s", "Supported: timer\n" + update, "1800;refresher=uas", false,
			[]string{"200\nSession-Expires: 1800;refresher=uac"}, 1000 * time.Second, []string{"200@0", "UPDATE@900"}, nil},
		{"the peer knows no timer: it is not told", update, "", false, []string{"200"}, 1000 * time.Second, []string{"200@0", "UPDATE@900"}, nil},
		{"Min-SE is more than what is asked for", "Supported: timer\nSession-Expires: 100;refresher=uas\nMin-SE: 200\n" + update, "200;refresher=uas", false,
			[]string{"200\nSession-Expires: 200;refresher=uac"}, 120 * time.Second, []string{"200@0", "UPDATE@100"}, nil},
		{"the peer refreshes, and does not", "Supported: timer\nSession-Expires: 1800;refresher=uac\n" + update, "1800;refresher=uac", true,
			nil, 1800 * time.Second, []string{"200@0", "BYE@1768"}, ErrExpired},
		{"the same with a short interval: a third", "Supported: timer\nSession-Expires: 90;refresher=uac", "90;refresher=uac", true,
			nil, 90 * time.Second, []string{"200@0", "BYE@60"}, ErrExpired},
		{"the peer is dead: no answer", "Supported: timer\n" + update, "1800;refresher=uas", false,
			[]string{""}, 1000 * time.Second, []string{"200@0", "UPDATE@900", "BYE@900"}, ErrGone},
		{"the peer is dead: 481", update, "", false, []string{"481"}, 1000 * time.Second, []string{"200@0", "UPDATE@900", "BYE@900"}, ErrGone},
		{"the peer is dead, and was on hold: 408 to a re-INVITE", noUpdate, "", false,
			[]string{"408"}, 1000 * time.Second, []string{"200@0", "INVITE@900", "BYE@900"}, ErrGone},
		{"422: again with what it asks for", "Supported: timer\nSession-Expires: 100;refresher=uas\n" + update, "100;refresher=uas", false,
			[]string{"422\nMin-SE: 400", "200\nSession-Expires: 400;refresher=uac"}, 300 * time.Second, []string{"200@0", "UPDATE@50", "UPDATE@50", "UPDATE@250"}, nil},
		{"405 to UPDATE: re-INVITE, now and later", update, "", false, []string{"405", "200"}, 1900 * time.Second,
			[]string{"200@0", "UPDATE@900", "INVITE@900", "ACK@900", "INVITE@1800", "ACK@1800"}, nil},
		{"refused by a peer that knows no timer: it lives", noUpdate, "", false, []string{"488"}, 1900 * time.Second,
			[]string{"200@0", "INVITE@900", "INVITE@1800"}, nil},
		{"refused by one that does: until the time is over", "Supported: timer\nSession-Expires: 90;refresher=uas\n" + update, "90;refresher=uas", false,
			[]string{"500"}, 100 * time.Second, []string{"200@0", "UPDATE@45", "UPDATE@55", "BYE@55"}, ErrExpired},
		{"the roles change: now the peer refreshes", "Supported: timer\nSession-Expires: 90;refresher=uas\n" + update, "90;refresher=uas", false,
			[]string{"200\nSession-Expires: 300;refresher=uas"}, 400 * time.Second, []string{"200@0", "UPDATE@45", "BYE@313"}, ErrExpired},
		{"a 200 without Session-Expires keeps no time", "Supported: timer\nSession-Expires: 90;refresher=uas\n" + update, "90;refresher=uas", false,
			[]string{"200"}, 100 * time.Second, []string{"200@0", "UPDATE@45", "UPDATE@90"}, nil},
	} {
		t.Run(c.rule, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &peerOnPaper{paper: paper{began: time.Now()}, answers: c.answers}
				d := onWire(t, &p.paper, p, c.invite)
				d.Negotiate(answering{offer: testSDP})
				if err := d.Answer(t.Context(), []byte(testSDP)); err != nil {
					t.Fatal(err)
				}
				ok := p.last
				d.post(func() { d.acked(ackOnPaper(t, "")) })
				time.Sleep(c.until)
				synctest.Wait()
				if got := headerOr(ok, "Session-Expires"); got != c.ok {
					t.Errorf("our 200 has Session-Expires %q, want %q", got, c.ok)
				}
				if got := headerOr(ok, "Require") == "timer"; got != c.require {
					t.Errorf("our 200 requires timer: %v, want %v", got, c.require)
				}
				if got := p.log(); !slices.Equal(got, c.want) {
					t.Errorf("got  %v\nwant %v", got, c.want)
				}
				if err := context.Cause(d.Context()); !errors.Is(err, c.end) || (err == nil) != (c.end == nil) {
					t.Errorf("ended with %v, want %v", err, c.end)
				}
				for _, req := range p.got {
					if v := headerValues(req, "session-expires"); len(v) != 1 || !strings.HasSuffix(v[0], ";refresher=uac") {
						t.Errorf("a refresh with Session-Expires %q", v)
					}
					if req.Method == sip.UPDATE && len(req.Body()) > 0 || req.IsInvite() && string(req.Body()) != testSDP {
						t.Errorf("a refresh by %s with %q", req.Method, req.Body())
					}
				}
				_ = d.Hangup(t.Context(), "")
				p.wg.Wait()
			})
		})
	}
}

func headerOr(res *sip.Response, name string) string {
	if v := headerValues(res, name); len(v) > 0 {
		return v[0]
	}
	return ""
}

// A 491 to our refresh is tried again within the RFC's time (RFC 3261 section 14.1).
func TestGlareIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &peerOnPaper{paper: paper{began: time.Now()}, answers: []string{"491", "200"}}
		d := onWire(t, &p.paper, p, "Allow: INVITE")
		d.Negotiate(answering{offer: testSDP})
		if err := d.Answer(t.Context(), []byte(testSDP)); err != nil {
			t.Fatal(err)
		}
		d.post(func() { d.acked(ackOnPaper(t, "")) })
		time.Sleep(905 * time.Second)
		synctest.Wait()
		if got := p.sent; !slices.Equal(got, []string{"200", "INVITE", "INVITE", "ACK"}) {
			t.Fatalf("sent %v", got)
		}
		if wait := p.at[2] - p.at[1]; wait > 2*time.Second {
			t.Errorf("tried again after %v, want at most 2 s", wait)
		}
		_ = d.Hangup(t.Context(), "")
		p.wg.Wait()
	})
	for range 1000 {
		if w := glareWait(true); w < 2100*time.Millisecond || w > 4*time.Second || w%(10*time.Millisecond) != 0 {
			t.Fatalf("with our Call-ID: %v", w)
		}
		if w := glareWait(false); w < 0 || w > 2*time.Second || w%(10*time.Millisecond) != 0 {
			t.Fatalf("with the peer's Call-ID: %v", w)
		}
	}
}

// While our re-INVITE is out, the peer's is a glare.
func TestGlare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		block := make(chan struct{})
		p := &blockedPeer{paper: paper{began: time.Now()}, block: block}
		d := onWire(t, &p.paper, p, "Allow: INVITE")
		d.Negotiate(answering{offer: testSDP, answer: func(context.Context, []byte) ([]byte, error) { return []byte(testSDP), nil }})
		if err := d.Answer(t.Context(), []byte(testSDP)); err != nil {
			t.Fatal(err)
		}
		d.post(func() { d.acked(ackOnPaper(t, "")) })
		time.Sleep(901 * time.Second)
		d.post(func() { d.heard(inboundOnPaper(t, &p.paper, "INVITE", 2, testSDP)) })
		synctest.Wait()
		if last := p.sent[len(p.sent)-1]; last != "491" {
			t.Errorf("the peer's re-INVITE is answered %s, want 491", last)
		}
		close(block)
		synctest.Wait()
		d.post(func() { d.heard(inboundOnPaper(t, &p.paper, "INVITE", 3, testSDP)) })
		synctest.Wait()
		if last := p.sent[len(p.sent)-1]; last != "200" {
			t.Errorf("after ours it is answered %s, want 200", last)
		}
		_ = d.Hangup(t.Context(), "")
		p.wg.Wait()
	})
}

// blockedPeer answers nothing but BYE until block is closed.
type blockedPeer struct {
	paper
	block chan struct{}
}

func (p *blockedPeer) reinvite(_ path, _ *sip.Request, _ func(*sip.Response) (path, *sip.Request)) (*sip.Response, error) {
	<-p.block
	return sip.NewResponse(488, "No"), nil
}

// The refresh of the peer, in whichever way, winds the clock anew.
func TestPeerRefreshes(t *testing.T) {
	for _, method := range []string{"UPDATE", "INVITE"} {
		t.Run(method, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &peerOnPaper{paper: paper{began: time.Now()}}
				d := onWire(t, &p.paper, p, "Supported: timer\nx: 900;refresher=uac")
				d.Negotiate(answering{offer: testSDP, answer: func(context.Context, []byte) ([]byte, error) { return []byte(testSDP), nil }})
				if err := d.Answer(t.Context(), []byte(testSDP)); err != nil {
					t.Fatal(err)
				}
				d.post(func() { d.acked(ackOnPaper(t, "")) })
				body := map[string]string{"INVITE": testSDP}[method]
				for i := range 4 {
					time.Sleep(450 * time.Second)
					seq := 2 + i
					d.post(func() {
						d.heard(inboundOnPaper(t, &p.paper, method, seq, body, "Supported: timer", "Session-Expires: 900;refresher=uac", "Min-SE: 90"))
					})
					synctest.Wait()
					if got := headerOr(p.last, "Session-Expires"); p.last.StatusCode != 200 || got != "900;refresher=uac" {
						t.Errorf("a refresh is answered %d, Session-Expires %q", p.last.StatusCode, got)
					}
					for len(d.unacked) > 0 {
						ack := ackOnPaper(t, "")
						ack.CSeq().SeqNo = uint32(seq)
						d.post(func() { d.acked(ack) })
						synctest.Wait()
					}
				}
				if d.Context().Err() != nil {
					t.Fatalf("the call ended with %v", context.Cause(d.Context()))
				}
				time.Sleep(900 * time.Second) // it refreshes no more
				if err := context.Cause(d.Context()); !errors.Is(err, ErrExpired) {
					t.Errorf("ended with %v, want %v", err, ErrExpired)
				}
				if last := p.at[len(p.at)-1]; last != 4*450*time.Second+868*time.Second {
					t.Errorf("BYE at %v", last)
				}
				p.wg.Wait()
			})
		})
	}
}

func TestReadSession(t *testing.T) {
	for _, c := range []struct {
		headers string
		want    askedSession
	}{
		{"", askedSession{}},
		{"Session-Expires: 1800", askedSession{interval: 1800 * time.Second}},
		{"x: 90 ; refresher=UAS;other", askedSession{interval: 90 * time.Second, refresher: "uas"}},
		{"Session-Expires: soon", askedSession{}},
		{"Session-Expires: 90;refresher=me", askedSession{interval: 90 * time.Second}},
		{"Session-Expires: 4294967295", askedSession{interval: maxSession}},
		{"Min-SE: 120;lr", askedSession{least: 120 * time.Second}},
		{"k: 100rel, TIMER", askedSession{supported: true}},
		{"Require: timer", askedSession{supported: true}},
	} {
		res := sip.NewResponse(200, "OK")
		if name, value, ok := strings.Cut(c.headers, ": "); ok {
			res.AppendHeader(sip.NewHeader(name, value))
		}
		if got := readSession(res); got != c.want {
			t.Errorf("%q: got %+v, want %+v", c.headers, got, c.want)
		}
	}
}

func Test422(t *testing.T) {
	p := serve(t, Config{}, answerAll(nil)).peer("udp", "")
	for _, c := range []struct {
		rule string
		want int
		more []string
	}{
		{"too short", 422, []string{"Supported: timer", "Session-Expires: 89"}},
		{"too short, but the phone knows no timer: a proxy's", 200, []string{"Session-Expires: 60"}},
	} {
		p.callID = newTag()
		p.acked = map[string]bool{}
		branch := newTag()
		p.send(p.request("INVITE", branch, 1, "", testSDP, c.more...))
		m := p.expect(c.want)
		if want := map[int]string{422: "90"}[c.want]; m.header("Min-SE") != want {
			t.Errorf("%s: Min-SE %q, want %q", c.rule, m.header("Min-SE"), want)
		}
		p.send(p.request("ACK", branch, 1, m.toTag(), ""))
	}
}
