package bridge

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"passerelle/codec"
	"passerelle/config"
	"passerelle/sip"
)

// called is a phone that is called: bytes over UDP, so that it can do what no phone of ours does.
type called struct {
	*telephone
	conn *net.UDPConn
	peer netip.AddrPort
}

func (r *rig) called() *called {
	r.t.Helper()
	phone := r.telephone(codec.PCMU)
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { conn.Close() })
	p := &called{conn: conn, telephone: phone}
	r.run(func(ctx context.Context) error { return phone.line.Run(ctx, phone, nil) })
	return p
}

func (p *called) uri() string { return "sip:carol@" + p.conn.LocalAddr().String() }

// await returns the next message that begins like this; others are skipped.
func (p *called) await(begins string) string {
	p.t.Helper()
	buf := make([]byte, 1<<16)
	_ = p.conn.SetReadDeadline(time.Now().Add(patience))
	for {
		n, peer, err := p.conn.ReadFromUDPAddrPort(buf)
		if err != nil {
			p.t.Fatalf("no %s: %v", begins, err)
		}
		p.peer = peer
		if strings.HasPrefix(string(buf[:n]), begins) {
			return string(buf[:n])
		}
	}
}

// says answers a request.
func (p *called) says(req string, code int, body string, more ...string) {
	p.t.Helper()
	msg := reply(req, code, ";tag=carol", append(more, "Contact: <"+p.uri()+">"), body)
	if _, err := p.conn.WriteToUDPAddrPort([]byte(msg), p.peer); err != nil {
		p.t.Fatal(err)
	}
}

// answer answers the offer in an INVITE.
func (p *called) answer(invite string) string {
	p.t.Helper()
	_, offer, _ := strings.Cut(invite, "\r\n\r\n")
	body, media, err := p.sess.Answer([]byte(offer))
	if err != nil {
		p.t.Fatalf("%v: %s", err, offer)
	}
	p.media = media
	if err := p.line.Negotiate(lineParams(media, p.line.LocalAddr().Addr(), netip.Addr{})); err != nil {
		p.t.Fatal(err)
	}
	return string(body)
}

// reply makes an answer to a request; tag is added to a To that has none.
func reply(req string, code int, tag string, more []string, body string) string {
	if strings.Contains(headerOf(req, "To"), ";tag=") {
		tag = ""
	}
	msg := fmt.Sprintf("SIP/2.0 %d Fine\r\nVia: %s\r\nFrom: %s\r\nTo: %s%s\r\nCall-ID: %s\r\nCSeq: %s\r\n", code,
		headerOf(req, "Via"), headerOf(req, "From"), headerOf(req, "To"), tag, headerOf(req, "Call-ID"), headerOf(req, "CSeq"))
	for _, line := range more {
		msg += line + "\r\n"
	}
	if body != "" {
		msg += "Content-Type: application/sdp\r\n"
	}
	return fmt.Sprintf("%sContent-Length: %d\r\n\r\n%s", msg, len(body), body)
}

// told reads the NOTIFYs until one says this, and answers them.
func (l *lateCaller) told(status string) {
	l.t.Helper()
	for {
		notify := l.await("NOTIFY")
		if _, err := l.conn.Write([]byte(reply(notify, 200, "", nil, ""))); err != nil {
			l.t.Fatal(err)
		}
		_, fragment, _ := strings.Cut(notify, "\r\n\r\n")
		if strings.HasPrefix(fragment, "SIP/2.0 "+status) {
			return
		}
		if !strings.Contains(headerOf(notify, "Subscription-State"), "active") {
			l.t.Fatalf("told %q, want %s", fragment, status)
		}
	}
}

// up calls a room, and is up.
func (l *lateCaller) up() *lateCaller {
	l.t.Helper()
	ok := l.call()
	l.send("ACK", 1, l.take(ok))
	return l
}

