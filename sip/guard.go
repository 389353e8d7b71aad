package sip

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/emiago/sipgo/sip"
)

// guard stands between the sockets and sipgo. For every message, on the goroutine that reads it:
//
//  1. the source is known, or there is silence (UDP; a TCP connection is not even accepted, a TLS one only
//     where a certificate may make it known);
//  2. the source has not sent too much, or there is silence (UDP) or a pause (TCP, TLS);
//  3. the parser takes it, and what sipgo relies on is there, or a known source gets a best-effort 400;
//  4. a CANCEL is dealt with here and now, an INVITE is noted for it, one too many gets 503;
//  5. everything else goes on to sipgo.
//
// All answers of the guard are stateless.
type guard struct {
	known  func(netip.AddrPort) bool
	knock  func(Knock)
	help   func(src netip.AddrPort, user string) bool
	server string // what we call ourselves
	limits Limits
	parser *sip.Parser

	floods  *floods
	invites *invites

	mu      sync.Mutex
	dialled map[netip.Addr]int // by how many dialogs of ours
}

func newGuard(c Config) *guard {
	return &guard{
		known:   c.Known,
		knock:   c.Unanswered,
		help:    c.Help,
		server:  c.UserAgent,
		limits:  c.Limits,
		parser:  sip.NewParser(),
		floods:  newFloods(c.Limits),
		invites: newInvites(),
		dialled: map[netip.Addr]int{},
	}
}

// packet is one message with where it came from.
type packet struct {
	src     netip.AddrPort
	network string // "udp", "tcp", "tls", "ws" or "wss"
	data    []byte
}

// verdict is what is to be done with a packet: passed on, or answered, or neither.
type verdict struct {
	pass    bool
	reply   []byte         // to be sent to replyTo
	replyTo netip.AddrPort // on UDP; on a stream the connection is the way
	why     string         // where neither: the knock
	fatal   bool           // on a stream: nothing after this can be trusted
}

// admits reports whether src is answered at all, and knocks where it is not.
func (g *guard) admits(src netip.AddrPort, network string) bool {
	if g.knows(src) {
		return true
	}
	g.knocked(src, network, errUnknown.Error())
	return false
}

// knows reports whether src is known by its address.
func (g *guard) knows(src netip.AddrPort) bool {
	if g.known(src) {
		return true
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.dialled[src.Addr()] > 0
}

var errUnknown = errors.New("unknown source")

// welcome makes an address known until release is called: we dialled it.
func (g *guard) welcome(a netip.Addr) (release func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.dialled[a]++
	return sync.OnceFunc(func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		if g.dialled[a]--; g.dialled[a] <= 0 {
			delete(g.dialled, a)
		}
	})
}

func (g *guard) knocked(src netip.AddrPort, network, why string) {
	if g.knock != nil {
		g.knock(Knock{Source: src, Network: network, Why: why})
	}
}

// pause returns how long a message from src comes too early; 0 is in time.
func (g *guard) pause(src netip.AddrPort, now time.Time) time.Duration {
	return g.floods.message(src.Addr(), now)
}

// inTime reports whether a message from src may be answered already, and counts it.
func (g *guard) inTime(src netip.AddrPort) bool { return g.pause(src, time.Now()) <= 0 }

// judge decides about one packet of a source that is admitted. A panic of the parser is a verdict too.
func (g *guard) judge(p packet, now time.Time) (v verdict) {
	defer func() {
		if r := recover(); r != nil {
			v = g.bad(p, "Bad Request")
		}
	}()
	if len(p.data) > g.limits.MessageSize {
		return g.answer(p, sip.StatusMessageTooLarge, "Message Too Large")
	}
	if !looksLikeSIP(p.data) {
		return verdict{why: "not SIP", fatal: true}
	}
	msg, err := g.parse(p)
	if err != nil && strangeScheme(p.data) {
		return g.answer(p, statusUnsupportedScheme, phrase(statusUnsupportedScheme))
	}
	if err != nil {
		return g.bad(p, "Bad Request")
	}
	req, ok := msg.(*sip.Request)
	if !ok {
		return verdict{pass: true}
	}
	switch req.Method {
	case sip.CANCEL:
		return g.cancel(p, req)
	case sip.INVITE:
		// Only what would begin a call is one too many: not the same INVITE again, not a re-INVITE, and no call for help.
		if tagOf(req.To().Params) == "" && !g.invites.has(req) && g.floods.invite(p.src.Addr(), now) && !g.helps(p, req) {
			return g.respond(p, req, sip.StatusServiceUnavailable, "Service Unavailable", "", retryAfter(5*time.Second))
		}
		g.invites.arrived(req, p.src.Addr())
	}
	return verdict{pass: true}
}

