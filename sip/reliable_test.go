package sip

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// ringThenAnswer is a handler that rings, answers when it may, and stays; n negotiates.
func ringThenAnswer(n Negotiator, sdp string, ends chan<- error) HandlerFunc {
	return func(ctx context.Context, d *Dialog) {
		d.Negotiate(n)
		if err := d.Ring(ctx); err == nil && d.Answer(ctx, []byte(sdp)) == nil {
			<-ctx.Done()
		}
		ends <- context.Cause(ctx)
	}
}

func TestReliableRinging(t *testing.T) {
	networks(t, func(t *testing.T, network string) {
		ends := make(chan error, 1)
		p := serve(t, Config{}, ringThenAnswer(nil, testSDP, ends)).peer(network, "")
		p.send(p.request("INVITE", "i", 1, "", testSDP, "Require: 100rel", "Supported: timer"))
		first := p.expect(180)
		if first.header("Require") != "100rel" || first.header("RSeq") == "" || first.header("Contact") == "" || first.body != "" {
			t.Errorf("got %v", first)
		}
		again := p.expect(180) // and no 200 before the PRACK
		if again.header("RSeq") != first.header("RSeq") {
			t.Errorf("again with RSeq %s, want %s", again.header("RSeq"), first.header("RSeq"))
		}
		tag := first.toTag()
		for i, rack := range []string{"1 1 INVITE", first.header("RSeq") + " 2 INVITE", first.header("RSeq") + " 1 UPDATE", "x"} {
			p.send(p.request("PRACK", newTag(), 2+i, tag, "", "RAck: "+rack))
			skip(p, 180, 481)
		}
		p.send(p.request("PRACK", "p", 7, tag, "", "RAck: "+first.header("RSeq")+" 1 INVITE"))
		got := map[string]bool{}
		for !got["7 PRACK"] || !got["1 INVITE"] {
			m := p.hear()
			if m.code == 200 {
				got[m.header("CSeq")] = true
			}
		}
		p.send(p.request("ACK", "a", 1, tag, ""))
		p.send(p.request("PRACK", "late", 8, tag, "", "RAck: "+first.header("RSeq")+" 1 INVITE"))
		skip(p, 200, 481)
		p.send(p.request("BYE", "b", 9, tag, ""))
		p.expect(200)
		if err := wait(t, ends); !errors.Is(err, ErrBye) {
			t.Errorf("ended with %v", err)
		}
	})
}

// skip reads until a message with code, past those with another.
func skip(p *rawPeer, past, code int) heardMessage {
	p.t.Helper()
	for {
		m := p.hear()
		switch m.code {
		case past:
		case code:
			return m
		default:
			p.t.Fatalf("got %q, want a %d", m.start, code)
		}
	}
}

func TestUnreliableRingingWhereItIsOnlySupported(t *testing.T) {
	ends := make(chan error, 1)
	p := serve(t, Config{}, ringThenAnswer(nil, testSDP, ends)).peer("udp", "")
	p.send(p.request("INVITE", "i", 1, "", testSDP, "Supported: 100rel"))
	for m := p.hear(); m.code != 200; m = p.hear() { // the 180 may come behind the 200, or not at all
		if m.code != 180 || m.header("RSeq") != "" || m.header("Require") != "" {
			t.Errorf("got %v", m)
		}
	}
}

func TestReliableRingingWithoutPRACK(t *testing.T) {
	for _, answers := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			p := &paper{began: time.Now()}
			d := onWire(t, p, p, "Require: 100rel")
			if err := d.Ring(t.Context()); err != nil {
				t.Fatal(err)
			}
			if answers { // it is owed
				if err := d.Answer(t.Context(), []byte(testSDP)); err != nil {
					t.Fatal(err)
				}
			}
			<-d.done
			p.wg.Wait()
			want := []time.Duration{0, 500, 1500, 3500, 7500, 15500, 31500, 32000} // doubling without a bound
			for i := range want {
				want[i] *= time.Millisecond
			}
			if !slices.Equal(p.at, want) {
				t.Errorf("got  %v\nwant %v", p.at, want)
			}
			if last := p.sent[len(p.sent)-1]; last != "504" {
				t.Errorf("got %s at 64*T1, want 504", last)
			}
			if err := context.Cause(d.Context()); !errors.Is(err, ErrNoPRACK) {
				t.Errorf("ended with %v", err)
			}
		})
	}
}

