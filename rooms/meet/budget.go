package meet

import (
	"context"
	"sync"
	"time"
)

// budget lets at most so many guesses through in any minute.
type budget struct {
	mu      sync.Mutex
	guesses []time.Time // a ring; the zero time is a guess still free
	next    int
	told    time.Time // when it was last said that it is spent
}

func newBudget(perMinute int) *budget { return &budget{guesses: make([]time.Time, max(0, perMinute))} }

func (b *budget) limit() int { return len(b.guesses) }

// take spends a guess, if there is one.
func (b *budget) take(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.guesses) == 0 {
		return false
	}
	if oldest := b.guesses[b.next]; !oldest.IsZero() && now.Sub(oldest) < time.Minute {
		return false
	}
	b.guesses[b.next] = now
	b.next = (b.next + 1) % len(b.guesses)
	return true
}

// giveBack undoes one take: it turned out to be no guess. Which one does not matter: the youngest.
func (b *budget) giveBack() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.next = (b.next + len(b.guesses) - 1) % len(b.guesses)
	b.guesses[b.next] = time.Time{}
}

// tell reports, once a minute at most, that it has to be said that the budget is spent.
func (b *budget) tell(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.told.IsZero() && now.Sub(b.told) < time.Minute {
		return false
	}
	b.told = now
	return true
}

// pace makes wrong PINs take a time that does not tell why they are wrong: whole seconds, at least one, and where
// nobody was asked as many as the last answer took.
type pace struct {
	mu   sync.Mutex
	last time.Duration // how many seconds the last wrong PIN took that Meet was asked about
}

// wait returns when a wrong PIN, looked up since began, may be called wrong.
func (p *pace) wait(ctx context.Context, began time.Time, asked bool) error {
	took := time.Since(began)
	whole := max(time.Second, (took + time.Second - 1).Truncate(time.Second))
	p.mu.Lock()
	if asked {
		p.last = whole
	}
	whole = max(whole, p.last)
	p.mu.Unlock()
	return sleep(ctx, whole-took)
}
