// Package rtp is the telephone line: a pair of UDP ports, the one peer that may use them, and what RTP,
// RTCP and RFC 4733 say there. It does not know what SIP or SDP said to agree on that peer, nor what a
// payload sounds like.
package rtp

import (
	"context"
	"net/netip"

	"passerelle/codec"
)

// Line is one phone's media. Run's arguments are called from its own goroutines; WriteFrame belongs to
// one goroutine at a time; all else may be called from any goroutine.
type Line struct{}

// Listen binds a pair of ports. The Line must be closed.
func Listen(c Config) (*Line, error) { return nil, nil }

// LocalAddr returns the address that RTP is received on, as bound: unspecified if Ports is.
func (l *Line) LocalAddr() netip.AddrPort { return netip.AddrPort{} }

// LocalRTCP returns the address that RTCP is received on.
func (l *Line) LocalRTCP() netip.AddrPort { return netip.AddrPort{} }

// Negotiate sets what offer and answer have agreed on, first and after each re-INVITE. Until it is first
// called all that arrives is dropped. A new Remote opens the latch anew, so that the next valid packet
// decides where the peer is; an unchanged one keeps the latched address and lets its SSRC change once.
func (l *Line) Negotiate(p Params) error { return nil }

// Run reads the line until ctx is done (nil), the peer is dead (ErrDeadPeer), or the line is closed
// (ErrClosed). It gives sound to audio and keys to digits, one call at a time each, from the goroutine
// that reads RTP; either may be nil. Sequence numbers and timestamps are the peer's own: where an event
// used sequence numbers they are missing, and the timestamp tells how long the gap is.
//
// A peer that should send and from which nothing valid, RTP or RTCP, comes for Config.Timeout is dead;
// so is one that never sends anything, Timeout after Run or after the Negotiate that let it send.
// A line runs once.
func (l *Line) Run(ctx context.Context, audio codec.Reader, digits func(Digit)) error { return nil }

// WriteFrame sends a frame of the agreed Kind, or comfort noise (codec.Writer). SSRC, sequence number
// and the timestamp's random offset are the line's; Timestamp and Marker are the caller's, Seq, Level
// and Voice are not read. While the call is on hold, or an event is being sent, the frame is dropped
// and counted, without an error.
func (l *Line) WriteFrame(f *codec.Frame) error { return nil }

// SendDigits sends digits (0-9, *, #, A-D) as RFC 4733 events, 100 ms each, and returns when the last
// has been sent. A second call waits for the first. When ctx is done the event under way is ended.
func (l *Line) SendDigits(ctx context.Context, digits string) error { return nil }

// Stats returns what the line has seen so far.
func (l *Line) Stats() Stats { return Stats{} }

// Close sends a BYE where the peer knows of us (RFC 3550 section 6.3.7) and gives the ports back.
// It may be called more than once.
func (l *Line) Close() error { return nil }
