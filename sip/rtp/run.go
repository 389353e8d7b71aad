package rtp

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"passerelle/codec"
)

// Run reads the line until ctx is done (nil), the peer is dead (ErrDeadPeer), or the line is closed
// (ErrClosed). It gives sound to audio and keys to digits, one call at a time each, in the caller's goroutine,
// which reads RTP; either may be nil. Sequence numbers and timestamps are the peer's own: where an event
// used sequence numbers they are missing, and the timestamp tells how long the gap is.
//
// A peer that should send and from which nothing valid, RTP or RTCP, comes for Config.Timeout is dead;
// so is one that never sends anything, Timeout after Run or after the last Negotiate.
// A line runs once.
func (l *Line) Run(ctx context.Context, audio codec.Reader, digits func(Digit)) error {
	if !l.ran.CompareAndSwap(false, true) {
		return ErrRan
	}
	l.mu.Lock()
	l.in.alive = l.clock()
	l.mu.Unlock()

	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	woken := make(chan struct{})
	context.AfterFunc(ctx, func() { // Run waits for it
		defer close(woken)
		// A reader sets its own deadline only before it looks at ctx, so that this one is the last.
		_ = l.pair.rtp.SetReadDeadline(time.Unix(1, 0))
		_ = l.pair.rtcp.SetReadDeadline(time.Unix(1, 0))
	})
	read := func(name string, from func(context.Context) error) {
		if err := l.guard(name, func() error { return from(ctx) }); err != nil {
			cancel(err)
		}
	}
	var control sync.WaitGroup
	control.Go(func() { read("RTCP", l.control) })
	l.mu.Lock()
	l.shake = sync.OnceFunc(func() { control.Go(func() { read("DTLS", l.secure) }) }) // most lines need none
	if l.association != nil {
		l.shake()
	}
	l.mu.Unlock()
	r := &reader{line: l, audio: audio, digits: digits}
	read("RTP", r.run)
	l.mu.Lock()
	l.shake = nil
	l.mu.Unlock()
	control.Wait()
	<-woken

	var end *ended
	if errors.As(context.Cause(ctx), &end) {
		return end.err
	}
	return nil
}

// Spare has the time of a silent peer begin anew: one that still rings need not send.
func (l *Line) Spare() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.in.alive = l.clock()
}

// ended is why a reader ended, to tell it from the caller's own cause.
type ended struct{ err error }

func (e *ended) Error() string { return e.err.Error() }

// guard is the root of a reader: a panic ends this line, and nothing else.
func (l *Line) guard(name string, read func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			l.log.Error("a line reader panicked", "reader", name, "panic", p, "stack", string(debug.Stack()))
			err = &ended{fmt.Errorf("%s reader: panic: %v", name, p)}
		}
	}()
	err = read()
	switch {
	case err == nil:
		return nil
	case errors.Is(err, net.ErrClosed):
		err = ErrClosed
	}
	return &ended{err}
}

// reader reads RTP.
type reader struct {
	line   *Line
	audio  codec.Reader
	digits func(Digit)
	frame  codec.Frame
	buf    [maxPacket + 1]byte // so that a cut packet shows
}

// run ends when ctx is done, or the line is closed.
func (r *reader) run(ctx context.Context) error {
	conn := r.line.pair.rtp
	for {
		n, from, err := conn.ReadFromUDPAddrPort(r.buf[:])
		if ctx.Err() != nil {
			return nil
		}
		switch {
		case err == nil:
			err = r.packet(from, r.buf[:n])
		case errors.Is(err, os.ErrDeadlineExceeded):
			err = r.expire()
		}
		if err != nil {
			return fmt.Errorf("read RTP: %w", err)
		}
		if ctx.Err() != nil {
			return nil
		}
	}
}

// packet handles one packet. The lock is not held while it is decoded and sent on.
func (r *reader) packet(from netip.AddrPort, data []byte) error {
	l := r.line
	now := l.clock()
	l.mu.Lock()
	a := l.in.take(from, data, now, &r.frame)
	if a.digits.n == 0 {
		a.digits = l.in.expire(now) // sound that goes on keeps the deadline from coming
	}
	down := l.in.keypad.down
	if a.moved {
		l.aim()
	}
	l.mu.Unlock()

	switch a.other {
	case binding:
		l.check(from, data, now)
	case handshaking:
		l.flight(from, data)
	case noOther:
	}
	if a.moved {
		l.log.Debug("media source", "addr", unmapped(from), "ssrc", fmt.Sprintf("%08x", l.in.packet.SSRC))
	}
	if a.stranger {
		l.log.Warn("a stranger sends to this line", "addr", unmapped(from))
	}
	if a.sealed {
		l.log.Warn("media that cannot be decrypted", "addr", unmapped(from))
	}
	if a.control {
		l.controlPacket(from, data, now)
	}
	if a.sound && r.audio != nil {
		r.audio.PushFrame(&r.frame)
	}
	r.tell(a.digits)
	if a.digits.n == 0 && !down {
		return nil
	}
	return r.wake(down)
}

// expire ends a key whose end was lost.
func (r *reader) expire() error {
	l := r.line
	l.mu.Lock()
	told := l.in.expire(l.clock())
	down := l.in.keypad.down
	l.mu.Unlock()
	r.tell(told)
	return r.wake(down)
}

// wake lets the next read end in time to see that a key's end was lost.
func (r *reader) wake(down bool) error {
	var deadline time.Time
	if down {
		deadline = time.Now().Add(eventTimeout)
	}
	return r.line.pair.rtp.SetReadDeadline(deadline)
}

func (r *reader) tell(d digits) {
	if r.digits == nil {
		return
	}
	for _, one := range d.list[:d.n] {
		r.digits(one)
	}
}

// control reads RTCP and keeps the times: our reports, and the peer's silence. It ends when ctx is done,
// the peer is dead, or the line is closed.
func (l *Line) control(ctx context.Context) error {
	conn := l.pair.rtcp
	var buf [maxPacket + 1]byte // so that a cut packet shows
	next := l.clock() + reportIn(true, rand.Float64())
	for {
		now := l.clock()
		if now >= next {
			l.report(now, false)
			next = now + reportIn(false, rand.Float64())
		}
		l.mu.Lock()
		dead, again := l.in.dead(now, l.timeout)
		l.mu.Unlock()
		if dead {
			return ErrDeadPeer
		}
		if err := conn.SetReadDeadline(time.Now().Add(min(next, again) - now)); err != nil {
			return fmt.Errorf("read RTCP: %w", err)
		}
		if ctx.Err() != nil {
			return nil
		}
		n, from, err := conn.ReadFromUDPAddrPort(buf[:])
		switch {
		case err == nil:
			l.controlPacket(from, buf[:n], l.clock())
		case !errors.Is(err, os.ErrDeadlineExceeded):
			return fmt.Errorf("read RTCP: %w", err)
		}
	}
}

// controlPacket handles one RTCP packet.
func (l *Line) controlPacket(from netip.AddrPort, data []byte, now time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if plain, ok := l.in.openControl(from, data, now); ok && l.in.admitControl(from, plain, now) {
		l.in.control(plain, now)
	}
}
