package sip

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"
)

// Dial calls to.To and returns when the call is answered, with the answer's SDP, or refused
// ([*StatusError]), or ctx ends (CANCEL; or BYE, where the answer crosses it). Once it has returned, ctx
// no longer matters. It waits for Serve.
func (s *Server) Dial(ctx context.Context, to Dial) (*Dialog, []byte, error) {
	select {
	case <-s.serving:
	case <-ctx.Done():
		return nil, nil, context.Cause(ctx)
	}
	if s.draining() {
		return nil, nil, ErrShutdown
	}
	d, err := s.call(ctx, to)
	if err != nil {
		return nil, nil, fmt.Errorf("dial: %w", err)
	}
	select {
	case <-d.out.up:
		if err := context.Cause(d.ctx); err != nil {
			return nil, nil, err
		}
		return d, d.out.answer, nil
	case <-d.ctx.Done():
		return nil, nil, context.Cause(d.ctx)
	case <-ctx.Done():
		d.hangup(occasion{cause: context.Cause(ctx), reason: Reason{"Q.850", normalClearing, "given up"}})
		return nil, nil, context.Cause(ctx)
	}
}

// call sends the INVITE. From here on the dialog's owner has it.
func (s *Server) call(ctx context.Context, to Dial) (*Dialog, error) {
	uri, network, err := parseTarget(to.To)
	if err != nil {
		return nil, err
	}
	from, err := s.wayTo(ctx, to, uri, network)
	if err != nil {
		return nil, err
	}
	release := s.guard.welcome(from.src.Addr())
	d, err := s.caller(to, uri, from)
	if err != nil {
		release()
		return nil, err
	}
	invite := d.out.req
	d.path.address(invite, from.src)
	// The owner is there before the INVITE is out: a request may come right behind the answer. The peer
	// stays known while it may repeat itself.
	if !s.own(d, func() { time.AfterFunc(s.timing.patience(), release) }) {
		return nil, ErrShutdown
	}
	if !s.spawn("INVITE", func() { s.converse(d, invite) }) {
		d.post(d.abandon)
		return nil, ErrShutdown
	}
	return d, nil
}

// converse runs the INVITE transaction until its final answer.
func (s *Server) converse(d *Dialog, invite *sip.Request) {
	tx, err := s.client.TransactionRequest(s.base, invite)
	if err != nil {
		d.post(func() { d.unanswered(fmt.Errorf("INVITE: %w", wireError(err))) })
		return
	}
	d.post(func() { d.out.tx = tx })
	tx.OnRetransmission(func(res *sip.Response) { s.answeredAgain(d, res) })
	for {
		select {
		case res := <-tx.Responses():
			if src, err := originOf(res.Transport(), res.Source(), nil); err == nil {
				d.post(func() { d.answeredBy(res, src) })
			}
			if !res.IsProvisional() {
				return // the transaction ends by its timers: D, or M
			}
		case <-tx.Done():
			d.post(func() { d.unanswered(ErrNoAnswer) })
			return
		}
	}
}

// answeredAgain takes a 2xx after the first: it came again, or from another fork. It is called on
// goroutines of sipgo's.
func (s *Server) answeredAgain(d *Dialog, res *sip.Response) {
	if !s.tasks.enter() {
		return
	}
	defer s.tasks.leave()
	defer recovered(s.log, "2xx")
	src, err := originOf(res.Transport(), res.Source(), nil)
	if err != nil || d.post(func() { d.answeredBy(res, src) }) {
		return
	}
	if tagOf(res.To().Params) != d.remoteTag { // the owner is gone: its state is anybody's to read
		d.endFork(res, src)
	}
}

// caller makes the dialog of a call of ours, and its INVITE.
func (s *Server) caller(to Dial, uri sip.Uri, from origin) (*Dialog, error) {
	p, err := s.pathTo(from)
	if err != nil {
		return nil, err
	}
	p.target = uri
	p.nat = to.Flow != nil // its own address may be one that we cannot reach
	if p.routes, err = routesOf(to.Route); err != nil {
		return nil, err
	}
	if uri.Scheme == "sips" { // section 8.1.1.8
		p.self.Scheme, p.self.UriParams = "sips", nil
	}
	p.allow(from.src.Addr())
	d := s.newDialog(Invite{CallID: newTag() + newTag()}, newTag())
	d.keys = to.Keys
	d.display = to.From.Display
	d.local = sip.Uri{Scheme: uri.Scheme, User: escapeUser(to.From.User), Host: or(to.From.Host, p.self.Host)}
	d.remote = withoutPort(uri)
	d.owned = owned{
		state: calling, negotiation: localOffer, path: p,
		unacked: map[uint32]*acceptance{},
		out:     outbound{tell: to.Provisional, up: make(chan struct{}), forks: map[string]bool{}, tx: noTransaction{}},
	}
	req := d.request(sip.INVITE)
	req.AppendHeader(sip.NewHeader("Allow", allow))
	req.AppendHeader(sip.NewHeader("Supported", "timer"))
	if to.Offer != nil {
		req.AppendHeader(sip.NewHeader("Content-Type", "application/sdp"))
		req.SetBody(to.Offer)
	} else {
		d.negotiation = stable
	}
	d.prove(req)
	req.SetTransport(strings.ToUpper(p.network))
	d.out.req = req
	d.invite = newInvite(req, from.src, netip.AddrPortFrom(p.here, from.local.Port()))
	d.invite.Body = to.Offer
	return d, nil
}

