package sip

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"passerelle/sip/locate"
	"passerelle/sip/locate/locatetest"
)

// silentPeer is a UDP socket that says nothing by itself.
func silentPeer(t *testing.T) *net.UDPConn {
	t.Helper()
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func portOf(a net.Addr) uint16 { return addrPort(a).Port() }

// closedPort is a TCP port that nobody listens on.
func closedPort(t *testing.T) uint16 {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return portOf(l.Addr())
}

// certified is a server's side of TLS with a certificate for this name.
func certified(t *testing.T, name string) *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{*certificate(t, theHouse(t), name)}}
}

// rawPhone is a phone on a socket.
func rawPhone(t *testing.T, pc *net.UDPConn) *phone {
	c := &connected{UDPConn: pc}
	return &phone{&rawPeer{t: t, network: "udp", conn: c, in: bufio.NewReaderSize(c, 1<<16), tag: "phone"}, pc}
}

// located serves a caller that asks this DNS.
func located(t *testing.T, zone string, c Config) testServer {
	t.Helper()
	dns := locatetest.Serve(t, zone)
	c.Locate = locate.New(locate.Config{Servers: []netip.AddrPort{dns.Addr}})
	return serve(t, c, answerAll(nil))
}

// declining serves a callee that refuses every call.
func declining(t *testing.T, code int) testServer {
	return serve(t, Config{}, func(ctx context.Context, d *Dialog) { d.Reject(ctx, Refusal{Code: code}) })
}