// allowing lets the calls of the rig's trunk be transferred; its routes need a port in no address.
func allowing(more ...string) func(*config.Live) {
	return func(l *config.Live) {
		l.Trunks[0].Transfer = config.Transfer{Allowed: true, Hosts: more}
	}
}

// transferRig is a rig whose gateway makes calls, with one phone in the lobby that listens.
func transferRig(t *testing.T, change func(*config.Live)) (*rig, *telephone) {
	t.Helper()
	r := newRig(t, change)
	ben, err := r.call("lobby", codec.PCMA)
	return r, must(t, ben, err)
}

func (r *rig) roster() (names []string) {
	browser := r.backend.Join("lobby", "watcher")
	for _, p := range browser.Roster() {
		names = append(names, p.Name)
	}
	_ = browser.Leave()
	slices.Sort(names)
	return names
}

func TestBlindTransfer(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rule   string
		hangup bool // right behind the 202
	}{{"the phone waits to be told", false}, {"the phone hangs up at once", true}} {
		t.Run(c.rule, func(t *testing.T) {
			t.Parallel()
			r, ben := transferRig(t, allowing())
			ada, carol := r.late().up(), r.called()
			ada.whistle(440)
			ben.hears(440)
			ada.send("REFER", 2, "", "Refer-To: <"+carol.uri()+">", "Referred-By: <sip:room@x>")
			ada.await("SIP/2.0 202")
			if c.hangup {
				ada.send("BYE", 3, "")
			}
			invite := carol.await("INVITE")
			if by, from := headerOf(invite, "Referred-By"), headerOf(invite, "From"); by != "<sip:room@x>" || !strings.HasPrefix(from, "<sip:lobby@127.0.0.1>") {
				t.Errorf("the INVITE is from %q, by %q", from, by)
			}
			carol.says(invite, 180, "")
			if !c.hangup {
				ada.told("180")
			}
			carol.says(invite, 200, carol.answer(invite))
			carol.await("ACK")
			carol.whistle(700)
			if !c.hangup {
				ada.told("200")
				ada.await("BYE") // it should have done so itself
			}
			ben.hears(700)
			ben.whistle(1000)
			carol.hears(1000)
			eventually(t, "the first call gone", func() bool { return r.gateway.Stats().Calls == 2 })
			if got := r.roster(); !slices.Equal(got, []string{"01 •• •• •• 89", "carol", "watcher"}) {
				t.Errorf("in the room: %q", got)
			}
			// A call like any other: it can hang up.
			carol.hangsUp(invite)
			eventually(t, "one call left", func() bool { return r.gateway.Stats().Calls == 1 && r.gateway.Stats().PortsInUse == 1 })
		})
	}
}

// hangsUp sends BYE in the dialog of an INVITE.
func (p *called) hangsUp(invite string) {
	p.t.Helper()
	p.sends("BYE", invite, 2)
	p.await("SIP/2.0 200")
}

// sends sends a request in the dialog of an INVITE.
func (p *called) sends(method, invite string, cseq int, more ...string) {
	p.t.Helper()
	msg := fmt.Sprintf("%[1]s sip:x@%[2]s SIP/2.0\r\nVia: SIP/2.0/UDP %[3]s;branch=z9hG4bK%[1]s\r\nMax-Forwards: 70\r\nFrom: %[4]s;tag=carol\r\nTo: %[5]s\r\nCall-ID: %[6]s\r\nCSeq: %[7]d %[1]s\r\n",
		method, p.peer, p.conn.LocalAddr(), headerOf(invite, "To"), headerOf(invite, "From"), headerOf(invite, "Call-ID"), cseq)
	for _, line := range more {
		msg += line + "\r\n"
	}
	if _, err := p.conn.WriteToUDPAddrPort([]byte(msg+"Content-Length: 0\r\n\r\n"), p.peer); err != nil {
		p.t.Fatal(err)
	}
}

