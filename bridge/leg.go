package bridge

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"passerelle/bridge/outgoing"
	"passerelle/config"
	"passerelle/sip"
	"passerelle/sip/sdp"
)

// A leg is a call that this gateway makes: over a trunk, to a phone that has registered, or to where a transfer points. There
// is one way in which it is made, launch, which ends with the answer; hunt.go looks for whoever answers. From there on it is a
// call like those that come in: in a room it lives until one side ends it (lives), and to another phone it is the other half
// of a call (reach.go).

// target is one way to somebody.
type target struct {
	trunk *config.Trunk // whose rules hold there; of a phone, what it has of a trunk
	phone *config.Phone // who is called, if it is a phone that registers
	dial  sip.Dial      // all but Prepare and Provisional
	// permit is asked before anything is sent; nil where nobody has to be: phones that a route leads to, and transfers.
	permit func(context.Context) (*outgoing.Permit, error)
}

// newLeg is a leg that is still to be launched.
func (g *Gateway) newLeg(live *config.Live, t target) *call {
	leg := blankCall(g, t.trunk.Network)
	leg.live, leg.to = live, destination{trunk: t.trunk, phone: t.phone}
	return leg
}

// audience is told of a leg before its answer, on the goroutine that places it, which waits. All fields may be nil.
type audience struct {
	calls  func(target)                             // it is being called, on this way
	rings  func(leg *call, code int, reason string) // a provisional answer above 100
	sounds func(leg *call)                          // there is something to be heard of it
	gone   func(leg *call)                          // there is no more, without an answer
	waits  func()                                   // again and again, while nothing else is told
}

// ringsThere is the provisional answer that says so (RFC 3261 section 21.1.2); others only say that something happens.
const ringsThere = 180

// ring is a provisional answer.
type ring struct {
	code   int
	reason string
}

// spareTick is how often a line is spared that was opened by an early answer: whoever rings need not be heard.
const spareTick = 5 * time.Second

// launch calls a target and returns when that has answered. After an error the leg is nothing any more. cancel ends the call
// that it is, or is part of.
func (c *call) launch(ctx context.Context, t target, cancel context.CancelCauseFunc, to audience) (err error) {
	if t.permit != nil {
		if c.permit, err = t.permit(ctx); err != nil {
			return err
		}
	}
	defer func() {
		if err != nil {
			tell(to.gone, c)
			c.giveBack(ctx)
		}
	}()
	rung := make(chan ring, 8) // what comes faster is told by what comes next
	again := make(chan chan struct{})
	answered := c.invites(ctx, t.dial, cancel, rung, again)
	tick := time.NewTicker(spareTick)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if c.sounds.Load() {
				c.line.Spare()
			}
			if to.waits != nil {
				to.waits()
			}
		case <-c.keys: // of somebody who does not talk yet
		case done := <-again: // another target of the same address: what came of this one is over
			tell(to.gone, c)
			c.forgetSound()
			close(done)
		case r := <-rung:
			if to.rings != nil {
				to.rings(c, r.code, r.reason)
			}
		case <-c.agreed:
			if c.sounds.Load() {
				tell(to.sounds, c)
			}
		case err := <-answered:
			if err == nil {
				c.answered = c.gateway.Clock()
				if c.permit != nil {
					c.permit.Answered()
				}
			}
			return err
		}
	}
}

// forgetSound forgets what was heard before the answer.
func (c *call) forgetSound() {
	c.sounds.Store(false)
	select {
	case <-c.agreed:
	default:
	}
}

func tell(f func(*call), leg *call) {
	if f != nil {
		f(leg)
	}
}

