package sip

import (
	"context"
	"errors"
	"strings"
	"testing"
)

// Sound before the answer: 183 with what the 200 says again (RFC 3261 section 13.3.1.1), as often as it is asked for; in the 180
// where that must arrive; and nothing where there is no offer to answer.
func TestSoundBeforeTheAnswer(t *testing.T) {
	for _, c := range []struct {
		rule, offer, require string
		ring                 bool
		want                 []int // what comes before the 200
	}{
		{"at once", testSDP, "", false, []int{183}},
		{"after it rang", testSDP, "", true, []int{180, 183}},
		{"surely", testSDP, "100rel", false, []int{180}},
		{"surely, and it rings", testSDP, "100rel", true, []int{180}},
		{"nothing is offered", "", "", true, []int{180}},
	} {
		t.Run(c.rule, func(t *testing.T) {
			p := serve(t, Config{}, func(ctx context.Context, d *Dialog) {
				d.Negotiate(answering{offer: testSDP})
				if c.ring {
					if err := d.RingWith(ctx, []byte(testSDP)); err != nil {
						t.Error(err)
					}
				}
				if err := d.Sound(ctx, []byte(testSDP)); err != nil {
					t.Error(err)
				}
				if d.Answer(ctx, []byte(testSDP)) == nil {
					<-ctx.Done()
				}
			}).peer("tcp", "")
			var more []string
			if c.require != "" {
				more = append(more, "Require: "+c.require)
			}
			p.send(p.request("INVITE", "i", 1, "", c.offer, more...))
			for _, code := range c.want {
				m := p.expect(code)
				if has := m.body == testSDP; has != (code == 183 || c.require != "") {
					t.Errorf("the %d has %q", code, m.body)
				}
				if c.require != "" {
					p.send(p.request("PRACK", "p", 2, m.toTag(), "", "RAck: "+m.header("RSeq")+" 1 INVITE"))
					p.expect(200)
				}
			}
			if ok := p.expect(200); (ok.body == testSDP) != (c.require == "") {
				t.Errorf("the 200 has %q", ok.body)
			}
		})
	}
}

// What a trunk says of a call is passed on to whoever has called, but for what only we can answer.
func TestRefusalsArePassedOn(t *testing.T) {
	for _, c := range []struct {
		code int
		want int
	}{{486, 486}, {404, 404}, {603, 603}, {503, 503}, {401, 500}, {407, 500}, {302, 500}} {
		e := &StatusError{Code: c.code, Reason: "No", Because: Reason{"Q.850", 17, "User busy"}}
		r := e.PassedOn()
		if r.Code != c.want || (r.Reason == "No") != (c.code == c.want) {
			t.Errorf("%d is passed on as %+v", c.code, r)
		}
		p := serve(t, Config{}, func(ctx context.Context, d *Dialog) { _ = d.Reject(ctx, r) }).peer("udp", "")
		p.send(p.request("INVITE", "i", 1, "", testSDP))
		if got := p.expect(c.want).header("Reason"); got != `Q.850;cause=17;text="User busy"` {
			t.Errorf("%d: Reason %q", c.code, got)
		}
	}
}

// Of the reasons in an answer that of the telephone network counts (RFC 6432).
func TestBecause(t *testing.T) {
	for _, c := range []struct{ values, want string }{
		{`Q.850;cause=17;text="User busy"`, "Q.850 17 User busy"},
		{`SIP;cause=486;text="a, b", q.850 ; cause = 34`, "Q.850 34"},
		{`SIP;cause=600`, "SIP 600"},
		{"SIP;cause=600\nQ.850;cause=1", "Q.850 1"},
		{`Q.850;text="no cause"`, ""}, {"", ""}, {`;cause=1`, ""}, {"Q.850;cause=-1", ""}, {`Q.850;cause=16;text="` + strings.Repeat("a", 99) + `"`, "Q.850 16 " + strings.Repeat("a", 80)},
	} {
		if got := becauseOf(strings.Split(c.values, "\n")).String(); got != c.want {
			t.Errorf("%s: %q, want %q", c.values, got, c.want)
		}
	}
}

func TestARefusalSaysWhy(t *testing.T) {
	s := serve(t, Config{}, func(ctx context.Context, d *Dialog) {
		_ = d.Reject(ctx, Refusal{Code: 480, Because: Reason{"Q.850", 20, ""}})
	})
	other := serve(t, Config{}, func(context.Context, *Dialog) {})
	_, _, err := other.Dial(t.Context(), Dial{To: "sip:x@" + s.Addrs()[0].Addr.String(), Offer: []byte(testSDP)})
	var status *StatusError
	if !errors.As(err, &status) || status.Because != (Reason{"Q.850", 20, ""}) {
		t.Errorf("got %v, %+v", err, status)
	}
}
