// Package guesstest has the contract that all [guess.Counters] keep.
package guesstest

import (
	"sync"
	"testing"
	"time"

	"passerelle/bridge/guess"
)

// Contract proves that Counters, which are empty, count. wait lets time pass.
func Contract(t *testing.T, c guess.Counters, wait func(time.Duration)) {
	t.Helper()
	is := func(rule string, want ...int) {
		t.Helper()
		got := c.Read([]string{"one", "two", "none"}[:len(want)])
		for i := range want {
			if len(got) != len(want) || got[i] != want[i] {
				t.Errorf("%s: got %v, want %v", rule, got, want)
				return
			}
		}
	}
	is("nothing is counted yet", 0, 0, 0)
	if n := c.Add("one", 1, time.Minute); n != 1 {
		t.Errorf("the first is %d", n)
	}
	if n := c.Add("one", 2, time.Minute); n != 3 {
		t.Errorf("one and two are %d", n)
	}
	if n := c.Add("one", -1, time.Minute); n != 2 {
		t.Errorf("one less is %d", n)
	}
	c.Add("two", 5, 2*time.Second)
	is("each by itself", 2, 5, 0)
	wait(time.Second)
	c.Add("two", 1, 2*time.Second)
	wait(1500 * time.Millisecond)
	is("its life begins again", 2, 6, 0)
	wait(time.Second)
	is("it is over", 2, 0, 0)
	if n := c.Add("two", 1, 2*time.Second); n != 1 {
		t.Errorf("after its life it begins with %d", n)
	}

	var all sync.WaitGroup
	seen := make([]int, 50)
	for i := range seen {
		all.Go(func() { seen[i] = c.Add("many", 1, time.Minute) })
	}
	all.Wait()
	once := make(map[int]bool)
	for _, n := range seen {
		once[n] = true
	}
	if len(once) != len(seen) || c.Read([]string{"many"})[0] != len(seen) {
		t.Errorf("%d at once count as %v", len(seen), seen)
	}
}
