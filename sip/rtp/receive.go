package rtp

import (
	"net/netip"
	"time"

	pion "github.com/pion/rtp"

	"passerelle/codec"
)

// comfortNoise is the static payload type of RFC 3389, for codecs with a clock of 8000 Hz.
const comfortNoise = 13

// inbound is all that the line knows of its peer. It is pure: packets and times come as arguments, and
// what is to be done is returned.
//
// A packet passes, in this order: the address (no byte of a stranger is parsed), the header, SRTP, the payload
// type, the latch, the sequence window, the direction. Only then is it sound, or a key.
type inbound struct {
	agreed Params
	ready  bool   // agreed holds
	own    uint32 // our SSRC
	opener *opener
	ice    iceLite

	latch  latch
	rtcp   controlLatch
	source source // valid while the latch is shut
	keypad keypad
	round  roundTrip
	last   lastReport

	reporting bool // the peer has had a report of ours

	alive  time.Duration // the last sign of life, or when waiting for one began
	before uint64        // lost by sources that are gone
	seen   Stats         // what is counted here of it

	packet pion.Packet // reused
}

// arrival is what a packet comes to.
type arrival struct {
	sound    bool // the frame is filled
	control  bool // RTCP on the RTP port
	other    other
	moved    bool // the latch has a new source
	stranger bool // the first packet from an address that may not send here
	sealed   bool // the first packet that cannot be opened
	digits   digits
}

// agree takes what offer and answer say, first and again.
func (in *inbound) agree(p Params, own uint32, now time.Duration) {
	first := !in.ready
	in.ready, in.own, in.alive = true, own, now
	switch {
	case p.DTLS != nil:
		if in.agreed.DTLS == nil {
			in.opener = nil // what keys there were are of the SDP
		}
	case p.contexts == nil:
		in.opener = nil
	case in.opener == nil || !in.agreed.SRTP.receives(p.SRTP):
		in.opener = newOpener(p.contexts.receive, in.opener, now)
	}
	in.agreeICE(&p, now)
	in.agreed = p
	if first {
		in.latch = newLatch(p.Remote, p.Signalling)
	} else {
		in.latch = in.latch.moved(p.Remote, p.Signalling, now)
	}
	if in.latch.open || p.RemoteRTCP != in.rtcp.sdp || p.RTCPMux != in.rtcp.mux {
		in.rtcp = controlLatch{sdp: p.RemoteRTCP, mux: p.RTCPMux}
	}
	if clock := p.Kind.ClockRate(); clock != in.source.clock {
		in.source.clock, in.source.jitter, in.source.timed = clock, 0, false
	}
	in.keypad.clock = p.EventClock
}

// destination is where RTP goes: to the latched source, before that to the SDP's address, and nowhere
// on hold.
func (in *inbound) destination() netip.AddrPort {
	switch {
	case !in.ready || held(in.agreed.Remote):
		return netip.AddrPort{}
	case !in.latch.open:
		return in.latch.addr
	}
	return in.agreed.Remote
}

// controlDestination is where RTCP goes; a direction of the sound does not silence it (RFC 3264
// section 5.1).
func (in *inbound) controlDestination() netip.AddrPort {
	if !in.ready || held(in.agreed.Remote) || held(in.agreed.RemoteRTCP) {
		return netip.AddrPort{}
	}
	return in.rtcp.usual(&in.latch)
}

// take judges what came to the RTP port, and fills f with it if it is sound.
func (in *inbound) take(from netip.AddrPort, data []byte, now time.Duration, f *codec.Frame) (a arrival) {
	from = unmapped(from)
	if !in.ready {
		in.seen.Drops.Unlatched++
		return a
	}
	if in.agreed.DTLS != nil {
		if a.other = demultiplex(data, in.agreed.DTLS.ICE != nil); a.other != noOther {
			return a
		}
	}
	if from != in.latch.addr && !in.latch.allowed(from.Addr()) {
		a.stranger = in.seen.Drops.Foreign == 0
		in.seen.Elsewhere = from
		in.seen.Drops.Foreign++
		return a
	}
	// Payload types 64 to 95 with the marker set are RTCP (RFC 5761 section 4).
	if in.agreed.RTCPMux && len(data) > 1 && data[1] >= 192 && data[1] <= 223 {
		a.control = true
		return a
	}
	p := &in.packet
	if len(data) > maxPacket || len(data) < 12 || data[0]>>6 != 2 {
		in.seen.Drops.Malformed++
		return a
	}
	data, ok := in.open(data, now, &a) // before anything that this packet says counts
	if !ok {
		in.seen.Drops.Unauthentic++
		return a
	}
	if p.Unmarshal(data) != nil {
		in.seen.Drops.Malformed++
		return a
	}
	kind, isEvent := in.kind(p.PayloadType)
	if !in.admit(from, kind != 0 || isEvent, now, &a) {
		return a
	}
	order := in.source.packet(p.SequenceNumber)
	if order == astray {
		in.seen.Drops.Sequence++
		return a
	}
	in.count(order, now)
	switch {
	case !in.agreed.Receive:
		in.seen.Drops.Held++
	case isEvent:
		in.key(now, &a)
	case kind == 0:
		in.seen.Drops.PayloadType++
	default:
		if order != duplicate {
			in.source.time(p.Timestamp, now)
		}
		a.sound = in.fill(f, kind, now)
	}
	return a
}

