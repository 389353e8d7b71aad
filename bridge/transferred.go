package bridge

import (
	"context"

	"passerelle/bridge/outgoing"
	"passerelle/config"
	"passerelle/sip"
)

// The call that a transfer asks for: who is called gets the place of the phone that asked, in its room.

// transfer calls to, who takes the place of this call in the room; this call is ended then. It returns when that call is over.
func (c *call) transfer(ctx context.Context, trunk *config.Trunk, to string, r sip.Referral, progress func(int, string)) error {
	p := c.spot.Load()
	if p == nil {
		return refuse(480, "the phone is in no room yet")
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)

	// 1. Is there still a room?
	room, err := c.gateway.open.enter(ctx, p.to)
	if err != nil {
		return outcome(err)
	}
	defer c.gateway.open.leave(room)

	// 2. Ring. What can be heard before the answer is for the room too, and nothing of the room for whoever has not answered.
	live := c.gateway.Live()
	way := target{trunk: trunk, dial: sip.Dial{To: to, Replaces: r.Replaces, ReferredBy: r.By}}
	if paid := c.gateway.paid(live, r.Target.Host); paid != nil {
		call := c.gateway.directory().callOut(outgoing.Route, paid, r.Target.User)
		trunk, way.trunk, way.permit = paid, paid, c.gateway.permit(live, call)
		way.dial.To = withUser(to, asDialled(call.To)) // what was weighed, and nothing beside it
	}
	present(trunk, planOf(live, trunk), c.caller(), false).on(&way.dial)
	ringing := hunt{
		gateway: c.gateway, cancel: cancel,
		devices: [][]target{{way}},
		leg: func(t target) *call {
			out := c.gateway.newLeg(live, t)
			out.inherit(p, trunk)
			out.log = out.log.With("for", c.invite.CallID)
			return out
		},
		to: audience{
			rings:  func(_ *call, code int, reason string) { progress(code, reason) },
			sounds: func(out *call) { out.phone.SetDeaf(true); out.enter(ctx, cancel) },
			gone:   func(out *call) { out.stand(); out.deafen() },
		},
	}
	out, err := ringing.run(ctx)
	if err != nil {
		c.log.Info("transfer ended without an answer", "to", masked(r.Target.User), "trunk", trunk.Name, "reason", err)
		return outcome(err)
	}

	// 3. It takes over, and talks.
	_ = out.lives(ctx, cancel, func(ctx context.Context) error { // it has told why it ended
		if out.room == nil {
			if err := out.sit(ctx); err != nil {
				return err
			}
		}
		out.phone.SetDeaf(false)
		progress(200, "OK")
		c.gateway.end(c, errTransferred)
		return nil
	})
	return nil
}

// enter brings a leg into its room that is heard before its answer.
func (c *call) enter(ctx context.Context, cancel context.CancelCauseFunc) {
	if c.room != nil {
		return
	}
	c.hears(cancel)
	if err := c.sit(ctx); err != nil {
		cancel(err)
	}
}

// caller is who calls: what this phone has dialled; a number that a PIN may be is not told.
func (c *call) caller() sip.Address {
	to := c.spot.Load().to
	if to.menu != nil {
		return sip.Address{Display: to.menu.Name, User: to.menu.Name}
	}
	return sip.Address{User: c.gateway.directory().read(to.trunk, c.invite.RequestURI.User).Text()}
}
