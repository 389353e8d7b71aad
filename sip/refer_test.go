package sip

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// takesReferrals is a handler that answers and has f decide about every REFER.
func takesReferrals(f func(Referral) (Transfer, error)) HandlerFunc {
	return func(ctx context.Context, d *Dialog) {
		d.OnRefer(f)
		if d.Answer(ctx, []byte(testSDP)) == nil {
			<-ctx.Done()
		}
	}
}

// told reads the next NOTIFY, answers it, and returns what it says.
func (p *rawPeer) told(answer int) (event, subscription, fragment string) {
	p.t.Helper()
	m := p.expectRequest("NOTIFY")
	p.reply(m, answer)
	if got := m.header("Content-Type"); got != "message/sipfrag;version=2.0" {
		p.t.Errorf("NOTIFY of %q", got)
	}
	return m.header("Event"), m.header("Subscription-State"), m.body
}

func TestTransferIsToldFromFirstToLast(t *testing.T) {
	networks(t, func(t *testing.T, network string) {
		asked, on := make(chan Referral, 2), make(chan struct{})
		p := serve(t, Config{}, takesReferrals(func(r Referral) (Transfer, error) {
			asked <- r
			return func(_ context.Context, progress func(int, string)) error {
				<-on
				progress(180, "Ringing")
				<-on
				return &StatusError{Code: 486, Reason: "Busy Here"}
			}, nil
		})).peer(network, "")
		ok := p.establish()
		if !strings.Contains(ok.header("Allow"), "REFER") || !strings.Contains(ok.header("Supported"), "replaces, norefersub") {
			t.Errorf("allows %q, supports %q", ok.header("Allow"), ok.header("Supported"))
		}
		tag := ok.toTag()
		refer := []string{`Refer-To: "Carol" <sip:carol@192.0.2.7;transport=tcp?Replaces=a%40b%3Bto-tag%3D1%3Bfrom-tag%3D2>`, "Referred-By: <sip:ada@x>"}
		for i, id := range []string{"", ";id=5"} {
			seq := 2 + 3*i
			p.send(p.request("REFER", newTag(), seq, tag, "", refer...))
			accepted := p.expect(202)
			if accepted.header("Refer-Sub") != "" || accepted.header("Contact") == "" {
				t.Errorf("accepted with %v", accepted)
			}
			r := wait(t, asked)
			if r.To != "sip:carol@192.0.2.7;transport=tcp" || r.Target.User != "carol" || r.By != "<sip:ada@x>" || *r.Replaces != (Replaces{"a@b", "1", "2", false}) {
				t.Errorf("asked for %+v, %v", r, r.Replaces)
			}
			for j, want := range []struct{ subscription, fragment string }{
				{"active;expires=180", "SIP/2.0 100 Trying\r\n"},
				{"active;expires=180", "SIP/2.0 180 Ringing\r\n"},
				{"terminated;reason=noresource", "SIP/2.0 486 Busy Here\r\n"},
			} {
				event, subscription, fragment := p.told(200)
				if event != "refer"+id || subscription != want.subscription || fragment != want.fragment {
					t.Errorf("told %q, %q, %q, want %v", event, subscription, fragment, want)
				}
				if j == 0 {
					p.send(p.request("REFER", newTag(), seq+1, tag, "", refer...))
					if m := p.expect(500); m.header("Retry-After") == "" {
						t.Error("another transfer at once is not to be tried again")
					}
				}
				if j < 2 {
					on <- struct{}{}
				}
			}
		}
	})
}

