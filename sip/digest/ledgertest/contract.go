// Package ledgertest has the contract that every [digest.Ledger] keeps.
package ledgertest

import (
	"fmt"
	"sync"
	"testing"

	"passerelle/sip/digest"
)

// Contract proves that a Ledger, which is empty, counts.
func Contract(t *testing.T, l digest.Ledger) {
	t.Helper()
	tallies := func(want ...int) {
		t.Helper()
		all := l.Look([]string{"192.0.2.7/32 2001", "192.0.2.7/32", " 2001"})
		for i, tally := range all {
			if tally.Wrong != want[i] || tally.Ago < 0 || tally.Ago > digest.GuessMemory {
				t.Errorf("suspect %d: %+v, want %d", i, tally, want[i])
			}
		}
		if len(all) != len(want) {
			t.Errorf("%d tallies, want %d", len(all), len(want))
		}
	}
	tallies(0, 0, 0)
	l.Wrong([]string{"192.0.2.7/32 2001", "192.0.2.7/32", " 2001"})
	l.Wrong([]string{"192.0.2.7/32 2002", "192.0.2.7/32", " 2002"})
	tallies(1, 2, 1)
	l.Forget("192.0.2.7/32 2001")
	tallies(0, 2, 1)
	l.Forget("nobody")
	if all := l.All(); len(all) != 4 || all["192.0.2.7/32"].Wrong != 2 || all[" 2002"].Wrong != 1 {
		t.Errorf("remembered are %v", all)
	}

	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() { l.Wrong([]string{" many", fmt.Sprint("one ", i)}) })
	}
	all.Wait()
	if tally := l.Look([]string{" many"})[0]; tally.Wrong != 20 {
		t.Errorf("20 at once are counted as %d", tally.Wrong)
	}
}