func TestReliableRingingIsCancelled(t *testing.T) {
	ends := make(chan error, 1)
	p := serve(t, Config{}, ringThenAnswer(nil, testSDP, ends)).peer("udp", "")
	p.send(p.request("INVITE", "i", 1, "", testSDP, "Require: 100rel"))
	p.expect(180)
	p.send(p.request("CANCEL", "i", 1, "", "", `Reason: Q.850;cause=16;text="enough"`))
	skip(p, 200, 487)
	if err := wait(t, ends); !errors.Is(err, ErrCancelled) || !strings.Contains(err.Error(), "Q.850 16 enough") {
		t.Errorf("ended with %v", err)
	}
}

// Where our answer is in the reliable 180 the PRACK may offer anew (RFC 3262 section 5): that is answered in its 200, or
// refused, before the 200 to the INVITE, which says nothing.
func TestOfferInThePRACK(t *testing.T) {
	for _, c := range []struct {
		rule    string
		n       Negotiator
		offer   string
		want    int
		answers bool // before the PRACK comes
	}{
		{"answered", answering{answer: func(context.Context, []byte) ([]byte, error) { return []byte(otherSDP), nil }}, testSDP, 200, false},
		{"answered, and the call is already", answering{answer: func(context.Context, []byte) ([]byte, error) { return []byte(otherSDP), nil }}, testSDP, 200, true},
		{"refused", answering{answer: func(context.Context, []byte) ([]byte, error) { return nil, refusing{} }}, testSDP, 488, true},
		{"nobody answers", nil, testSDP, 488, true},
		{"none", nil, "", 200, true},
	} {
		t.Run(c.rule, func(t *testing.T) {
			may := make(chan struct{})
			if c.answers {
				close(may)
			}
			p := serve(t, Config{}, func(ctx context.Context, d *Dialog) {
				d.Negotiate(c.n)
				if err := d.RingWith(ctx, []byte(testSDP)); err != nil {
					t.Error(err)
				}
				<-may
				if d.Answer(ctx, []byte(testSDP)) == nil {
					<-ctx.Done()
				}
			}).peer("udp", "")
			p.send(p.request("INVITE", "i", 1, "", testSDP, "Require: 100rel"))
			ringing := p.expect(180)
			if ringing.body != testSDP {
				t.Errorf("the 180 has no answer: %q", ringing.body)
			}
			tag := ringing.toTag()
			p.send(p.request("INVITE", "re", 2, tag, testSDP))
			skip(p, 180, 500)
			p.send(p.request("ACK", "re", 2, tag, ""))
			p.send(p.request("PRACK", "p", 3, tag, c.offer, "RAck: "+ringing.header("RSeq")+" 1 INVITE"))
			got := map[string]heardMessage{}
			for len(got) < 2 {
				m := p.hear()
				if _, again := got[m.header("CSeq")]; m.code == 180 || again {
					continue
				}
				got[m.header("CSeq")] = m
				if !c.answers {
					close(may)
					c.answers = true
				}
			}
			prack, invite := got["3 PRACK"], got["1 INVITE"]
			if prack.code != c.want || c.offer != "" && c.want == 200 && prack.body != otherSDP {
				t.Errorf("the PRACK is answered %q with %q, want %d", prack.start, prack.body, c.want)
			}
			if invite.code != 200 || invite.body != "" {
				t.Errorf("the INVITE is answered %q with %q", invite.start, invite.body)
			}
		})
	}
}

