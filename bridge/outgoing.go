package bridge

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"passerelle/config"
	"passerelle/sip"
	"passerelle/sip/sdp"
)

// Calls of ours, to whom a phone wants its place in the room to go. From the answer on they are as those that come in.

// ringTimeout is how long somebody is rung.
const ringTimeout = 60 * time.Second

// ringTick is how often a line is spared that was opened by an early answer: whoever rings need not be heard.
const ringTick = 5 * time.Second

var errRangOut = errors.New("nobody answered in time")

// transfer calls target, who takes the place of this call in the room; this call is ended then. It returns when that
// call is over.
func (c *call) transfer(ctx context.Context, trunk *config.Trunk, target string, r sip.Referral, progress func(int, string)) error {
	p := c.spot.Load()
	if p == nil {
		return refuse(480, "the phone is in no room yet")
	}
	out := blankCall(c.gateway, trunk.Network)
	out.live = c.gateway.Live()
	out.inherit(p, trunk)
	out.log = out.log.With("for", c.invite.CallID)
	to := sip.Dial{To: target, Replaces: r.Replaces, ReferredBy: r.By}
	present(trunk, planOf(out.live, trunk), c.caller(), false).on(&to)
	err := out.callOut(ctx, to, c, progress)
	if out.answered > 0 {
		out.logEnd(ctx, err)
		return nil
	}
	out.log.Info("transfer ended without an answer", "to", masked(r.Target.User), "trunk", trunk.Name, "reason", err)
	return outcome(err)
}

// caller is who calls: what this phone has dialled; a number that a PIN may be is not told.
func (c *call) caller() sip.Address {
	to := c.spot.Load().to
	if to.menu != nil {
		return sip.Address{Display: to.menu.Name, User: to.menu.Name}
	}
	return sip.Address{User: c.gateway.directory().read(to.trunk, c.invite.RequestURI.User).Text()}
}

// callOut takes a call of ours from its INVITE to its end, for another one that it takes over from.
func (c *call) callOut(ctx context.Context, to sip.Dial, from *call, progress func(int, string)) (err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer func() {
		if c.answered == 0 {
			err = because(ctx, err)
		}
	}()

	// 1. Is there still a room?
	defer c.countOut()
	defer func() { c.hangup(ctx, err) }()
	room, err := c.gateway.open.enter(ctx, c.to)
	if err != nil {
		return err
	}
	defer c.gateway.open.leave(room)

	// 2. Ring. It is admitted, and gets a line and a place in the engine room, as soon as it is known which way the INVITE
	// goes.
	defer c.unprepare()
	to.Prepare = func(d *sip.Dialog) ([]byte, error) { return c.prepare(ctx, d, cancel) }
	to.Provisional = func(code int, reason string, _ []byte) { progress(code, reason) }
	answered := c.invites(ctx, to)

	// 3. A seat, at the latest with the answer: what can be heard before is for the room too.
	defer c.stand()
	hush := func() {}
	defer func() { hush() }()
	defer func() { c.farewell(err) }()
	enter := func() error {
		hush = c.listen(cancel)
		return c.sit(ctx)
	}
	if err := c.rings(answered, enter, cancel); err != nil {
		return because(ctx, err)
	}
	over := c.dialog.Context()
	defer context.AfterFunc(over, func() { cancel(context.Cause(over)) })()
	c.logStart()

	// 4. It takes over, and talks.
	progress(200, "OK")
	c.gateway.end(from, errTransferred)
	ctx, stop := c.bounded(ctx)
	defer stop()
	if err := c.awaitKeys(ctx); err != nil {
		return err
	}
	defer c.dialOut()()
	defer c.stand()
	return c.talkOn(ctx)
}

// rings waits for the answer, and enters the room with it, or before, with an early one. What it returns is nil where
// somebody has answered and is in the room.
func (c *call) rings(answered <-chan error, enter func() error, giveUp context.CancelCauseFunc) error {
	tick := time.NewTicker(ringTick)
	defer tick.Stop()
	entered := false
	for {
		select {
		case <-tick.C:
			if entered {
				c.line.Spare()
			}
		case <-c.keys: // of somebody who does not talk yet
		case <-c.agreed:
			if entered {
				continue
			}
			if err := enter(); err != nil {
				giveUp(err)
				if <-answered == nil { // at the same moment
					c.answered = c.gateway.Clock()
				}
				return err
			}
			entered = true
		case err := <-answered:
			if err != nil {
				return err
			}
			c.answered = c.gateway.Clock()
			if entered {
				return nil
			}
			return enter()
		}
	}
}

// invites rings for as long as may be. What it returns receives once, when nothing of it runs any more.
func (c *call) invites(ctx context.Context, to sip.Dial) <-chan error {
	answered := make(chan error, 1)
	go func() { // callOut waits for it
		ctx, stop := context.WithTimeoutCause(ctx, ringTimeout, errRangOut)
		defer stop()
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

// prepare counts the call in, and makes the line and the offer. It may be called again, where the first way led nowhere.
func (c *call) prepare(ctx context.Context, d *sip.Dialog, cancel context.CancelCauseFunc) (offer []byte, err error) {
	c.unprepare()
	c.countOut()
	c.dialog, c.invite, c.session = d, d.Invite(), sdp.Session{}
	c.invite.From = c.invite.To // who is at the other end
	c.log = c.log.With("call", c.invite.CallID)
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
