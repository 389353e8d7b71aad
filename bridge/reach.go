package bridge

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"passerelle/config"
	"passerelle/sip"
	"passerelle/sip/registrar"
)

// A call to a phone that has registered: every device of it rings, the first that answers gets the call, and the two
// are in a mix of their own, where phones hear each other. There is no room.

// phoneRings is how long a phone rings.
const phoneRings = 60 * time.Second

// errPartner ends a call whose other phone has hung up.
var errPartner = errors.New("the other phone hung up")

// reach rings the phone that the call goes to, and makes the one that answers the call's partner.
func (c *call) reach(ctx context.Context) error {
	user := c.to.ring.User
	devices := c.gateway.Devices(user)
	if len(devices) == 0 {
		return refuse(480, "the phone %s has not registered", masked(user))
	}
	ctx, stop := context.WithTimeoutCause(ctx, phoneRings, refuse(480, "nobody answers the phone %s", masked(user)))
	defer stop()
	type outcome struct {
		leg *call
		err error
	}
	outcomes := make(chan outcome, len(devices))
	var ringing sync.WaitGroup
	for _, ways := range devices {
		ringing.Go(func() {
			o := outcome{err: errors.New("panic")} // if it does not come to an end
			defer func() {
				if r := recover(); r != nil {
					c.log.Error("panic", "in", "ring", "panic", r)
				}
				outcomes <- o
			}()
			o.leg, o.err = c.ring(ctx, ways)
		})
	}
	var err error
	for range devices {
		o := <-outcomes
		switch {
		case o.err == nil && c.partner == nil:
			c.partner = o.leg
			stop() // the others ring no more
		case o.err == nil: // two were answered at once
			o.leg.leave(ctx, "answered elsewhere")
		case err == nil || errors.As(o.err, new(*sip.StatusError)):
			err = o.err
		}
	}
	ringing.Wait()
	if c.partner == nil {
		return because(ctx, err)
	}
	return nil
}

// ring rings one device, on the first of the ways to it that works.
func (c *call) ring(ctx context.Context, ways []registrar.Binding) (leg *call, err error) {
	for _, way := range ways {
		leg, err = c.dialPhone(ctx, way)
		var refused *sip.StatusError
		if err == nil || errors.As(err, &refused) || ctx.Err() != nil {
			return leg, err
		}
		c.log.Debug("no way to a phone", "address", way.Flow.Remote, "error", err)
	}
	return nil, err
}

// dialPhone calls a phone and returns the leg to it, which is a call like any other.
func (c *call) dialPhone(ctx context.Context, way registrar.Binding) (answered *call, err error) {
	trunk := asTrunk(c.to.ring)
	leg := blankCall(c.gateway, c.to.ring.Network)
	leg.live, leg.log, leg.to = c.live, c.log.With("leg", "phone"), destination{trunk: trunk, phone: c.to.ring}
	leg.invite.Source = way.Flow.Remote
	if err := leg.connect(); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			leg.line.Close()
		}
	}()
	who := identify(c.invite, c.to.trunk)
	dialog, answer, err := c.gateway.Dial(ctx, leg.network, sip.Dial{
		To: way.Contact, Flow: &way.Flow, Route: way.Path, From: sip.Address{Display: who.display, User: cmp.Or(who.user, "anonymous")},
		Prepare: func(d *sip.Dialog) ([]byte, error) {
			leg.invite = d.Invite()
			if _, err := leg.open(ctx, nil); err != nil {
				return nil, err
			}
			return leg.session.Offer()
		},
	})
	if err != nil {
		return nil, err
	}
	leg.dialog, leg.invite = dialog, dialog.Invite()
	media, err := leg.session.ReadAnswer(answer)
	if err == nil {
		err = leg.setLine(media)
	}
	if err == nil {
		err = leg.plug()
	}
	if err != nil {
		leg.hangUpLeg(ctx, err.Error())
		return nil, err
	}
	return leg, nil
}

// leave ends a leg.
func (c *call) leave(ctx context.Context, reason string) {
	c.hangUpLeg(ctx, reason)
	c.unplug()
	c.line.Close()
}

func (c *call) hangUpLeg(ctx context.Context, reason string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), hangupTimeout)
	defer cancel()
	if err := c.dialog.Hangup(ctx, reason); err != nil {
		c.log.Info("hang-up was not confirmed", "error", err)
	}
}

// part ends the leg to the partner, where there is one.
func (c *call) part(ctx context.Context) {
	if c.partner != nil {
		c.partner.leave(ctx, "the caller is gone")
		c.gateway.keep(c.partner.totals())
		c.partner = nil
	}
}

// converse is the talk of two phones: until one of them hangs up. The keys of one are the other's to hear.
func (c *call) converse(ctx context.Context) error {
	leg := c.partner
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(leg.dialog.Context(), func() { cancel(errPartner) })()
	defer leg.listen(cancel)()
	c.alone()
	leg.phone.Join(c.booth)
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-c.booth.Done():
			return fmt.Errorf("the sound of the call ended: %w", c.booth.Err())
		case <-c.back:
		case <-leg.back:
		case key := <-c.keys:
			leg.hears(ctx, key)
		case key := <-leg.keys:
			c.hears(ctx, key)
		}
	}
}

// hears sends a key to the phone.
func (c *call) hears(ctx context.Context, key rune) {
	if err := c.line.SendDigits(ctx, string(key)); err != nil {
		c.log.Debug("key not passed on", "error", err)
	}
}

// keysExposed reports whether the line must be encrypted, and the keys would be seen on their way.
func (c *call) keysExposed() bool {
	return c.gateway.Networks[c.network].KeysOverTLS && c.to.trunk.SRTP.Policy == config.SRTPRequired && !config.Encrypted(c.invite.Transport)
}
