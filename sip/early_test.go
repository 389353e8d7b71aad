package sip

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo/sip"
)

const otherSDP = "v=0\r\no=- 2 2 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4002 RTP/AVP 0\r\n"

// early dials a raw phone, whose answers are told to a negotiator.
func early(t *testing.T, agree func([]byte) error) (p *phone, invite heardMessage, ended <-chan error, answers <-chan string) {
	t.Helper()
	up := make(chan string, 1)
	p, invite, ended = ringWith(t.Context(), t, serve(t, Config{}, answerAll(nil)), Dial{
		Prepare: func(d *Dialog) ([]byte, error) {
			if i := d.Invite(); i.Source.Port() == 0 || !i.Local.IsValid() {
				return nil, fmt.Errorf("the way is not known: %+v", i)
			}
			d.Negotiate(answering{agree: agree})
			return []byte(testSDP), nil
		},
	}, func(_ *Dialog, answer []byte) { up <- string(answer) })
	if invite.body != testSDP {
		t.Errorf("the INVITE offers %q", invite.body)
	}
	return p, invite, ended, up
}

// Reliable provisional answers are acknowledged in their order and once each (RFC 3262 section 4); the first session
// description is the answer (section 5).
func TestReliableRingingOfTheOtherSide(t *testing.T) {
	told := make(chan string, 9)
	p, invite, ended, up := early(t, func(answer []byte) error { told <- string(answer); return nil })
	if got := invite.header("Supported"); got != "100rel, timer" {
		t.Errorf("the INVITE supports %q", got)
	}
	reliable := func(number int) []string { return []string{"Require: 100rel", "RSeq: " + strconv.Itoa(number)} }
	acknowledged := func(rack string) {
		t.Helper()
		prack := p.expectRequest("PRACK")
		if got := prack.header("RAck"); got != rack || prack.toTag() != "t" {
			t.Errorf("RAck %q in dialog %q, want %q", got, prack.toTag(), rack)
		}
		p.reply(prack, 200)
	}
	p.answer(invite, 183, "t", otherSDP, reliable(5)...)
	acknowledged("5 1 INVITE")
	p.answer(invite, 183, "t", otherSDP, reliable(5)...) // again
	p.answer(invite, 180, "t", "", reliable(8)...)       // before its time
	p.answer(invite, 180, "t", testSDP, reliable(6)...)
	acknowledged("6 1 INVITE")
	p.answer(invite, 200, "t", testSDP) // what comes after the answer is none
	p.expectRequest("ACK")
	if err := wait(t, ended); err != nil {
		t.Fatal(err)
	}
	if got := wait(t, up); got != otherSDP {
		t.Errorf("Dial returns %q, want the first answer", got)
	}
	if got := wait(t, told); got != otherSDP || len(told) > 0 {
		t.Errorf("told %q and %d more, want the first answer", got, len(told))
	}
}

// A session description that may be lost on its way shows what the answer will be, and no more.
func TestEarlyAnswers(t *testing.T) {
	for _, c := range []struct {
		rule, tag, ok string // of the 200
		told          []string
		returned      string
	}{
		{"the 200 has it too", "t", testSDP, []string{otherSDP, testSDP}, testSDP},
		{"another phone answers", "u", testSDP, []string{otherSDP, testSDP}, testSDP},
		{"the 200 has none", "t", "", []string{otherSDP}, otherSDP},
		{"it is none to agree to, and the 200's is", "t", "v=bad", []string{otherSDP, "v=bad"}, "v=bad"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			told := make(chan string, 9)
			p, invite, ended, up := early(t, func(answer []byte) error {
				told <- string(answer)
				if c.ok == "v=bad" && string(answer) == otherSDP {
					return refusing{}
				}
				return nil
			})
			p.answer(invite, 183, "t", otherSDP)
			if got := wait(t, told); got != c.told[0] {
				t.Errorf("told %q first", got)
			}
			p.answer(invite, 183, "t", otherSDP) // again: it is no news, and the 200 may overtake it
			p.answer(invite, 200, c.tag, c.ok)
			p.expectRequest("ACK")
			if err := wait(t, ended); err != nil {
				t.Fatal(err)
			}
			if got := wait(t, up); got != c.returned {
				t.Errorf("Dial returns %q, want %q", got, c.returned)
			}
			if len(c.told) > 1 {
				if got := wait(t, told); got != c.told[1] {
					t.Errorf("told %q then, want %q", got, c.told[1])
				}
			}
			if len(told) > 0 {
				t.Errorf("told %q as well", <-told)
			}
		})
	}
}

