package sip

import (
	"errors"
	"net/netip"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/emiago/sipgo/sip"
)

// What happens to a request that sipgo gives us, in this order (RFC 3261 section 8.2): an ACK finds its
// dialog; version, method and extensions are checked; a request with a To tag goes to its dialog; the
// others are OPTIONS, or an INVITE that makes one. Every transaction ends here. What belongs to a dialog gets
// a final answer, and sipgo's timers see to the rest; everything else is answered without state (section
// 8.2.7): the transaction is terminated at once, and a request that comes again is answered again.

// allow lists the methods that have a meaning here.
const allow = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, PRACK"

// supportedByUs lists the extensions that a peer may require (RFC 3262, RFC 4028).
const supportedByUs = "100rel, timer"

// origin is where a message came from.
type origin struct {
	src     netip.AddrPort
	local   netip.AddrPort // the socket's own address; may be unspecified
	network string         // "udp", "tcp", "tls", "ws" or "wss"
	peer    string         // whose certificate came with the connection
}

// originOf reads what sipgo noted down.
func originOf(network, src string, c sip.Connection) (origin, error) {
	a, err := netip.ParseAddrPort(src)
	o := origin{src: netip.AddrPortFrom(a.Addr().Unmap(), a.Port()), network: sip.NetworkToLower(network)}
	if c != nil {
		o.local = addrPort(c.LocalAddr())
	}
	if t, ok := c.(*sip.TCPConnection); ok {
		if s, ok := t.Conn.(*streamConn); ok {
			o.network, o.peer = s.network, s.peer
		}
	}
	return o, err
}

// onRequest is the goroutine that sipgo starts for a request.
func (s *Server) onRequest(req *sip.Request, tx *sip.ServerTx) {
	if !s.tasks.enter() {
		tx.Terminate()
		return
	}
	defer s.tasks.leave()
	defer func() {
		if r := recover(); r != nil {
			s.log.Error("panic", "in", string(req.Method), "panic", r, "stack", string(debug.Stack()))
			tx.Terminate()
		}
	}()
	from, err := originOf(req.Transport(), req.Source(), tx.Connection())
	if err != nil {
		tx.Terminate()
		return
	}
	in := inbound{req: req, tx: tx, from: from}
	switch {
	case req.IsAck():
		tx.Terminate() // nothing answers it, so nothing else would
		s.deliver(in)
	case req.IsInvite():
		s.invite(in, tx)
	default:
		s.dispatch(in)
	}
}

// invite takes an INVITE and keeps it in progress until its transaction is done, since that is how long a CANCEL or a
// copy of it must find it. What stays is a goroutine of its own: the stack that an INVITE needs is four times as large.
func (s *Server) invite(in inbound, tx *sip.ServerTx) {
	i, merged := s.guard.invites.take(in.req, in.from.src.Addr())
	if !s.spawn("INVITE", func() { s.attend(in.from, tx, i) }) {
		s.guard.invites.done(i)
		tx.Terminate()
		return
	}
	in.watch = func(f func(string)) { s.guard.invites.watch(i, f) }
	if merged {
		s.respond(in, sip.StatusLoopDetected, i.tag) // section 8.2.2.2
	} else {
		s.dispatch(inbound{req: in.req, tx: in.tx, from: in.from, watch: in.watch, tag: i.tag})
	}
}

// attend takes what comes to an INVITE's transaction after it, and forgets it when the transaction is done.
func (s *Server) attend(from origin, tx *sip.ServerTx, i *inviteInProgress) {
	defer s.guard.invites.done(i)
	for {
		select {
		case ack := <-tx.Acks(): // to a refusal; or to a 2xx, from a phone that does not know better
			s.deliver(inbound{req: ack, from: from, tx: tx})
		case <-tx.Done():
			return
		}
	}
}

// dispatch checks a request and finds who it is for.
func (s *Server) dispatch(in inbound) {
	req := in.req
	if req.Method == sip.REGISTER && !s.registers() {
		s.respond(in, sip.StatusMethodNotAllowed, "", sip.NewHeader("Allow", allow))
		return
	}
	if code, extra := refusedOutright(req); code != 0 {
		s.respond(in, code, in.tag, extra...)
		return
	}
	if req.Method == sip.REGISTER { // it belongs to no dialog, whatever its To says
		s.register(in)
		return
	}
	if tagOf(req.To().Params) != "" {
		if !s.deliver(in) {
			s.respond(in, sip.StatusCallTransactionDoesNotExists, "")
		}
		return
	}
	switch req.Method {
	case sip.OPTIONS:
		s.respond(in, s.options(), "", s.ready()...)
	case sip.INVITE:
		s.newCall(in)
	default: // BYE, INFO, UPDATE, PRACK
		s.respond(in, sip.StatusCallTransactionDoesNotExists, "")
	}
}

