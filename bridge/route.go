package bridge

import (
	"fmt"
	"net/netip"
	"strings"

	"passerelle/config"
)

// destination is where a call goes.
type destination struct {
	trunk  *config.Trunk // who calls
	engine string        // where the room lives
	room   string
}

// Known reports whether src may call at all: whether a trunk accepts it. Everybody else gets silence.
func Known(live *config.Live, src netip.Addr) bool { return trunkOf(live, src) != nil }

// trunkOf returns the trunk that accepts src, the one with the longest prefix; nil if there is none.
func trunkOf(live *config.Live, src netip.Addr) *config.Trunk {
	src = src.Unmap().WithZone("")
	var found *config.Trunk
	longest := -1
	for i := range live.Trunks {
		for _, prefix := range live.Trunks[i].From {
			if prefix.Contains(src) && prefix.Bits() > longest {
				found, longest = &live.Trunks[i], prefix.Bits()
			}
		}
	}
	return found
}

// route finds where a call from src to the user part called goes: the first route that matches wins.
func route(live *config.Live, src netip.Addr, called string) (destination, error) {
	trunk := trunkOf(live, src)
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
		if room, ok := roomOf(r, called); ok {
			return destination{trunk: trunk, engine: r.Engine, room: room}, nil
		}
	}
	return destination{}, refuse(404, "none of %d routes takes %s from trunk %s", len(live.Routes), masked(called), trunk.Name)
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

// roomOf returns the room that r makes of what was called.
func roomOf(r *config.Route, called string) (string, bool) {
	if r.ToMatch == nil {
		return r.Room, sameNumber(r.To, called)
	}
	groups := r.ToMatch.FindStringSubmatchIndex(called)
	if groups == nil {
		return "", false
	}
	return string(r.ToMatch.ExpandString(nil, r.Room, called, groups)), true
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

// String is the destination for the log: a room's name may be the number that was dialled, or a PIN.
func (d destination) String() string { return fmt.Sprintf("%s/%s", d.engine, masked(d.room)) }
