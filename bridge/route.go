package bridge

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"passerelle/config"
	"passerelle/sip"
)

// destination is where a call goes.
type destination struct {
	trunk  *config.Trunk // who calls; of phones, what they have of a trunk
	phone  *config.Phone // who calls, if it is a phone that registers
	engine string        // where the room lives
	room   string        // "" as long as a menu has not found it
	ring   *config.Phone // the phone that is called, and no room; nil else
	menu   *config.Menu  // who asks for the PIN of the room; nil if the room was dialled
	pin    string        // that came with the call, for the menu to try first
}

// Known reports whether src is answered at all: whether a trunk is known by this address, or a phone may be there.
// Everybody else gets silence, unless it has a certificate to show.
func Known(live *config.Live, src netip.Addr) bool {
	return trunkOf(live, src) != nil || mayBePhone(live, src)
}

// Challenged reports whether a call from src must prove who it is: all must where no trunk is known by the address, and
// those of trunks that have a password.
func Challenged(live *config.Live, src netip.Addr) bool {
	trunk := trunkOf(live, src)
	return trunk == nil || trunk.Digest != nil
}

// mayBePhone reports whether phones may be at src.
func mayBePhone(live *config.Live, src netip.Addr) bool {
	src = src.Unmap().WithZone("")
	return len(live.Phones) > 0 && slices.ContainsFunc(live.Registrar.From, func(p netip.Prefix) bool { return p.Contains(src) })
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
func caller(live *config.Live, invite sip.Invite, serverOf func(netip.Addr) string) (trunk *config.Trunk, phone *config.Phone) {
	if invite.Account != "" {
		if phone = phoneOf(live, invite.Account); phone != nil {
			return asTrunk(phone), phone
		}
		for i := range live.Trunks {
			if t := &live.Trunks[i]; t.Digest != nil && t.Digest.User == invite.Account && t == trunkOf(live, invite.Source.Addr()) {
				return t, nil
			}
		}
		return nil, nil
	}
	if trunk = callerOf(live, invite); trunk != nil && trunk.Digest == nil {
		return trunk, nil
	}
	if serverOf == nil || invite.Peer != "" {
		return nil, nil
	}
	name := serverOf(invite.Source.Addr())
	for i := range live.Trunks {
		if t := &live.Trunks[i]; name != "" && t.Name == name && t.Digest == nil {
			return t, nil
		}
	}
	return nil, nil
}

// callerOf returns the trunk that an INVITE comes from: the one whose certificate it came with, else the one whose address
// it is; nil if there is none, or no longer.
func callerOf(live *config.Live, invite sip.Invite) *config.Trunk {
	if invite.Peer == "" {
		return trunkOf(live, invite.Source.Addr())
	}
	for i := range live.Trunks {
		if t := &live.Trunks[i]; t.Name == invite.Peer && t.Certificate != nil {
			return t
		}
	}
	return nil
}

// trunkOf returns the trunk that is known by the address src, the one with the longest prefix; nil if there is none.
func trunkOf(live *config.Live, src netip.Addr) *config.Trunk {
	src = src.Unmap().WithZone("")
	var found *config.Trunk
	longest := -1
	for i := range live.Trunks {
		if live.Trunks[i].Certificate != nil {
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

// route finds where a call goes: the first route that matches wins.
func route(live *config.Live, invite sip.Invite, serverOf func(netip.Addr) string) (destination, error) {
	src := invite.Source.Addr()
	trunk, phone := caller(live, invite, serverOf)
	if trunk == nil {
		return destination{}, refuse(403, "no trunk accepts calls from %s", src)
	}
	called := dialled(invite, trunk)
	if called == "" {
		return destination{}, refuse(404, "the called address has no user part: dial sip:ROOM@...")
	}
	for i := range live.Routes {
		r := &live.Routes[i]
		if !takesFrom(r, trunk, phone) {
			continue
		}
		fill, ok := matches(r, called)
		if !ok {
			continue
		}
		to := destination{trunk: trunk, phone: phone, engine: r.Engine}
		if r.Phone != "" {
			user := fill(r.Phone)
			if to.ring = phoneOf(live, user); to.ring == nil {
				return destination{}, refuse(404, "there is no phone %s", masked(user))
			}
			return to, nil
		}
		if r.Menu == "" {
			to.room = fill(r.Room)
			return to, nil
		}
		to.menu = menuOf(live, r.Menu)
		to.pin = firstPIN(fill(r.PIN.Reveal()), invite.Header("X-PIN"))
		return to, nil
	}
	return destination{}, refuse(404, "none of %d routes takes %s from trunk %s", len(live.Routes), masked(called), trunk.Name)
}

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

// takesFrom reports whether r is for calls of this trunk, or phone.
func takesFrom(r *config.Route, trunk *config.Trunk, phone *config.Phone) bool {
	if len(r.From) == 0 {
		return trunk.Trusted || phone != nil
	}
	for _, name := range r.From {
		if name == trunk.Name {
			return true
		}
	}
	return false
}

// matches reports whether r takes what was called, and returns how it fills in a template.
func matches(r *config.Route, called string) (fill func(template string) string, ok bool) {
	if r.ToMatch == nil {
		return func(text string) string { return text }, sameNumber(r.To, called)
	}
	groups := r.ToMatch.FindStringSubmatchIndex(called)
	return func(template string) string {
		return string(r.ToMatch.ExpandString(nil, template, called, groups))
	}, groups != nil
}

// sameNumber reports whether two user parts call the same: literally, or as numbers, whose visual
// separators say nothing (RFC 3966 section 5.1.1).
func sameNumber(a, b string) bool {
	if a == b {
		return true
	}
	a, b = bareNumber(a), bareNumber(b)
	return a != "" && a == b
}

// bareNumber returns a telephone number without its visual separators; "" if s is not a number.
func bareNumber(s string) string {
	var bare strings.Builder
	for i, c := range s {
		switch {
		case c >= '0' && c <= '9', c == '+' && i == 0:
			bare.WriteRune(c)
		case strings.ContainsRune("-.() ", c):
		default:
			return ""
		}
	}
	return bare.String()
}

// String is the destination for the log: the name of a room may be the number that was dialled. What a menu
// found was not dialled, and is said whole.
func (d destination) String() string {
	switch {
	case d.ring != nil:
		return "phone " + masked(d.ring.User)
	case d.menu == nil:
		return fmt.Sprintf("%s/%s", d.engine, masked(d.room))
	case d.room == "":
		return fmt.Sprintf("menu %s", d.menu.Name)
	default:
		return fmt.Sprintf("%s/%s", d.engine, d.room)
	}
}
