package sip

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// socketConn is a WebSocket as a rawPeer wants it: what is written is one message, and messages are read as a stream.
type socketConn struct {
	net.Conn // of what is read
	raw      net.Conn
	web      *websocket.Conn
	kind     websocket.MessageType
}

func (s socketConn) Write(b []byte) (int, error) {
	return len(b), s.web.Write(context.Background(), s.kind, b)
}
func (s socketConn) LocalAddr() net.Addr  { return s.raw.LocalAddr() }
func (s socketConn) RemoteAddr() net.Addr { return s.raw.RemoteAddr() }
func (s socketConn) Close() error         { s.Conn.Close(); return s.web.CloseNow() }

// webSocketOver makes a WebSocket of a connection.
func webSocketOver(t *testing.T, raw net.Conn) socketConn {
	t.Helper()
	c, _, err := dialWebSocket(raw, nil, subprotocol)
	if err != nil {
		t.Fatal(err)
	}
	near, far := net.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer far.Close()
		for {
			_, data, err := c.Read(context.Background())
			if err != nil {
				return
			}
			if _, err := far.Write(data); err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() { c.CloseNow(); near.Close(); <-done })
	return socketConn{near, raw, c, websocket.MessageText}
}

// dialWebSocket asks for a WebSocket over a connection.
func dialWebSocket(raw net.Conn, header http.Header, protocols ...string) (*websocket.Conn, *http.Response, error) {
	transport := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return raw, nil }}
	defer transport.CloseIdleConnections()
	return websocket.Dial(context.Background(), "ws://"+raw.RemoteAddr().String()+"/any/path?at=all", &websocket.DialOptions{
		HTTPClient: &http.Client{Transport: transport}, HTTPHeader: header, Subprotocols: protocols,
	})
}

// webPeer is a peer on a WebSocket.
func webPeer(s testServer) (*rawPeer, socketConn) {
	s.t.Helper()
	p := s.peer("ws", "")
	return p, p.conn.(socketConn)
}

// A browser does not know its address, and has a name that leads nowhere (RFC 7118 section 5): what we send in the
// dialog goes through the WebSocket all the same, and says that it does.
func TestWebSocketCall(t *testing.T) {
	over(t, func(t *testing.T, network string) {
		hangUp := make(chan struct{})
		s := serve(t, Config{}, func(ctx context.Context, d *Dialog) {
			if got := d.Invite().Transport; got != network {
				t.Errorf("the INVITE came over %q", got)
			}
			if d.Answer(ctx, []byte(testSDP)) == nil {
				<-hangUp
			}
		})
		p := s.peer(network, "")
		invite := strings.NewReplacer(
			p.host()+";branch", "df7jal23ls0d.invalid;branch",
			"<sip:ada@"+p.host()+";transport="+network+">", "<sip:x@df7jal23ls0d.invalid;transport=ws;ob>",
		).Replace(p.request("INVITE", "a", 1, "", testSDP))
		p.send(invite)
		ok := p.expect(200)
		if got, want := ok.header("Contact"), "<sip:"+s.addr(network).String()+";transport=ws>"; got != want {
			t.Errorf("Contact: %s, want %s", got, want)
		}
		p.send(p.request("ACK", "b", 1, ok.toTag(), ""))
		close(hangUp)
		bye := p.expectRequest("BYE")
		if want := "BYE sip:x@df7jal23ls0d.invalid;transport=ws;ob SIP/2.0"; bye.start != want {
			t.Errorf("%s, want %s", bye.start, want)
		}
		if got := bye.header("Via"); !strings.HasPrefix(got, "SIP/2.0/"+strings.ToUpper(network)+" ") {
			t.Errorf("Via: %s", got)
		}
		p.reply(bye, 200)
	}, "ws", "wss")
}

// A browser that has lost its WebSocket opens another one, and the dialog goes on there.
func TestWebSocketComesBack(t *testing.T) {
	s := serve(t, Config{}, answerAll(nil))
	p := s.peer("wss", "")
	ok := p.establish()
	p.conn.Close()
	again := s.peer("wss", "")
	again.callID, again.tag = p.callID, p.tag
	again.send(again.request("INVITE", "again", 2, ok.toTag(), testSDP))
	again.expect(488) // nobody negotiates
	again.send(again.request("ACK", "again", 2, ok.toTag(), ""))
	again.send(again.request("BYE", "bye", 3, ok.toTag(), ""))
	again.expect(200)
	open := s.peer("ws", "")
	open.callID, open.tag = p.callID, p.tag
	open.send(open.request("BYE", "open", 4, ok.toTag(), ""))
	open.expect(481)
}