// An INVITE without an offer gets ours in the first reliable answer (RFC 3262 section 5), its answer is in the PRACK,
// and the 200 says nothing.
func TestOfferInAReliableAnswer(t *testing.T) {
	for _, c := range []struct {
		rule, answer string
		refused      error // by the negotiator
		want         int   // the INVITE's final answer
	}{
		{"answered", testSDP, nil, 200},
		{"no answer in the PRACK", "", nil, 488},
		{"not one to agree to", testSDP, refusing{}, 488},
	} {
		t.Run(c.rule, func(t *testing.T) {
			ends, got := make(chan error, 1), make(chan string, 1)
			n := answering{offer: testSDP, agree: func(answer []byte) error { got <- string(answer); return c.refused }}
			p := serve(t, Config{}, ringThenAnswer(n, "", ends)).peer("udp", "")
			p.send(p.request("INVITE", "i", 1, "", "", "Require: 100rel"))
			ringing := p.expect(180)
			if ringing.body != testSDP {
				t.Errorf("the 180 has no offer: %q", ringing.body)
			}
			tag := ringing.toTag()
			p.send(p.request("PRACK", "p", 2, tag, c.answer, "RAck: "+ringing.header("RSeq")+" 1 INVITE"))
			for {
				m := p.hear()
				if m.header("CSeq") == "1 INVITE" && m.code >= 200 {
					if m.code != c.want || m.body != "" {
						t.Errorf("the INVITE is answered %q with %q, want %d", m.start, m.body, c.want)
					}
					break
				}
			}
			if c.answer != "" && wait(t, got) != testSDP {
				t.Error("another answer")
			}
			if c.want != 200 {
				p.send(p.request("ACK", "i", 1, tag, ""))
				if err := wait(t, ends); !errors.Is(err, ErrDisagreed) {
					t.Errorf("ended with %v", err)
				}
			}
		})
	}
}

func TestOfferIn200(t *testing.T) {
	for _, c := range []struct {
		rule, ack string
		refused   error
		reason    string // of our BYE; "" is none
	}{
		{"answered in the ACK", testSDP, nil, ""},
		{"no answer in the ACK", "", nil, `SIP;cause=488;text=`},
		{"not one to agree to", testSDP, refusing{}, `SIP;cause=488;text="no common codec"`},
	} {
		t.Run(c.rule, func(t *testing.T) {
			ends, got := make(chan error, 1), make(chan string, 1)
			n := answering{offer: testSDP, agree: func(answer []byte) error { got <- string(answer); return c.refused }}
			p := serve(t, Config{}, ringThenAnswer(n, "", ends)).peer("tcp", "")
			p.send(p.request("INVITE", "i", 1, "", ""))
			ok := skip(p, 180, 200)
			if ok.body != testSDP || ok.header("Content-Type") != "application/sdp" {
				t.Errorf("the 200 has no offer: %q", ok.body)
			}
			p.send(p.request("ACK", "a", 1, ok.toTag(), c.ack))
			if c.ack != "" && wait(t, got) != testSDP {
				t.Error("another answer")
			}
			if c.reason == "" {
				p.send(p.request("BYE", "b", 2, ok.toTag(), "", `Reason: SIP;cause=200;text="done"`))
				p.expect(200)
				if err := wait(t, ends); !errors.Is(err, ErrBye) || !strings.Contains(err.Error(), "SIP 200 done") {
					t.Errorf("ended with %v", err)
				}
				return
			}
			bye := p.expectRequest("BYE")
			if !strings.HasPrefix(bye.header("Reason"), c.reason) {
				t.Errorf("BYE with Reason %q, want %s", bye.header("Reason"), c.reason)
			}
			p.reply(bye, 200)
			if err := wait(t, ends); !errors.Is(err, ErrDisagreed) {
				t.Errorf("ended with %v", err)
			}
		})
	}
}

// An empty re-INVITE whose ACK has no answer leaves the call as it was: some phones refresh their session so.
func TestEmptyReinviteWithoutAnAnswer(t *testing.T) {
	p := serve(t, Config{}, offerTaker(nil, nil)).peer("udp", "")
	tag := p.establish().toTag()
	p.send(p.request("INVITE", "nobody", 2, tag, ""))
	p.expect(488)
	p.send(p.request("ACK", "nobody", 2, tag, ""))

	q := serve(t, Config{}, offerTaker(func(context.Context, []byte) ([]byte, error) { return []byte(testSDP), nil }, nil)).peer("udp", "")
	tag = q.establish().toTag()
	q.send(q.request("INVITE", "e", 2, tag, ""))
	q.expect(200)
	q.send(q.request("ACK", "ea", 2, tag, ""))
	q.send(q.request("OPTIONS", "o", 3, tag, ""))
	q.expect(200)
	q.send(q.request("BYE", "b", 4, tag, ""))
	q.expect(200)
}

