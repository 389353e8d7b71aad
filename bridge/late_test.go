package bridge

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"passerelle/codec"
	"passerelle/config"
	"passerelle/sip/sdp"
)

// lateCaller is a caller that leaves the offer to the gateway, as call managers do: bytes over UDP, since
// our own Dial always offers.
type lateCaller struct {
	*telephone
	conn   *net.UDPConn
	number string // that it calls
	tag    string // the gateway's
}

// late returns a caller that has not called yet.
func (r *rig) late() *lateCaller {
	r.t.Helper()
	phone := r.telephone(codec.PCMU)
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(r.addr))
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { conn.Close() })
	l := &lateCaller{conn: conn, number: "lobby", telephone: phone}
	r.run(func(ctx context.Context) error { return phone.line.Run(ctx, phone, phone.key) })
	return l
}

// call calls a room without an offer and returns the 200, not yet acknowledged.
func (l *lateCaller) call() (ok string) {
	l.t.Helper()
	l.send("INVITE", 1, "")
	return l.join(l.await("SIP/2.0 200"))
}

// join notes the gateway's tag.
func (l *lateCaller) join(msg string) string {
	_, l.tag, _ = strings.Cut(headerOf(msg, "To"), ";tag=")
	return msg
}

// send sends a request.
func (l *lateCaller) send(method string, cseq int, body string, more ...string) {
	l.t.Helper()
	from, to := l.conn.LocalAddr(), ">"
	if l.tag != "" {
		to += ";tag=" + l.tag
	}
	msg := fmt.Sprintf("%[1]s sip:%[6]s@%[2]s SIP/2.0\r\nVia: SIP/2.0/UDP %[3]s;branch=z9hG4bK%[1]s%[4]d\r\nMax-Forwards: 70\r\n"+
		"From: <sip:room@%[3]s>;tag=f\r\nTo: <sip:%[6]s@%[2]s%[5]s\r\nCall-ID: late-%[3]s\r\nCSeq: %[4]d %[1]s\r\nContact: <sip:room@%[3]s>\r\n",
		method, l.conn.RemoteAddr(), from, cseq, to, l.number)
	for _, line := range more {
		msg += line + "\r\n"
	}
	if body != "" {
		msg += "Content-Type: application/" + either(method == "INFO", "dtmf-relay", "sdp") + "\r\n"
	}
	if _, err := fmt.Fprintf(l.conn, "%sContent-Length: %d\r\n\r\n%s", msg, len(body), body); err != nil {
		l.t.Fatal(err)
	}
}

// await returns the next message that begins like this; others are skipped.
func (l *lateCaller) await(begins string) string {
	l.t.Helper()
	buf := make([]byte, 1<<16)
	_ = l.conn.SetReadDeadline(time.Now().Add(patience))
	for {
		n, err := l.conn.Read(buf)
		if err != nil {
			l.t.Fatalf("no %s: %v", begins, err)
		}
		if bytes.HasPrefix(buf[:n], []byte(begins)) {
			return string(buf[:n])
		}
	}
}

// headerOf returns the value of a header.
func headerOf(msg, name string) string {
	for line := range strings.SplitSeq(msg, "\r\n") {
		if value, ok := strings.CutPrefix(line, name+": "); ok {
			return value
		}
	}
	return ""
}

// take answers the offer in a message.
func (l *lateCaller) take(msg string) (answer string) {
	l.t.Helper()
	_, offer, _ := strings.Cut(msg, "\r\n\r\n")
	body, media, err := l.sess.Answer([]byte(offer))
	if err != nil {
		l.t.Fatalf("%v: %s", err, offer)
	}
	l.media = media
	if err := l.line.Negotiate(lineParams(media, l.line.LocalAddr().Addr(), netip.Addr{})); err != nil {
		l.t.Fatal(err)
	}
	return string(body)
}

func TestLateOffer(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	ben, err := r.call("lobby", codec.PCMA)
	must(t, ben, err)
	ada := r.late()
	ok := ada.call()
	if !strings.Contains(ok, "m=audio") || !strings.Contains(ok, "a=sendrecv") {
		t.Fatalf("the 200 has no offer: %s", ok)
	}
	ada.send("ACK", 1, ada.take(ok))
	ada.whistle(440)
	ben.hears(440)
	ben.whistle(700)
	ada.hears(700)

	// On hold, and back by an empty re-INVITE, as a call manager does it.
	ada.sess.Local.Direction = sdp.Inactive
	hold, err := ada.sess.Offer()
	if err != nil {
		t.Fatal(err)
	}
	ada.send("INVITE", 2, string(hold))
	if ok = ada.await("SIP/2.0 200"); headerOf(ok, "CSeq") != "2 INVITE" || !strings.Contains(ok, "a=inactive") {
		t.Fatalf("the hold is answered %s", ok)
	}
	ada.send("ACK", 2, "")
	ben.hears(0)
	ada.sess.Local.Direction = sdp.SendRecv
	ada.send("INVITE", 3, "")
	for ok = ada.await("SIP/2.0 200"); headerOf(ok, "CSeq") != "3 INVITE"; { // the other 200 may come again
		ok = ada.await("SIP/2.0 200")
	}
	if !strings.Contains(ok, "a=sendrecv") {
		t.Fatalf("an empty re-INVITE on hold is answered %s", ok)
	}
	ada.forget()
	ada.send("ACK", 3, ada.take(ok))
	ben.hears(440)
	ada.hears(700)
	ada.send("BYE", 4, "")
	eventually(t, "one call left", func() bool { return r.gateway.Stats().Calls == 1 })
}

