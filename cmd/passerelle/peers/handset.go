package peers

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/textproto"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Handset is a phone of our own, for what no other phone tells: which packet was sent and received when.
// It speaks just enough SIP over UDP to call, be hung up on and hang up.
type Handset struct {
	Number string
	Media  *Stream // its sound; set from the moment the call is up
	// Shows is the user part of its From, "handset" where it is empty; Headers are whole lines that its
	// INVITE carries. Both are set before the call.
	Shows   string
	Headers []string

	conn    *net.UDPConn
	target  netip.AddrPort
	callID  string
	tag     string
	done    chan struct{} // closed when read has ended
	ended   chan struct{} // closed when the gateway has hung up
	endOnce sync.Once

	mu      sync.Mutex
	cseq    int
	to      string   // the To header, with the gateway's tag once it is known
	contact string   // the gateway's, for requests in the dialog
	routes  []string // through proxies that want to stay on the way
	waiting map[string]chan sipMessage
}

// sipMessage is a request or a response, as far as a handset reads it.
type sipMessage struct {
	Start  string // the request or status line
	Status int    // of a response
	Header textproto.MIMEHeader
	Body   []byte
}

// Refused is the error of a call that the gateway does not take.
type Refused struct {
	Status int
	Line   string // the status line
	Header textproto.MIMEHeader
}

func (r *Refused) Error() string { return "refused: " + r.Line }

// errNoAnswer is the error of a transaction that nobody answers.
var errNoAnswer = errors.New("no answer")

// NewHandset makes a phone at from that will call number at the gateway.
func NewHandset(from netip.Addr, target netip.AddrPort, number string) (*Handset, error) {
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(from, 0)))
	if err != nil {
		return nil, fmt.Errorf("a handset: %w", err)
	}
	media, err := newStream(from)
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	h := &Handset{
		Number: number, Media: media, conn: conn, target: target, callID: randomID(), tag: randomID(),
		done: make(chan struct{}), ended: make(chan struct{}), waiting: map[string]chan sipMessage{},
		to: fmt.Sprintf("<sip:%s@%s>", number, target), contact: fmt.Sprintf("sip:%s@%s", number, target),
	}
	go h.read()
	return h, nil
}

// Close frees the phone's ports; a call that is up is forgotten, not ended.
func (h *Handset) Close() {
	_ = h.conn.Close()
	<-h.done
	h.Media.close()
}

// Call calls until the call is up, or [*Refused].
func (h *Handset) Call(ctx context.Context) error {
	answer, err := h.transact(ctx, "INVITE", h.offer())
	if err != nil {
		return fmt.Errorf("call %s: %w", h.Number, err)
	}
	remote, err := readAnswer(answer.Body)
	if err != nil {
		return fmt.Errorf("call %s: %w", h.Number, err)
	}
	h.Media.connect(remote)
	return nil
}

// offer is what every phone has.
func (h *Handset) offer() []byte {
	return fmt.Appendf(nil, "v=0\r\no=- 1 1 IN IP4 %[1]s\r\ns=-\r\nc=IN IP4 %[1]s\r\nt=0 0\r\nm=audio %[2]d RTP/AVP 0 101\r\n"+
		"a=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=ptime:20\r\na=sendrecv\r\n", h.Media.Addr().Addr(), h.Media.Addr().Port())
}

// Hangup ends the call with a BYE and waits for the answer.
func (h *Handset) Hangup(ctx context.Context) error {
	if _, err := h.transact(ctx, "BYE", nil); err != nil {
		return fmt.Errorf("hang up %s: %w", h.Number, err)
	}
	return nil
}

// PressINFO presses keys, each in an INFO of its own.
func (h *Handset) PressINFO(ctx context.Context, keys string) error {
	for _, key := range keys {
		if _, err := h.transact(ctx, "INFO", fmt.Appendf(nil, "Signal=%c\r\nDuration=160\r\n", key)); err != nil {
			return fmt.Errorf("press a key in INFO: %w", err)
		}
	}
	return nil
}

// Ended is closed when the gateway has hung up.
func (h *Handset) Ended() <-chan struct{} { return h.ended }

// transact sends a request, again and again as RFC 3261 section 17.1 says, until it is finally answered;
// and the ACK of an INVITE.
func (h *Handset) transact(ctx context.Context, method string, body []byte) (sipMessage, error) {
	h.mu.Lock()
	h.cseq++
	cseq := h.cseq
	answers := make(chan sipMessage, 16)
	key := fmt.Sprintf("%d %s", cseq, method)
	h.waiting[key] = answers
	h.mu.Unlock()
	defer func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.waiting, key)
	}()
	branch := randomID()
	request := h.request(method, cseq, branch, body)
	const t1 = 500 * time.Millisecond
	wait, again := t1, time.NewTimer(t1)
	defer again.Stop()
	giveUp := time.After(64 * t1)
	h.send(request)
	for {
		select {
		case m := <-answers:
			if m.Status < 200 {
				again.Stop() // it is being worked on
				continue
			}
			h.learn(m)
			if method == "INVITE" {
				if m.Status < 300 {
					branch = randomID() // the ACK for a 2xx is a transaction of its own (section 13.2.2.4)
				}
				h.send(h.request("ACK", cseq, branch, nil))
			}
			if m.Status >= 300 {
				return m, &Refused{Status: m.Status, Line: m.Start, Header: m.Header}
			}
			return m, nil
		case <-again.C:
			h.send(request)
			wait *= 2
			again.Reset(wait)
		case <-giveUp:
			return sipMessage{}, fmt.Errorf("%s: %w", method, errNoAnswer)
		case <-h.done:
			return sipMessage{}, fmt.Errorf("%s: the handset is closed", method)
		case <-ctx.Done():
			return sipMessage{}, fmt.Errorf("%s: %w", method, context.Cause(ctx))
		}
	}
}

