// Package guess holds up those who guess PINs: wrong ones are never tried faster than the gateway allows, and nobody is
// refused for that; whoever has the right one waits for its turn and enters. It does not know what a PIN opens, nor what a
// call is.
//
// The way of a try (Visit.Try):
//
//  1. A caller with a number of its own who was wrong too often waits: 4 s or more, then twice as long each time. Not where the
//     trunk is trusted: hundreds of desks may be behind it.
//  2. So does, for at most 3 s, everybody from where many wrong PINs come.
//  3. The try gets its turn from all that the gateway has in a minute, or that a trusted trunk has of its own (turns.go,
//     budget.go). Right ones cost nothing.
//  4. The PIN is looked up. What was wrong is counted, and told after whole seconds.
package guess

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"time"
)

// Counters are where it is counted: in the memory of one gateway, with a file (Memory), or in what several gateways share.
// The methods may be called from any goroutine, and return within a fraction of a second: where the counters cannot be
// reached, they are somebody's own.
type Counters interface {
	// Add adds n, which may be negative, to a counter and returns what it is then. Its first value is 0; it is forgotten
	// when life has passed since the last Add.
	Add(name string, n int, life time.Duration) int
	// Read returns what counters are, in their order, and changes nothing.
	Read(names []string) []int
}

// Caller is who tries, as far as a gateway can tell.
type Caller struct {
	Trusted bool       // its trunk is one that is believed: what others guess does not hold it up
	Trunk   string     // that it calls from
	Source  netip.Addr // of its SIP
	Number  string     // that it shows; "" where it is withheld
}

const (
	// What a caller with a number of its own is held up by.
	freeTries    = 3                // wrong ones: as many as one call has
	firstGap     = 4 * time.Second  // after those
	longestGap   = 32 * time.Second // the wait is one gap to two
	callerMemory = time.Hour        // since the last wrong one
	sharedMemory = 24 * time.Hour   // since two calls of one number were up at once

	// What everybody from one place is held up by.
	slowPerWrong = time.Second / 10
	slowMost     = 3 * time.Second
	slowMemory   = 5 * time.Minute // to twice that
)

// Config is what a Guard is made of. The zero Config works.
type Config struct {
	Counters Counters     // nil: a Memory of its own
	AMinute  func() int   // how many wrong PINs may be tried a minute, by all together, and from each trusted trunk; 1 at least; nil: 20
	Log      *slog.Logger // nil is silence
}

// Guard holds up who guesses. Its methods may be called from any goroutine.
type Guard struct {
	Config

	mu    sync.Mutex
	turns map[string]*turns // of each trusted trunk, and "" of everybody else
	here  map[string]int    // calls that are at a menu, by number
	told  time.Time         // when it was last said that PINs are guessed
}

