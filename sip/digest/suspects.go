package digest

import (
	"cmp"
	"net/netip"
	"slices"
	"time"
)

// Suspect is who has shown a wrong password lately.
type Suspect struct {
	User string // "": anybody, from that source
	// From is an address (IPv6: its /64); not valid: from anywhere.
	From   netip.Prefix
	Wrong  int
	Last   time.Time
	Locked time.Time // until when; the zero Time: it is not locked out
}

// Suspects returns those of the last hour, the latest first.
func (v *Verifier) Suspects() []Suspect {
	all := v.guesses.list(time.Now())
	slices.SortFunc(all, func(a, b Suspect) int {
		return cmp.Or(b.Last.Compare(a.Last), cmp.Compare(a.User, b.User), cmp.Compare(a.From.String(), b.From.String()))
	})
	return all
}

// list returns what is remembered.
func (g *guesses) list(now time.Time) []Suspect {
	g.mu.Lock()
	defer g.mu.Unlock()
	var all []Suspect
	add := func(s suspect, v guess) {
		if now.Sub(v.last) > guessMemory {
			return
		}
		known := Suspect{User: s.user, From: s.from, Wrong: v.wrong, Last: v.last}
		if now.Before(v.locked) {
			known.Locked = v.locked
		}
		all = append(all, known)
	}
	for s, v := range g.young {
		add(s, v)
	}
	for s, v := range g.old {
		if _, newer := g.young[s]; !newer {
			add(s, v)
		}
	}
	return all
}
