package rtp

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	pion "github.com/pion/rtp"

	"passerelle/codec"
)

// stream is our RTP stream: SSRC, sequence, and a timestamp that runs on between frames. It is pure.
type stream struct {
	ssrc   uint32
	seq    uint16
	offset uint32 // of every timestamp (RFC 3550 section 5.1)
	clock  int    // Hz

	timestamp uint32 // of the last frame, without offset
	at        time.Duration

	packets, octets uint32 // as sender reports count them
	reported        [2]uint32
}

// newStream begins at random numbers (RFC 3550 section 5.1).
func newStream(clock int, now time.Duration) stream {
	return stream{
		ssrc:   rand.Uint32(),
		seq:    uint16(rand.Uint32()) >> 1, // far from where it wraps: who misses the first packets of SRTP counts right (RFC 3711 section 3.3.1)
		offset: rand.Uint32(),
		clock:  clock,
		at:     now,
	}
}

// time is the RTP time at an instant, without offset: the last frame's, and what has passed since.
func (s *stream) time(now time.Duration) uint32 {
	return s.timestamp + ticks(max(0, now-s.at), s.clock)
}

// next writes the header of the next packet to dst, which has room for it, and returns its length.
func (s *stream) next(dst []byte, payloadType uint8, marker bool, timestamp uint32, payload int) int {
	h := pion.Header{
		Version:        2,
		Marker:         marker,
		PayloadType:    payloadType,
		SequenceNumber: s.seq,
		Timestamp:      s.offset + timestamp,
		SSRC:           s.ssrc,
	}
	n, err := h.MarshalTo(dst)
	if err != nil {
		return 0
	}
	s.seq++
	s.packets++
	s.octets += uint32(payload)
	return n
}

// sending is a stream as a report tells of it.
type sending struct {
	ssrc, packets, octets uint32
	timestamp             uint32 // at the instant of the report
	lately                bool   // since the report before the last
}

func (s *stream) report(now time.Duration) sending {
	r := sending{s.ssrc, s.packets, s.octets, s.offset + s.time(now), s.packets != s.reported[0]}
	s.reported[0], s.reported[1] = s.reported[1], s.packets
	return r
}

// outbound sends. Its mutex is held while a packet is built and handed to the system, so that packets
// leave in the order of their numbers; the path of arrivals never takes it.
type outbound struct {
	conn *net.UDPConn
	to   atomic.Pointer[netip.AddrPort] // set by whoever moves the latch; nil is nowhere

	mu     sync.Mutex
	agreed Params
	ready  bool
	closed bool
	event  bool // an event has the stream: no sound (RFC 4733 section 2.5.1.2)
	stream stream
	buf    [maxPacket]byte
	sealer *sealer // nil: in clear

	sent  Stats // what is counted here of it
	drops SendDrops
}

// agree takes what offer and answer say and returns our SSRC.
func (o *outbound) agree(p Params, now time.Duration) (ssrc uint32) {
	o.mu.Lock()
	defer o.mu.Unlock()
	// Another clock rate is another SSRC (RFC 7160 section 4.1), and so is another key: its packets are counted from 0.
	rekeyed := !o.agreed.SRTP.sends(p.SRTP)
	if clock := p.Kind.ClockRate(); clock != o.stream.clock || rekeyed && o.ready {
		o.stream = newStream(clock, now)
	}
	switch {
	case p.DTLS != nil:
		if o.agreed.DTLS == nil {
			o.sealer = nil // what keys there were are of the SDP
		}
	case p.contexts == nil:
		o.sealer = nil
	case rekeyed || o.sealer == nil:
		o.sealer = &sealer{context: p.contexts.send}
	}
	o.agreed, o.ready = p, true
	return o.stream.ssrc
}

// frame sends sound.
func (o *outbound) frame(f *codec.Frame, now time.Duration) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return ErrClosed
	}
	payloadType := o.agreed.PayloadType
	switch {
	case !o.ready:
		o.drops.Held++
		return nil
	case f.Kind == codec.ComfortNoise && o.stream.clock == 8000:
		payloadType = comfortNoise
	case f.Kind != o.agreed.Kind:
		o.drops.Kind++
		return ErrKind
	case len(f.Payload) > maxPacket-headerSize:
		o.drops.Kind++
		return ErrTooLong
	}
	// The clock runs on whether or not the frame is sent.
	o.stream.timestamp, o.stream.at = f.Timestamp, now
	if o.event {
		o.drops.Events++
		return nil
	}
	return o.packet(payloadType, f.Marker, f.Timestamp, f.Payload)
}

// headerSize is the length in bytes of a header without extensions.
const headerSize = 12

// packet sends one packet; a hold drops it. Called with mu held.
func (o *outbound) packet(payloadType uint8, marker bool, timestamp uint32, payload []byte) error {
	to := o.to.Load()
	if !o.agreed.Send || to == nil || o.keyless() {
		o.drops.Held++
		return nil
	}
	n := o.stream.next(o.buf[:], payloadType, marker, timestamp, len(payload))
	n += copy(o.buf[n:], payload)
	data, err := o.buf[:n], error(nil)
	if o.sealer != nil {
		data, err = o.sealer.rtp(data)
	}
	if err == nil {
		_, err = o.conn.WriteToUDPAddrPort(data, *to)
	}
	if err != nil {
		o.drops.Errors++
		return fmt.Errorf("send RTP: %w", err)
	}
	o.sent.PacketsSent++
	o.sent.BytesSent += uint64(len(payload))
	return nil
}

// keyless reports whether there are no keys yet, and must be. Called with mu held.
func (o *outbound) keyless() bool { return o.sealer == nil && o.agreed.DTLS != nil }

// report is what a report tells of our stream.
func (o *outbound) report(now time.Duration) sending {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.stream.report(now)
}

// sealControl encrypts a report, where the line is encrypted.
func (o *outbound) sealControl(data []byte) ([]byte, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.keyless():
		return nil, ErrHandshake
	case o.sealer == nil:
		return data, nil
	}
	return o.sealer.rtcp(data)
}

// failed counts a report that the network refused.
func (o *outbound) failed() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.drops.Errors++
}

// close lets nothing out any more.
func (o *outbound) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
}