// A re-INVITE that overtakes the ACK before it waits for that a moment; without one it is a glare.
func TestReinviteOvertakesTheACK(t *testing.T) {
	for _, c := range []struct {
		rule  string
		after time.Duration // the ACK comes, behind the re-INVITE
		want  string
	}{{"a little late", 200 * time.Millisecond, "200"}, {"too late", 300 * time.Millisecond, "491"}} {
		t.Run(c.rule, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &paper{began: time.Now()}
				d := onPaper(t, p)
				d.Negotiate(answering{offer: testSDP, answer: func(context.Context, []byte) ([]byte, error) { return []byte(testSDP), nil }})
				if err := d.Answer(t.Context(), []byte(testSDP)); err != nil {
					t.Fatal(err)
				}
				d.post(func() { d.acked(ackOnPaper(t, "")) })
				d.post(func() { d.heard(inboundOnPaper(t, p, "INVITE", 2, "")) })
				d.post(func() { d.heard(inboundOnPaper(t, p, "INVITE", 3, testSDP)) })
				time.Sleep(c.after)
				ack := ackOnPaper(t, testSDP)
				ack.CSeq().SeqNo = 2
				d.post(func() { d.acked(ack) })
				synctest.Wait()
				if last := p.sent[len(p.sent)-1]; last != c.want || len(p.sent) != 3 {
					t.Errorf("sent %v, want %s at last", p.sent, c.want)
				}
				_ = d.Hangup(t.Context(), "")
				p.wg.Wait()
			})
		})
	}
}

func TestKeysInINFO(t *testing.T) {
	keys := make(chan rune, 8)
	p := serve(t, Config{}, func(ctx context.Context, d *Dialog) {
		d.OnKey(func(key rune) { keys <- key })
		answerAll(nil)(ctx, d)
	}).peer("udp", "")
	tag := p.establish().toTag()
	for i, c := range []struct {
		typ, body string
		want      rune
	}{
		{"application/dtmf-relay", "Signal=5\r\nDuration=160\r\n", '5'},
		{"application/dtmf-relay", "Signal= 11\r\nDuration= 250\r\n", '#'},
		{"application/dtmf-relay;charset=x", "signal=*", '*'},
		{"application/dtmf", "7", '7'},
		{"application/dtmf", "d\r\n", 'D'},
		{"application/dtmf-relay", "Signal=16\r\n", 0}, // a flash
		{"application/media_control+xml", "<media_control/>", 0},
	} {
		p.send(strings.Replace(p.request("INFO", newTag(), 2+i, tag, c.body), "application/sdp", c.typ, 1))
		p.expect(200)
		select {
		case key := <-keys:
			if key != c.want {
				t.Errorf("%q: got %q, want %q", c.body, key, c.want)
			}
		default:
			if c.want != 0 {
				t.Errorf("%q: got no key", c.body)
			}
		}
	}
}

func TestReasonText(t *testing.T) {
	for _, c := range []struct{ value, want string }{
		{`Q.850;cause=16;text="Normal call clearing"`, "Q.850 16 Normal call clearing"},
		{`SIP ;cause= 200 ;text="Call completed elsewhere"`, "SIP 200 Call completed elsewhere"},
		{"Q.850;cause=sixteen", "Q.850"},
		{"", ""},
		{"SIP;text=\"" + strings.Repeat("x", 500) + "\"", "SIP " + strings.Repeat("x", maxReason-4)},
	} {
		if got := reasonText([]string{c.value}); got != c.want {
			t.Errorf("%q: got %q, want %q", c.value, got, c.want)
		}
	}
}