// What was encrypted stays so: a dialog of wss is none over ws.
func TestWebSocketDowngrade(t *testing.T) {
	s := serve(t, Config{}, answerAll(nil))
	p := s.peer("wss", "")
	ok := p.establish()
	open := s.peer("ws", "")
	open.callID, open.tag = p.callID, p.tag
	open.send(open.request("BYE", "open", 2, ok.toTag(), ""))
	open.expect(481)
}

func TestWebSocketMessages(t *testing.T) {
	s := serve(t, Config{}, answerAll(nil))
	body := strings.Repeat("x", 100)
	options := func(p *rawPeer, length string) string {
		m := p.request("OPTIONS", newTag(), 1, "", body)
		return strings.Replace(m, "Content-Length: 100\r\n", length, 1)
	}
	for name, c := range map[string]struct {
		send func(p *rawPeer) string
		kind websocket.MessageType
		want int
	}{
		"text":                       {func(p *rawPeer) string { return options(p, "Content-Length: 100\r\n") }, websocket.MessageText, 200},
		"binary":                     {func(p *rawPeer) string { return options(p, "Content-Length: 100\r\n") }, websocket.MessageBinary, 200},
		"no Content-Length":          {func(p *rawPeer) string { return options(p, "") }, websocket.MessageText, 200},
		"bytes beyond the body":      {func(p *rawPeer) string { return options(p, "Content-Length: 90\r\n") }, websocket.MessageText, 200},
		"a body that is cut":         {func(p *rawPeer) string { return options(p, "Content-Length: 101\r\n") }, websocket.MessageText, 400},
		"two lengths":                {func(p *rawPeer) string { return options(p, "Content-Length: 1\r\nl: 2\r\n") }, websocket.MessageText, 400},
		"CRLF before the start-line": {func(p *rawPeer) string { return "\r\n\r\n" + options(p, "") }, websocket.MessageText, 200},
		"no empty line":              {func(p *rawPeer) string { m, _, _ := strings.Cut(options(p, ""), "\r\n\r\n"); return m }, websocket.MessageText, 400},
	} {
		t.Run(name, func(t *testing.T) {
			p, socket := webPeer(s)
			socket.kind = c.kind
			p.conn = socket
			p.send(c.send(p))
			p.expect(c.want)
		})
	}
}

// RFC 7118 section 6, RFC 5626 section 4.4.1.
func TestWebSocketKeepAlive(t *testing.T) {
	s := serve(t, Config{}, answerAll(nil))
	p, socket := webPeer(s)
	p.send("\r\n\r\n")
	pong := make([]byte, 2)
	p.conn.SetReadDeadline(time.Now().Add(patience))
	if _, err := io.ReadFull(p.in, pong); err != nil || string(pong) != "\r\n" {
		t.Fatalf("%q, %v", pong, err)
	}
	p.send("\r\n") // a pong, or half a ping: neither is answered
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := socket.web.Ping(ctx); err != nil {
		t.Errorf("ping: %v", err)
	}
	p.send(p.request("OPTIONS", "a", 1, "", ""))
	p.expect(200)
}

func TestWebSocketTooLong(t *testing.T) {
	s := serve(t, Config{}, answerAll(nil))
	_, socket := webPeer(s)
	c, _, err := dialWebSocket(mustDial(t, s.addr("ws").String()), nil, subprotocol)
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	if err := c.Write(context.Background(), websocket.MessageText, make([]byte, maxMessage+1)); err != nil {
		t.Fatal(err)
	}
	_, _, err = c.Read(context.Background())
	if websocket.CloseStatus(err) != websocket.StatusMessageTooBig {
		t.Errorf("%v, want status %d", err, websocket.StatusMessageTooBig)
	}
	socket.Close()
}

// A peer that answers no ping is gone: it reads nothing that we send either.
func TestWebSocketIdle(t *testing.T) {
	s := serve(t, Config{Limits: Limits{IdleTime: 100 * time.Millisecond}}, answerAll(nil))
	raw := mustDial(t, s.addr("ws").String())
	c, _, err := dialWebSocket(raw, nil, subprotocol)
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	raw.SetReadDeadline(time.Now().Add(patience))
	if _, err := io.Copy(io.Discard, raw); err != nil { // it does not look at what comes
		t.Errorf("it is still open: %v", err)
	}
	awake, _, err := dialWebSocket(mustDial(t, s.addr("ws").String()), nil, subprotocol)
	if err != nil {
		t.Fatal(err)
	}
	defer awake.CloseNow()
	ctx, cancel := context.WithTimeout(context.Background(), 500*time.Millisecond)
	defer cancel()
	if _, _, err := awake.Read(ctx); !errors.Is(err, context.DeadlineExceeded) { // it answers five pings, and stays
		t.Errorf("%v", err)
	}
}