// New returns a Guard.
func New(c Config) *Guard {
	if c.Counters == nil {
		c.Counters = new(Memory)
	}
	if c.AMinute == nil {
		c.AMinute = func() int { return 20 }
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &Guard{Config: c, here: make(map[string]int), turns: make(map[string]*turns)}
}

// turnsOf are where a caller's tries stand.
func (g *Guard) turnsOf(who Caller) *turns {
	group := ""
	if who.Trusted {
		group = who.Trunk
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.turns[group] == nil {
		g.turns[group] = &turns{budget: budget{group, g.Counters, g.AMinute}}
	}
	return g.turns[group]
}

// Visit is one call for as long as it is asked for a PIN.
type Visit struct {
	guard *Guard
	who   Caller
}

// Visit begins a call's. It must be ended.
func (g *Guard) Visit(who Caller) *Visit {
	v := &Visit{g, who}
	if !v.numbered() {
		return v
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.here[who.Number]++; g.here[who.Number] > 1 {
		g.Counters.Add(who.shared(), 1, sharedMemory)
	}
	return v
}

// End ends it.
func (v *Visit) End() {
	if !v.numbered() {
		return
	}
	g := v.guard
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.here[v.who.Number]--; g.here[v.who.Number] <= 0 {
		delete(g.here, v.who.Number)
	}
}

// numbered reports whether the caller can be told from others.
func (v *Visit) numbered() bool { return !v.who.Trusted && v.who.Number != "" }

// Try looks a PIN up when it is its turn, in one goroutine at a time. look says whether it was right; its error, and that of
// ctx, is Try's, and says nothing about the PIN.
func (v *Visit) Try(ctx context.Context, look func(context.Context) (right bool, err error)) (right bool, err error) {
	began, turns := time.Now(), v.guard.turnsOf(v.who)
	if err := v.lock(ctx); err != nil {
		return false, err
	}
	if err := sleep(ctx, v.slow()); err != nil {
		return false, err
	}
	queued := time.Now()
	turn, err := turns.wait(ctx, v.who)
	if err != nil {
		return false, err
	}
	if time.Since(queued) > time.Second {
		v.guard.tell(v.who)
	}
	right, err = look(ctx)
	switch {
	case err != nil && ctx.Err() != nil: // who hangs up meanwhile has had its turn
		return false, err
	case right, err != nil:
		turns.giveBack(turn)
		return right, err
	}
	v.wrong()
	took := time.Since(began)
	return false, sleep(ctx, max(time.Second, (took+time.Second-1).Truncate(time.Second))-took)
}

// lock waits for as long as the caller must. Whose number others have too is not held up by what they do.
func (v *Visit) lock(ctx context.Context) error {
	for v.numbered() {
		n := v.guard.Counters.Read([]string{v.who.guesses(), v.who.shared()})
		gap := gapAfter(n[0])
		if gap == 0 || n[1] > 0 {
			break
		}
		slot := slotOf(time.Now(), gap)
		if v.guard.Counters.Add(v.who.turn(gap, slot), 1, 2*gap) == 1 {
			break
		}
		if err := sleep(ctx, untilNext(time.Now(), gap)); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// slow is how much later everybody from there is answered.
func (v *Visit) slow() time.Duration {
	slot := slotOf(time.Now(), slowMemory)
	n := v.guard.Counters.Read([]string{v.who.place(slot), v.who.place(slot - 1)})
	return min(slowPerWrong*time.Duration(max(0, n[0]+n[1])), slowMost)
}

// wrong counts a wrong PIN.
func (v *Visit) wrong() {
	now, counters := time.Now(), v.guard.Counters
	counters.Add(v.who.place(slotOf(now, slowMemory)), 1, 2*slowMemory)
	if !v.numbered() {
		return
	}
	gap := gapAfter(counters.Add(v.who.guesses(), 1, callerMemory))
	if gap == 0 {
		return
	}
	for _, slot := range []int64{slotOf(now, gap), slotOf(now, gap) + 1} {
		counters.Add(v.who.turn(gap, slot), 1, 2*gap)
	}
	v.guard.tell(v.who)
}

// tell says, once a minute at most, that somebody guesses.
func (g *Guard) tell(who Caller) {
	g.mu.Lock()
	now := time.Now()
	again := !g.told.IsZero() && now.Sub(g.told) < time.Minute
	if !again {
		g.told = now
	}
	g.mu.Unlock()
	if !again {
		g.Log.Warn("PINs are guessed: tries are held up, and right ones enter", "trunk", who.Trunk, "source", who.Source, "guesses_a_minute", g.AMinute())
	}
}

// gapAfter is how far apart the tries of a caller are who was wrong so often.
func gapAfter(wrong int) time.Duration {
	if wrong < freeTries {
		return 0
	}
	return min(firstGap<<min(wrong-freeTries, 16), longestGap)
}

// The names of counters. No number of a caller is in them.

func (c Caller) guesses() string { return "wrong " + c.hash() }
func (c Caller) shared() string  { return "shared " + c.hash() }

func (c Caller) turn(gap time.Duration, slot int64) string {
	return fmt.Sprintf("turn %s %s %d", c.hash(), gap, slot)
}

func (c Caller) place(slot int64) string {
	return fmt.Sprintf("from %s %s %d", c.Trunk, c.Source, slot)
}

func (c Caller) hash() string {
	sum := sha256.Sum256([]byte("caller " + c.Number))
	return hex.EncodeToString(sum[:12])
}

// slotOf numbers the whole widths since 1970, the same on every gateway.
func slotOf(at time.Time, width time.Duration) int64 { return at.UnixNano() / int64(width) }

// untilNext is how long it is until the next slot begins.
func untilNext(at time.Time, width time.Duration) time.Duration {
	return width - time.Duration(at.UnixNano()%int64(width))
}

// sleep waits for d, or until ctx is done.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
