package bridge

import (
	"context"
	"net/netip"

	"passerelle/bridge/ivr"
	"passerelle/bridge/numbers"
	"passerelle/bridge/outgoing"
	"passerelle/config"
	"passerelle/sip"
)

// Calls that come in and go out again over a trunk: those that a route leads there, and calls for help.

// help leads a call for help to the trunk that takes such calls; a caller for whom there is no way out is told to call
// from another telephone. A trunk that is not trusted may be anybody, who would call for help where nobody needs it.
func (d *directory) help(q *question, to destination) destination {
	to.emergency = true
	note, via := &to.trace, trunkNamed(d.live, d.live.Help)
	why := ""
	switch {
	case via == nil:
		why = "emergency.via names no trunk"
	case q.Trunk.Name == via.Name:
		why = "it comes from trunk " + via.Name + ", where it would go"
	case q.Trunk.Name != phones && !q.Trunk.Trusted:
		why = "trunk " + q.Trunk.Name + " is not trusted"
	}
	if why != "" {
		note.add("help", false, "%s", why)
		to.announce = ivr.Emergency
		note.End = "the caller is told to call for help from another telephone"
		return to
	}
	note.add("help", true, "emergency.via")
	to.out, to.dials = via, q.called.Help
	note.End = "out over trunk " + via.Name + ", for help"
	return to
}

// CallsForHelp reports whether a call from src to user is one for help of a phone in the house, which gets through also where
// it does not prove which phone it is: addresses of everybody's are not in the house.
func CallsForHelp(live *config.Live, network string, src netip.Addr, user string) bool {
	if src = src.Unmap(); !src.IsPrivate() && !src.IsLoopback() || !mayBePhone(live, network, src) {
		return false
	}
	return planOf(live, someone(network)).Read(user).Kind == numbers.Emergency
}

// someone is what a phone has of a trunk that has not proved which it is.
func someone(network string) *config.Trunk {
	return &config.Trunk{Name: phones, Network: network, Gain: true, Gate: true, SRTP: config.SRTP{Policy: config.SRTPOptional}}
}

// out leads a call out over a trunk, if what was dialled may be called there.
func (d *directory) out(name string, q *question, to destination) (destination, error) {
	note := &to.trace
	to.out, to.dials = trunkNamed(d.live, name), q.called.Text()
	if to.out == nil {
		return note.refused(to, 404, "there is no trunk %s", name)
	}
	if q.Trunk.Name == name {
		return note.refused(to, 482, "it comes from trunk %s, where it would go", name)
	}
	call := d.callOut(outgoing.Route, to.out, to.dials)
	if err := d.rules.Allows(call); err != nil {
		return note.refused(to, 403, "%s", err)
	}
	note.add("towards", true, "%s", call.To)
	note.End = "out over trunk " + name
	return to, nil
}

// callOut is a call that somebody wants to make over a trunk.
func (d *directory) callOut(by outgoing.Who, trunk *config.Trunk, dialled string) outgoing.Call {
	return outgoing.Call{By: by, Trunk: trunk.Name, To: outgoing.Read(planOf(d.live, trunk), dialled)}
}

// waysOut are the ways of a call over the trunk that it goes out to. A call for help asks nobody for leave, and says who
// calls.
func (c *call) waysOut() ([][]target, error) {
	who := identify(c.invite, c.to.trunk)
	own := sip.Address{Display: who.display, User: c.to.caller}
	if c.to.trunk.Name == phones { // who calls what it likes itself
		own = sip.Address{}
	}
	if p := c.to.phone; p != nil {
		own = sip.Address{Display: p.Name, User: p.Number}
	}
	from := present(c.to.out, planOf(c.live, c.to.out), own, who.user == "" && !c.to.emergency)
	ways := c.gateway.over(c.live, c.to.out, c.to.dials, outgoing.Route, from)
	if len(ways) == 0 || c.gateway.Dial == nil {
		return nil, refuse(480, "trunk %s is not called", c.to.out.Name)
	}
	for i := range ways {
		if c.to.emergency {
			ways[i].permit = nil
		}
	}
	return [][]target{ways}, nil
}

// goOut calls over the trunk that the call goes out to. Where nobody can be reached for help, the caller is told.
func (c *call) goOut(ctx context.Context, cancel context.CancelCauseFunc) error {
	ways, err := c.waysOut()
	if err == nil {
		err = c.reach(ctx, cancel, ways)
	}
	if err == nil || !c.to.emergency || ctx.Err() != nil {
		return err
	}
	c.log.Error("a call for help did not get out: the caller is told to call from another telephone", "trunk", c.to.out.Name, "error", err)
	c.to.out, c.to.announce = nil, ivr.Emergency
	return nil
}
