package guess

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"
)

// turns is where tries stand until the budget has one for them. Whoever comes from one place stands in one line, and in it
// whoever shows one number in one line: those who try a thousand times wait behind themselves. Between lines the one is next
// whose first try has waited for longest, or that had its last turn longest ago.
type turns struct {
	budget budget

	mu      sync.Mutex
	waiting []*waiter          // in the order in which they came
	clocks  map[line]time.Time // before which a line has had all its turns
}

// waiter is one try.
type waiter struct {
	place, number line
	joined        time.Time
	look          chan struct{} // receives when it is to see whether it is its turn
}

// line is the tries from one place, or within it with one number.
type line struct {
	trunk, source string
	within        bool
	number        string // where within; "" are those who show none
}

// clocksKept is when those that say nothing any more are forgotten.
const clocksKept = 10_000

// had is a turn.
type had struct {
	who   *waiter
	spent spent
}

// wait returns when it is the caller's turn.
func (t *turns) wait(ctx context.Context, who Caller) (had, error) {
	place := line{trunk: who.Trunk, source: who.Source.String()}
	number := place
	number.within, number.number = true, who.Number
	me := &waiter{place, number, time.Now(), make(chan struct{}, 1)}
	t.join(me)
	defer t.leave(me)
	var later <-chan time.Time // when the budget may have more
	for {
		select {
		case <-me.look:
		case <-later:
		case <-ctx.Done():
			return had{}, ctx.Err()
		}
		if !t.isNext(me) {
			later = nil
			continue
		}
		taken, wait := t.budget.take(time.Now())
		if wait == 0 {
			t.count(me, 1)
			return had{me, taken}, nil
		}
		later = time.After(wait)
	}
}

// giveBack undoes a turn in which nothing was guessed.
func (t *turns) giveBack(h had) {
	t.budget.giveBack(h.spent)
	t.count(h.who, -1)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.call()
}

func (t *turns) join(w *waiter) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.waiting = append(t.waiting, w)
	t.call()
}

func (t *turns) leave(w *waiter) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.waiting = slices.DeleteFunc(t.waiting, func(o *waiter) bool { return o == w })
	t.call()
}

// count moves the clocks of a waiter's lines by so many turns.
func (t *turns) count(w *waiter, turns int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	if t.clocks == nil {
		t.clocks = make(map[line]time.Time)
	}
	if len(t.clocks) >= clocksKept {
		maps.DeleteFunc(t.clocks, func(_ line, at time.Time) bool { return at.Before(now) })
	}
	for _, l := range []line{w.place, w.number} {
		t.clocks[l] = latest(t.clocks[l], now).Add(time.Duration(turns) * t.budget.width())
	}
}

func (t *turns) isNext(w *waiter) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.next() == w
}

// call has the next look whether it is its turn. Called with mu held.
func (t *turns) call() {
	if w := t.next(); w != nil {
		select {
		case w.look <- struct{}{}:
		default: // it will
		}
	}
}

// next is whose turn it is, nil where nobody waits. Called with mu held.
func (t *turns) next() *waiter {
	first := t.foremost(func(w *waiter) (line, bool) { return w.place, true })
	if first == nil {
		return nil
	}
	return t.foremost(func(w *waiter) (line, bool) { return w.number, w.place == first.place })
}

// foremost is the first of the line that is next, among those that are asked for. Called with mu held.
func (t *turns) foremost(of func(*waiter) (line, bool)) *waiter {
	var best *waiter
	var bestAt time.Time
	seen := make(map[line]bool)
	for _, w := range t.waiting {
		l, asked := of(w)
		if !asked || seen[l] {
			continue
		}
		seen[l] = true
		if at := latest(t.clocks[l], w.joined); best == nil || at.Before(bestAt) {
			best, bestAt = w, at
		}
	}
	return best
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