// Our offer in the 200 has keys as the trunk wants them; the answer in the ACK has the phone's. An empty re-INVITE
// is offered the same keys again.
func TestLateOfferWithSRTP(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		rule           string
		trunk          config.SRTPPolicy
		phone          sdp.Policy
		profile        string // of our offer
		keys, answered bool   // of our offer; of the call
	}{
		{"required: RTP/SAVP", config.SRTPRequired, sdp.Optional, "RTP/SAVP", true, true},
		{"optional: RTP/AVP with keys, and the phone has some", config.SRTPOptional, sdp.Optional, "RTP/AVP", true, true},
		{"optional: RTP/AVP with keys, and the phone has none", config.SRTPOptional, sdp.Plain, "RTP/AVP", true, false},
		{"off: RTP/AVP", config.SRTPOff, sdp.Optional, "RTP/AVP", false, false},
	} {
		t.Run(test.rule, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, func(live *config.Live) { live.Trunks[0].SRTP = config.SRTP{Policy: test.trunk} })
			var phones [2]*lateCaller
			var ok string
			for i := range phones {
				p := r.late()
				p.sess.Local.Security.Policy = test.phone
				ok = p.call()
				if keys := strings.Contains(ok, "a=crypto:"); keys != test.keys || !strings.Contains(ok, " "+test.profile+" ") {
					t.Fatalf("keys %v, want %v on %s: %s", keys, test.keys, test.profile, ok)
				}
				p.send("ACK", 1, p.take(ok))
				if encrypted := p.media.Crypto != nil; encrypted != test.answered {
					t.Fatalf("encrypted %v, want %v", encrypted, test.answered)
				}
				phones[i] = p
			}
			ada, ben := phones[0], phones[1]
			ada.whistle(440)
			ben.hears(440)
			ben.whistle(700)
			ada.hears(700)

			first := cryptoLines(ok)
			ben.send("INVITE", 2, "")
			for ok = ben.await("SIP/2.0 200"); headerOf(ok, "CSeq") != "2 INVITE"; {
				ok = ben.await("SIP/2.0 200")
			}
			again := cryptoLines(ok)
			if (again != "") != test.answered || !strings.Contains(first, again) {
				t.Errorf("asked again, the offer has the keys %q, the first had %q", again, first)
			}
			ben.send("ACK", 2, ben.take(ok))
			ben.forget()
			ben.hears(440)
		})
	}
}

// cryptoLines returns the keys in a message.
func cryptoLines(msg string) string {
	var lines strings.Builder
	for line := range strings.Lines(msg) {
		if strings.HasPrefix(line, "a=crypto:") {
			lines.WriteString(line)
		}
	}
	return lines.String()
}

func TestLateOfferThatIsNotAnswered(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ rule, answer, reason string }{
		{"none at all", "", "SIP;cause=488"},
		{"no codec of ours", "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 18\r\n", "SIP;cause=488"},
		{"the line is refused", "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 0 RTP/AVP 8\r\n", "SIP;cause=488"},
		{"no SDP", "nonsense", "SIP;cause=400"},
	} {
		t.Run(test.rule, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, nil)
			ada := r.late()
			ada.call()
			ada.send("ACK", 1, test.answer)
			bye := ada.await("BYE ")
			if reason := headerOf(bye, "Reason"); !strings.HasPrefix(reason, test.reason) || !strings.Contains(reason, "text=") {
				t.Errorf("BYE with Reason %q, want %s", reason, test.reason)
			}
			eventually(t, "the call ended", func() bool { return r.gateway.Stats().Calls == 0 && r.gateway.Stats().PortsInUse == 0 })
		})
	}
}

// With Require: 100rel the offer is in the 180, and the answer in its PRACK (RFC 3262 section 5).
func TestLateOfferInAReliable180(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	ben, err := r.call("lobby", codec.PCMA)
	must(t, ben, err)
	ada := r.late()
	ada.send("INVITE", 1, "", "Require: 100rel")
	ringing := ada.join(ada.await("SIP/2.0 180"))
	ada.send("PRACK", 2, ada.take(ringing), "RAck: "+headerOf(ringing, "RSeq")+" 1 INVITE")
	for ok := ada.await("SIP/2.0 200"); headerOf(ok, "CSeq") != "1 INVITE"; ok = ada.await("SIP/2.0 200") {
		if strings.Contains(ok, "m=audio") {
			t.Error("a second offer in the 200")
		}
	}
	ada.send("ACK", 1, "")
	ada.whistle(440)
	ben.hears(440)
	ada.send("BYE", 3, "")
	eventually(t, "one call left", func() bool { return r.gateway.Stats().Calls == 1 })
}
