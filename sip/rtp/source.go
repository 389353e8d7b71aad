package rtp

import "time"

// The sequence window of RFC 3550 appendix A.1.
const (
	maxDropout  = 3000 // a larger step forward, in packets, is a restart or not of this source
	maxMisorder = 100  // as is a larger step back
)

// rebase is the jump of the timestamp against the clock, in seconds, that is no jitter: the peer has
// begun to count from elsewhere.
const rebase = 5

// source keeps what RFC 3550 wants known of one SSRC's packets: sequence (appendix A.1), loss (A.3)
// and jitter (A.8). It is pure: packets and times come as arguments.
type source struct {
	ssrc    uint32
	base    uint32 // extended sequence number of the first packet
	max     uint32 // extended: the highest yet, cycles in the upper half
	bad     uint32 // the sequence number that would confirm a restart; over 16 bits: none
	seen    uint64 // one bit for each of the 64 packets up to max, which is bit 0
	packets uint64 // received, duplicates included
	twice   uint64 // duplicates
	gone    uint64 // lost before the stream restarted

	clock   int // Hz
	transit uint32
	timed   bool   // transit is set
	jitter  uint32 // in the clock's units, times 16

	priorExpected, priorPackets uint64 // at the last report
}

// order says where a packet belongs in its stream.
type order uint8

const (
	inOrder   order = iota // later than all before it
	late                   // earlier than another that has come; still to be played
	duplicate              // seen before
	astray                 // far from the last: dropped
	restarted              // the second far packet in a row: the stream goes on from here
)

// newSource begins with the first packet of an SSRC, which has not been counted yet.
func newSource(ssrc uint32, seq uint16, clock int) source {
	s := source{ssrc: ssrc, clock: clock}
	s.begin(seq)
	return s
}

func (s *source) begin(seq uint16) {
	// One cycle above zero, so that a packet from before the first is not below it.
	s.base = 1<<16 + uint32(seq)
	s.max, s.seen, s.bad = s.base-1, 0, 1<<16
	s.packets, s.twice = 0, 0
	s.priorExpected, s.priorPackets = 0, 0
	s.timed = false
}

// packet counts a sequence number.
func (s *source) packet(seq uint16) order {
	step := seq - uint16(s.max)
	switch {
	case step > 0 && step < maxDropout:
		s.max += uint32(step)
		s.seen = s.seen<<step | 1
		s.count()
		return inOrder
	case step == 0 || -step < maxMisorder:
		return s.older(-step)
	case uint32(seq) == s.bad:
		s.gone = s.lost()
		s.begin(seq)
		s.packet(seq)
		return restarted
	}
	s.bad = uint32(seq + 1)
	return astray
}

// older counts a packet that is back steps below the highest.
func (s *source) older(back uint16) order {
	s.count()
	bit := uint64(1) << back
	if s.seen&bit != 0 {
		s.twice++
		return duplicate
	}
	s.seen |= bit
	s.base = min(s.base, s.max-uint32(back))
	return late
}

func (s *source) count() {
	s.packets++
	s.bad = 1 << 16
}

// time takes the packet's timestamp into the jitter (appendix A.8). Only packets whose timestamp is
// that of their sound may be given, not those of events.
func (s *source) time(timestamp uint32, now time.Duration) {
	transit := ticks(now, s.clock) - timestamp
	d := int32(transit - s.transit)
	s.transit = transit
	if !s.timed {
		s.timed = true
		return
	}
	if d < 0 {
		d = -d
	}
	if uint32(d) > uint32(rebase*s.clock) {
		return
	}
	s.jitter += uint32(d) - (s.jitter+8)>>4
}

// expected is how many packets the peer has sent as far as we can know (appendix A.3).
func (s *source) expected() uint64 {
	return uint64(s.max) - uint64(s.base) + 1
}

// lost is how many never came, restarts included; a duplicate does not make up for another packet.
func (s *source) lost() uint64 {
	once := s.packets - s.twice
	return s.gone + s.expected() - min(once, s.expected())
}

// cumulative is the loss as reports carry it: signed, 24 bits, duplicates counted as received.
func (s *source) cumulative() int32 {
	const most = 1<<23 - 1
	return int32(max(-most-1, min(most, int64(s.expected())-int64(s.packets))))
}

// fraction returns the fraction lost since it was last called, in 1/256 (appendix A.3).
func (s *source) fraction() uint8 {
	expected := s.expected() - s.priorExpected
	lost := int64(expected) - int64(s.packets-s.priorPackets)
	s.priorExpected, s.priorPackets = s.expected(), s.packets
	if expected == 0 || lost <= 0 {
		return 0
	}
	return uint8(min(255, lost<<8/int64(expected)))
}

// extended is the highest sequence number with its cycles, as reports carry it.
func (s *source) extended() uint32 { return s.max - 1<<16 }

// arrivalJitter is the jitter as a time.
func (s *source) arrivalJitter() time.Duration {
	return span(s.jitter>>4, s.clock)
}

// span is how long so many units of a clock of so many Hz take.
func span(units uint32, clock int) time.Duration {
	return time.Duration(units) * time.Second / time.Duration(max(1, clock))
}

// ticks is a time on a clock of so many Hz, modulo 2^32.
func ticks(d time.Duration, clock int) uint32 {
	s, rest := d/time.Second, d%time.Second
	return uint32(s)*uint32(clock) + uint32(rest*time.Duration(clock)/time.Second)
}
