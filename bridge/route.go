package bridge

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"passerelle/bridge/ivr"
	"passerelle/bridge/numbers"
	"passerelle/config"
	"passerelle/sip"
	"passerelle/sip/registrar"
	"passerelle/sip/sdp"
)

// destination is where a call goes: to a room, to a menu that asks for one, to an announcement, or to an echo test.
type destination struct {
	trunk     *config.Trunk // who calls; of phones, what they have of a trunk
	phone     *config.Phone // who calls, if it is a phone that registers
	engine    string        // where the room lives; "" where there is none
	room      string        // "" as long as a menu has not found it
	ring      *config.Phone // the phone that is called, and no room; nil else
	errand    bool          // of another gateway: ring is called at ways, and nowhere else
	ways      []registrar.Binding
	moderator bool          // the caller came with a moderator's PIN
	out       *config.Trunk // over which the call goes out, and into no room; nil else
	dials     string        // the number that is called over out
	menu      *config.Menu  // who asks for the PIN of the room; nil if the room was dialled
	pin       string        // that came with the call, for the menu to try first
	announce  ivr.Prompt    // what is said instead; "" if nothing is
	echo      bool
	language  string // of announce and echo; "" if nobody said
	emergency bool   // a call for help, which no limit keeps out
	caller    string // who calls, E.164 where it is a number of the world; "" where it is withheld
	trace     Trace  // how it was found
}

// hasRoom reports whether the call is to end in a room. It takes a pointer: a copy would lie on the stack of every call.
func (d *destination) hasRoom() bool { return d.announce == "" && !d.echo }

// reaches reports whether the call is for somebody who is called, and not in a room.
func (d *destination) reaches() bool { return d.ring != nil || d.out != nil }

// Challenged reports whether a call from src must prove who it is: all must where no trunk is known by the address, and
// those of trunks that have a password.
func Challenged(live *config.Live, network string, src netip.Addr) bool {
	trunk := trunkOf(live, network, src)
	return trunk == nil || trunk.Digest != nil
}

// mayBePhone reports whether phones of a network may be at src.
func mayBePhone(live *config.Live, network string, src netip.Addr) bool {
	src = src.Unmap().WithZone("")
	there := slices.ContainsFunc(live.Phones, func(p config.Phone) bool { return p.Network == network })
	return there && slices.ContainsFunc(live.Registrar.From, func(p netip.Prefix) bool { return p.Contains(src) })
}

// phoneOf returns the phone of that user, nil if there is none.
func phoneOf(live *config.Live, user string) *config.Phone {
	for i := range live.Phones {
		if live.Phones[i].User == user {
			return &live.Phones[i]
		}
	}
	return nil
}

// phones is what routes call all phones, and what a phone has of a trunk is called.
const phones = "phones"

// asTrunk is what a phone has of a trunk.
func asTrunk(p *config.Phone) *config.Trunk {
	return &config.Trunk{Name: phones, Network: p.Network, Codecs: p.Codecs, Gain: p.Gain, Gate: p.Gate, SRTP: p.SRTP}
}

// caller finds out whose call an INVITE is: of whoever proved to be who, else of the trunk with that certificate or
// address, or of the one whose server it is. No trunk: nobody's.
func caller(live *config.Live, network string, invite sip.Invite, serverOf func(netip.Addr) string) (trunk *config.Trunk, phone *config.Phone) {
	if invite.Account != "" {
		if phone = phoneOf(live, invite.Account); phone != nil && phone.Network == network {
			return asTrunk(phone), phone
		}
		for i := range live.Trunks {
			if t := &live.Trunks[i]; t.Digest != nil && t.Digest.User == invite.Account && t == trunkOf(live, network, invite.Source.Addr()) {
				return t, nil
			}
		}
		return nil, nil
	}
	if trunk = callerOf(live, network, invite); trunk != nil && trunk.Digest == nil {
		return trunk, nil
	}
	if serverOf == nil || invite.Peer != "" {
		return nil, nil
	}
	name := serverOf(invite.Source.Addr())
	for i := range live.Trunks {
		if t := &live.Trunks[i]; name != "" && t.Name == name && t.Network == network && t.Digest == nil {
			return t, nil
		}
	}
	return nil, nil
}

