package bridge

import (
	"fmt"
	"hash/fnv"
	"net/netip"
	"strings"
	"unicode"
	"unicode/utf8"

	"passerelle/config"
	"passerelle/rooms"
	"passerelle/sip"
)

// maxName bounds the name of a phone in a room, in characters.
const maxName = 64

// participant is how a room sees a caller: by the display name if it is one, else by a masked number, which is caller's.
func participant(invite sip.Invite, trunk *config.Trunk, caller string) rooms.Participant {
	who := identify(invite, trunk)
	id := callHash(invite.CallID)
	return rooms.Participant{
		Kind: rooms.Phone, Name: phoneName(who.display, caller),
		Attributes: map[string]string{
			// What LiveKit's own clients read of a telephone.
			nameKey:           fmt.Sprintf("%016x", id),
			"sip.trunkID":     trunk.Name,
			"sip.phoneNumber": phoneName("", caller),
			"sip.callStatus":  "active",
			// What Meet's clients read of everybody.
			"is_authenticated": "false",
			"color":            fmt.Sprintf("hsl(%d, 60%%, 40%%)", id%360),
		},
	}
}

// callHash names a call where everybody can read it: a Call-ID often holds an address of the phone's network.
func callHash(callID string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(callID))
	return h.Sum64()
}

// phoneName chooses the name that everybody in the room reads. A number is never shown whole, wherever
// the phone has put it, and an address is no name.
func phoneName(display, user string) string {
	for _, candidate := range []string{display, user} {
		name := printable(candidate)
		switch {
		case name == "" || strings.EqualFold(name, "anonymous") || isAddress(name):
			continue
		case digits(name) >= 3:
			return masked(name)
		default:
			return name
		}
	}
	return "Phone"
}

// printable returns s without what cannot be shown, trimmed and bounded.
func printable(s string) string {
	s = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, s)
	s = strings.TrimSpace(s)
	if runes := []rune(s); len(runes) > maxName {
		s = string(runes[:maxName])
	}
	return s
}

func isAddress(s string) bool {
	_, err := netip.ParseAddr(s)
	return err == nil
}

func digits(s string) int {
	n := 0
	for _, c := range s {
		if unicode.IsDigit(c) {
			n++
		}
	}
	return n
}

// masked hides the middle of a number: +33123456789 becomes +33 1 •• •• •• 89, and a short one such as 2001
// becomes 2••1. What is not a digit stays.
func masked(s string) string {
	s = grouped(s)
	n := digits(s)
	head, tail := 2, 2
	switch {
	case n < 3:
		return s
	case n < 8:
		head, tail = 1, 1
	case strings.HasPrefix(s, "+"):
		head = 3
	}
	seen := 0
	return strings.Map(func(r rune) rune {
		if !unicode.IsDigit(r) {
			return r
		}
		seen++
		if seen > head && seen <= n-tail {
			return '•'
		}
		return r
	}, s)
}

// Masked is how the log names a number, or another user part.
func Masked(user string) string { return masked(user) }

// grouped writes a French number as the French do, +33 1 23 45 67 89 or 01 23 45 67 89; others stay as they are.
func grouped(s string) string {
	country, rest := "", s
	if national, ok := strings.CutPrefix(s, "+33"); ok {
		country, rest = "+33 ", "0"+national
	}
	if len(rest) != 10 || rest[0] != '0' || strings.Trim(rest, "0123456789") != "" {
		return s
	}
	pairs := []string{rest[0:2], rest[2:4], rest[4:6], rest[6:8], rest[8:10]}
	if country != "" {
		pairs[0] = rest[1:2]
	}
	return country + strings.Join(pairs, " ")
}
