package guess

import (
	"fmt"
	"time"
)

// budget is what callers together may try a minute.
//
// Time is cut into slots. The first quarter of a minute's tries may come at once; from then on a slot has one, and any
// minute no more than it may.
type budget struct {
	group    string // of callers; "" are all but those of trusted trunks
	counters Counters
	aMinute  func() int
}

// spent is a try that was taken from the budget; it can be given back.
type spent struct{ name string }

// budgetMemory is longer than any minute that is looked back at.
const budgetMemory = 3 * time.Minute

// burst is how many of a minute's tries may come at once.
func (b budget) burst() int { return max(1, b.limit()/4) }

func (b budget) limit() int { return max(1, b.aMinute()) }

// width is how long a slot is: no minute touches more of them than it has tries beside the burst.
func (b budget) width() time.Duration { return time.Minute / time.Duration(b.limit()-b.burst()+1) }

// take takes a try, or says how long it is until there may be one.
func (b budget) take(now time.Time) (taken spent, wait time.Duration) {
	width := b.width()
	slot := slotOf(now, width)
	name := func(slot int64) string { return fmt.Sprintf("all %q %s %d", b.group, width, slot) }

	here := b.counters.Add(name(slot), 1, budgetMemory)
	var before []string // the slots that the last minute touches
	for past := slot - 1; past >= slotOf(now.Add(-time.Minute), width); past-- {
		before = append(before, name(past))
	}
	sum := here
	for _, n := range b.counters.Read(before) {
		sum += n
	}
	if sum <= b.burst() || here == 1 && sum <= b.limit() {
		return spent{name(slot)}, 0
	}
	b.counters.Add(name(slot), -1, budgetMemory)
	return spent{}, untilNext(now, width)
}

// giveBack undoes a take.
func (b budget) giveBack(s spent) { b.counters.Add(s.name, -1, budgetMemory) }