// Nothing but a WebSocket for SIP, of a page that may, is served.
func TestWebSocketRefused(t *testing.T) {
	knocks := make(chan Knock, 16)
	s := serve(t, Config{Unanswered: func(k Knock) { knocks <- k }}, answerAll(nil))
	picky := serve(t, Config{Origins: []string{"https://phone.example.org"}}, answerAll(nil))
	open := serve(t, Config{Origins: []string{AnyOrigin}}, answerAll(nil))
	from := func(origin string) http.Header { return http.Header{"Origin": {origin}} }
	for _, c := range []struct {
		name      string
		server    testServer
		header    http.Header
		protocols []string
		want      int
	}{
		{"no browser", s, nil, []string{"sip"}, 101},
		{"several subprotocols", s, nil, []string{"msrp", "SIP"}, 101},
		{"no subprotocol", s, nil, nil, 426},
		{"another subprotocol", s, nil, []string{"chat"}, 426},
		{"the same host", s, from("https://127.0.0.1:8080"), []string{"sip"}, 101},
		{"another host", s, from("https://evil.example"), []string{"sip"}, 403},
		{"a page from a file", s, from("null"), []string{"sip"}, 403},
		{"two origins", s, http.Header{"Origin": {"https://127.0.0.1", "https://127.0.0.1"}}, []string{"sip"}, 403},
		{"a page that is named", picky, from("https://Phone.example.org"), []string{"sip"}, 101},
		{"with another scheme", picky, from("http://phone.example.org"), []string{"sip"}, 403},
		{"the same host, where others are named", picky, from("http://127.0.0.1"), []string{"sip"}, 403},
		{"everybody's page", open, from("https://evil.example"), []string{"sip"}, 101},
	} {
		t.Run(c.name, func(t *testing.T) {
			web, res, err := dialWebSocket(mustDial(t, c.server.addr("ws").String()), c.header, c.protocols...)
			if web != nil {
				web.CloseNow()
			}
			if res == nil || res.StatusCode != c.want {
				t.Errorf("%v, %v, want %d", res, err, c.want)
			}
		})
	}
	t.Run("no HTTP", func(t *testing.T) {
		raw := mustDial(t, s.addr("ws").String())
		fmt.Fprint(raw, "INVITE sip:room@127.0.0.1 SIP/2.0\r\n\r\n")
		raw.SetReadDeadline(time.Now().Add(patience))
		if heard, err := io.ReadAll(raw); err != nil || !strings.HasPrefix(string(heard), "HTTP/1.1 4") && !strings.HasPrefix(string(heard), "HTTP/1.1 505") {
			t.Errorf("%q, %v", heard, err)
		}
	})
	if k := wait(t, knocks); k.Network != "ws" {
		t.Errorf("knock %+v", k)
	}
}

// Strangers get no byte, over wss not even where a certificate would make them known.
func TestWebSocketStranger(t *testing.T) {
	secure := pbx(t)
	s := serve(t, Config{TLS: secure, Known: func(netip.AddrPort) bool { return false }}, answerAll(nil))
	for _, network := range []string{"ws", "wss"} {
		c := mustDial(t, s.addr(network).String())
		if network == "wss" {
			if err := tls.Client(c, theirTLS(t)).Handshake(); err == nil {
				t.Error("wss: a handshake with a stranger")
			}
			continue
		}
		fmt.Fprint(c, "GET / HTTP/1.1\r\n\r\n")
		c.SetReadDeadline(time.Now().Add(patience))
		if n, err := io.Copy(io.Discard, c); n != 0 || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("ws: %d bytes, %v", n, err)
		}
	}
}

// Who connects and says nothing, or drips its request, holds a place for HandshakeTime and no longer.
func TestWebSocketSlow(t *testing.T) {
	s := serve(t, Config{Limits: Limits{HandshakeTime: 100 * time.Millisecond, ConnectionsPerAddress: 2}}, answerAll(nil))
	slow := mustDial(t, s.addr("ws").String())
	fmt.Fprint(slow, "GET / HTTP/1.1\r\nHost: x\r\n")
	silent := mustDial(t, s.addr("ws").String())
	third := mustDial(t, s.addr("ws").String())
	closedUnheard(t, third)
	for _, c := range []net.Conn{slow, silent} {
		c.SetReadDeadline(time.Now().Add(patience))
		if _, err := io.Copy(io.Discard, c); errors.Is(err, context.DeadlineExceeded) {
			t.Error("it is still open")
		}
	}
	s.peer("ws", "").establish()
}

func mustDial(t *testing.T, address string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}
