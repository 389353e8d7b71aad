package sip

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"
)

const patience = 5 * time.Second // of a test that waits for what must come

// testServer is a Server that serves on loopback until the test ends.
type testServer struct {
	*Server
	t *testing.T
}

// serve begins to serve; it listens on all networks on IPv4 where c.Listen is empty.
func serve(t *testing.T, c Config, h HandlerFunc) testServer {
	t.Helper()
	if len(c.Listen) == 0 {
		c.Listen = loopback()
	}
	if c.T1 == 0 {
		c.T1 = testT1
	}
	if c.TLS.Server == nil {
		c.TLS.Server, c.TLS.Client = ourTLS(t), theirTLS(t)
	}
	c.Limits.ShutdownTime = or(c.Limits.ShutdownTime, 50*time.Millisecond) // raw peers answer no BYE
	if testing.Verbose() && c.Log == nil {
		c.Log = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	s, err := Listen(c)
	if err != nil {
		t.Fatal(err)
	}
	return start(t, s, h)
}

// start serves s until the test ends.
func start(t *testing.T, s *Server, h HandlerFunc) testServer {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx, h) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-served:
			if err != nil {
				t.Errorf("Serve: %v", err)
			}
		case <-time.After(2 * patience):
			t.Error("Serve does not return")
		}
	})
	return testServer{s, t}
}

// loopback is all networks on 127.0.0.1, at any port.
func loopback() []Listener {
	any4 := netip.MustParseAddrPort("127.0.0.1:0")
	return []Listener{{"udp", any4}, {"tcp", any4}, {"tls", any4}, {"ws", any4}, {"wss", any4}}
}

func (s testServer) addr(network string) netip.AddrPort {
	for _, l := range s.Addrs() {
		if l.Network == network {
			return l.Addr
		}
	}
	s.t.Fatalf("no %s listener", network)
	return netip.AddrPort{}
}

// rawPeer writes bytes and reads bytes.
type rawPeer struct {
	t       *testing.T
	network string
	conn    net.Conn
	in      *bufio.Reader
	callID  string
	tag     string
	target  string          // the server's address
	acked   map[string]bool // CSeq of an INVITE that was acknowledged
}

// peer connects a raw peer to the server, from an address of 127.0.0.0/8 where from is not empty.
func (s testServer) peer(network, from string) *rawPeer {
	s.t.Helper()
	var d net.Dialer
	if from != "" {
		ip := net.ParseIP(from)
		d.LocalAddr = map[bool]net.Addr{false: &net.UDPAddr{IP: ip}, true: &net.TCPAddr{IP: ip}}[isStream(network)]
	}
	return s.peerOn(network, d, nil)
}

// peerOn connects with a certificate, where the network is TLS and there is one.
func (s testServer) peerOn(network string, d net.Dialer, cert *tls.Certificate) *rawPeer {
	s.t.Helper()
	dialled := "tcp"
	if network == "udp" {
		dialled = network
	}
	c, err := d.Dial(dialled, s.addr(network).String())
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { c.Close() })
	if isSecure(network) {
		config := theirTLS(s.t)
		config.ServerName = "127.0.0.1"
		if cert != nil {
			config.Certificates = []tls.Certificate{*cert}
		}
		c = tls.Client(c, config)
	}
	if isWeb(network) {
		c = webSocketOver(s.t, c)
	}
	return &rawPeer{
		t: s.t, network: network, conn: c, in: bufio.NewReaderSize(c, 1<<16),
		callID: newTag(), tag: newTag(), target: c.RemoteAddr().String(), acked: map[string]bool{},
	}
}

func (p *rawPeer) host() string { return p.conn.LocalAddr().String() }

// send writes a message; lines end with \n in the source of a test.
func (p *rawPeer) send(msg string) {
	p.t.Helper()
	if _, err := p.conn.Write([]byte(msg)); err != nil {
		p.t.Fatal(err)
	}
}

// wire makes a message of lines and a body.
func wireMessage(body string, lines ...string) string {
	lines = append(lines, "Content-Length: "+strconv.Itoa(len(body)), "", body)
	return strings.Join(lines, "\r\n")
}

const testSDP = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\na=sendrecv\r\n"

// request makes a request of this peer. more lines come before Content-Length.
func (p *rawPeer) request(method, branch string, cseq int, toTag, body string, more ...string) string {
	if method == "ACK" {
		p.acked[fmt.Sprint(cseq, " INVITE")] = true
	}
	to := "To: <sip:room@" + p.target + ">"
	if toTag != "" {
		to += ";tag=" + toTag
	}
	lines := []string{
		fmt.Sprintf("%s sip:room@%s SIP/2.0", method, p.target),
		fmt.Sprintf("Via: SIP/2.0/%s %s;branch=z9hG4bK%s;rport", strings.ToUpper(p.network), p.host(), branch),
		"Max-Forwards: 70",
		`From: "Ada" <sip:ada@` + p.host() + ">;tag=" + p.tag,
		to,
		"Call-ID: " + p.callID,
		fmt.Sprintf("CSeq: %d %s", cseq, method),
		"Contact: <sip:ada@" + p.host() + ";transport=" + p.network + ">",
	}
	lines = append(lines, more...)
	if body != "" {
		lines = append(lines, "Content-Type: application/sdp")
	}
	return wireMessage(body, lines...)
}