// Whoever hangs up, or does not want to hear, is told no more; the transfer goes on.
func TestTransferOfWhomNobodyIsTold(t *testing.T) {
	for _, c := range []struct {
		rule, more, method string
	}{
		{"norefersub", "Refer-Sub: false", ""},
		{"BYE", "X: y", "BYE"},
		{"481 to the first NOTIFY", "X: y", "NOTIFY"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			on, done := make(chan struct{}), make(chan error, 1)
			p := serve(t, Config{}, takesReferrals(func(Referral) (Transfer, error) {
				return func(ctx context.Context, progress func(int, string)) error {
					<-on
					progress(180, "Ringing")
					done <- ctx.Err()
					return nil
				}, nil
			})).peer("udp", "")
			tag := p.establish().toTag()
			p.send(p.request("REFER", "r", 2, tag, "", "Refer-To: <sip:carol@192.0.2.7>", "Require: norefersub", c.more))
			accepted := p.expect(202)
			switch c.method {
			case "":
				if accepted.header("Refer-Sub") != "false" {
					t.Errorf("accepted with Refer-Sub %q", accepted.header("Refer-Sub"))
				}
			case "NOTIFY":
				p.told(481)
			case "BYE":
				p.told(200)
				p.send(p.request("BYE", "b", 3, tag, ""))
				p.expect(200)
			}
			close(on)
			if err := wait(t, done); err != nil {
				t.Errorf("it does not go on: %v", err)
			}
			p.silent(5 * testT1)
		})
	}
}

func TestRefersThatAreRefused(t *testing.T) {
	to := "Refer-To: <sip:carol@192.0.2.7>"
	for _, c := range []struct {
		rule string
		f    func(Referral) (Transfer, error)
		more []string
		want int
	}{
		{"nobody decides", nil, []string{to}, 603},
		{"by whoever decides", func(Referral) (Transfer, error) { return nil, refusing{} }, []string{to}, 488},
		{"no Refer-To", noReferral, nil, 400},
		{"two of them", noReferral, []string{to, to}, 400},
		{"another method", noReferral, []string{"Refer-To: <sip:carol@192.0.2.7;method=BYE>"}, 603},
		{"another scheme", noReferral, []string{"Refer-To: <tel:+33123456789>"}, 416},
		{"a bad Replaces", noReferral, []string{"Refer-To: <sip:carol@192.0.2.7?Replaces=a>"}, 400},
		{"a transport that there is not", noReferral, []string{"Refer-To: <sip:carol@192.0.2.7;transport=sctp>"}, 400},
	} {
		t.Run(c.rule, func(t *testing.T) {
			p := serve(t, Config{}, takesReferrals(c.f)).peer("udp", "")
			ok := p.establish()
			if c.f == nil && (strings.Contains(ok.header("Allow"), "REFER") || strings.Contains(ok.header("Supported"), "replaces")) {
				t.Errorf("allows %q, supports %q", ok.header("Allow"), ok.header("Supported"))
			}
			p.send(p.request("REFER", "r", 2, ok.toTag(), "", c.more...))
			p.expect(c.want)
			p.silent(3 * testT1)
		})
	}
	t.Run("before the answer", func(t *testing.T) {
		p := serve(t, Config{}, func(ctx context.Context, d *Dialog) {
			d.OnRefer(noReferral)
			d.Ring(ctx)
			<-ctx.Done()
		}).peer("udp", "")
		p.send(p.request("INVITE", "i", 1, "", testSDP))
		tag := p.expect(180).toTag()
		p.send(p.request("REFER", "r", 2, tag, "", to))
		p.expect(603)
	})
}

func noReferral(Referral) (Transfer, error) { panic("it is not asked for") }

