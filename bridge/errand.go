package bridge

import (
	"context"

	"passerelle/config"
)

// gateways is who sends errands, as trunks are named.
const gateways = "gateways"

// errand finds out whether the call is one that another gateway has for a phone whose flow is this one's. Such a call goes
// to that phone, where it was sent for, and to no other gateway.
func (c *call) errand(ctx context.Context) (errand bool, err error) {
	if c.gateway.Errand == nil {
		return false, nil
	}
	user, ways, ok := c.gateway.Errand(ctx, c.network, c.invite)
	if !ok {
		return false, nil
	}
	note := Trace{most: stepsKept, Called: masked(user)}
	note.add("trunk", true, gateways)
	c.to = destination{
		trunk: &config.Trunk{Name: gateways, Network: c.network, Codecs: []config.Codec{config.G722, config.Opus, config.PCMA, config.PCMU}},
	}
	phone := phoneOf(c.live, user)
	switch {
	case phone == nil || phone.Network != c.network:
		c.to, err = note.refused(c.to, 404, "there is no phone %s", masked(user))
		return true, err
	case len(ways) == 0:
		c.to, err = note.refused(c.to, 480, "the phone %s has not registered", masked(user))
		return true, err
	}
	c.to.trunk.SRTP = phone.SRTP
	c.to.ring, c.to.errand, c.to.ways = phone, true, ways
	c.to.caller = identify(c.invite, c.to.trunk).user
	note.End = c.to.String() + ", for another gateway"
	c.to.trace = note
	return true, nil
}