// heardMessage is a message as a test looks at it.
type heardMessage struct {
	start   string
	code    int // of a response
	headers map[string][]string
	body    string
}

func (m heardMessage) header(name string) string {
	if v := m.headers[headerKey(name)]; len(v) > 0 {
		return v[0]
	}
	return ""
}

func (m heardMessage) toTag() string {
	_, tag, _ := strings.Cut(m.header("To"), ";tag=")
	return tag
}

func (m heardMessage) method() string { return strings.Fields(m.start)[0] }

// read returns the next message, or io.EOF, or an error after d.
func (p *rawPeer) read(d time.Duration) (heardMessage, error) {
	p.conn.SetReadDeadline(time.Now().Add(d))
	m := heardMessage{headers: map[string][]string{}}
	line, err := p.in.ReadString('\n')
	if err != nil {
		return m, err
	}
	m.start = strings.TrimSpace(line)
	if f := strings.Fields(m.start); len(f) > 1 && f[0] == "SIP/2.0" {
		m.code, _ = strconv.Atoi(f[1])
	}
	for {
		line, err := p.in.ReadString('\n')
		if err != nil {
			return m, err
		}
		if line = strings.TrimSpace(line); line == "" {
			break
		}
		name, value, _ := strings.Cut(line, ":")
		key := headerKey(strings.TrimSpace(name))
		m.headers[key] = append(m.headers[key], strings.TrimSpace(value))
	}
	n, _ := strconv.Atoi(m.header("Content-Length"))
	body := make([]byte, n)
	if _, err := io.ReadFull(p.in, body); err != nil {
		return m, err
	}
	m.body = string(body)
	return m, nil
}

// hear returns the next message but 100, and but a 2xx again whose ACK is on its way.
func (p *rawPeer) hear() heardMessage {
	p.t.Helper()
	for {
		m, err := p.read(patience)
		if err != nil {
			p.t.Fatalf("nothing heard: %v", err)
		}
		if m.code != 100 && (m.code != 200 || !p.acked[m.header("CSeq")]) {
			return m
		}
	}
}

// expect returns the next message but 100, which must be a response with this code.
func (p *rawPeer) expect(code int) heardMessage {
	p.t.Helper()
	m := p.hear()
	if m.code != code {
		p.t.Fatalf("got %q, want a %d", m.start, code)
	}
	return m
}

// expectRequest returns the next request of this method; responses before it are skipped.
func (p *rawPeer) expectRequest(method string) heardMessage {
	p.t.Helper()
	for {
		m := p.hear()
		if m.code == 0 {
			if m.method() != method {
				p.t.Fatalf("got %q, want %s", m.start, method)
			}
			return m
		}
	}
}

// silent fails if anything comes within d.
func (p *rawPeer) silent(d time.Duration) {
	p.t.Helper()
	if m, err := p.read(d); err == nil {
		p.t.Fatalf("got %q, want silence", m.start)
	}
}

// reply answers a request of the server's.
func (p *rawPeer) reply(req heardMessage, code int, more ...string) {
	p.t.Helper()
	lines := []string{fmt.Sprintf("SIP/2.0 %d Fine", code)}
	for _, v := range req.headers["via"] {
		lines = append(lines, "Via: "+v)
	}
	for _, name := range []string{"From", "To", "Call-ID", "CSeq"} {
		lines = append(lines, name+": "+req.header(name))
	}
	p.send(wireMessage("", append(lines, more...)...))
}

// establish makes a call and acknowledges the answer, whose To tag it returns.
func (p *rawPeer) establish() heardMessage {
	p.t.Helper()
	p.send(p.request("INVITE", "est", 1, "", testSDP))
	ok := p.expect(200)
	p.send(p.request("ACK", "estack", 1, ok.toTag(), ""))
	return ok
}

// answerAll is a handler that answers and waits for the end; ends gets the causes.
func answerAll(ends chan<- error) HandlerFunc {
	return func(ctx context.Context, d *Dialog) {
		if err := d.Answer(ctx, []byte(testSDP)); err == nil {
			<-ctx.Done()
		}
		if ends != nil {
			ends <- context.Cause(ctx)
		}
	}
}

func wait[T any](t *testing.T, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatal("it does not come")
		panic("unreachable")
	}
}

// networks runs a test over all that SIP may come over.
func networks(t *testing.T, f func(t *testing.T, network string)) {
	over(t, f, "udp", "tcp", "tls", "ws", "wss")
}

// dialled runs a test over all that we can call over.
func dialled(t *testing.T, f func(t *testing.T, network string)) { over(t, f, "udp", "tcp", "tls") }

// streamed runs a test over streams that have to be cut into messages.
func streamed(t *testing.T, f func(t *testing.T, network string)) { over(t, f, "tcp", "tls") }

func over(t *testing.T, f func(t *testing.T, network string), names ...string) {
	for _, n := range names {
		t.Run(n, func(t *testing.T) { f(t, n) })
	}
}
