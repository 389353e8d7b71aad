package sip

import (
	"bufio"
	"context"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"
)

func uriOf(t *testing.T, s string) sip.Uri {
	t.Helper()
	var u sip.Uri
	if err := sip.ParseUri(s, &u); err != nil {
		t.Fatal(err)
	}
	return u
}

func TestNextHop(t *testing.T) {
	for _, c := range []struct {
		rule, target, route, flow string
		nat                       bool
		want                      string
	}{
		{"the target", "sip:a@192.0.2.1:5070", "", "192.0.2.1:40000", false, "192.0.2.1:5070"},
		{"the target at the default port", "sip:a@192.0.2.1", "", "192.0.2.1:40000", false, "192.0.2.1:5060"},
		{"the first route", "sip:a@192.0.2.1:5070", "sip:192.0.2.9;lr", "192.0.2.9:5060", false, "192.0.2.9:5060"},
		{"the target past a proxy that does not stay", "sip:a@192.0.2.1:5070", "", "192.0.2.9:5060", false, "192.0.2.1:5070"},
		{"behind NAT, as the Via shows", "sip:a@192.0.2.1:5070", "", "198.51.100.1:40000", true, "198.51.100.1:40000"},
		{"a private address from outside", "sip:a@10.0.0.1", "", "198.51.100.1:40000", false, "198.51.100.1:40000"},
		{"a shared address from outside", "sip:a@100.64.0.1", "", "198.51.100.1:40000", false, "198.51.100.1:40000"},
		{"a private address from inside", "sip:a@10.0.0.1:5070", "", "10.0.0.9:40000", false, "10.0.0.1:5070"},
		{"our own loopback, from elsewhere", "sip:a@127.0.0.1:22", "", "10.0.0.9:40000", false, "10.0.0.9:40000"},
		{"nowhere", "sip:a@0.0.0.0", "", "10.0.0.9:40000", false, "10.0.0.9:40000"},
		{"everywhere", "sip:a@224.0.0.1", "", "10.0.0.9:40000", false, "10.0.0.9:40000"},
		{"a name is not looked up", "sip:a@phone.example", "", "192.0.2.1:40000", false, "192.0.2.1:40000"},
		{"IPv6", "sip:a@[2001:db8::1]:5070", "", "[2001:db8::1]:40000", false, "[2001:db8::1]:5070"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			p := path{target: uriOf(t, c.target), flow: netip.MustParseAddrPort(c.flow), nat: c.nat}
			if c.route != "" {
				p.routes = []sip.Uri{uriOf(t, c.route)}
			}
			if got := p.hop().String(); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestRouteSet(t *testing.T) {
	for _, c := range []struct {
		rule    string
		routes  []string
		uri     string
		headers string
	}{
		{"none", nil, "sip:a@192.0.2.1", ""},
		{"loose", []string{"sip:p1;lr", "sip:p2;lr"}, "sip:a@192.0.2.1", "<sip:p1;lr>, <sip:p2;lr>"},
		{"strict", []string{"sip:p1", "sip:p2;lr"}, "sip:p1", "<sip:p2;lr>, <sip:a@192.0.2.1>"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			p := path{target: uriOf(t, "sip:a@192.0.2.1")}
			for _, r := range c.routes {
				p.routes = append(p.routes, uriOf(t, r))
			}
			req := sip.NewRequest(sip.BYE, sip.Uri{})
			p.route(req)
			if got := strings.Join(headerValues(req, "Route"), ", "); req.Recipient.String() != c.uri || got != c.headers {
				t.Errorf("got %s, %q; want %s, %q", req.Recipient.String(), got, c.uri, c.headers)
			}
		})
	}
}

func TestReplyAddr(t *testing.T) {
	src := netip.MustParseAddrPort("192.0.2.1:40000")
	for _, c := range []struct{ rule, via, want string }{
		{"rport", "SIP/2.0/UDP 192.0.2.1:5070;branch=z9hG4bKx;rport", "192.0.2.1:40000"},
		{"the port of the Via", "SIP/2.0/UDP 192.0.2.1:5070;branch=z9hG4bKx", "192.0.2.1:5070"},
		{"the default port", "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKx", "192.0.2.1:5060"},
		{"behind NAT without rport", "SIP/2.0/UDP 10.0.0.1:5070;branch=z9hG4bKx", "192.0.2.1:40000"},
		{"a name", "SIP/2.0/UDP phone.example:5070;branch=z9hG4bKx", "192.0.2.1:5070"},
		{"never to received of the sender's", "SIP/2.0/UDP 192.0.2.1:5070;branch=z9hG4bKx;received=203.0.113.1", "192.0.2.1:5070"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			msg, err := sip.ParseMessage([]byte("OPTIONS sip:x SIP/2.0\r\nVia: " + c.via + "\r\n\r\n"))
			if err != nil {
				t.Fatal(err)
			}
			if got := replyAddr(msg.(*sip.Request), src).String(); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

// TestDialogThroughProxy has a proxy record its route: our BYE goes through it.
func TestDialogThroughProxy(t *testing.T) {
	s := serve(t, Config{}, func(ctx context.Context, d *Dialog) { d.Answer(ctx, []byte(testSDP)) })
	p := s.peer("udp", "")
	p.send(strings.Replace(p.request("INVITE", "i", 1, "", testSDP, "Record-Route: <sip:"+p.host()+";lr>, <sip:far.example;lr>"),
		"Contact: <sip:ada@"+p.host(), "Contact: <sip:ada@192.0.2.1", 1))
	ok := p.expect(200)
	if got := strings.Join(ok.headers["record-route"], ", "); got != "<sip:"+p.host()+";lr>, <sip:far.example;lr>" {
		t.Errorf("200: got Record-Route %q", got)
	}
	p.send(p.request("ACK", "a", 1, ok.toTag(), ""))
	bye := p.expectRequest("BYE")
	if !strings.HasPrefix(bye.start, "BYE sip:ada@192.0.2.1") {
		t.Errorf("got %q, want the remote target", bye.start)
	}
	if got := strings.Join(bye.headers["route"], ", "); got != "<sip:"+p.host()+";lr>, <sip:far.example;lr>" {
		t.Errorf("BYE: got Route %q", got)
	}
	p.reply(bye, 200)
}

// TestDialogThroughNAT has a phone that believes itself to be at a private address, on UDP and without rport.
func TestDialogThroughNAT(t *testing.T) {
	s := serve(t, Config{}, func(ctx context.Context, d *Dialog) { d.Answer(ctx, []byte(testSDP)) })
	p := s.peer("udp", "")
	behind := strings.NewReplacer(p.host(), "192.168.1.20:5060", ";rport", "")
	p.send(behind.Replace(p.request("INVITE", "i", 1, "", testSDP)))
	ok := p.expect(200)
	if via := ok.header("Via"); !strings.Contains(via, "received=127.0.0.1") {
		t.Errorf("got Via %q, want received", via)
	}
	p.send(behind.Replace(p.request("ACK", "a", 1, ok.toTag(), "")))
	p.reply(p.expectRequest("BYE"), 200)
}

// TestConnectionIsLost has the phone's connection close in mid-call: our BYE goes to its Contact, on a new one.
func TestConnectionIsLost(t *testing.T) {
	release := make(chan struct{})
	s := serve(t, Config{}, func(ctx context.Context, d *Dialog) {
		d.Answer(ctx, []byte(testSDP))
		<-release
	})
	home, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer home.Close()
	p := s.peer("tcp", "")
	p.send(strings.Replace(p.request("INVITE", "i", 1, "", testSDP), "Contact: <sip:ada@"+p.host(), "Contact: <sip:ada@"+home.Addr().String(), 1))
	ok := p.expect(200)
	p.send(p.request("ACK", "a", 1, ok.toTag(), ""))
	for at := answered; at == answered; {
		s.dialogs.all()[0].ask(t.Context(), func() error { at = s.dialogs.all()[0].state; return nil })
	}
	p.conn.Close()
	src := addrPort(p.conn.LocalAddr())
	for deadline := time.Now().Add(patience); s.streams.live(flow{"tcp", src}) != nil && time.Now().Before(deadline); {
		runtime.Gosched()
	}
	close(release)
	home.SetDeadline(time.Now().Add(patience))
	c, err := home.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	anew := &rawPeer{t: t, network: "tcp", conn: c, in: bufio.NewReader(c)}
	anew.reply(anew.expectRequest("BYE"), 200)
}

func TestAdvertise(t *testing.T) {
	s := serve(t, Config{Advertise: "sip.example.org"}, func(ctx context.Context, d *Dialog) { d.Answer(ctx, []byte(testSDP)) })
	p := s.peer("udp", "")
	p.send(p.request("INVITE", "i", 1, "", testSDP))
	ok := p.expect(200)
	want := "<sip:sip.example.org:" + strings.Split(s.addr("udp").String(), ":")[1] + ">"
	if got := ok.header("Contact"); got != want {
		t.Errorf("got Contact %q, want %q", got, want)
	}
	p.send(p.request("ACK", "a", 1, ok.toTag(), ""))
	bye := p.expectRequest("BYE")
	if via := bye.header("Via"); !strings.Contains(via, "sip.example.org:") {
		t.Errorf("got Via %q", via)
	}
	p.reply(bye, 200)
}