func TestReplaces(t *testing.T) {
	for _, c := range []struct {
		rule     string
		replaces func(callID, toTag, fromTag string) []string
		ended    bool // the call that is to be replaced
		ringing  bool
		want     int
	}{
		{"a call that is up", named(""), false, false, 200},
		{"early-only, and it is up", named(";early-only"), false, false, 486},
		{"one that rings here", named(""), false, true, 481},
		{"one that has ended", named(""), true, false, 603},
		{"no call of ours", func(_, to, from string) []string { return []string{"Replaces: x;to-tag=" + to + ";from-tag=" + from} }, false, false, 481},
		{"the tags the other way", func(id, to, from string) []string {
			return []string{"Replaces: " + id + ";to-tag=" + from + ";from-tag=" + to}
		}, false, false, 481},
		{"another peer's tag", func(id, to, _ string) []string { return []string{"Replaces: " + id + ";to-tag=" + to + ";from-tag=x"} }, false, false, 481},
		{"no tag", func(id, to, _ string) []string { return []string{"Replaces: " + id + ";to-tag=" + to} }, false, false, 400},
		{"two of them", func(id, to, from string) []string { return append(named("")(id, to, from), named("")(id, to, from)...) }, false, false, 400},
	} {
		t.Run(c.rule, func(t *testing.T) {
			s := serve(t, Config{}, func(ctx context.Context, d *Dialog) {
				old, err := d.Replaced(ctx)
				if err != nil {
					d.Reject(ctx, RefusalFor(err))
					return
				}
				if c.ringing && old == nil {
					d.Ring(ctx)
					<-ctx.Done()
				}
				if (old != nil) != (d.Invite().Replaces != nil) {
					t.Errorf("replaced: %v", old)
				}
				if d.Answer(ctx, []byte(testSDP)) == nil {
					if old != nil {
						old.Hangup(ctx, "")
					}
					<-ctx.Done()
				}
			})
			ada, ben := s.peer("udp", ""), s.peer("udp", "")
			var tag string
			if c.ringing {
				ada.send(ada.request("INVITE", "i", 1, "", testSDP))
				tag = ada.expect(180).toTag()
			} else {
				tag = ada.establish().toTag()
			}
			if c.ended {
				ada.send(ada.request("BYE", "b", 2, tag, ""))
				ada.expect(200)
				for s.dialogs.find(ada.callID, tag) != nil {
					<-s.dialogs.find(ada.callID, tag).done
				}
			}
			ben.send(ben.request("INVITE", "i", 1, "", testSDP, append(c.replaces(ada.callID, tag, ada.tag), "Require: replaces")...))
			m := ben.expect(c.want)
			ben.send(ben.request("ACK", "i", 1, m.toTag(), ""))
			if c.want == 200 {
				ada.expectRequest("BYE")
			}
		})
	}
}

// named is a Replaces header for the call of a peer.
func named(more string) func(callID, toTag, fromTag string) []string {
	return func(callID, toTag, fromTag string) []string {
		return []string{"Replaces: " + callID + ";to-tag=" + toTag + ";from-tag=" + fromTag + more}
	}
}

