package bridge

import (
	"fmt"
	"net/netip"
	"strings"

	"passerelle/config"
	"passerelle/sip"
)

// destination is where a call goes.
type destination struct {
	trunk  *config.Trunk // who calls
	engine string        // where the room lives
	room   string        // "" as long as a menu has not found it
	menu   *config.Menu  // who asks for the PIN of the room; nil if the room was dialled
	pin    string        // that came with the call, for the menu to try first
}

// Known reports whether src may call on a network as it is: whether a trunk is known there by this address. Everybody else
// gets silence, unless it has a certificate to show.
func Known(live *config.Live, network string, src netip.Addr) bool {
	return trunkOf(live, network, src) != nil
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

// route finds where a call goes: the first route that matches wins.
func route(live *config.Live, network string, invite sip.Invite) (destination, error) {
	src, called := invite.Source.Addr(), invite.RequestURI.User
	trunk := callerOf(live, network, invite)
	if trunk == nil {
		return destination{}, refuse(403, "no trunk accepts calls from %s", src)
	}
	if called == "" {
		return destination{}, refuse(404, "the called address has no user part: dial sip:ROOM@...")
	}
	for i := range live.Routes {
		r := &live.Routes[i]
		if !takesFrom(r, trunk) {
			continue
		}
		fill, ok := matches(r, called)
		if !ok {
			continue
		}
		to := destination{trunk: trunk, engine: r.Engine}
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

// takesFrom reports whether r is for calls of this trunk.
func takesFrom(r *config.Route, trunk *config.Trunk) bool {
	if len(r.From) == 0 {
		return trunk.Trusted
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
	case d.menu == nil:
		return fmt.Sprintf("%s/%s", d.engine, masked(d.room))
	case d.room == "":
		return fmt.Sprintf("menu %s", d.menu.Name)
	default:
		return fmt.Sprintf("%s/%s", d.engine, d.room)
	}
}
