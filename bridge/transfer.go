package bridge

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"passerelle/config"
	"passerelle/sip"
)

// Transfers (docs/transfer.md). A phone that sends REFER asks us to call somebody, who gets its place in the room; a
// call that comes with Replaces takes the place of another; and a phone whose REFER names a room of ours moves there.

// spot is where a call is in the house, for a call that takes over from it. Nobody changes it.
type spot struct {
	to               destination
	attributes       map[string]string
	muted, moderated bool
	admitted         time.Duration
	language         string
}

// publish tells where the call is. It is called on the call's goroutine.
func (c *call) publish() {
	c.spot.Store(&spot{c.to, maps.Clone(c.attributes), c.muted, c.moderated, c.admitted, c.speaker.language})
}

// inherit puts the call where another one is, as a caller of trunk.
func (c *call) inherit(p *spot, trunk *config.Trunk) {
	c.to, c.attributes, c.admitted = p.to, p.attributes, p.admitted
	c.muted, c.moderated, c.language = p.muted, p.moderated, p.language
	c.to.trunk, c.to.pin = trunk, ""
	c.to.moderator = false // that was another person
}

// introduce notes who it is that is in the place of another.
func (c *call) introduce() {
	c.to.caller = c.gateway.directory().read(c.to.trunk, identify(c.invite, c.to.trunk).user).Text()
}

// takeOver finds the call that this one is to take the place of (RFC 3891): both trunks must allow that.
func (c *call) takeOver(ctx context.Context) error {
	trunk, phone := caller(c.live, c.network, c.invite, c.gateway.ServerOf)
	if trunk == nil {
		return refuse(403, "no trunk accepts calls from %s", c.invite.Source.Addr())
	}
	if !trunk.Transfer.Allowed {
		return refuse(403, "calls of trunk %s take no other's place (transfer)", trunk.Name)
	}
	d, err := c.dialog.Replaced(ctx)
	if err != nil {
		return err
	}
	old := c.gateway.callOf(d)
	if old == nil {
		return refuse(481, "Replaces names no call to a room")
	}
	p := old.spot.Load()
	switch {
	case p == nil:
		return refuse(481, "Replaces names a call that is in no room yet")
	case !p.to.trunk.Transfer.Allowed:
		return refuse(403, "calls of trunk %s are not replaced (transfer)", p.to.trunk.Name)
	}
	c.replacing = old
	c.inherit(p, trunk)
	c.to.phone = phone
	c.introduce()
	return nil
}

// referral returns who decides about a REFER in a call of trunk. What it returns is called on the dialog's owner.
func (c *call) referral(trunk *config.Trunk) func(sip.Referral) (sip.Transfer, error) {
	return func(r sip.Referral) (sip.Transfer, error) {
		routes := c.gateway.directory()
		if c.isHere(r.Target) {
			to, err := routes.decide(Ask{
				Trunk: trunk, Called: r.Target.User, Caller: identify(c.invite, trunk).user, Transport: c.invite.Transport,
				Header: func(string) []string { return nil }, At: time.Now(),
			}, masked)
			if err != nil {
				return nil, err
			}
			if !to.hasRoom() || to.reaches() {
				return nil, refuse(603, "a call moves to rooms only")
			}
			if r.Replaces != nil {
				return nil, refuse(603, "a call to a room takes no other's place")
			}
			return func(ctx context.Context, _ func(int, string)) error { return c.moveTo(ctx, to) }, nil
		}
		towards, ok := mayCall(routes.live, trunk, r.Target.Host)
		if !ok || c.gateway.Dial == nil {
			return nil, refuse(403, "calls of trunk %s are not transferred to %s (transfer)", trunk.Name, r.Target.Host)
		}
		target, err := c.protected(r)
		if err != nil {
			return nil, err
		}
		return func(ctx context.Context, progress func(int, string)) error {
			return c.transfer(ctx, towards, target, r, progress)
		}, nil
	}
}

// isHere reports whether an address is the gateway's, as this phone knows it.
func (c *call) isHere(u sip.URI) bool {
	port := u.Port
	if port == 0 {
		port = 5060
		if u.Params["transport"] == "tls" || u.Scheme == "sips" {
			port = 5061
		}
	}
	if own := c.invite.Local; port != int(own.Port()) && port != c.invite.RequestURI.Port {
		return false
	}
	advertised := c.gateway.Networks[c.network].Advertise
	for _, host := range []string{c.invite.Local.Addr().String(), c.invite.RequestURI.Host, advertised.Host, advertised.Addr.String()} {
		if host != "" && strings.EqualFold(host, u.Host) {
			return true
		}
	}
	return false
}

// mayCall reports whether calls of a trunk may be transferred to a host, and as calls of which trunk: toll fraud begins
// here.
func mayCall(live *config.Live, trunk *config.Trunk, host string) (*config.Trunk, bool) {
	x := trunk.Transfer
	if !x.Allowed {
		return nil, false
	}
	a, err := netip.ParseAddr(host)
	if err != nil {
		return trunk, slices.Contains(x.Hosts, strings.ToLower(host))
	}
	a = a.Unmap().WithZone("")
	covers := func(p netip.Prefix) bool { return p.Contains(a) }
	if slices.ContainsFunc(trunk.From, covers) {
		return trunk, true
	}
	for i := range live.Trunks {
		if t := &live.Trunks[i]; slices.Contains(x.Trunks, t.Name) && slices.ContainsFunc(t.From, covers) {
			return t, true
		}
	}
	return trunk, slices.ContainsFunc(x.Nets, covers)
}