// What is heard before the answer is for the room; where there is no answer, everything stays as it was.
func TestTransferThatIsRefused(t *testing.T) {
	t.Parallel()
	r, ben := transferRig(t, allowing())
	ada, carol := r.late().up(), r.called()
	stop := ada.whistle(440)
	ben.hears(440)
	stop()
	ada.send("REFER", 2, "", "Refer-To: <"+carol.uri()+">")
	invite := carol.await("INVITE")
	carol.says(invite, 183, carol.answer(invite))
	hush := carol.whistle(700)
	ben.hears(700)
	aside := ben.whistle(1000)
	carol.hears(0) // who has not answered
	aside()
	hush()
	carol.says(invite, 486, "")
	ada.told("486")
	ada.whistle(440)
	ben.hears(440)
	eventually(t, "two calls left", func() bool {
		s := r.gateway.Stats()
		return s.Calls == 2 && s.PortsInUse == 2
	})
}

func TestAttendedTransfer(t *testing.T) {
	t.Parallel()
	r, ben := transferRig(t, allowing())
	ada, carol := r.late().up(), r.called()
	ada.send("REFER", 2, "", "Refer-To: <"+carol.uri()+"?Replaces=a%40b%3Bto-tag%3D1%3Bfrom-tag%3D2>")
	invite := carol.await("INVITE")
	if got := headerOf(invite, "Replaces"); got != "a@b;to-tag=1;from-tag=2" || headerOf(invite, "Require") != "replaces" {
		t.Errorf("Replaces: %q", got)
	}
	carol.says(invite, 200, carol.answer(invite))
	carol.await("ACK")
	ada.told("200")
	ada.send("BYE", 3, "")
	carol.whistle(700)
	ben.hears(700)
}

// A call with Replaces takes the place of another (RFC 3891), as it is: muted.
func TestReplacesTakesThePlace(t *testing.T) {
	t.Parallel()
	r, ben := transferRig(t, allowing())
	ada, dave := r.late().up(), r.late()
	ada.whistle(440)
	ben.hears(440)
	for i, key := range []string{"*", "6"} {
		ada.send("INFO", 2+i, "Signal="+key)
		ada.await("SIP/2.0 200")
	}
	ben.hears(0)
	dave.number = "anything"
	dave.send("INVITE", 1, "", fmt.Sprintf("Replaces: late-%s;to-tag=%s;from-tag=f", ada.conn.LocalAddr(), ada.tag))
	ok := dave.join(dave.await("SIP/2.0 200"))
	dave.send("ACK", 1, dave.take(ok))
	if bye := ada.await("BYE"); !strings.Contains(headerOf(bye, "Reason"), errReplaced.Error()) {
		t.Errorf("BYE with %q", headerOf(bye, "Reason"))
	}
	dave.whistle(700)
	ben.whistle(1000)
	dave.hears(1000)
	ben.hears(0)
	for i, key := range []string{"*", "6"} {
		dave.send("INFO", 2+i, "Signal="+key)
		dave.await("SIP/2.0 200")
	}
	ben.hears(700)
	eventually(t, "two calls left", func() bool { return r.gateway.Stats().Calls == 2 })
}

// A REFER to a room of ours moves the phone there, with its dialog; to none that there is not.
func TestPhoneMovesToAnotherRoom(t *testing.T) {
	t.Parallel()
	r, ben := transferRig(t, func(l *config.Live) {
		allowing()(l)
		l.Routes = append(l.Routes, config.Route{From: []string{"loopback"}, To: "555", Trunk: "carrier"})
		l.Trunks = append(l.Trunks, config.Trunk{Name: "carrier"})
		l.Outgoing = &config.Outgoing{Via: []string{"carrier"}, Prefixes: []string{"555"}, Kinds: []string{"unknown"}}
	})
	carl, err := r.call("elsewhere", codec.PCMA)
	must(t, carl, err)
	ada := r.late().up()
	ada.whistle(440)
	ben.hears(440)
	here := ada.conn.RemoteAddr().String()
	ada.send("REFER", 2, "", "Refer-To: <sip:123@"+here+">")
	ada.await("SIP/2.0 404")
	ada.send("REFER", 3, "", "Refer-To: <sip:elsewhere@"+here+">")
	ada.told("200")
	carl.hears(440)
	ben.hears(0)
	carl.whistle(700)
	ada.hears(700)
	ada.send("REFER", 4, "", "Refer-To: <sip:555@"+here+">") // a route leads out: that is no room
	ada.await("SIP/2.0 603")
	ada.send("BYE", 5, "")
	eventually(t, "two calls left", func() bool { return r.gateway.Stats().Calls == 2 })
}

