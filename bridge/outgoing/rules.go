package outgoing

import (
	"slices"
	"strings"
	"time"
)

// Who wants to call.
type Who string

// Those who may want to.
const (
	Moderator Who = "moderators" // of a room, on its page
	API       Who = "api"        // and the shell, which uses it
	Route     Who = "route"      // a caller whom a route leads to a trunk: that is the permission
)

// Rules are what may be called out. The zero Rules allow nothing. They do not change.
type Rules struct {
	Who      []Who
	Regions  []string // "FR"; with Prefixes: where may be called
	Prefixes []string // "+331"
	Kinds    []Kind
	Limits   Limits            // of all calls
	Trunks   map[string]Limits // by name; what is not there has none of its own
	Zone     *time.Location    // in which a day is one; nil: this machine's
}

// Limits bound calls; 0 is no bound.
type Limits struct {
	AtOnce     int
	MinutesDay int           // of all calls, each begun minute counted whole, from midnight to midnight
	Longest    time.Duration // of a call, from its answer
}

// Call is a call that somebody wants to make.
type Call struct {
	By    Who
	Trunk string // "" to a phone of ours
	To    Destination
}

// Allows returns nil where these rules let the call be made, the limits left aside; else a *Refusal.
func (r Rules) Allows(c Call) error {
	switch {
	case len(r.Kinds) == 0:
		return denied("outgoing", "nothing may be called out")
	case c.By != Route && !slices.Contains(r.Who, c.By):
		return denied("outgoing.who", "calls out are not for %s", c.By)
	case c.To.Kind == emergency:
		return denied("emergency", "calls for help are not made from rooms")
	case c.To.Kind == Unknown && c.To.Number.Bare == "":
		return denied("outgoing.kinds", "what was dialled is no number")
	case !c.To.Kind.among(r.Kinds):
		return denied("outgoing.kinds", "it is %s, and %s may be called", c.To, listed(r.Kinds))
	case c.To.Kind == Phones, c.To.Kind == Extension: // of the house
		return nil
	case !slices.Contains(r.Regions, c.To.Region) && !c.To.under(r.Prefixes):
		return denied("outgoing.allow", "it is %s, and %s may be called", c.To, strings.Join(slices.Concat(r.Regions, r.Prefixes), ", "))
	}
	return nil
}

// of returns the limits of a trunk.
func (r Rules) of(trunk string) Limits { return r.Trunks[trunk] }

// longest is how long a call over a trunk may be; 0 is for ever.
func (r Rules) longest(trunk string) time.Duration {
	all, own := r.Limits.Longest, r.of(trunk).Longest
	if all == 0 || own > 0 && own < all {
		return own
	}
	return all
}

// day names the day that a moment is of.
func (r Rules) day(at time.Time) string {
	if r.Zone != nil {
		at = at.In(r.Zone)
	}
	return at.Format(time.DateOnly)
}

func listed(kinds []Kind) string {
	var names []string
	for _, k := range kinds {
		names = append(names, string(k))
	}
	return strings.Join(names, ", ")
}