func TestOurReplaces(t *testing.T) {
	_, invite, _ := ringWith(t.Context(), t, serve(t, Config{}, answerAll(nil)), Dial{
		Offer: []byte(testSDP), Replaces: &Replaces{"a@b", "1", "2", true}, ReferredBy: "<sip:ada@x>",
		Prepare: func(d *Dialog) ([]byte, error) { d.OnRefer(noReferral); return []byte(testSDP), nil },
	}, func(*Dialog, []byte) {})
	for name, want := range map[string]string{
		"Replaces": "a@b;to-tag=1;from-tag=2;early-only", "Require": "replaces", "Referred-By": "<sip:ada@x>",
		"Supported": "100rel, timer, replaces, norefersub", "Allow": allow + ", REFER",
	} {
		if got := invite.header(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestParseReferTo(t *testing.T) {
	for _, c := range []struct{ v, to, replaces string }{
		{"<sip:carol@192.0.2.7>", "sip:carol@192.0.2.7", ""},
		{"sip:carol@192.0.2.7;x=y", "sip:carol@192.0.2.7", ""},
		{`"Carol, \"C\" <x>" <sips:carol@example.com>;x=y`, "", ""},
		{`"Carol" <sips:carol@example.com>;x=y`, "sips:carol@example.com", ""},
		{"Carol <sip:carol@192.0.2.7;method=INVITE;transport=tcp>", "sip:carol@192.0.2.7;transport=tcp", ""},
		{"<sip:c?d@192.0.2.7?Subject=a&replaces=a%40b%3Bfrom-tag%3D2%3Bto-tag%3D1%3Bearly-only&X=y>", "sip:c?d@192.0.2.7", "a@b;to-tag=1;from-tag=2;early-only"},
		{"<sip:192.0.2.7?Replaces=a;to-tag=1;from-tag=2>", "sip:192.0.2.7", "a;to-tag=1;from-tag=2"},
		{"<sip:c@192.0.2.7?Replaces=a%0d%0aX%3Bto-tag%3D1%3Bfrom-tag%3D2>", "", ""},
		{"<sip:c@192.0.2.7?Replaces=a;to-tag=1;from-tag=2&Replaces=a;to-tag=1;from-tag=2>", "", ""},
		{"<sip:c@192.0.2.7", "", ""},
		{"<>", "", ""},
		{"<http://192.0.2.7>", "", ""},
		{"<sip:*>", "", ""},
	} {
		r, err := parseReferTo(c.v)
		replaces := ""
		if r.Replaces != nil {
			replaces = r.Replaces.String()
		}
		if r.To != c.to || replaces != c.replaces || (err == nil) != (c.to != "") {
			t.Errorf("%s: got %q, %q, %v", c.v, r.To, replaces, err)
		}
	}
}

// FuzzReplaces: what can be read can be written, and reads the same.
func FuzzReplaces(f *testing.F) {
	for _, v := range []string{"a@b;to-tag=1;from-tag=2", "a;from-tag=2;to-tag=1;early-only", ";;", "a;to-tag=;from-tag=1", "a b;to-tag=1;from-tag=2"} {
		f.Add(v)
	}
	f.Fuzz(func(t *testing.T, v string) {
		r, err := parseReplaces(v)
		if err != nil {
			return
		}
		again, err := parseReplaces(r.String())
		if err != nil || again != r || !printable(r.String()) {
			t.Errorf("%q is %+v, and %q is %+v, %v", v, r, r, again, err)
		}
	})
}

// FuzzReferTo: what can be read can be called and repeated, holds no headers, and reads the same again.
func FuzzReferTo(f *testing.F) {
	for _, v := range []string{
		"<sip:carol@192.0.2.7>", `"C" <sip:carol@[::1]:5070;transport=tcp?Replaces=a%40b%3Bto-tag%3D1%3Bfrom-tag%3D2>`, "sip:a@b;c",
		"<sips:c?d@h?x=y>", "<sip:a@b;method=INVITE>", "<sip:a%0d@b>", "<tel:1>",
	} {
		f.Add(v)
	}
	f.Fuzz(func(t *testing.T, v string) {
		r, err := parseReferTo(v)
		if err != nil {
			var status interface{ SIPStatus() (int, string) }
			if !errors.As(err, &status) {
				t.Errorf("%q: %v has no answer", v, err)
			}
			return
		}
		if _, err := parseTarget(r.To); err != nil || !printable(r.To) || strings.ContainsAny(r.To, "<>") && !strings.ContainsAny(v, "<>") {
			t.Errorf("%q can not be called: %q, %v", v, r.To, err)
		}
		again, err := parseReferTo("<" + r.To + ">")
		if !strings.ContainsAny(r.To, "<>\"") && (err != nil || again.To != r.To || again.Target.Host != r.Target.Host) {
			t.Errorf("%q is %q, and that %q, %v", v, r.To, again.To, err)
		}
	})
}

// FuzzSipfrag: a body of a NOTIFY is one status line, whatever the other side called its status.
func FuzzSipfrag(f *testing.F) {
	f.Add(180, "Ringing")
	f.Add(486, "Busy\r\nX: y")
	f.Fuzz(func(t *testing.T, code int, reason string) {
		text := string(sipfrag(status{code, reason}))
		lines := strings.FieldsFunc(text, func(r rune) bool { return r == '\r' || r == '\n' })
		if len(lines) != 1 || !strings.HasSuffix(text, "\r\n") || !slices.Equal(strings.Fields(text)[:2], []string{"SIP/2.0", strconv.Itoa(code)}) {
			t.Errorf("%d %q is %q", code, reason, text)
		}
	})
}