func TestTransfersThatAreNotAllowed(t *testing.T) {
	t.Parallel()
	refused := func(t *testing.T, change func(*config.Live), method string, want string, more ...string) {
		t.Helper()
		r, _ := transferRig(t, change)
		ada := r.late().up()
		dave := r.late()
		if method == "INVITE" {
			dave.send(method, 1, "", fmt.Sprintf("Replaces: late-%s;to-tag=%s;from-tag=f", ada.conn.LocalAddr(), ada.tag))
			dave.await("SIP/2.0 " + want)
			return
		}
		ada.send(method, 2, "", more...)
		ada.await("SIP/2.0 " + want)
	}
	t.Run("unless the trunk allows it: REFER", func(t *testing.T) { refused(t, nil, "REFER", "603", "Refer-To: <sip:carol@127.0.0.1:9>") })
	t.Run("unless the trunk allows it: Replaces", func(t *testing.T) { refused(t, nil, "INVITE", "403") })
	t.Run("to any host", func(t *testing.T) { refused(t, allowing(), "REFER", "403", "Refer-To: <sip:carol@192.0.2.7>") })
	t.Run("to any name", func(t *testing.T) {
		refused(t, allowing("phones.example"), "REFER", "403", "Refer-To: <sip:carol@phones.example.org>")
	})
}

func TestMayCall(t *testing.T) {
	net4 := []netip.Prefix{netip.MustParsePrefix("192.0.2.0/28")}
	live := &config.Live{Trunks: []config.Trunk{
		{Name: "pbx", From: net4, Transfer: config.Transfer{Allowed: true, Trunks: []string{"other"}, Hosts: []string{"sip.example.org"}, Nets: []netip.Prefix{netip.MustParsePrefix("198.51.100.7/32")}}},
		{Name: "other", From: []netip.Prefix{netip.MustParsePrefix("2001:db8::/64")}},
		{Name: "refuses", From: net4},
	}}
	for host, want := range map[string]bool{
		"192.0.2.7": true, "192.0.2.17": false, "198.51.100.7": true, "198.51.100.8": false, "2001:db8::9": true, "2001:db8:1::9": false,
		"SIP.example.org": true, "sip.example.org.evil": false, "example.org": false, "::ffff:192.0.2.7": true, "": false,
	} {
		if _, got := mayCall(live, &live.Trunks[0], host); got != want {
			t.Errorf("%q: %v, want %v", host, got, want)
		}
		if _, got := mayCall(live, &live.Trunks[2], host); got {
			t.Errorf("%q: a trunk that refuses transfers calls", host)
		}
	}
}

