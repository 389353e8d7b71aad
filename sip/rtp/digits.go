package rtp

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// How a key is sent. A telephone exchange wants at least 40 ms of tone and 40 ms of pause.
const (
	eventEvery  = 20 * time.Millisecond  // between packets
	eventLength = 100 * time.Millisecond // how long a key is down
	eventCycle  = 180 * time.Millisecond // from key to key
	eventEnds   = 3                      // packets that end it (RFC 4733 section 2.5.1.4)
	eventVolume = 10                     // -dBm0
)

// keypress is a key on its way to the peer: what its packets say. It is pure.
type keypress struct {
	code  uint8
	clock int // Hz
	n     int // packets so far
}

// next is the next packet's payload, to be sent eventEvery after the one before, the first one
// eventEvery after the key went down. The duration grows to eventLength; the last packet comes three
// times, at the same pace (RFC 4733 section 2.5.1.4).
func (k *keypress) next() (e event, marker, last bool) {
	const whole = int(eventLength / eventEvery)
	k.n++
	held := time.Duration(min(k.n, whole)) * eventEvery
	e = event{
		code:     k.code,
		end:      k.n >= whole,
		volume:   eventVolume,
		duration: uint16(ticks(held, k.clock)),
	}
	return e, k.n == 1, k.n == whole+eventEnds-1
}

// cut ends the key early: its last packet, and how often it is still to be sent.
func (k *keypress) cut() (e event, times int) {
	const whole = int(eventLength / eventEvery)
	held := time.Duration(max(1, min(k.n, whole))) * eventEvery
	e = event{code: k.code, end: true, volume: eventVolume, duration: uint16(ticks(held, k.clock))}
	return e, eventEnds - max(0, k.n-whole+1)
}

// parseKeys makes event codes of digits, or none if one is no key.
func parseKeys(s string) ([]uint8, error) {
	codes := make([]uint8, 0, len(s))
	for i, r := range strings.ToUpper(s) {
		code := strings.IndexRune(keys, r)
		if code < 0 {
			return nil, fmt.Errorf("character %d: %w", i+1, ErrDigit)
		}
		codes = append(codes, uint8(code))
	}
	return codes, nil
}

// SendDigits sends digits (0-9, *, #, A-D) as RFC 4733 events, 100 ms each, and returns when the last
// has been sent. A second call waits for the first. When ctx is done the event under way is ended.
func (l *Line) SendDigits(ctx context.Context, digits string) error {
	codes, err := parseKeys(digits)
	if err != nil {
		return fmt.Errorf("send digits: %w", err)
	}
	select {
	case l.dialling <- struct{}{}:
		defer func() { <-l.dialling }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	start := time.Now()
	for _, code := range codes {
		if err := wait(ctx, timer, start); err != nil {
			return err
		}
		// Where this machine stood still the keys after that come later: at once, they would be one to the peer.
		if now := time.Now(); now.After(start) {
			start = now
		}
		if err := l.sendKey(ctx, timer, code, start); err != nil {
			return fmt.Errorf("send digits: %w", err)
		}
		start = start.Add(eventCycle)
	}
	return nil
}

// sendKey sends one key that goes down now.
func (l *Line) sendKey(ctx context.Context, timer *time.Timer, code uint8, start time.Time) error {
	o := &l.out
	press, err := o.press(code, l.clock())
	if err != nil {
		return err
	}
	defer o.release()
	for {
		start = start.Add(eventEvery)
		if err := wait(ctx, timer, start); err != nil {
			for e, times := press.cut(); times > 0; times-- {
				_ = o.key(&press, e, false)
			}
			return err
		}
		e, marker, last := press.next()
		if err := o.key(&press, e, marker); err != nil {
			return err
		}
		if last {
			return nil
		}
	}
}

// wait waits until an instant, or until ctx is done.
func wait(ctx context.Context, timer *time.Timer, until time.Time) error {
	timer.Reset(time.Until(until))
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// pressed is a key whose packets have a timestamp and a payload type.
type pressed struct {
	keypress
	payloadType uint8
	timestamp   uint32 // without offset: all packets of an event have the same
}

// press takes the stream away from the sound. The key goes down now, but not before the last frame's
// sound is over.
func (o *outbound) press(code uint8, now time.Duration) (pressed, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.closed:
		return pressed{}, ErrClosed
	case !o.ready || o.agreed.TelephoneEvent <= 0:
		return pressed{}, ErrNoEvents
	case !o.agreed.Send || o.to.Load() == nil:
		return pressed{}, ErrHeld
	}
	o.event = true
	o.sent.DigitsSent++
	return pressed{
		keypress:    keypress{code: code, clock: o.agreed.EventClock},
		payloadType: uint8(o.agreed.TelephoneEvent),
		timestamp:   o.stream.time(max(now, o.stream.at+o.agreed.PTime)),
	}, nil
}

// key sends one packet of an event.
func (o *outbound) key(p *pressed, e event, marker bool) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return ErrClosed
	}
	var payload [eventSize]byte
	return o.packet(p.payloadType, marker, p.timestamp, e.append(payload[:0]))
}

// release gives the stream back to the sound.
func (o *outbound) release() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.event = false
}
