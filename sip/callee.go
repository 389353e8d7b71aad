package sip

import (
	"context"
	"net/netip"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"
)

// newCall makes a dialog of an INVITE and gives it to the handler.
func (s *Server) newCall(in inbound) {
	switch mf := in.req.MaxForwards(); {
	case s.draining():
		s.respond(in, sip.StatusServiceUnavailable, in.tag, retryAfter(5*time.Second))
		return
	case mf != nil && mf.Val() == 0: // a call ends here for the phone, and goes on for us: RFC 7332
		s.respond(in, sip.StatusTooManyHops, in.tag)
		return
	case contactOf(in.req) == nil: // section 8.1.1.8
		s.respond(in, sip.StatusBadRequest, in.tag)
		return
	case tooShort(in.req):
		s.respond(in, statusIntervalTooSmall, in.tag, minSE())
		return
	}
	account, proved := s.identified(in)
	if !proved {
		return
	}
	offer, err := sdpOf(in.req)
	if err != nil {
		s.respond(in, sip.StatusUnsupportedMediaType, in.tag, acceptSDP(), sip.NewHeader("Accept-Encoding", "identity"))
		return
	}
	replaces, err := replacesOf(in.req)
	if err != nil {
		s.respond(in, sip.StatusBadRequest, in.tag)
		return
	}
	d, err := s.callee(in, offer)
	if err != nil {
		s.log.Warn("no way back to the caller", "source", in.from.src.Addr(), "error", err)
		s.respond(in, sip.StatusInternalServerError, in.tag)
		return
	}
	d.invite.Account = account
	d.invite.Replaces = replaces
	if !s.own(d, func() {}) {
		s.respond(in, sip.StatusServiceUnavailable, in.tag)
		return
	}
	in.watch(func(reason string) {
		cause := withReason(ErrCancelled, reason)
		s.spawn("CANCEL", func() { d.post(func() { _ = d.step(cancelHeard, occasion{cause: cause}) }) })
	})
	s.spawn("call", func() { s.serveCall(d) })
}

// callee makes the dialog of an INVITE.
func (s *Server) callee(in inbound, offer []byte) (*Dialog, error) {
	req := in.req
	p, err := s.pathTo(in.from)
	if err != nil {
		return nil, err
	}
	p.nat = behindNAT(req.Via(), in.from.src.Addr())
	p.learn(req, in.from.src, false)
	if isSecure(in.from.network) && securely(req) {
		p.self.Scheme = "sips"
		if in.from.network == "tls" {
			p.self.UriParams = nil
		}
	}
	d := s.newDialog(newInvite(req, in.from.src, netip.AddrPortFrom(p.here, in.from.local.Port())), in.tag)
	d.invite.Body, d.invite.Peer, d.invite.Transport = offer, in.from.peer, in.from.network
	d.local, d.display = withoutPort(req.To().Address), unescapeQuotes(req.To().DisplayName)
	d.remote = req.From().Address
	d.owned = owned{
		state: incoming, negotiation: stable, path: p,
		remoteTag: tagOf(req.From().Params), remoteSeq: req.CSeq().SeqNo, remoteHeard: true,
		in: in, unacked: map[uint32]*acceptance{},
	}
	d.learnAllow(req)
	if !d.late() {
		d.negotiation = remoteOffer
	}
	return d, nil
}

// securely reports whether the INVITE wants TLS all the way, so that our Contact must be a SIPS URI (RFC 3261
// section 12.1.1).
func securely(req *sip.Request) bool {
	if req.Recipient.Scheme == "sips" {
		return true
	}
	if rr, ok := req.GetHeader("record-route").(*sip.RecordRouteHeader); ok {
		return rr.Address.Scheme == "sips"
	}
	return contactOf(req).Address.Scheme == "sips"
}

// serveCall runs the handler; what it leaves up is ended. A panic refuses the call with 500.
func (s *Server) serveCall(d *Dialog) {
	left := occasion{cause: ErrHangup}
	defer func() {
		d.hangup(left)
		<-d.done
	}()
	defer recovered(s.log, "call")
	left.refusal.Code = sip.StatusInternalServerError // unless it returns
	s.handler.ServeCall(d.ctx, d)
	left.refusal.Code = sip.StatusTemporarilyUnavailable
}

// newDialog makes a dialog without its state.
func (s *Server) newDialog(i Invite, tag string) *Dialog {
	d := &Dialog{
		invite: i, callID: i.CallID, localTag: tag,
		server: s.config.UserAgent, timing: s.timing, wire: s, others: &s.dialogs, log: s.log,
		mail: make(chan func()), done: make(chan struct{}),
	}
	d.ctx, d.end = context.WithCancelCause(s.base)
	return d
}

// own starts the dialog's owner, and calls release when it is gone; false if the server is closed.
func (s *Server) own(d *Dialog, release func()) bool {
	s.dialogs.add(d)
	gone := func() {
		s.dialogs.remove(d)
		release()
	}
	started := s.spawn("dialog", func() {
		defer gone()
		d.run()
	})
	if !started {
		gone()
		close(d.done)
	}
	return started
}

// pathTo returns the path back to where a message came from, without target and routes.
func (s *Server) pathTo(from origin) (path, error) {
	p := path{network: from.network, socket: from.local, flow: from.src, here: from.local.Addr()}
	if p.here.IsUnspecified() {
		var err error
		if p.here, err = routeTo(s.base, from.src); err != nil {
			return path{}, err
		}
	}
	p.self = sip.Uri{Scheme: "sip", Host: or(s.config.Advertise, p.here.String()), Port: s.listenerPort(from)}
	if isStream(from.network) {
		p.self.UriParams.Add("transport", transportParam(from.network))
	}
	return p, nil
}

// listenerPort returns the port at which peers reach us on a network: the one that this peer came to, or
// for a connection that we dialled a listener's.
func (s *Server) listenerPort(from origin) int {
	port := 0
	for _, l := range s.bound {
		if l.Network != from.network || l.Addr.Addr().Is4() != from.local.Addr().Is4() {
			continue
		}
		if l.Addr.Port() == from.local.Port() {
			return int(l.Addr.Port())
		}
		if port == 0 {
			port = int(l.Addr.Port())
		}
	}
	return port
}

// withoutPort returns an address of record: no port, no parameters (section 19.1.1).
func withoutPort(u sip.Uri) sip.Uri {
	u.Port, u.UriParams, u.Headers = 0, nil, nil
	return u
}

// hostOf returns a host as it stands in a URI.
func hostOf(h string) string { return strings.Trim(h, "[]") }
