package outgoing

import (
	"context"
	"time"
)

// Store keeps the counters, those of one gateway or those that several share. It is called from many goroutines, and
// each call of a method is one step that no other one comes between. It may block for as long as its context allows.
type Store interface {
	// Take takes all that a claim asks for, or nothing. Where a bound is in the way it returns its share's name; else
	// "". A place that the holder has already is held on, and is none more.
	Take(ctx context.Context, c Claim) (full string, err error)
	// Give gives the places of a claim back, and as many minutes as it says. What is not held is no error.
	Give(ctx context.Context, c Claim) error
}

// Claim is what a call asks of a Store.
type Claim struct {
	Holder string    // who holds the places: one call of one gateway
	Until  time.Time // when its places are free again, unless they are taken again before: for calls of gateways that are gone
	Places []Share   // one of each
	Day    string    // whose minutes: "2026-11-28"
	// Minutes are taken from, or given back to, each of Used.
	Minutes int
	Used    []Share
}

// Share is a counter, by its name, which no other one has, and its bound; 0 is none: it is counted all the same.
type Share struct {
	Name string
	Most int
}

// placesOf and minutesOf name the counters of a trunk; "" is all.
func placesOf(trunk string) string  { return named("calls", trunk) }
func minutesOf(trunk string) string { return named("minutes", trunk) }

func named(what, trunk string) string {
	if trunk == "" {
		return what
	}
	return what + "/" + trunk
}
