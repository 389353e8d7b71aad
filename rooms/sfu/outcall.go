package sfu

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// DialState is how far a call out has come, or why it has failed: a word that the page has words for.
type DialState string

// What can become of a call out.
const (
	Calling     DialState = "calling"
	Ringing     DialState = "ringing"
	Asked       DialState = "asked"    // it is answered, and may have to be confirmed
	Answered    DialState = "answered" // it has a seat: it is not shown any more
	Busy        DialState = "busy"
	NoAnswer    DialState = "unanswered"
	Declined    DialState = "declined"
	NoNumber    DialState = "unknown" // nobody has it
	Unreachable DialState = "unreachable"
	Forbidden   DialState = "forbidden" // the configuration does not allow it
	Limited     DialState = "limited"   // ... now: as many as allowed, or as long
	Unfinished  DialState = "failed"    // of some other reason
)

// DialFailure is an error of Config.Dial that says why.
type DialFailure struct {
	State DialState
	Err   error
}

func (e *DialFailure) Error() string { return fmt.Sprintf("%s: %v", e.State, e.Err) }

func (e *DialFailure) Unwrap() error { return e.Err }

// Limits of calls out.
const (
	maxRinging   = 8                // of one room, at once
	failureShown = 10 * time.Second // how long moderators are told why one has failed
)

// outcall is one call out of a room, until it is over. It is shown until it is answered. Guarded by room.mu.
type outcall struct {
	id, number string
	state      DialState
	hangup     context.CancelFunc
	over       time.Duration // since when it is; 0: it is not
}

// call calls a number into the room, or returns why not. Called with mu held.
func (r *room) call(ctx context.Context, number string) (refused string) {
	ringing := 0
	for _, c := range r.calls {
		if c.over == 0 && c.state != Answered {
			ringing++
		}
	}
	if !r.s.cfg.MayDial() || ringing >= maxRinging || r.closed {
		return refuseCalls
	}
	ctx, cancel := context.WithCancel(ctx)
	r.lastID++
	c := &outcall{id: fmt.Sprintf("c%d", r.lastID), number: number, state: Calling, hangup: cancel}
	r.calls = append(r.calls, c)
	r.restless = true
	r.s.work.Go(func() { // until the call is over; shut ends it
		defer cancel()
		defer r.s.recovered("a call out", func() { r.over(c, nil) })
		err := r.s.cfg.Dial(ctx, r.name, number, func(state DialState) { r.progress(c, state) })
		if ctx.Err() != nil {
			err = nil // it was hung up
		}
		r.over(c, err)
		r.sweep()
	})
	return ""
}

// progress notes how far a call has come.
func (r *room) progress(c *outcall, state DialState) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c.over == 0 && c.state != Answered {
		c.state = state
		r.restless = true
	}
}

// over notes that a call has ended. Why it has not come about is shown for a while.
func (r *room) over(c *outcall, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.restless = true
	if err == nil || c.state == Answered || r.closed {
		r.calls = slices.DeleteFunc(r.calls, func(o *outcall) bool { return o == c })
		return
	}
	c.state, c.over = Unfinished, max(1, r.s.cfg.Clock())
	var failure *DialFailure
	if errors.As(err, &failure) {
		c.state = failure.State
	}
	r.s.cfg.Log.Info("a call out of a room has failed", "room", r.name, "id", c.id, "error", err)
}

// forgetCalls forgets the calls whose failure was shown for long enough. Called with mu held.
func (r *room) forgetCalls(now time.Duration) {
	before := len(r.calls)
	r.calls = slices.DeleteFunc(r.calls, func(c *outcall) bool { return c.over != 0 && now-c.over >= failureShown })
	r.restless = r.restless || len(r.calls) < before
}

// hangup ends a call that is not answered, or takes what is told of its failure away. Called with mu held.
func (r *room) hangup(id string) {
	for _, c := range r.calls {
		if c.id == id && c.state != Answered {
			c.hangup()
			if c.over != 0 {
				c.over = 1 // long ago
			}
		}
	}
}

// hangupRinging ends the calls that nobody is left to answer for. Called with mu held.
func (r *room) hangupRinging() {
	for _, c := range r.calls {
		if c.state != Answered {
			c.hangup()
		}
	}
}
