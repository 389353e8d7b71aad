package bridge

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"passerelle/bridge/ivr"
)

// lastMinute is how long before its end a call out is told that it ends.
const lastMinute = time.Minute

// errSpent is why a call out may last no longer.
var errSpent = errors.New("the call out may last no longer")

// spend counts the minutes of a call out, where there is a permit for it, and ends ctx where it may last no longer. What it
// returns ends that, and waits.
func (c *call) spend(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	if c.permit == nil {
		return ctx, func() { cancel(nil) }
	}
	if longest := c.permit.Longest; longest > lastMinute {
		c.lastMinute = newAlarm(longest - lastMinute)
		c.lastMinute.on()
	}
	counted := make(chan struct{})
	go func() { // what is returned waits for it
		defer close(counted)
		defer func() {
			if r := recover(); r != nil {
				c.log.Error("panic", "in", "permit", "panic", r, "stack", string(debug.Stack()))
				cancel(fmt.Errorf("%w: panic: %v", errSpent, r))
			}
		}()
		if err := c.permit.Count(ctx); err != nil {
			cancel(fmt.Errorf("%w: %w", errSpent, err))
		}
	}()
	return ctx, func() { cancel(nil); <-counted; c.lastMinute.off() }
}

// warn tells that the last minute has begun.
func (c *call) warn() {
	c.lastMinute.off()
	c.speaker.say(ivr.LastMinute)
}
