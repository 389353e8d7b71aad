package doctor

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"time"

	"passerelle/sip/locate"
)

// A probe is one OPTIONS to one target, sent as a call of the gateway's would be, and everything that can be seen of how it
// fares: also what a SIP stack would hide, such as an answer from elsewhere.

// probe is what is asked.
type probe struct {
	target locate.Target
	name   string           // of the URI's host: who the target must prove to be over TLS
	uri    string           // of the request
	who    string           // From and To
	host   string           // our address in Via: what is advertised; "": the socket's
	local  []netip.AddrPort // where to send from, the first that can be had; port 0 is any
	pad    int              // bytes of the request, at least; 0: what it takes
	mine   *tls.Certificate // what to show where somebody asks for it; nil: nothing
	wait   time.Duration    // for an answer
	suites []uint16         // of TLS 1.2 that are spoken beside the strong ones
	agent  string
}

// outcome is what became of it.
type outcome struct {
	answer *response
	raw    []byte         // what came and is no answer
	from   netip.AddrPort // who has answered
	local  netip.AddrPort // where we have sent from
	sent   sent
	took   time.Duration
	err    error // why there is no answer: one of those below, or of the system

	secure  *tls.ConnectionState // of a handshake that came about
	asked   bool                 // we were asked for a certificate
	strange bool                 // it was sent from another port than the network's, which somebody holds
	stage   string               // where it went wrong: "connect", "handshake", "answer"
	oldPeer string               // what a peer speaks that we can do no handshake with
	overTCP bool                 // over UDP there is silence, and TCP connects
	overTLS bool                 // over TCP there is no answer, and TLS is spoken
}

// sent is what was said, to compare what comes back.
type sent struct {
	host, branch, tag, callID string
	port                      int
	size                      int
}

var (
	errSilence = errors.New("no answer")
	errClosed  = errors.New("the connection was closed without a word")
)

// request makes the OPTIONS. It notes in o what was said.
func (p probe) request(o *outcome) []byte {
	o.sent = sent{
		host: p.host, port: int(o.local.Port()), branch: "z9hG4bK" + rand.Text(), tag: rand.Text()[:10], callID: rand.Text(),
	}
	if o.sent.host == "" {
		o.sent.host = o.local.Addr().String()
	}
	host := bracketed(o.sent.host)
	lines := []string{
		"OPTIONS " + p.uri + " SIP/2.0",
		fmt.Sprintf("Via: SIP/2.0/%s %s:%d;branch=%s;rport", strings.ToUpper(p.target.Transport), host, o.sent.port, o.sent.branch),
		"Max-Forwards: 70",
		"From: <" + p.who + ">;tag=" + o.sent.tag, "To: <" + p.who + ">",
		"Call-ID: " + o.sent.callID, "CSeq: 1 OPTIONS",
		fmt.Sprintf("Contact: <sip:%s:%d;transport=%s>", host, o.sent.port, p.target.Transport),
		"Accept: application/sdp", "User-Agent: " + p.agent,
	}
	end := []string{"Content-Length: 0", "", ""}
	for size := 0; ; { // headers of less than a hundred bytes: nobody minds those
		size = len(strings.Join(append(lines, end...), "\r\n"))
		if size >= p.pad {
			o.sent.size = size
			return []byte(strings.Join(append(lines, end...), "\r\n"))
		}
		lines = append(lines, "X-Padding: "+strings.Repeat("x", 80))
	}
}

// bracketed is a host as it stands in a URI.
func bracketed(host string) string {
	if strings.Contains(host, ":") && !strings.HasPrefix(host, "[") {
		return "[" + host + "]"
	}
	return host
}

// run sends it and waits.
func (p probe) run(ctx context.Context) outcome {
	ctx, cancel := context.WithTimeout(ctx, p.wait)
	defer cancel()
	began := time.Now()
	var o outcome
	if p.target.Transport == "udp" {
		o = p.overUDP(ctx)
		if errors.Is(o.err, errSilence) && p.pad == 0 {
			o.overTCP = p.connects()
		}
	} else {
		o = p.overStream(ctx)
		if p.target.Transport == "tcp" && o.stage == "answer" && o.err != nil {
			o.overTLS = p.oldPeer(ctx) != ""
		}
	}
	if o.took == 0 {
		o.took = time.Since(began)
	}
	return o
}

// overUDP sends it as often as RFC 3261 section 17.1.2.2 says.
func (p probe) overUDP(ctx context.Context) (o outcome) {
	o.stage = "connect"
	conn, strange, err := p.socket()
	o.strange = strange
	if err != nil {
		o.err = err
		return o
	}
	defer conn.Close()
	if o.local, err = p.localOf(conn.LocalAddr()); err != nil {
		o.err = err
		return o
	}
	o.stage = "answer"
	request := p.request(&o)
	began := time.Now()
	buf := make([]byte, 64<<10)
	for pause := p.wait / 8; ctx.Err() == nil; pause *= 2 {
		if _, err := conn.WriteToUDPAddrPort(request, p.target.Addr); err != nil {
			o.err = err
			return o
		}
		until := time.Now().Add(pause)
		if end, _ := ctx.Deadline(); until.After(end) {
			until = end
		}
		_ = conn.SetReadDeadline(until)
		for {
			n, from, err := conn.ReadFromUDPAddrPort(buf)
			if err != nil {
				break // it is time to say it again
			}
			if p.take(&o, buf[:n], netip.AddrPortFrom(from.Addr().Unmap(), from.Port())) {
				o.took = time.Since(began)
				return o
			}
		}
	}
	o.err = errSilence
	if err := p.refused(); err != nil {
		o.err = err
	}
	return o
}