// open decrypts a packet, where the line is encrypted; false if that cannot be done, as long as there are no keys too.
func (in *inbound) open(data []byte, now time.Duration, a *arrival) ([]byte, bool) {
	switch {
	case in.opener != nil:
		plain, ok := in.opener.rtp(data, now)
		a.sealed = !ok && in.seen.Drops.Unauthentic == 0
		return plain, ok
	case in.agreed.DTLS != nil:
		return nil, false
	}
	return data, true
}

// kind says what a payload type was agreed to mean; none if it was not.
func (in *inbound) kind(payloadType uint8) (kind codec.Kind, isEvent bool) {
	switch {
	case payloadType == in.agreed.PayloadType:
		return in.agreed.Kind, false
	case int(payloadType) == in.agreed.TelephoneEvent:
		return 0, true
	case payloadType == comfortNoise && in.agreed.Kind.ClockRate() == 8000:
		return codec.ComfortNoise, false
	}
	return 0, false
}

// admit asks the latch. A payload type that was not agreed on never latches, but from the latched source
// it uses up a sequence number.
func (in *inbound) admit(from netip.AddrPort, agreed bool, now time.Duration, a *arrival) bool {
	p := &in.packet
	if !agreed && !in.latch.is(from, p.SSRC) {
		in.seen.Drops.PayloadType++
		return false
	}
	switch in.latch.packet(from, p.SSRC, p.SequenceNumber, now) {
	case foreign:
		in.seen.Elsewhere = from
		in.seen.Drops.Foreign++
		return false
	case unlatched:
		in.seen.Elsewhere = from
		in.seen.Drops.Unlatched++
		return false
	case latched:
		a.moved = true
		in.begin(p.SSRC, p.SequenceNumber, &a.digits)
	case known:
	}
	return true
}

// begin forgets the source before.
func (in *inbound) begin(ssrc uint32, seq uint16, told *digits) {
	if in.source.packets > 0 {
		in.before += in.source.lost()
	}
	in.source = newSource(ssrc, seq, in.agreed.Kind.ClockRate())
	in.keypad.release(told)
	in.keypad = keypad{clock: in.agreed.EventClock}
	in.last = lastReport{}
}

func (in *inbound) count(o order, now time.Duration) {
	in.seen.PacketsReceived++
	in.seen.BytesReceived += uint64(len(in.packet.Payload))
	in.living(now)
	switch o {
	case late:
		in.seen.Late++
	case duplicate:
		in.seen.Duplicates++
	case inOrder, restarted, astray:
	}
}

// living notes that the peer is there.
func (in *inbound) living(now time.Duration) {
	in.alive, in.seen.LastArrival = now, now
}

// key takes an event packet. It is never given to the sound: to the reader there, its sequence number
// is missing.
func (in *inbound) key(now time.Duration, a *arrival) {
	e, ok := parseEvent(in.packet.Payload)
	if !ok {
		in.seen.Drops.Malformed++
		return
	}
	in.told(&a.digits, in.keypad.packet(in.packet.Timestamp, e, now))
}

// told appends digits and counts those that went down.
func (in *inbound) told(to *digits, more digits) {
	for _, d := range more.list[:more.n] {
		to.add(d)
		if !d.Ended {
			in.seen.DigitsReceived++
		}
	}
}

// fill makes a frame of the packet. A packet without a payload keeps a NAT open and is no sound.
func (in *inbound) fill(f *codec.Frame, kind codec.Kind, now time.Duration) bool {
	p := &in.packet
	*f = codec.Frame{
		Arrival:   now,
		Seq:       p.SequenceNumber,
		Timestamp: p.Timestamp,
		Marker:    p.Marker,
		Kind:      kind,
		Payload:   p.Payload,
	}
	return len(p.Payload) > 0
}

// expire ends a key whose end was lost.
func (in *inbound) expire(now time.Duration) (told digits) {
	in.told(&told, in.keypad.expire(now))
	return told
}

// dead reports whether a peer that should send has been silent for too long, and when to ask again at
// the latest. A peer that may be silent is not dead: on hold, also where it could still send (sendonly) but
// has no music.
func (in *inbound) dead(now, timeout time.Duration) (dead bool, again time.Duration) {
	const look = time.Second
	if in.ice.lost(now) {
		return true, now
	}
	if timeout < 0 || !in.ready || !in.agreed.Receive || !in.agreed.Send || held(in.agreed.Remote) {
		return false, now + look
	}
	return now >= in.alive+timeout, min(now+look, in.alive+timeout)
}

// stats is what has been seen of the peer.
func (in *inbound) stats() Stats {
	s := in.seen
	s.Remote = in.destination()
	s.SDP, s.Sends, s.Hears = in.agreed.Remote, in.agreed.Send && s.Remote.IsValid(), in.agreed.Receive
	s.Lost = in.before
	if in.source.packets > 0 {
		s.Lost += in.source.lost()
		s.Jitter = in.source.arrivalJitter()
	}
	if in.ready && !in.latch.open {
		s.Latched, s.RemoteSSRC = true, in.latch.ssrc
	}
	return s
}
