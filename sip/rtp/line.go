// Package rtp is the telephone line: a pair of UDP ports, the one peer that may use them, and what RTP,
// RTCP and RFC 4733 say there. It does not know what SIP or SDP said to agree on that peer, nor what a
// payload sounds like.
package rtp

import (
	"crypto/rand"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"passerelle/codec"
)

// Line is one phone's media. Run's arguments are called from the goroutine that calls it, one at a time; WriteFrame belongs to
// one goroutine at a time; all else may be called from any goroutine.
//
//	Listen      binds a pair of ports
//	Negotiate   says who the peer is, and how it codes
//	Run         reads: RTP through inbound to the caller's reader, RTCP, and all that is timed
//	WriteFrame  writes, and SendDigits in its place
//	Close       says BYE and gives the ports back
type Line struct {
	pair    pair
	clock   func() time.Duration
	wall    func() time.Time
	timeout time.Duration // negative: never
	log     *slog.Logger
	cname   string // random: it tells nothing of us (RFC 7022)

	ran      atomic.Bool
	dialling chan struct{} // holds whoever sends digits

	mu          sync.Mutex // of in and association; never held while sound is handled or the network is waited for
	in          inbound
	association *association // nil: no keys are made on the line

	associations chan struct{} // receives when there is another association
	shake        func()        // while the line runs: sees to it that secure does; under mu
	secured      chan struct{} // closed when keys are no obstacle
	release      func()

	out  outbound
	once sync.Once
}

// Listen binds a pair of ports. The Line must be closed.
func Listen(c Config) (*Line, error) {
	p, err := c.Ports.open()
	if err != nil {
		return nil, fmt.Errorf("open line: %w", err)
	}
	l := &Line{
		pair:     p,
		clock:    c.Clock,
		wall:     c.Now,
		timeout:  c.Timeout,
		log:      c.Log,
		cname:    rand.Text(),
		dialling: make(chan struct{}, 1),

		associations: make(chan struct{}, 1), secured: make(chan struct{}),
	}
	l.out.conn = p.rtp
	l.release = sync.OnceFunc(func() { close(l.secured) })
	if err := l.defaults(c.DSCP); err != nil {
		_ = p.close()
		return nil, fmt.Errorf("open line: %w", err)
	}
	return l, nil
}

// defaults fills what Config left zero, and marks the sockets.
func (l *Line) defaults(dscp int) error {
	if l.clock == nil {
		began := time.Now()
		l.clock = func() time.Duration { return time.Since(began) }
	}
	if l.wall == nil {
		l.wall = time.Now
	}
	if l.timeout == 0 {
		l.timeout = 30 * time.Second
	}
	if l.log == nil {
		l.log = slog.New(slog.DiscardHandler)
	}
	if dscp == 0 {
		dscp = expedited
	}
	if err := tune(l.pair.rtp, l.pair.ports.addr, dscp); err != nil {
		return err
	}
	return tune(l.pair.rtcp, l.pair.ports.addr, dscp)
}

// LocalAddr returns the address that RTP is received on, as bound: unspecified if Ports is.
func (l *Line) LocalAddr() netip.AddrPort {
	return unmapped(l.pair.rtp.LocalAddr().(*net.UDPAddr).AddrPort())
}

// LocalRTCP returns the address that RTCP is received on.
func (l *Line) LocalRTCP() netip.AddrPort {
	return unmapped(l.pair.rtcp.LocalAddr().(*net.UDPAddr).AddrPort())
}

// Negotiate sets what offer and answer have agreed on, first and after each re-INVITE. Until it is first
// called all that arrives is dropped. A new Remote opens the latch anew, so that the next valid packet
// decides where the peer is; an unchanged one keeps the latched address and lets its SSRC change once.
func (l *Line) Negotiate(p Params) error {
	p, err := p.checked(l.pair.ports.addr)
	if err != nil {
		return fmt.Errorf("negotiate line: %w", err)
	}
	now := l.clock()
	own := l.out.agree(p, now)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.in.agree(p, own, now)
	l.aim()
	l.associate(p.DTLS)
	if p.DTLS == nil {
		l.release()
	}
	return nil
}

// aim points what we send at the peer. Called with mu held.
func (l *Line) aim() {
	to := l.in.destination()
	if !to.IsValid() {
		l.out.to.Store(nil)
		return
	}
	l.out.to.Store(&to)
}

// WriteFrame sends a frame of the agreed Kind, or comfort noise (codec.Writer). SSRC, sequence number
// and the timestamp's random offset are the line's; Timestamp and Marker are the caller's, Seq, Level
// and Voice are not read. While the call is on hold, or an event is being sent, the frame is dropped
// and counted, without an error.
func (l *Line) WriteFrame(f *codec.Frame) error {
	return l.out.frame(f, l.clock())
}

// Stats returns what the line has seen so far.
func (l *Line) Stats() Stats {
	l.out.mu.Lock()
	sent, drops, ssrc := l.out.sent, l.out.drops, l.out.stream.ssrc
	l.out.mu.Unlock()

	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.in.stats()
	s.SSRC = ssrc
	s.PacketsSent, s.BytesSent, s.DigitsSent = sent.PacketsSent, sent.BytesSent, sent.DigitsSent
	s.SendDrops = drops
	return s
}

// Close sends a BYE where the peer knows of us (RFC 3550 section 6.3.7) and gives the ports back.
// It may be called more than once.
func (l *Line) Close() error {
	var err error
	l.once.Do(func() {
		l.report(l.clock(), true)
		l.out.close()
		err = l.pair.close()
	})
	return err
}