// Known reports whether src is answered on a network: whether a trunk is known there by this address, or a phone may be there. Everybody else
// gets silence, unless it has a certificate to show.
func Known(live *config.Live, network string, src netip.Addr) bool {
	return trunkOf(live, network, src) != nil || mayBePhone(live, network, src)
}

// callerOf returns the trunk that an INVITE comes from, on a network: the one whose certificate it came with, else the one whose address
// it is; nil if there is none, or no longer.
func callerOf(live *config.Live, network string, invite sip.Invite) *config.Trunk {
	if invite.Peer == "" {
		return trunkOf(live, network, invite.Source.Addr())
	}
	for i := range live.Trunks {
		if t := &live.Trunks[i]; t.Name == invite.Peer && t.Certificate != nil && t.Network == network {
			return t
		}
	}
	return nil
}

// trunkOf returns the trunk that is known on a network by the address src, the one with the longest prefix; nil if there is none.
func trunkOf(live *config.Live, network string, src netip.Addr) *config.Trunk {
	src = src.Unmap().WithZone("")
	var found *config.Trunk
	longest := -1
	for i := range live.Trunks {
		if live.Trunks[i].Certificate != nil || live.Trunks[i].Network != network {
			continue
		}
		for _, prefix := range live.Trunks[i].From {
			if prefix.Contains(src) && prefix.Bits() > longest {
				found, longest = &live.Trunks[i], prefix.Bits()
			}
		}
	}
	return found
}

// Ask is all that routes look at of a call.
type Ask struct {
	Trunk     *config.Trunk              // whose call it is; nil is nobody's
	Called    string                     // the user part of the Request-URI
	Caller    string                     // the number that calls, "" where it is withheld
	Transport string                     // "udp", "tcp", "tls", ...
	Header    func(name string) []string // of the INVITE
	At        time.Time
	Video     bool // the INVITE offers it
}

// route finds where a call goes. What it has found out is in the destination's trace, also where it is refused.
func (d *directory) route(network string, invite sip.Invite, serverOf func(netip.Addr) string, at time.Time) (destination, error) {
	trunk, phone := caller(d.live, network, invite, serverOf)
	if trunk == nil && invite.Peer == "" && CallsForHelp(d.live, network, invite.Source.Addr(), invite.RequestURI.User) {
		trunk = someone(network)
	}
	if trunk == nil {
		t := Trace{End: fmt.Sprintf("no trunk accepts calls from %s", invite.Source.Addr()), Code: 403}
		return destination{trace: t}, t.refusal()
	}
	to, err := d.decide(Ask{
		Trunk: trunk, Called: dialled(invite, trunk), Caller: identify(invite, trunk).user,
		Transport: invite.Transport, Header: invite.Header, At: at, Video: sdp.OffersVideo(invite.Body),
	}, masked)
	to.phone = phone
	return to, err
}

// decide finds where a call goes: the first route that matches wins. What it notes of numbers it writes with show, and of
// PINs nothing.
func (d *directory) decide(ask Ask, show func(string) string) (destination, error) {
	q := question{Ask: ask, called: d.read(ask.Trunk, ask.Called), caller: d.read(ask.Trunk, ask.Caller)}
	to := destination{trunk: ask.Trunk, caller: q.caller.Text(), trace: Trace{most: stepsKept}}
	note := &to.trace
	note.Called = d.shown(q, show)
	note.add("trunk", true, "%s", ask.Trunk.Name)
	note.add("called", ask.Called != "", "%s", described(note.Called, q.called, show))
	note.add("caller", true, "%s", described(show(ask.Caller), q.caller, show))
	switch {
	case ask.Called == "":
		return note.refused(to, 404, "the called address has no user part: dial sip:ROOM@...")
	case q.called.Kind == numbers.Emergency:
		return d.help(&q, to), nil
	}
	for i := range d.live.Routes {
		r := &d.live.Routes[i]
		if why := d.misses(r, &q); why != "" {
			note.add(fmt.Sprintf("route %d", i+1), false, "%s", why)
			continue
		}
		note.add(fmt.Sprintf("route %d", i+1), true, "it asks %s", conditions(r))
		return d.follow(r, &q, to)
	}
	return note.refused(to, 404, "none of %d routes takes %s from trunk %s", len(d.live.Routes), note.Called, ask.Trunk.Name)
}

