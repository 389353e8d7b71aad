package livekit

import (
	"context"
	"errors"
	"fmt"
	"time"

	"passerelle/rooms"
)

// How long and how often a participant tries to come back.
const (
	patience   = 60 * time.Second
	firstPause = 200 * time.Millisecond
	mostPause  = 1500 * time.Millisecond
	// resumable is for how long a lost session may still be there: the server keeps it for about as long.
	resumable = 15 * time.Second
)

// way is how a participant comes back.
type way uint8

const (
	resume way = iota // into the same session: its peer connection is kept
	rejoin            // into a new one
	giveUp
)

// wayBack decides how to come back, or not to: why is how the session was lost or the last attempt failed, since
// how long ago it was lost.
func wayBack(last way, why error, since time.Duration) way {
	var m *moved
	switch {
	case final(why), since >= patience:
		return giveUp
	case errors.As(why, &m) && m.again, last == rejoin, since >= resumable, errors.Is(why, errMedia) && last == resume && since > 0:
		return rejoin
	default:
		return resume
	}
}

// pauseBefore is how long to wait before attempt n, 0 being the first.
func pauseBefore(n int) time.Duration {
	if n == 0 {
		return 0
	}
	pause := firstPause
	for range n - 1 {
		pause = min(2*pause, mostPause)
	}
	return pause
}

// comeBack finds the way back from a lost session. It returns the session to go on with, or the error that ends
// the link.
func (l *link) comeBack(lost *session, why error) (*session, error) {
	if final(why) {
		return nil, why
	}
	l.part.interrupted()
	lost.hang()
	began, how, first := time.Now(), resume, why
	for n := 0; ; n++ {
		how = wayBack(how, why, time.Since(began))
		if how == giveUp {
			if final(why) {
				return nil, why
			}
			return nil, fmt.Errorf("%w: no way back to LiveKit within %v: %w", rooms.ErrClosed, patience, first)
		}
		if err := l.pause(pauseBefore(n)); err != nil {
			return nil, err
		}
		var m *moved
		if errors.As(why, &m) && m.to != "" {
			l.goTo(m.to)
		}
		var s *session
		if s, why = l.attempt(lost, how); why == nil {
			l.log.Info("back in LiveKit", "room", l.room, "after", time.Since(began).Round(time.Millisecond), "resumed", how == resume)
			l.part.resumed()
			return s, nil
		}
		if l.ctx.Err() != nil {
			return nil, context.Cause(l.ctx)
		}
		l.log.Debug("not back in LiveKit yet", "room", l.room, "error", why)
	}
}

// attempt tries one way.
func (l *link) attempt(lost *session, how way) (*session, error) {
	if how == resume {
		err := l.again(lost)
		if err == nil {
			l.c.count.resumed.Add(1)
		}
		return lost, err
	}
	lost.close()
	l.forget()
	s, err := l.open(l.ctx)
	if err == nil {
		l.c.count.rejoined.Add(1)
	}
	return s, err
}

// again dials for a session that was lost.
func (l *link) again(s *session) error {
	ctx, cancel := context.WithTimeout(l.ctx, joinTimeout)
	defer cancel()
	s.answered, s.back = false, false
	err := l.part.resume(ctx, s)
	if err == nil {
		err = l.settle(ctx, s)
	}
	if err != nil {
		s.hang()
		return err
	}
	s.watch()
	return nil
}

// pause waits.
func (l *link) pause(d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-l.ctx.Done():
		return context.Cause(l.ctx)
	}
}
