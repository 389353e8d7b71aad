package bridge

import (
	"context"
	"sync"
)

// What a caller is told of the legs that its call is to reach: that they ring, and the sound of the first of them that has
// something to say before its answer, an announcement of the network or its own ringing tone.

// early is what has been told.
type early struct {
	call   *call
	cancel context.CancelCauseFunc

	mu    sync.Mutex
	rung  bool
	heard *call // whose sound the caller has
}

// listener is the audience of a call's legs.
func (c *call) listener(ctx context.Context, cancel context.CancelCauseFunc) audience {
	e := &early{call: c, cancel: cancel}
	return audience{
		rings: func(_ *call, code int, _ string) {
			if code == ringsThere {
				e.rings(ctx)
			}
		},
		sounds: func(leg *call) { e.sounds(ctx, leg) },
		gone:   e.gone,
		waits: func() { // whoever is not spoken to need not be heard
			e.mu.Lock()
			defer e.mu.Unlock()
			if e.heard != nil {
				c.line.Spare()
			}
		},
	}
}

// rings tells the caller once that it rings.
func (e *early) rings(ctx context.Context) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.rung || e.heard != nil {
		return
	}
	e.rung = true
	if err := e.call.dialog.RingWith(ctx, e.call.answer); err != nil {
		e.call.log.Info("the caller is not told that it rings", "error", err)
	}
}

// sounds lets the caller hear a leg, and the leg the caller.
func (e *early) sounds(ctx context.Context, leg *call) {
	e.mu.Lock()
	defer e.mu.Unlock()
	c := e.call
	if e.heard != nil || len(c.answer) == 0 {
		return
	}
	if err := c.dialog.Sound(ctx, c.answer); err != nil {
		c.log.Info("the caller is not told of sound before the answer", "error", err)
		return
	}
	e.heard = leg
	c.hears(e.cancel)
	leg.hears(e.cancel)
	c.alone()
	leg.phone.Join(c.booth)
}

// gone takes a leg away from the caller.
func (e *early) gone(leg *call) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.heard == leg {
		e.heard = nil
	}
	leg.deafen()
}