// helps reports whether an INVITE calls for help.
func (g *guard) helps(p packet, req *sip.Request) bool {
	return g.help != nil && g.help(p.src, userOf(&req.Recipient))
}

// parse reads a message with sipgo's parser and checks what sipgo takes for granted afterwards.
func (g *guard) parse(p packet) (sip.Message, error) {
	msg, n, err := g.parser.Parse(p.data, isStream(p.network))
	if err != nil {
		return nil, err
	}
	if isStream(p.network) && n != len(p.data) {
		return nil, errBadLength // the parser sees another boundary than the splitter
	}
	via := msg.Via()
	if via == nil || via.Host == "" || msg.From() == nil || msg.To() == nil || msg.CallID() == nil || msg.CSeq() == nil {
		return nil, errors.New("a header that every message has is missing (RFC 3261 section 8.1.1)")
	}
	if m, ok := msg.(received); ok {
		if name := repeated(m); name != "" {
			return nil, errors.New(name + " more than once")
		}
	}
	switch m := msg.(type) {
	case *sip.Request:
		if len(m.Recipient.Headers) > 0 {
			return nil, errors.New("headers in the Request-URI (section 19.1.1)")
		}
		if !strings.EqualFold(strings.TrimSpace(string(m.CSeq().MethodName)), string(m.Method)) {
			return nil, errors.New("CSeq names another method")
		}
		if via.Port < 0 || via.Port > math.MaxUint16 {
			return nil, errors.New("port out of range in Via")
		}
		_, err = sip.ServerTxKeyMake(m)
	case *sip.Response:
		if m.StatusCode < 100 || m.StatusCode > 699 {
			return nil, fmt.Errorf("status %d", m.StatusCode)
		}
		_, err = sip.ClientTxKeyMake(m)
	}
	return msg, err
}

// repeated returns a header that there is more than one of, and must not be (RFC 4475 section 3.3.8 and 3.3.9).
func repeated(msg received) string {
	seen := map[string]bool{}
	for _, h := range msg.Headers() {
		switch key := headerKey(h.Name()); key {
		case "call-id", "cseq", "from", "to", "max-forwards", "content-length":
			if seen[key] {
				return key
			}
			seen[key] = true
		}
	}
	return ""
}

// cancel deals with a CANCEL (section 9.2). It goes no further.
func (g *guard) cancel(p packet, req *sip.Request) verdict {
	result, tag := g.invites.cancel(req, p.src.Addr())
	switch result {
	case cancelTaken:
		return g.respond(p, req, sip.StatusOK, "OK", tag)
	case cancelUnknown:
		return g.respond(p, req, sip.StatusCallTransactionDoesNotExists, "Call/Transaction Does Not Exist", "")
	}
	return verdict{why: "forged CANCEL"}
}

// respond answers a request that could be read.
func (g *guard) respond(p packet, req *sip.Request, code int, reason, tag string, extra ...sip.Header) verdict {
	req.SetSource(p.src.String())
	res := newResponse(req, p.src, code, reason, tag, g.server)
	for _, h := range extra {
		res.AppendHeader(h)
	}
	return verdict{reply: []byte(res.String()), replyTo: replyAddr(req, p.src)}
}

// bad answers a request that could not.
func (g *guard) bad(p packet, reason string) verdict {
	return g.answer(p, sip.StatusBadRequest, reason)
}

func (g *guard) answer(p packet, code int, reason string) verdict {
	reply := rawReply(p.data, code, reason, g.server)
	if reply == nil {
		return verdict{why: "not SIP"}
	}
	return verdict{reply: reply, replyTo: p.src}
}