// paid returns the trunk that is called out over (outgoing.via, or a route) whose server or address a host is, nil if it is
// nobody's: whoever is transferred there calls out, and outgoing says what may be called.
func (g *Gateway) paid(live *config.Live, host string) *config.Trunk {
	if live.Outgoing == nil {
		return nil
	}
	a, err := netip.ParseAddr(host)
	a = a.Unmap().WithZone("")
	out := slices.Clone(live.Outgoing.Via)
	for _, r := range live.Routes {
		out = append(out, r.Trunk)
	}
	for _, name := range out {
		t := trunkNamed(live, name)
		switch {
		case t == nil:
		case slices.ContainsFunc(t.Servers, func(uri string) bool { return strings.EqualFold(hostOf(uri), host) }),
			err == nil && slices.ContainsFunc(t.From, func(p netip.Prefix) bool { return p.Contains(a) }),
			err == nil && g.ServerOf != nil && g.ServerOf(a) == name:
			return t
		}
	}
	return nil
}

// hostOf is the host of a trunk's server, a SIP URI.
func hostOf(uri string) string {
	_, rest, _ := strings.Cut(uri, ":")
	rest, _, _ = strings.Cut(rest, ";")
	if inside, ok := strings.CutPrefix(rest, "["); ok {
		host, _, _ := strings.Cut(inside, "]")
		return host
	}
	host, _, _ := strings.Cut(rest, ":")
	return host
}

// protected returns whom to call, the way that this call came where the address does not say; never outside of TLS
// where the call is inside.
func (c *call) protected(r sip.Referral) (string, error) {
	network, said := r.Target.Params["transport"], r.Target.Params["transport"] != ""
	switch secure := r.Target.Scheme == "sips"; {
	case secure || !said && c.invite.Transport == "udp":
		return r.To, nil
	case !said:
		return r.To + ";transport=" + c.invite.Transport, nil
	case config.Encrypted(c.invite.Transport) && !config.Encrypted(strings.ToLower(network)):
		return "", refuse(403, "a call over TLS is not transferred over %s", network)
	}
	return r.To, nil
}

// errMoved is why talk ends for a phone that goes to another room.
var errMoved = errors.New("the phone moves to another room")

// move is a wish to go to another room.
type move struct {
	to   destination
	done chan error // receives how it went
}

// moveTimeout is how long a phone may take to be where it can be moved, out of a menu, say.
const moveTimeout = 10 * time.Second

// moveTo asks the call to go to another room, and returns how that went.
func (c *call) moveTo(ctx context.Context, to destination) error {
	ctx, cancel := context.WithTimeout(ctx, moveTimeout)
	defer cancel()
	m := &move{to, make(chan error, 1)}
	over := c.dialog.Context()
	select {
	case c.moves <- m:
	case <-over.Done():
		return context.Cause(over)
	case <-ctx.Done():
		return refuse(480, "the phone is in no room that it could leave")
	}
	select {
	case err := <-m.done:
		return outcome(err)
	case <-over.Done():
		return context.Cause(over)
	}
}

// talkOn talks in one room after the other.
func (c *call) talkOn(ctx context.Context) error {
	for {
		err := c.talk(ctx)
		if !errors.Is(err, errMoved) {
			return err
		}
		if err := c.moveOn(ctx, c.next); err != nil {
			return because(ctx, err)
		}
	}
}

// moveOn goes to another room, or stays where it was if that can not be entered.
func (c *call) moveOn(ctx context.Context, m *move) error {
	was, attributes := c.to, c.attributes
	c.log.Info("call moves", "to", m.to.String())
	c.stand()
	c.speaker.hush()
	c.known, c.informed, c.interrupted = news{}, false, false
	c.to.engine, c.to.room, c.to.menu, c.to.pin, c.attributes = m.to.engine, m.to.room, m.to.menu, m.to.pin, nil
	c.to.moderator = false
	if c.asks() || c.knocks() {
		m.done <- nil // it is being spoken to, as if it had called there
		return c.choose(ctx)
	}
	err := c.sit(ctx)
	m.done <- err
	if err == nil {
		return nil
	}
	c.to, c.attributes = was, attributes
	if again := c.sit(ctx); again != nil {
		return fmt.Errorf("%w; and back: %w", err, again)
	}
	return nil
}

// outcome is what the phone that asked for a transfer is told of an error.
func outcome(err error) error {
	if err == nil || errors.Is(err, errReplaced) { // somebody else has answered
		return nil
	}
	var status interface{ SIPStatus() (int, string) }
	switch {
	case errors.As(err, &status):
		return err
	case errors.Is(err, sip.ErrNoAnswer), errors.Is(err, errRangOut):
		return refuse(408, "%v", err)
	}
	return refuse(refusalOf(err).Code, "%v", err)
}