// deliver gives a request to its dialog; false if there is none.
func (s *Server) deliver(in inbound) bool {
	d := s.dialogs.find(string(*in.req.CallID()), tagOf(in.req.To().Params))
	return d != nil && d.post(func() { d.heard(in) })
}

// refusedOutright returns the status for a request that no dialog and no handler needs to see.
func refusedOutright(req *sip.Request) (code int, extra []sip.Header) {
	if req.SipVersion != "SIP/2.0" {
		return sip.StatusVersionNotSupported, nil
	}
	switch req.Method {
	case sip.INVITE, sip.BYE, sip.OPTIONS, sip.INFO, sip.UPDATE, sip.PRACK, sip.REGISTER:
	case sip.SUBSCRIBE, sip.NOTIFY:
		return statusBadEvent, []sip.Header{allowEvents()}
	case sip.REFER: // in a call; calls are made for nobody else
		if tagOf(req.To().Params) == "" {
			return sip.StatusGlobalDecline, RefusalFor(errNoTransfers).headers(hostOf(req.Recipient.Host))
		}
	case sip.MESSAGE, sip.PUBLISH:
		return sip.StatusMethodNotAllowed, []sip.Header{sip.NewHeader("Allow", allow)}
	default:
		return sip.StatusNotImplemented, []sip.Header{sip.NewHeader("Allow", allow)}
	}
	if !slices.Contains(phoneSchemes(), req.Recipient.Scheme) {
		return statusUnsupportedScheme, nil
	}
	if tags := unsupported(req); len(tags) > 0 {
		return sip.StatusBadExtension, []sip.Header{sip.NewHeader("Unsupported", oneLine(strings.Join(tags, ", ")))}
	}
	return 0, nil
}

// unsupported returns the option tags that a request requires and we do not have (section 8.2.2.3).
func unsupported(req *sip.Request) []string {
	var tags []string
	known := strings.Split(supportedByUs+", "+supportedInTransfers, ", ")
	if req.Method == sip.REGISTER {
		known = []string{"path", "outbound"}
	}
	for _, tag := range optionTags(req, "require") {
		if !hasTag(known, tag) {
			tags = append(tags, tag)
		}
	}
	return tags
}

// allowEvents goes with every 489 (RFC 6665 section 8.3.2). The header wants a name; there is no package
// that could be subscribed to.
func allowEvents() sip.Header { return sip.NewHeader("Allow-Events", "none") }

// respond answers a request outside of a dialog, without state.
func (s *Server) respond(in inbound, code int, tag string, extra ...sip.Header) {
	res := newResponse(in.req, in.from.src, code, phrase(code), tag, s.config.UserAgent)
	for _, h := range extra {
		res.AppendHeader(h)
	}
	if err := in.tx.Respond(res); err != nil && !errors.Is(err, sip.ErrTransactionTerminated) {
		s.log.Debug("answer not sent", "status", code, "error", err)
	}
	in.tx.Terminate()
}

func (s *Server) options() int {
	if s.draining() {
		return sip.StatusServiceUnavailable
	}
	return s.config.Options()
}

// ready is what we say of ourselves to whoever asks outside of a dialog: what we can, and how busy we are.
func (s *Server) ready() []sip.Header {
	headers := capabilities()
	if s.config.Load != nil {
		headers = append(headers, sip.NewHeader("Passerelle-Load", s.config.Load()))
	}
	return headers
}

// capabilities are what an answer to OPTIONS says (section 11.2).
func capabilities() []sip.Header {
	return []sip.Header{
		sip.NewHeader("Allow", allow), sip.NewHeader("Supported", supportedByUs), acceptSDP(),
		sip.NewHeader("Accept-Encoding", "identity"), sip.NewHeader("Accept-Language", "en, fr"),
	}
}

// acceptSDP says which bodies are read; of a multipart one, the session description in it.
func acceptSDP() sip.Header { return sip.NewHeader("Accept", "application/sdp, multipart/mixed") }