// follow goes where a route leads.
func (d *directory) follow(r *config.Route, q *question, to destination) (destination, error) {
	note := &to.trace
	to.engine, to.language = r.Engine, r.Language
	switch {
	case r.Reject != 0:
		return note.refused(to, r.Reject, "the route rejects %s", note.Called)
	case r.Redirect != "":
		refused := redirect(q.fill(r.Redirect))
		note.End, note.Code = refused.text, refused.code
		to.trace = *note
		return to, refused
	case r.Announce != "":
		to.announce = ivr.Prompt(r.Announce)
		note.End = "the caller is told: " + r.Announce
	case r.Echo:
		to.echo = true
		note.End = "an echo test"
	case r.Phone != "":
		user := q.fill(r.Phone)
		if to.ring = phoneOf(d.live, user); to.ring == nil {
			return note.refused(to, 404, "there is no phone %s", masked(user))
		}
		note.End = to.String()
	case r.Trunk != "":
		return d.out(r.Trunk, q, to)
	case r.Menu != "":
		to.menu = menuOf(d.live, r.Menu)
		to.pin = firstPIN(q.fill(r.PIN.Reveal()), q.Header("X-PIN"))
		note.End = "menu " + r.Menu
		if to.pin != "" {
			note.End += ", with a PIN"
		}
	default:
		to.room = q.fill(r.Room)
		note.End = "room " + to.String()
	}
	return to, nil
}

// question is a call, with its numbers read.
type question struct {
	Ask
	called, caller numbers.Number
	fill           func(template string) string // once a route has matched what was called
}

// misses returns why a route does not take a call, "" where it does.
func (d *directory) misses(r *config.Route, q *question) string {
	switch {
	case len(r.From) == 0 && !q.Trunk.Trusted && q.Trunk.Name != phones:
		return "it takes calls of trusted trunks, and this one is not"
	case len(r.From) > 0 && !slices.Contains(r.From, q.Trunk.Name):
		return "it takes calls of " + strings.Join(r.From, ", ")
	}
	if why := d.missesCalled(r, q); why != "" {
		return why
	}
	if why := d.missesCaller(r, q); why != "" {
		return why
	}
	if len(r.Transport) > 0 && !slices.Contains(r.Transport, q.Transport) {
		return fmt.Sprintf("it wants transport %s, and this is %s", strings.Join(r.Transport, " or "), q.Transport)
	}
	if h := r.Header; h != nil && !slices.ContainsFunc(q.Header(h.Name), h.Match.MatchString) {
		return fmt.Sprintf("the INVITE has no header %s that matches", h.Name)
	}
	if r.Video && !q.Video {
		return "it takes calls that offer video"
	}
	return missesHours(r, q.At)
}

// missesCalled looks at what was dialled.
func (d *directory) missesCalled(r *config.Route, q *question) string {
	q.fill = func(text string) string { return text }
	switch {
	case r.ToMatch != nil:
		for _, called := range []string{q.called.Dialled, q.called.E164} {
			if groups := r.ToMatch.FindStringSubmatchIndex(called); groups != nil {
				q.fill = func(template string) string { return string(r.ToMatch.ExpandString(nil, template, called, groups)) }
				return ""
			}
		}
		return "to_match does not match what was dialled"
	case r.To != "" && !q.called.Same(d.read(q.Trunk, r.To)):
		return "another number was dialled (to)"
	}
	return ""
}