// noTransaction stands for the INVITE's before it is sent.
type noTransaction struct{}

func (noTransaction) Terminate() {}

// parseTarget reads the URI of a call and the transport that it asks for.
func parseTarget(to string) (uri sip.Uri, network string, err error) {
	if !printable(to) {
		return uri, "", fmt.Errorf("%q is no SIP URI", to)
	}
	if err := sip.ParseUri(to, &uri); err != nil {
		return uri, "", fmt.Errorf("%q is no SIP URI: %w", to, err)
	}
	if uri.Scheme != "sip" && uri.Scheme != "sips" || uri.Host == "" || uri.Wildcard {
		return uri, "", fmt.Errorf("%q is no SIP URI", to)
	}
	network, _ = uri.UriParams.Get("transport")
	switch network = strings.ToLower(network); {
	case uri.Scheme == "sips" && (network == "" || network == "tcp" || network == "tls"):
		return uri, "tls", nil // RFC 3261 section 26.2.2
	case network == "":
		return uri, "udp", nil
	case uri.Scheme == "sip" && (network == "udp" || network == "tcp" || network == "tls"):
		return uri, network, nil
	}
	return uri, "", fmt.Errorf("transport %q is not supported", network)
}

// wayTo finds where a call goes: on the flow that it names, as long as there is one, else to the first proxy of its route,
// else to the address of its URI.
func (s *Server) wayTo(ctx context.Context, to Dial, uri sip.Uri, network string) (origin, error) {
	if f := to.Flow; f != nil {
		o := origin{src: f.Remote, local: f.Local, network: f.Network}
		if f.Network == "udp" && s.binds(f.Local) {
			return o, nil
		}
		if c := s.streams.live(flow{f.Network, f.Remote}); c != nil {
			o.local = c.local
			return o, nil
		}
	}
	if len(to.Route) > 0 {
		var err error
		if uri, network, err = parseTarget(to.Route[0]); err != nil {
			return origin{}, err
		}
	}
	return s.leaveFor(ctx, uri, network)
}

// binds reports whether one of our UDP sockets has this address.
func (s *Server) binds(a netip.AddrPort) bool {
	return slices.ContainsFunc(s.bound, func(l Listener) bool { return l.Network == "udp" && l.Addr == a })
}

// routesOf reads a route set that is known before the call.
func routesOf(route []string) ([]sip.Uri, error) {
	var uris []sip.Uri
	for _, text := range route {
		uri, _, err := parseTarget(text)
		if err != nil {
			return nil, fmt.Errorf("route: %w", err)
		}
		uris = append(uris, uri)
	}
	return uris, nil
}

// leaveFor finds the address of a URI and the socket to call it from: the first listener of the network and
// the address family. Over TCP and TLS a connection is made.
func (s *Server) leaveFor(ctx context.Context, uri sip.Uri, network string) (origin, error) {
	port := uint16(or(uri.Port, defaultPort(network)))
	addrs, err := lookup(ctx, hostOf(uri.Host))
	if err != nil {
		return origin{}, err
	}
	for _, a := range addrs {
		for _, l := range s.bound {
			if l.Network != network || l.Addr.Addr().Is4() != a.Is4() {
				continue
			}
			o := origin{src: netip.AddrPortFrom(a, port), local: l.Addr, network: network}
			if isStream(network) {
				c, err := s.streams.dial(ctx, l.Addr.Addr(), flow{network, o.src}, hostOf(uri.Host))
				if err != nil {
					return origin{}, err
				}
				o.local = c.local
			}
			return o, nil
		}
	}
	return origin{}, ErrNoListener
}

// lookup returns the addresses of a host. There is no SRV yet (RFC 3263).
func lookup(ctx context.Context, host string) ([]netip.Addr, error) {
	if a, err := literal(host); err == nil {
		return []netip.Addr{a}, nil
	}
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	for i, a := range addrs {
		addrs[i] = a.Unmap()
	}
	return addrs, err
}