// Each test has three servers for sip:a@pbx.example, of which the last answers.
func TestNextTargetIsTried(t *testing.T) {
	for _, c := range []struct {
		rule      string
		transport string
		first     func(t *testing.T) uint16
		want      string // what is said of it; "" if the call ends there
	}{
		{"after silence", "udp", func(t *testing.T) uint16 { return portOf(silentPeer(t).LocalAddr()) }, "no answer from the peer"},
		{"after a refused connection", "tcp", closedPort, "connection refused"},
		{"after a TLS server that is somebody else", "tls", func(t *testing.T) uint16 {
			return serve(t, Config{TLS: TLS{Server: ourTLS(t)}}, answerAll(nil)).addr("tls").Port()
		}, "certificate is valid for gateway.example"},
		{"after 503", "udp", func(t *testing.T) uint16 { return declining(t, 503).addr("udp").Port() }, "503 Service Unavailable"},
		{"not after 486", "udp", func(t *testing.T) uint16 { return declining(t, 486).addr("udp").Port() }, ""},
	} {
		t.Run(c.rule, func(t *testing.T) {
			t.Parallel()
			good := serve(t, Config{TLS: TLS{Server: certified(t, "pbx.example"), Client: theirTLS(t)}}, answerAll(nil))
			service := map[string]string{"udp": "_sip._udp", "tcp": "_sip._tcp", "tls": "_sips._tcp"}[c.transport]
			zone := fmt.Sprintf("%s.pbx.example. 60 IN SRV 1 0 %d one.example.\n%s.pbx.example. 60 IN SRV 2 0 %d two.example.\none.example. 60 IN A 127.0.0.1\ntwo.example. 60 IN A 127.0.0.1\n",
				service, c.first(t), service, good.addr(c.transport).Port())
			caller := located(t, zone, Config{})
			dial := Dial{To: "sip:a@pbx.example;transport=" + c.transport, Offer: []byte(testSDP)}
			d, _, err := caller.Dial(t.Context(), dial)
			if c.want == "" {
				var status *StatusError
				if !errors.As(err, &status) || status.Code != 486 {
					t.Errorf("got %v, want 486", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			d.Hangup(t.Context(), "")
			if got := d.Invite().Source.Port(); got != good.addr(c.transport).Port() {
				t.Errorf("the call went to port %d, want the second target", got)
			}

			// The same without the second.
			alone := located(t, zone[:strings.Index(zone, "\n")+1]+"one.example. 60 IN A 127.0.0.1\n", Config{})
			_, _, err = alone.Dial(t.Context(), dial)
			var tried *TargetsError
			if !errors.As(err, &tried) || len(tried.Tried) != 1 ||
				!strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "(one.example): ") {
				t.Errorf("got %v, want one target that failed by %q", err, c.want)
			}
		})
	}
}

func TestTargetThatFailedIsTriedLast(t *testing.T) {
	silent, good := silentPeer(t), serve(t, Config{}, answerAll(nil))
	caller := located(t, fmt.Sprintf(`
_sip._udp.pbx.example. 60 IN SRV 1 0 %d one.example.
_sip._udp.pbx.example. 60 IN SRV 2 0 %d one.example.
one.example. 60 IN A 127.0.0.1
`, portOf(silent.LocalAddr()), good.addr("udp").Port()), Config{})
	for i := range 2 {
		d, _, err := caller.Dial(t.Context(), Dial{To: "sip:a@pbx.example;transport=udp", Offer: []byte(testSDP)})
		if err != nil {
			t.Fatal(err)
		}
		d.Hangup(t.Context(), "")
		heard := 0
		silent.SetReadDeadline(time.Now().Add(time.Millisecond))
		for b := make([]byte, 1<<16); ; heard++ {
			if _, _, err := silent.ReadFrom(b); err != nil {
				break
			}
			silent.SetReadDeadline(time.Now().Add(time.Millisecond))
		}
		if i == 0 && heard == 0 {
			t.Error("the first target was not tried")
		}
	}
	if got := len(caller.sick.until); got != 1 {
		t.Errorf("%d targets are remembered as failed, want 1", got)
	}
}

func TestSetupTimeBoundsAllTargets(t *testing.T) {
	var zone strings.Builder
	for i := range 5 {
		fmt.Fprintf(&zone, "_sip._udp.pbx.example. 60 IN SRV %d 0 %d one.example.\n", i, portOf(silentPeer(t).LocalAddr()))
	}
	zone.WriteString("one.example. 60 IN A 127.0.0.1\n")
	caller := located(t, zone.String(), Config{Limits: Limits{SetupTime: 10 * testT1, TargetTime: 8 * testT1}})
	_, _, err := caller.Dial(t.Context(), Dial{To: "sip:a@pbx.example;transport=udp", Offer: []byte(testSDP)})
	var tried *TargetsError
	if !errors.As(err, &tried) || len(tried.Tried) != 5 {
		t.Fatalf("got %v, want five targets", err)
	}
	for i, want := range []error{ErrNoAnswer, ErrNoAnswer, errSetupTime, errSetupTime, errSetupTime} {
		if got := tried.Tried[i].Err; !errors.Is(got, want) {
			t.Errorf("target %d: got %v, want %v", i+1, got, want)
		}
	}
}

// A peer that was given up for its silence, and wakes up.
func TestLateAnswerOfTheFirstTarget(t *testing.T) {
	for _, c := range []struct {
		rule string
		code int
		want []string
	}{
		{"rings: CANCEL", 180, []string{"CANCEL"}},
		{"answers: ACK and BYE", 200, []string{"ACK", "BYE"}},
	} {
		t.Run(c.rule, func(t *testing.T) {
			first := silentPeer(t)
			good := serve(t, Config{}, answerAll(nil))
			caller := located(t, fmt.Sprintf(`
_sip._udp.pbx.example. 60 IN SRV 1 0 %d one.example.
_sip._udp.pbx.example. 60 IN SRV 2 0 %d one.example.
one.example. 60 IN A 127.0.0.1
`, portOf(first.LocalAddr()), good.addr("udp").Port()), Config{})
			d, _, err := caller.Dial(t.Context(), Dial{To: "sip:a@pbx.example;transport=udp", Offer: []byte(testSDP)})
			if err != nil {
				t.Fatal(err)
			}
			p := rawPhone(t, first)
			invite := p.expectRequest("INVITE")
			p.answer(invite, c.code, "late", testSDP)
			for _, method := range c.want {
				for got := p.hear(); got.method() != method; { // the INVITE comes again
					got = p.hear()
				}
			}
			if err := d.Hangup(t.Context(), ""); err != nil || !errors.Is(context.Cause(d.Context()), ErrHangup) {
				t.Errorf("the call to the second target: %v, %v", err, context.Cause(d.Context()))
			}
		})
	}
}

// A request that is too large for one packet goes over TCP, where somebody listens there (RFC 3261 section 18.1.1).
func TestLargeRequestGoesOverTCP(t *testing.T) {
	long := strings.Repeat("a=x-this-is-a-long-line:of-no-meaning-at-all\r\n", 40)
	for _, c := range []struct {
		rule   string
		offer  string
		listen []string
		want   string
	}{
		{"a small one stays on UDP", testSDP, []string{"udp", "tcp"}, "udp"},
		{"a large one goes over TCP", testSDP + long, []string{"udp", "tcp"}, "tcp"},
		{"... and over UDP where there is nothing else", testSDP + long, []string{"udp"}, "udp"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			invites := make(chan Invite, 1)
			free := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.9"), closedPort(t)) // where nobody else listens, on UDP either
			var listen []Listener
			for _, network := range c.listen {
				listen = append(listen, Listener{network, free})
			}
			serve(t, Config{Listen: listen}, func(ctx context.Context, d *Dialog) {
				invites <- d.Invite()
				answerAll(nil)(ctx, d)
			})
			caller := serve(t, Config{}, answerAll(nil))
			d, _, err := caller.Dial(t.Context(), Dial{To: "sip:a@" + free.String(), Offer: []byte(c.offer)})
			if err != nil {
				t.Fatal(err)
			}
			d.Hangup(t.Context(), "")
			if i := wait(t, invites); i.Transport != c.want || string(i.Body) != c.offer {
				t.Errorf("got %s and %d bytes, want %s and %d", i.Transport, len(i.Body), c.want, len(c.offer))
			}
		})
	}
}

func TestHostWithoutAddressIsTold(t *testing.T) {
	caller := located(t, "_sip._udp.pbx.example. 60 IN SRV 1 0 5060 nobody.example.\n", Config{})
	_, _, err := caller.Dial(t.Context(), Dial{To: "sip:a@pbx.example;transport=udp"})
	if err == nil || !strings.Contains(err.Error(), "udp nobody.example: ") {
		t.Errorf("got %v", err)
	}
}

// ... and so does one in a dialog, whose route set makes it large.
func TestLargeRequestInADialogGoesOverTCP(t *testing.T) {
	for _, c := range []struct {
		rule string
		tcp  bool
	}{{"over TCP", true}, {"over UDP where nobody listens on TCP", false}} {
		t.Run(c.rule, func(t *testing.T) {
			hangup := make(chan struct{})
			s := serve(t, Config{}, func(ctx context.Context, d *Dialog) {
				d.Answer(ctx, []byte(testSDP))
				<-hangup
			})
			p := s.peer("udp", "")
			accepted := make(chan net.Conn, 1)
			if c.tcp {
				l, err := net.Listen("tcp4", p.host())
				if err != nil {
					t.Fatal(err)
				}
				defer l.Close()
				go func() {
					if c, err := l.Accept(); err == nil {
						accepted <- c
					}
				}()
			}
			route := "<sip:" + p.host() + ";lr;x=" + strings.Repeat("long", 150) + ">"
			p.send(p.request("INVITE", "i", 1, "", testSDP, "Record-Route: "+route, "Record-Route: "+route))
			ok := p.expect(200)
			p.send(p.request("ACK", "a", 1, ok.toTag(), ""))
			close(hangup)
			from := p
			if c.tcp {
				conn := wait(t, accepted)
				defer conn.Close()
				from = &rawPeer{t: t, network: "tcp", conn: conn, in: bufio.NewReader(conn)}
			}
			bye := from.expectRequest("BYE")
			if via := bye.header("Via"); !strings.HasPrefix(via, "SIP/2.0/"+strings.ToUpper(from.network)+" ") {
				t.Errorf("got Via %q on %s", via, from.network)
			}
			from.reply(bye, 200)
		})
	}
}