// missesCaller looks at who calls.
func (d *directory) missesCaller(r *config.Route, q *question) string {
	switch {
	case r.Caller != nil && !r.Caller.MatchString(q.caller.Dialled) && !r.Caller.MatchString(q.caller.E164):
		return "caller_match does not match who calls"
	case len(r.Callers) > 0 && !slices.ContainsFunc(r.Callers, func(c string) bool { return q.caller.Same(d.read(q.Trunk, c)) }):
		return "somebody else calls (caller)"
	}
	return ""
}

// missesHours looks at the clock.
func missesHours(r *config.Route, at time.Time) string {
	if len(r.Hours) == 0 {
		return ""
	}
	zone := r.Zone
	if zone == nil {
		zone = time.Local
	}
	at = at.In(zone)
	var all []string
	for _, h := range r.Hours {
		if h.Contain(at) {
			return ""
		}
		all = append(all, h.String())
	}
	return fmt.Sprintf("it is %s, and not %s", at.Format("Mon 15:04 MST"), strings.Join(all, " or "))
}

// conditions says what a route that matched has asked for.
func conditions(r *config.Route) string {
	var all []string
	for _, c := range []struct {
		asked bool
		what  string
	}{
		{len(r.From) > 0, "from"}, {r.To != "", "to"}, {r.ToMatch != nil, "to_match"}, {len(r.Callers) > 0, "caller"},
		{r.Caller != nil, "caller_match"}, {len(r.Transport) > 0, "transport"}, {r.Header != nil, "header"}, {len(r.Hours) > 0, "hours"}, {r.Video, "video"},
	} {
		if c.asked {
			all = append(all, c.what)
		}
	}
	if len(all) == 0 {
		return "nothing but a trusted trunk"
	}
	return strings.Join(all, ", ")
}

// described is a number for the trace.
func described(shown string, n numbers.Number, show func(string) string) string {
	switch {
	case shown == "":
		return "nothing"
	case n.Kind == numbers.Name || shown == hidden:
		return shown
	case n.E164 != "" && n.E164 != n.Dialled:
		return fmt.Sprintf("%s is %s (%s)", shown, show(n.E164), n.Why)
	}
	return fmt.Sprintf("%s (%s)", shown, n.Why)
}

// shown is what was dialled for the trace and the log: not a digit of it where it is a PIN, or may be one that was
// mistyped.
func (d *directory) shown(q question, show func(string) string) string {
	for i := range d.live.Routes {
		r := &d.live.Routes[i]
		if !r.MakesPIN() || d.misses(&config.Route{From: r.From}, &q) != "" {
			continue
		}
		if r.ToMatch.MatchString(q.called.Dialled) || q.called.Kind == numbers.Other || q.called.Kind == numbers.Name && digits(q.called.Dialled) > 3 {
			return hidden
		}
	}
	return show(q.called.Dialled)
}

// hidden stands for a PIN.
const hidden = "(a PIN, or nearly)"

// menuOf returns the menu of that name, which the configuration has.
func menuOf(live *config.Live, name string) *config.Menu {
	for i := range live.Menus {
		if live.Menus[i].Name == name {
			return &live.Menus[i]
		}
	}
	return nil
}

// dialled is the number that was called. A trunk that we register with calls our own Contact, and says in To which number
// that was.
func dialled(invite sip.Invite, trunk *config.Trunk) string {
	if called := invite.RequestURI.User; trunk.Register == nil || called != trunk.Register.User || invite.To.User == "" {
		return called
	}
	return invite.To.User
}

// String is the destination for the log: the name of a room may be the number that was dialled. What a menu
// found was not dialled, and is said whole.
func (d destination) String() string {
	switch {
	case d.ring != nil:
		return "phone " + masked(d.ring.User)
	case d.out != nil:
		return "trunk " + d.out.Name
	case d.echo:
		return "echo test"
	case d.announce != "":
		return "announcement " + string(d.announce)
	case d.menu == nil:
		return fmt.Sprintf("%s/%s", d.engine, masked(d.room))
	case d.room == "":
		return fmt.Sprintf("menu %s", d.menu.Name)
	default:
		return fmt.Sprintf("%s/%s", d.engine, d.room)
	}
}
