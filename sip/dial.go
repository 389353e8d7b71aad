package sip

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/emiago/sipgo/sip"
)

// Dial calls to.To and returns when the call is answered, with the answer's SDP, or refused
// ([*StatusError]), or no target of to.To has taken it ([*TargetsError]), or ctx ends (CANCEL; or BYE, where the
// answer crosses it). Once it has returned, ctx no longer matters. It waits for Serve.
func (s *Server) Dial(ctx context.Context, to Dial) (*Dialog, []byte, error) {
	select {
	case <-s.serving:
	case <-ctx.Done():
		return nil, nil, context.Cause(ctx)
	}
	if s.draining() {
		return nil, nil, ErrShutdown
	}
	uri, err := parseURI(to.To)
	if err != nil {
		return nil, nil, fmt.Errorf("dial: %w", err)
	}
	// Whichever target takes it, it is the same call: a phone that two of them lead to knows it (482).
	id := dialogID{newTag() + newTag(), newTag()}
	var d *Dialog
	var answer []byte
	err = s.eachWay(ctx, to, func(from origin, quiet time.Duration) error {
		var err error
		if d, err = s.call(ctx, to, uri, from, id); err != nil {
			return fmt.Errorf("dial: %w", err)
		}
		answer, err = s.await(ctx, d, quiet)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	return d, answer, nil
}

// eachWay is eachTarget for a phone, too: on the flow that it names, as long as there is one, else to the first proxy of its
// route, else to the address of its URI.
func (s *Server) eachWay(ctx context.Context, to Dial, try func(from origin, quiet time.Duration) error) error {
	if f := to.Flow; f != nil {
		from := origin{src: f.Remote, local: f.Local, network: f.Network}
		if f.Network == "udp" && s.binds(f.Local) {
			return try(from, s.config.Limits.SetupTime)
		}
		if c := s.streams.live(flow{f.Network, f.Remote}); c != nil {
			from.local = c.local
			return try(from, s.config.Limits.SetupTime)
		}
	}
	next := to.To
	if len(to.Route) > 0 {
		next = to.Route[0]
	}
	whom, err := parseTarget(next)
	if err != nil {
		return err
	}
	return s.eachTarget(ctx, whom, try)
}

// binds reports whether one of our UDP sockets has this address.
func (s *Server) binds(a netip.AddrPort) bool {
	return slices.ContainsFunc(s.bound, func(l Listener) bool { return l.Network == "udp" && l.Addr == a })
}

// routesOf reads a route set that is known before the call.
func routesOf(route []string) ([]sip.Uri, error) {
	var uris []sip.Uri
	for _, text := range route {
		to, err := parseTarget(text)
		if err != nil {
			return nil, fmt.Errorf("route: %w", err)
		}
		uris = append(uris, to.uri)
	}
	return uris, nil
}

// await waits for what becomes of an INVITE. A peer from which nothing at all is heard for so long is given up.
func (s *Server) await(ctx context.Context, d *Dialog, quiet time.Duration) (answer []byte, err error) {
	silence := time.NewTimer(quiet)
	defer silence.Stop()
	for {
		select {
		case <-silence.C:
			d.post(d.giveUp)
		case <-d.out.up:
			return d.out.answer, context.Cause(d.ctx)
		case <-d.ctx.Done():
			return nil, context.Cause(d.ctx)
		case <-ctx.Done():
			d.hangup(occasion{cause: context.Cause(ctx), reason: Reason{"Q.850", normalClearing, "given up"}})
			return nil, context.Cause(ctx)
		}
	}
}

// call sends the INVITE. From here on the dialog's owner has it.
func (s *Server) call(ctx context.Context, to Dial, uri sip.Uri, from origin, id dialogID) (*Dialog, error) {
	d, err := s.caller(to, uri, from, id)
	if err != nil {
		return nil, err
	}
	if to.Flow != nil {
		// its flow is the way, however large it is
	} else if better := s.overTCP(ctx, from, len(d.out.req.String())); better != from {
		from = better
		if d, err = s.caller(to, uri, from, id); err != nil {
			return nil, err
		}
	}
	invite := d.out.req
	d.path.address(invite, from.src)
	release := s.guard.welcome(from.src.Addr())
	// The owner is there before the INVITE is out: a request may come right behind the answer. The peer
	// stays known while it may repeat itself.
	if !s.own(d, func() { time.AfterFunc(s.timing.patience(), release) }) {
		return nil, ErrShutdown
	}
	if !d.out.send(invite) {
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
			src, err := originOf(res.Transport(), res.Source(), nil)
			if err == nil && !d.post(func() { d.answeredBy(res, src) }) {
				d.answeredLate(res, src)
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
func (s *Server) caller(to Dial, uri sip.Uri, from origin, id dialogID) (*Dialog, error) {
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
	d := s.newDialog(Invite{CallID: id.callID}, id.localTag)
	d.keys = to.Keys
	d.display = to.From.Display
	d.local = sip.Uri{Scheme: uri.Scheme, User: escapeUser(to.From.User), Host: or(to.From.Host, p.self.Host)}
	d.remote = withoutPort(uri)
	d.owned = owned{
		state: calling, negotiation: localOffer, path: p,
		unacked: map[uint32]*acceptance{},
		out: outbound{
			tell: to.Provisional, up: make(chan struct{}), forks: map[string]bool{}, numbers: map[string]uint32{},
			tx: noTransaction{}, first: p, replaces: to.Replaces, referredBy: to.ReferredBy, private: to.Private,
			send: func(invite *sip.Request) bool { return s.spawn("INVITE", func() { s.converse(d, invite) }) },
		},
	}
	if who := to.Asserted; who.User != "" {
		d.out.asserted = fmt.Sprintf("<%s:%s@%s>", uri.Scheme, escapeUser(who.User), or(who.Host, p.self.Host))
	}
	req := d.invitation()
	d.invite = newInvite(req, from.src, netip.AddrPortFrom(p.here, from.local.Port()))
	offer := to.Offer
	if to.Prepare != nil {
		if offer, err = to.Prepare(d); err != nil {
			return nil, err
		}
	}
	if offer == nil {
		d.negotiation = stable
	}
	d.invite.Body, d.out.req = offer, req
	d.complete(req)
	return d, nil
}

// noTransaction stands for the INVITE's before it is sent.
type noTransaction struct{}

func (noTransaction) Terminate() {}
