// Package outgoingtest has the contract that every [outgoing.Store] keeps.
package outgoingtest

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"passerelle/bridge/outgoing"
)

// Contract proves that a Store, which is empty, counts.
func Contract(t *testing.T, s outgoing.Store) {
	t.Helper()
	claim := func(holder string, places, minutes, most int) outgoing.Claim {
		return outgoing.Claim{
			Holder: holder, Until: time.Now().Add(time.Minute), Day: "2026-11-28", Minutes: minutes,
			Places: []outgoing.Share{{Name: "calls", Most: 0}, {Name: "calls/carrier", Most: places}},
			Used:   []outgoing.Share{{Name: "minutes", Most: most}, {Name: "minutes/carrier", Most: 0}},
		}
	}
	take := func(c outgoing.Claim, want string) {
		t.Helper()
		if full, err := s.Take(t.Context(), c); full != want || err != nil {
			t.Errorf("%s takes: %q is in the way, %v; want %q", c.Holder, full, err, want)
		}
	}
	give := func(c outgoing.Claim) {
		t.Helper()
		if err := s.Give(t.Context(), c); err != nil {
			t.Errorf("%s gives: %v", c.Holder, err)
		}
	}
	take(claim("a", 2, 1, 10), "")
	take(claim("b", 2, 1, 10), "")
	take(claim("c", 2, 1, 10), "calls/carrier")
	take(claim("a", 2, 8, 10), "") // it has its place, and 10 are used
	take(claim("b", 2, 1, 10), "minutes")
	take(claim("b", 2, 0, 10), "")
	other := claim("a", 2, 5, 5)
	other.Day = "2026-11-29"
	take(other, "")
	give(claim("a", 2, 3, 10))
	give(claim("nobody", 2, 0, 10))
	take(claim("c", 2, 3, 10), "")
	take(claim("d", 0, 0, 0), "")  // without bounds
	take(claim("d", 0, 99, 0), "") // it is counted all the same
	take(claim("c", 9, 1, 100), "minutes")
	give(claim("d", 0, 500, 0))
	take(claim("e", 9, 7, 7), "") // no day has less than none

	// Of a hundred at once as many have one as there are.
	var all sync.WaitGroup
	var taken atomic.Int32
	for i := range 100 {
		all.Go(func() {
			c := outgoing.Claim{Holder: fmt.Sprint(i), Until: time.Now().Add(time.Minute), Places: []outgoing.Share{{Name: "race", Most: 7}}}
			if full, err := s.Take(t.Context(), c); full == "" && err == nil {
				taken.Add(1)
			}
		})
	}
	all.Wait()
	if taken.Load() != 7 {
		t.Errorf("%d have one of 7 places", taken.Load())
	}
}