// invites sends the INVITE. What it returns receives once, when nothing of it runs any more; again receives before it is sent to
// another target, and waits until line and phone of the one before are let go.
func (c *call) invites(ctx context.Context, to sip.Dial, cancel context.CancelCauseFunc, rung chan<- ring, again chan<- chan struct{}) <-chan error {
	to.Prepare = func(d *sip.Dialog) ([]byte, error) {
		if c.prepared {
			done := make(chan struct{})
			again <- done
			<-done
		}
		return c.prepare(ctx, d, cancel)
	}
	to.Provisional = func(code int, reason string, body []byte) {
		if len(body) > 0 {
			c.sounds.Store(true)
		}
		select {
		case rung <- ring{code, reason}:
		default:
		}
	}
	answered := make(chan error, 1)
	go func() { // launch waits for it
		err := errors.New("the call panicked")
		defer func() {
			if r := recover(); r != nil {
				c.log.Error("panic", "in", "dial", "panic", r, "stack", string(debug.Stack()))
			}
			answered <- err
		}()
		_, _, err = c.gateway.Dial(ctx, c.network, to)
	}()
	return answered
}

// prepare counts the leg in, and makes its line and the offer, as soon as it is known which way the INVITE goes. It may be
// called again, where the first way led nowhere.
func (c *call) prepare(ctx context.Context, d *sip.Dialog, cancel context.CancelCauseFunc) (offer []byte, err error) {
	c.unprepare()
	c.countOut()
	c.dialog, c.invite, c.session = d, reversed(d.Invite()), sdp.Session{}
	if c.plain == nil {
		c.plain = c.log
	}
	c.log = c.plain.With("call", c.invite.CallID)
	c.introduce()
	if err := c.gateway.admit(c, cancel); err != nil {
		return nil, err
	}
	c.counted = true
	if err := c.connect(); err != nil {
		return nil, err
	}
	defer func() {
		if !c.prepared {
			c.line.Close()
		}
	}()
	if _, err := c.open(ctx, nil); err != nil {
		return nil, err
	}
	if err := c.plug(); err != nil {
		return nil, fmt.Errorf("join line and engine: %w", err)
	}
	c.prepared = true
	return c.session.Offer()
}

// reversed is an INVITE of ours as if the other end had sent it: who is called is who is at the other end. Its headers are
// ours, and say nothing of that.
func reversed(i sip.Invite) sip.Invite {
	return sip.Invite{
		CallID: i.CallID, From: i.To, To: i.From, Source: i.Source, Local: i.Local, Transport: i.Transport,
		RequestURI: sip.URI{Scheme: i.From.Scheme, User: i.From.User, Host: i.Local.Addr().String(), Port: int(i.Local.Port())},
	}
}

// unprepare gives line and phone back.
func (c *call) unprepare() {
	if c.prepared {
		c.unplug()
		c.line.Close()
	}
	c.prepared = false
}

// countOut is the end of what admit began.
func (c *call) countOut() {
	if c.counted {
		c.gateway.dismiss(c)
	}
	c.counted = false
}

// giveBack gives back all that a leg has: line, phone, its place among the calls, and the leave to make it.
func (c *call) giveBack(ctx context.Context) {
	c.unprepare()
	c.countOut()
	if c.permit != nil {
		c.permit.End(ctx)
		c.permit = nil
	}
}

// drop hangs up a leg that nobody talks to, and gives back what it has.
func (c *call) drop(ctx context.Context, reason string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), hangupTimeout)
	defer cancel()
	if err := c.dialog.Hangup(ctx, reason); err != nil {
		c.log.Info("hang-up was not confirmed", "error", err)
	}
	c.giveBack(ctx)
}

// lives takes a leg that was answered to its end: settle brings it into its room. It is what serve is to a call that comes in,
// from step 7 on.
func (c *call) lives(ctx context.Context, cancel context.CancelCauseFunc, settle func(context.Context) error) (err error) {
	defer func() { c.logEnd(ctx, err) }()
	defer c.giveBack(ctx)
	defer func() { c.hangup(ctx, err) }()
	defer c.deafen()
	defer func() { c.farewell(err) }()
	defer c.stand()
	over := c.dialog.Context()
	defer context.AfterFunc(over, func() { cancel(context.Cause(over)) })()
	c.logStart()
	ctx, stop := c.bounded(ctx)
	defer stop()
	c.hears(cancel)
	defer c.watch()()
	if err := c.awaitKeys(ctx); err != nil {
		return err
	}
	if err := settle(ctx); err != nil {
		return because(ctx, err)
	}
	defer c.dialOut()()
	return c.talkOn(ctx)
}
