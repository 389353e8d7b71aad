package sip

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/emiago/sipgo/sip"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

// TestSipgoFacts holds what docs/sipgo.md says of sipgo and this package relies on, and no other test would
// notice.
func TestSipgoFacts(t *testing.T) {
	t.Run("the parser reads a whole stream message and says how long it was", func(t *testing.T) {
		m := "OPTIONS sip:a SIP/2.0\r\nVia: SIP/2.0/TCP b;branch=z9hG4bKc\r\nContent-Length: 3\r\n\r\nabcX"
		_, n, err := sip.NewParser().Parse([]byte(m), true)
		if err != nil || n != len(m)-1 {
			t.Errorf("got %d, %v; want %d", n, err, len(m)-1)
		}
	})
	t.Run("a message may be as long as its read buffer", func(t *testing.T) {
		if sip.TransportBufferReadSize != maxMessage {
			t.Errorf("got %d, want %d", sip.TransportBufferReadSize, maxMessage)
		}
	})
	t.Run("a CANCEL and its INVITE differ in their transaction's key, here not", func(t *testing.T) {
		parse := func(method string) *sip.Request {
			m, err := sip.ParseMessage([]byte(method + " sip:a SIP/2.0\r\nVia: SIP/2.0/UDP b;branch=z9hG4bKc\r\n" +
				"From: <sip:d>;tag=e\r\nTo: <sip:a>\r\nCall-ID: f\r\nCSeq: 1 " + method + "\r\n\r\n"))
			if err != nil {
				t.Fatal(err)
			}
			return m.(*sip.Request)
		}
		invite, cancel := parse("INVITE"), parse("CANCEL")
		one, _ := sip.ServerTxKeyMake(invite)
		two, _ := sip.ServerTxKeyMake(cancel)
		if one == two || transactionKey(invite) != transactionKey(cancel) {
			t.Errorf("got %q and %q, %q and %q", one, two, transactionKey(invite), transactionKey(cancel))
		}
	})
	t.Run("it neither dials nor looks up names", func(t *testing.T) {
		ua, _, err := newUserAgent(slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		l, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		for _, to := range []string{l.Addr().String(), "phone.example:5060"} {
			req := sip.NewRequest(sip.OPTIONS, sip.Uri{Scheme: "sip", Host: "a"})
			req.AppendHeader(&sip.ViaHeader{ProtocolName: "SIP", ProtocolVersion: "2.0", Transport: "TCP", Host: "b"})
			req.SetTransport("TCP")
			req.SetDestination(to)
			if c, err := ua.TransportLayer().ClientRequestConnection(t.Context(), req); err == nil {
				t.Errorf("%s: got a connection from %v", to, c.LocalAddr())
			}
		}
	})
}

func TestNothingOfAMessageIsLogged(t *testing.T) {
	var b bytes.Buffer
	log := slog.New(slog.NewTextHandler(&b, &slog.HandlerOptions{Level: slog.LevelDebug}))
	t.Run("a call", func(t *testing.T) { // over, server and all, when it returns
		p := serve(t, Config{Log: log}, answerAll(nil)).peer("udp", "")
		tag := p.establish().toTag()
		p.send(strings.Replace(p.request("INVITE", "i", 2, tag, "canary"), "sip:room@", "sip:canary@", 1))
		p.expect(488)
		p.send(strings.Replace(p.request("OPTIONS", "o", 3, tag, ""), "CSeq: 3", "CSeq: canary", 1))
		p.expect(400)
		p.send(p.request("BYE", "b", 4, tag, ""))
		p.expect(200)
	})
	quiet := slog.New(demoted{log.Handler()}).With("raddr", "192.0.2.1", "msg", "canary")
	quiet.WithGroup("g").Error("failed to parse", "data", "canary", "error", "canary", "laddr", "192.0.2.2")
	if out := b.String(); strings.Contains(out, "canary") || !strings.Contains(out, "192.0.2.2") || strings.Contains(out, "level=ERROR") {
		t.Errorf("got\n%s", out)
	}
}

func TestSocketsAreMarked(t *testing.T) {
	const cs3 = 24 << 2
	s := serve(t, Config{Listen: []Listener{
		{"udp", netip.MustParseAddrPort("127.0.0.1:0")}, {"udp", netip.MustParseAddrPort("[::1]:0")},
		{"tcp", netip.MustParseAddrPort("127.0.0.1:0")},
	}}, func(context.Context, *Dialog) {})
	if got, err := ipv4.NewPacketConn(s.packets[0].UDPConn).TOS(); got != cs3 {
		t.Errorf("UDP, IPv4: got TOS %d, %v; want %d", got, err, cs3)
	}
	if got, err := ipv6.NewPacketConn(s.packets[1].UDPConn).TrafficClass(); got != cs3 {
		t.Errorf("UDP, IPv6: got class %d, %v; want %d", got, err, cs3)
	}
	p := s.peer("tcp", "")
	p.send(p.request("OPTIONS", "o", 1, "", ""))
	p.expect(200)
	c := s.streams.live(flow{"tcp", addrPort(p.conn.LocalAddr())})
	if got, err := ipv4.NewConn(c.Conn).TOS(); got != cs3 {
		t.Errorf("TCP: got TOS %d, %v; want %d", got, err, cs3)
	}
}

// An ACK to a 2xx makes a server transaction that no timer ends (docs/sipgo.md).
func TestACKsTransactionIsEnded(t *testing.T) {
	s := serve(t, Config{}, answerAll(nil))
	p := s.peer("udp", "")
	msg, err := sip.ParseMessage([]byte(p.request("ACK", "a", 1, "x", "")))
	if err != nil {
		t.Fatal(err)
	}
	req := msg.(*sip.Request)
	req.SetSource(p.host())
	tx := sip.NewServerTx("key", req, nil, slog.New(slog.DiscardHandler))
	if err := tx.Init(); err != nil {
		t.Fatal(err)
	}
	s.onRequest(req, tx)
	wait(t, tx.Done())
}