// take looks at a datagram; false if it has nothing to do with us.
func (p probe) take(o *outcome, data []byte, from netip.AddrPort) bool {
	r, rest, _, err := parseResponse(data)
	switch {
	case err != nil && from == p.target.Addr:
		o.raw, o.from, o.err = data, from, errNotSIP
		return true
	case r == nil || r.code < 200 || r.header("Call-ID") != o.sent.callID && from.Addr() != p.target.Addr.Addr():
		return false
	}
	r.body = append(r.body[:len(r.body):len(r.body)], rest...) // what Content-Length says of a datagram is looked at later
	o.answer, o.from = r, from
	return true
}

// socket opens one of the places to send from.
func (p probe) socket() (conn *net.UDPConn, strange bool, err error) {
	for _, from := range p.local {
		if from.Addr().Is4() != p.target.Addr.Addr().Is4() {
			continue
		}
		if conn, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(from)); err == nil {
			return conn, strange, nil
		}
		strange = true
	}
	if err == nil {
		err = errors.New("the network listens on no address of that family")
	}
	return nil, strange, err
}

// localOf is our own address towards the target. Connecting a UDP socket sends nothing.
func (p probe) localOf(a net.Addr) (netip.AddrPort, error) {
	local, err := netip.ParseAddrPort(a.String())
	if err != nil || !local.Addr().IsUnspecified() {
		return netip.AddrPortFrom(local.Addr().Unmap(), local.Port()), err
	}
	conn, err := net.Dial("udp", p.target.Addr.String())
	if err != nil {
		return netip.AddrPort{}, err
	}
	defer conn.Close()
	towards, err := netip.ParseAddrPort(conn.LocalAddr().String())
	return netip.AddrPortFrom(towards.Addr().Unmap(), local.Port()), err
}

// refused returns what the network says of a target that is silent over UDP: an ICMP error reaches connected sockets only. A
// double CRLF disturbs nobody (RFC 5626 section 4.4.1).
func (p probe) refused() error {
	conn, err := net.Dial("udp", p.target.Addr.String())
	if err != nil {
		return err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(p.wait / 8))
	for range 2 { // the second is told what the first has met
		if _, err = conn.Write([]byte("\r\n\r\n")); err == nil {
			_, err = conn.Read(make([]byte, 1))
		}
		if err != nil {
			break
		}
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil
	}
	return err
}

// connects reports whether TCP gets through where UDP does not.
func (p probe) connects() bool {
	conn, err := net.DialTimeout("tcp", p.target.Addr.String(), p.wait/4)
	if err != nil {
		return false
	}
	_ = conn.Close()
	return true
}

// overStream connects, shakes hands where that is wanted, and asks.
func (p probe) overStream(ctx context.Context) (o outcome) {
	o.stage = "connect"
	raw, err := p.dial(ctx)
	if err != nil {
		o.err = err
		return o
	}
	defer raw.Close()
	defer context.AfterFunc(ctx, func() { _ = raw.SetDeadline(time.Now()) })()
	if o.local, err = p.localOf(raw.LocalAddr()); err != nil {
		o.err = err
		return o
	}
	conn := raw
	if p.target.Transport == "tls" {
		o.stage = "handshake"
		secure := tls.Client(raw, p.trusting(&o))
		if err := secure.HandshakeContext(ctx); err != nil {
			o.err = err
			o.oldPeer = p.oldPeer(ctx)
			return o
		}
		state := secure.ConnectionState()
		o.secure, conn = &state, secure
	}
	o.stage = "answer"
	began := time.Now()
	if _, err := conn.Write(p.request(&o)); err != nil {
		o.err = closedOr(err)
		return o
	}
	p.listen(conn, &o)
	o.took = time.Since(began)
	return o
}

// dial connects from the network's address, where that is one.
func (p probe) dial(ctx context.Context) (net.Conn, error) {
	var d net.Dialer
	for _, from := range p.local {
		if from.Addr().Is4() == p.target.Addr.Addr().Is4() && !from.Addr().IsUnspecified() {
			d.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(from.Addr(), 0))
			break
		}
	}
	return d.DialContext(ctx, "tcp", p.target.Addr.String())
}

// listen reads the answer.
func (p probe) listen(conn net.Conn, o *outcome) {
	o.from = p.target.Addr
	var data []byte
	buf := make([]byte, 16<<10)
	for len(data) < 64<<10 {
		r, rest, complete, err := parseResponse(data)
		switch {
		case err != nil:
			o.raw, o.err = data, err
			return
		case complete && r.code >= 200:
			o.answer = r
			return
		case complete: // provisional
			data = rest
			continue
		}
		n, err := conn.Read(buf)
		data = append(data, buf[:n]...)
		if err != nil && n == 0 {
			o.err = closedOr(err)
			return
		}
	}
	o.err = errNotSIP
}

// closedOr names the ends of connections that say nothing, and the end of our patience.
func closedOr(err error) error {
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return errSilence
	case errors.Is(err, net.ErrClosed), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, io.EOF):
		return errClosed
	}
	return err
}