// An answer that is none to agree to ends the call: by CANCEL where it came early, else by BYE.
func TestAnswersThatAreNoGood(t *testing.T) {
	refuse := func([]byte) error { return refusing{} }
	t.Run("in a reliable provisional answer", func(t *testing.T) {
		p, invite, ended, _ := early(t, refuse)
		p.answer(invite, 183, "t", otherSDP, "Require: 100rel", "RSeq: 1")
		got := map[string]heardMessage{}
		for len(got) < 2 { // they are transactions of their own, in any order
			m := p.hear()
			got[m.method()] = m
			p.reply(m, 200)
		}
		if _, ok := got["PRACK"]; !ok || !strings.Contains(got["CANCEL"].header("Reason"), "cause=488") {
			t.Errorf("got %v", got)
		}
		if err := wait(t, ended); !errors.Is(err, ErrDisagreed) {
			t.Errorf("ended with %v", err)
		}
	})
	for rule, body := range map[string]string{"in the 200": otherSDP, "none in the 200": ""} {
		t.Run(rule, func(t *testing.T) {
			p, invite, ended, _ := early(t, refuse)
			p.answer(invite, 200, "t", body)
			p.expectRequest("ACK")
			if bye := p.expectRequest("BYE"); !strings.Contains(bye.header("Reason"), "cause=488") {
				t.Errorf("BYE with %q", bye.header("Reason"))
			}
			if err := wait(t, ended); !errors.Is(err, ErrDisagreed) {
				t.Errorf("ended with %v", err)
			}
		})
	}
}

// An INVITE whose session interval is too small for the other side is sent again with the one that it asks for (RFC 4028
// section 7.4), and not for ever.
func TestOurs422(t *testing.T) {
	t.Run("taken", func(t *testing.T) {
		p, invite, ended, _ := early(t, nil)
		if se, least := invite.header("Session-Expires"), invite.header("Min-SE"); se != "1800" || least != "90" {
			t.Errorf("the INVITE asks for Session-Expires %q, Min-SE %q", se, least)
		}
		p.answer(invite, 183, "t", "", "Record-Route: <sip:192.0.2.7;lr>")
		p.answer(invite, 422, "t", "", "Min-SE: 3600")
		p.expectRequest("ACK")
		again := p.expectRequest("INVITE")
		for _, h := range []struct{ name, want string }{
			{"Session-Expires", "3600"}, {"Min-SE", "3600"}, {"CSeq", "2 INVITE"}, {"Route", ""}, {"Call-ID", invite.header("Call-ID")},
		} {
			if got := again.header(h.name); got != h.want {
				t.Errorf("again with %s %q, want %q", h.name, got, h.want)
			}
		}
		if again.toTag() != "" || again.body != testSDP || again.start != invite.start {
			t.Errorf("again with %v", again)
		}
		p.answer(again, 200, "u", testSDP, "Session-Expires: 3600;refresher=uas", "Require: timer")
		p.expectRequest("ACK")
		if err := wait(t, ended); err != nil {
			t.Error(err)
		}
	})
	for rule, least := range map[string]string{"less than we asked for": "Min-SE: 120", "nothing": "X: y"} {
		t.Run(rule, func(t *testing.T) {
			p, invite, ended, _ := early(t, nil)
			p.answer(invite, 422, "t", "", least)
			p.expectRequest("ACK")
			var refused *StatusError
			if err := wait(t, ended); !errors.As(err, &refused) || refused.Code != 422 {
				t.Errorf("got %v, want a 422", err)
			}
		})
	}
	t.Run("for ever", func(t *testing.T) {
		p, invite, ended, _ := early(t, nil)
		for i := range maxInvites + 1 {
			p.answer(invite, 422, "t", "", "Min-SE: "+strconv.Itoa(3600*(i+1)))
			p.expectRequest("ACK")
			if i < maxInvites {
				invite = p.expectRequest("INVITE")
			}
		}
		if err := wait(t, ended); err == nil {
			t.Error("it is asked for ever")
		}
	})
}

// Our own call is refreshed by whom its answer names, and a glare of ours is tried again after 2.1 to 4 s, since the
// Call-ID is ours (RFC 3261 section 14.1); meanwhile the peer's own offer is taken.
func TestGlareInACallOfOurs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &peerOnPaper{paper: paper{began: time.Now()}, answers: []string{"491", "200\nSession-Expires: 1800;refresher=uac"}}
		d := onWire(t, &p.paper, p, "Allow: INVITE")
		d.Negotiate(answering{offer: testSDP})
		if err := d.Answer(t.Context(), []byte(testSDP)); err != nil {
			t.Fatal(err)
		}
		d.post(func() { d.acked(ackOnPaper(t, "")); d.out.req = sip.NewRequest(sip.INVITE, sip.Uri{}) })
		time.Sleep(905 * time.Second)
		synctest.Wait()
		if wait := p.at[2] - p.at[1]; wait < 2100*time.Millisecond || wait > 4*time.Second {
			t.Errorf("tried again after %v, want 2.1 to 4 s", wait)
		}
		_ = d.Hangup(t.Context(), "")
		p.wg.Wait()
	})
}
