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
	patience   = 60 * time.Second // without media
	firstPause = 200 * time.Millisecond
	mostPause  = 1500 * time.Millisecond
	// resumable is for how long a session without media may still be there: the server keeps it for about as long.
	resumable = 15 * time.Second
	// attemptTimeout bounds one attempt: on a network that comes back, a new one is sooner there than an old one.
	attemptTimeout = 4 * time.Second
	// steady is how long a session must have lasted for its loss to be a new story, tried at once again.
	steady = 10 * time.Second
)

// way is how a participant comes back.
type way uint8

const (
	resume way = iota // into the same session: its peer connection is kept
	rejoin            // into a new one
	giveUp
)

// plight is how a participant stands before an attempt to come back.
type plight struct {
	why   error         // how the session was lost, or the last attempt failed
	last  way           // of the last attempt; resume before the first
	tried int           // attempts, since a session lasted
	never bool          // there has been no way for media in this session, ever
	media bool          // media flow as if nothing had happened: only the WebSocket is lost
	gone  time.Duration // ... or do not, for so long
}

// wayBack decides how to come back, or not to. The first rule that fits is obeyed:
//
//	the end of the participant             giveUp
//	no media for patience                  giveUp
//	the server asks to join again          rejoin
//	the old session was closed             rejoin, once a rejoin was tried
//	there never was a way for media        rejoin: the server takes nobody back who was never there
//	media flow                             resume, for as long as it takes
//	no media for resumable                 rejoin
//	resumed, and no way for media          rejoin
//	otherwise                              resume
func wayBack(p plight) way {
	var m *moved
	switch {
	case final(p.why), p.gone >= patience:
		return giveUp
	case errors.As(p.why, &m) && m.again, p.last == rejoin, p.never && errors.Is(p.why, errMedia):
		return rejoin
	case p.media:
		return resume
	case p.gone >= resumable, errors.Is(p.why, errMedia) && p.tried > 0:
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
	p, first, asked := plight{why: why}, why, false
	lost.hang()
	for {
		if p.media = p.last == resume && lost.flows(); !p.media && !final(p.why) {
			l.broken()
		}
		p.never = !lost.flowed.Load()
		p.gone, p.tried = l.gone(), l.attempts
		p.last = wayBack(p)
		if p.last == giveUp {
			if final(p.why) {
				return nil, p.why
			}
			return nil, fmt.Errorf("%w: no way back to LiveKit within %v: %w", rooms.ErrClosed, patience, first)
		}
		var m *moved
		if errors.As(p.why, &m) && !asked {
			asked = true // what the server asks for is done at once, but not again and again
		} else if err := l.pause(pauseBefore(p.tried)); err != nil {
			return nil, err
		}
		l.goTo(p.why)
		s, err := l.attempt(lost, p.last)
		if err == nil {
			return s, nil
		}
		if l.ctx.Err() != nil {
			return nil, context.Cause(l.ctx)
		}
		l.log.Debug("not back in LiveKit yet", "room", l.room, "error", err)
		p.why = err
	}
}

// attempt tries one way.
func (l *link) attempt(lost *session, how way) (*session, error) {
	ctx, cancel := context.WithTimeout(l.ctx, attemptTimeout)
	defer cancel()
	l.attempts++
	if how == resume {
		if err := l.again(ctx, lost); err != nil {
			return nil, err
		}
		l.c.count.resumed.Add(1)
		return lost, nil
	}
	l.broken()
	l.walled = l.walled || !lost.flowed.Load()
	lost.close()
	l.forget()
	s, err := l.open(ctx)
	if err != nil {
		return nil, err
	}
	l.c.count.rejoined.Add(1)
	return s, nil
}

// again dials for a session that was lost.
func (l *link) again(ctx context.Context, s *session) error {
	s.entered, s.answered, s.back = false, false, false
	err := l.part.resume(ctx, s)
	if err == nil {
		err = l.settle(ctx, s)
	}
	if err != nil {
		s.hang()
		return err
	}
	if s.flows() { // it never stopped; else its end is told when it does
		l.flows()
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