// learn keeps the gateway's tag and contact, and the way there: what the proxies have recorded, backwards
// (RFC 3261 section 12.1.2).
func (h *Handset) learn(m sipMessage) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if to := m.Header.Get("To"); to != "" {
		h.to = to
	}
	if _, contact, ok := strings.Cut(m.Header.Get("Contact"), "<"); ok && m.Status < 300 {
		h.contact, _, _ = strings.Cut(contact, ">")
	}
	if h.routes == nil && m.Status/100 == 2 {
		h.routes = slices.Clone(m.Header.Values("Record-Route"))
		slices.Reverse(h.routes)
	}
}

func (h *Handset) request(method string, cseq int, branch string, body []byte) []byte {
	h.mu.Lock()
	defer h.mu.Unlock()
	local := h.conn.LocalAddr()
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bK%s;rport\r\nMax-Forwards: 70\r\n", method, h.contact, local, branch)
	from := fmt.Sprintf("\"Handset\" <sip:handset@%s>", local)
	if h.Shows != "" {
		from = fmt.Sprintf("<sip:%s@%s>", h.Shows, local)
	}
	fmt.Fprintf(&b, "From: %s;tag=%s\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: %d %s\r\n", from, h.tag, h.to, h.callID, cseq, method)
	fmt.Fprintf(&b, "Contact: <sip:handset@%s>\r\n", local)
	for _, route := range h.routes {
		fmt.Fprintf(&b, "Route: %s\r\n", route)
	}
	if method == "INVITE" {
		for _, header := range h.Headers {
			b.WriteString(header + "\r\n")
		}
	}
	switch {
	case method == "INFO":
		b.WriteString("Content-Type: application/dtmf-relay\r\n")
	case body != nil:
		b.WriteString("Content-Type: application/sdp\r\n")
	}
	fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n%s", len(body), body)
	return b.Bytes()
}

func (h *Handset) send(message []byte) {
	_, _ = h.conn.WriteToUDPAddrPort(message, h.target) // lost is lost: transactions repeat themselves
}

// read is the goroutine of NewHandset; Close waits for it.
func (h *Handset) read() {
	defer close(h.done)
	packet := make([]byte, 65536)
	for {
		n, _, err := h.conn.ReadFromUDPAddrPort(packet)
		if err != nil {
			return
		}
		m, err := parseSIP(packet[:n])
		if err != nil {
			continue
		}
		if m.Status == 0 {
			h.serve(m)
			continue
		}
		h.mu.Lock()
		waiting := h.waiting[m.Header.Get("Cseq")]
		h.mu.Unlock()
		switch {
		case waiting != nil:
			select {
			case waiting <- m:
			default:
			}
		case m.Status/100 == 2 && strings.HasSuffix(m.Header.Get("Cseq"), "INVITE"):
			// Our ACK was lost (section 13.2.2.4).
			cseq, _, _ := strings.Cut(m.Header.Get("Cseq"), " ")
			n, _ := strconv.Atoi(cseq)
			h.send(h.request("ACK", n, randomID(), nil))
		}
	}
}

// serve answers what the gateway asks in the call: yes.
func (h *Handset) serve(m sipMessage) {
	method, _, _ := strings.Cut(m.Start, " ")
	if method == "ACK" {
		return
	}
	var b bytes.Buffer
	b.WriteString("SIP/2.0 200 OK\r\n")
	for _, name := range []string{"Via", "From", "To", "Call-Id", "Cseq"} {
		for _, value := range m.Header.Values(name) {
			fmt.Fprintf(&b, "%s: %s\r\n", name, value)
		}
	}
	b.WriteString("Content-Length: 0\r\n\r\n")
	h.send(b.Bytes())
	if method == "BYE" {
		h.endOnce.Do(func() { close(h.ended) })
	}
}

// parseSIP reads one datagram.
func parseSIP(packet []byte) (m sipMessage, err error) {
	in := textproto.NewReader(bufio.NewReader(bytes.NewReader(packet)))
	if m.Start, err = in.ReadLine(); err != nil {
		return m, err
	}
	if m.Header, err = in.ReadMIMEHeader(); err != nil {
		return m, err
	}
	if _, body, ok := bytes.Cut(packet, []byte("\r\n\r\n")); ok {
		m.Body = body
	}
	if rest, ok := strings.CutPrefix(m.Start, "SIP/2.0 "); ok {
		status, _, _ := strings.Cut(rest, " ")
		if m.Status, err = strconv.Atoi(status); err != nil {
			return m, err
		}
	}
	return m, nil
}

// readAnswer finds where the gateway's sound comes from and goes to.
func readAnswer(sdp []byte) (netip.AddrPort, error) {
	address := regexp.MustCompile(`(?m)^c=IN IP4 (\S+)`).FindSubmatch(sdp)
	port := regexp.MustCompile(`(?m)^m=audio (\d+) RTP/AVP 0\b`).FindSubmatch(sdp)
	if address == nil || port == nil {
		return netip.AddrPort{}, fmt.Errorf("an answer without an address or without PCMU:\n%s", sdp)
	}
	return netip.ParseAddrPort(string(address[1]) + ":" + string(port[1]))
}
