package digest

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
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

// Forgive forgets what was guessed at a user, whose account is another now.
func (v *Verifier) Forgive(user string) {
	for suspect := range v.guesses.ledger.All() {
		if _, at, _ := strings.Cut(suspect, " "); at == user && user != "" {
			v.guesses.ledger.Forget(suspect)
		}
	}
}

// list returns what is remembered.
func (g guesses) list(now time.Time) []Suspect {
	var all []Suspect
	for suspect, tally := range g.ledger.All() {
		at, user, _ := strings.Cut(suspect, " ")
		from, _ := netip.ParsePrefix(at) // of a user from anywhere there is none
		known := Suspect{User: user, From: from, Wrong: tally.Wrong, Last: now.Add(-tally.Ago)}
		if lock := boundOf(suspect).lock(tally.Wrong); tally.Ago < lock {
			known.Locked = known.Last.Add(lock)
		}
		all = append(all, known)
	}
	return all
}