// A transfer to a trunk that is called out over is a call out: as one of that trunk's numbers, and as far as outgoing allows.
func TestTransferThatCallsOut(t *testing.T) {
	t.Parallel()
	carol := newRig(t, nil).called()
	r, _ := transferRig(t, func(live *config.Live) {
		allowing()(live)
		live.Trunks = append(live.Trunks, config.Trunk{
			Name: "carrier", Servers: []string{carol.server()}, Numbers: config.Numbers{Plan: "FR", Outside: "0", Present: "+33199999999"},
		})
		live.Outgoing = &config.Outgoing{Via: []string{"carrier"}, Regions: []string{"FR"}, Kinds: []string{"fixed"}}
	})
	ada := r.late().up()
	ada.send("REFER", 2, "", "Refer-To: <"+strings.Replace(carol.uri(), "carol", "0899123456", 1)+">")
	ada.told("403")
	ada.send("REFER", 3, "", "Refer-To: <"+strings.Replace(carol.uri(), "carol", "0123456789", 1)+">")
	invite := carol.await("INVITE sip:+33123456789@")
	if from := headerOf(invite, "From"); !strings.Contains(from, "sip:+33199999999@") {
		t.Errorf("it calls as %s", from)
	}
	carol.says(invite, 486, "")
	ada.told("486")
	// What is weighed is what is called: neither a number for the house's switch, nor one that the network routes by.
	ada.send("REFER", 4, "", "Refer-To: <"+strings.Replace(carol.uri(), "carol", "00247123456", 1)+">")
	invite = carol.await("INVITE sip:+33247123456@")
	carol.says(invite, 486, "")
	ada.told("486")
	ada.send("REFER", 5, "", "Refer-To: <"+strings.Replace(carol.uri(), "carol", "0123456789;npdi;rn=+24712345", 1)+">")
	invite = carol.await("INVITE sip:+33123456789@")
	carol.says(invite, 486, "")
	ada.told("486")
}

func TestPaid(t *testing.T) {
	g := &Gateway{Config: Config{ServerOf: func(a netip.Addr) string {
		if a == netip.MustParseAddr("198.51.100.1") {
			return "carrier"
		}
		return ""
	}}}
	live := &config.Live{
		Trunks: []config.Trunk{
			{Name: "carrier", Servers: []string{"sip:Sip.Carrier.example:5080;transport=tcp", "sip:[2001:db8::1]:5060"}},
			{Name: "pbx", From: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/28")}},
			{Name: "spare", Servers: []string{"sip:192.0.2.40"}},
			{Name: "routed", Servers: []string{"sip:192.0.2.41"}},
		},
		Routes:   []config.Route{{Trunk: "routed"}},
		Outgoing: &config.Outgoing{Via: []string{"carrier", "pbx"}},
	}
	for host, want := range map[string]string{
		"sip.carrier.example": "carrier", "carrier.example": "", "2001:db8::1": "carrier", "198.51.100.1": "carrier", "::ffff:198.51.100.1": "carrier",
		"192.0.2.7": "pbx", "192.0.2.40": "", "192.0.2.41": "routed", "": "",
	} {
		got := ""
		if trunk := g.paid(live, host); trunk != nil {
			got = trunk.Name
		}
		if got != want {
			t.Errorf("%q is %q, want %q", host, got, want)
		}
	}
	if live.Outgoing = nil; g.paid(live, "sip.carrier.example") != nil {
		t.Error("nothing is called out, and a transfer is")
	}
}

// A call is never transferred out of TLS, and goes as it came where the address does not say.
func TestTransferStaysProtected(t *testing.T) {
	for _, c := range []struct{ came, to, want string }{
		{"udp", "sip:c@h", "sip:c@h"}, {"tcp", "sip:c@h", "sip:c@h;transport=tcp"}, {"tls", "sip:c@h", "sip:c@h;transport=tls"},
		{"tls", "sips:c@h", "sips:c@h"}, {"tls", "sip:c@h;transport=udp", ""}, {"tls", "sip:c@h;transport=TLS", "sip:c@h;transport=TLS"},
		{"udp", "sip:c@h;transport=tcp", "sip:c@h;transport=tcp"},
	} {
		scheme, rest, _ := strings.Cut(c.to, ":")
		_, transport, _ := strings.Cut(rest, "transport=")
		call := &call{invite: sip.Invite{Transport: c.came}}
		got, err := call.protected(sip.Referral{To: c.to, Target: sip.URI{Scheme: scheme, Params: map[string]string{"transport": transport}}})
		if got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%s to %s: %q, %v", c.came, c.to, got, err)
		}
	}
}
