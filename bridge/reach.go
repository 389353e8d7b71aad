package bridge

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"passerelle/bridge/ivr"
	"passerelle/config"
	"passerelle/sip"
	"passerelle/sip/registrar"
)

// A call to somebody who is not in a room: a phone that has registered, every device of which rings, or a number over a trunk
// (way_out.go). The leg that is answered is the call's partner, and the two are in a mix of their own, where phones hear
// each other.

// errPartner ends a call whose other phone has hung up.
var errPartner = errors.New("the other phone hung up")

// devices are those of the phone that the call goes to.
func (c *call) devices() ([][]target, error) {
	who := identify(c.invite, c.to.trunk)
	from := sip.Address{Display: who.display, User: cmp.Or(who.user, "anonymous")}
	if c.to.errand {
		return [][]target{waysTo(c.to.ring, c.to.ways, from)}, nil
	}
	return c.gateway.devicesOf(c.to.ring, from)
}

// reach rings devices, and makes the one that answers the call's partner.
func (c *call) reach(ctx context.Context, cancel context.CancelCauseFunc, devices [][]target) (err error) {
	ringing := hunt{
		gateway: c.gateway, devices: devices, cancel: cancel,
		leg: func(t target) *call {
			leg := c.gateway.newLeg(c.live, t)
			leg.part, leg.log = true, c.log.With("leg", "phone")
			leg.to.emergency = c.to.emergency
			return leg
		},
		to: c.listener(ctx, cancel),
	}
	c.partner, err = ringing.run(ctx)
	if errors.Is(err, errRangOut) {
		return refuse(480, "nobody answers: %s", c.to)
	}
	return err
}

// devicesOf are the devices of a phone that have registered, each with the ways to it, for a call from somebody.
func (g *Gateway) devicesOf(phone *config.Phone, from sip.Address) (devices [][]target, err error) {
	if g.Devices != nil {
		for _, bindings := range g.Devices(phone.User) {
			devices = append(devices, waysTo(phone, bindings, from))
		}
	}
	if len(devices) == 0 {
		return nil, refuse(480, "the phone %s has not registered", masked(phone.User))
	}
	return devices, nil
}

// waysTo are the ways to one device.
func waysTo(phone *config.Phone, bindings []registrar.Binding, from sip.Address) (ways []target) {
	for _, b := range bindings {
		ways = append(ways, target{
			trunk: asTrunk(phone), phone: phone,
			dial: sip.Dial{To: b.Contact, Flow: &b.Flow, Route: b.Path, From: from},
		})
	}
	return ways
}

// partWith ends the leg to the partner, where there is one.
func (c *call) partWith(ctx context.Context) {
	if c.partner != nil {
		c.partner.drop(ctx, "the caller is gone")
		c.partner = nil
	}
}

// converse is the talk of two phones: until one of them hangs up. The keys of one are the other's to hear.
func (c *call) converse(ctx context.Context) error {
	leg := c.partner
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(leg.dialog.Context(), func() { cancel(errPartner) })()
	leg.hears(cancel)
	defer leg.deafen()
	ctx, stop := leg.spend(ctx)
	defer stop()
	defer leg.watch()()
	c.alone()
	leg.phone.Join(c.booth)
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-c.booth.Done():
			return fmt.Errorf("the sound of the call ended: %w", c.booth.Err())
		case <-leg.lastMinute.rings():
			leg.lastMinute.off()
			c.speaker.say(ivr.LastMinute)
		case <-c.back:
		case <-leg.back:
		case key := <-c.keys:
			leg.presses(ctx, key)
		case key := <-leg.keys:
			c.presses(ctx, key)
		}
	}
}

// presses sends a key to the phone.
func (c *call) presses(ctx context.Context, key rune) {
	if err := c.line.SendDigits(ctx, string(key)); err != nil {
		c.log.Debug("key not passed on", "error", err)
	}
}

// keysExposed reports whether the line must be encrypted, and the keys would be seen on their way.
func (c *call) keysExposed() bool {
	return c.gateway.Networks[c.network].KeysOverTLS && c.to.trunk.SRTP.Policy == config.SRTPRequired && !config.Encrypted(c.invite.Transport)
}
