package audio

import (
	"sync/atomic"
	"time"
)

// JitterStats is what a jitter buffer has seen and done, at one instant. Counts only grow.
type JitterStats struct {
	Target time.Duration // delay that the measured arrival times ask for
	Delay  time.Duration // from the earliest possible arrival of what plays now to its tick

	Packets    uint64
	Duplicates uint64
	Late       uint64 // came when their time was over
	Dropped    uint64 // found the buffer full, were malformed, or too old after the shard or the network stood still
	Lost       uint64 // never came, or late
	Restarts   uint64 // jumps of timestamp or sequence: another source begins

	// Frames of 20 ms.
	Concealed uint64 // made up
	Recovered uint64 // made from the next packet's FEC
	Inserted  uint64 // added to wait for late packets or a slower clock
	Cut       uint64 // left out to come back to the target

	// Periods of 2.5 to 15 ms.
	Shortened  uint64 // left out likewise, within sound
	Lengthened uint64 // added, likewise
}

// EngineStats is what the shards have done, at one instant. Counts only grow.
type EngineStats struct {
	Mixes, Phones, Tracks int
	Ticks                 uint64 // of all shards
	Skipped               uint64 // ticks that were due and not rendered
	Panics                uint64 // mixes ended by a panic
	// Late counts ticks by how late they began: under 1, 2, 5, 10, 20, 40 ms, and later than that.
	Late [lateClasses]uint64
	// Busy is the time that all ticks took.
	Busy time.Duration
}

// PhoneStats is what a phone has said and heard, at one instant. Counts only grow.
type PhoneStats struct {
	// Up: from the phone to the seat.
	Received  uint64 // packets pushed
	Late      uint64 // of those, dropped: late or twice
	Malformed uint64 // of those, dropped: not to be decoded
	Concealed uint64 // gaps of up to 60 ms that were made up
	Jumps     uint64 // longer gaps
	Rebased   uint64 // timestamps that started anew: another source, codec or clock
	Sent      uint64 // packets to the seat, DTX included
	DTX       uint64 // of those, DTX
	UpErrors  uint64 // packets that the encoder or the seat refused
	Level     uint8  // of the last packet, -dBov
	Talking   bool   // the voice activity gate is open
	// Down: from the mix to the phone.
	Written    uint64 // packets to the line
	DownErrors uint64 // packets that the encoder or the line refused
	// Ring is the phone's voice on its way into the mix, for the phones beside it.
	Ring JitterStats
}

// counter counts on one goroutine and is read on any.
type counter struct{ n atomic.Uint64 }

func (c *counter) add(n uint64) {
	if n > 0 {
		c.n.Store(c.n.Load() + n)
	}
}

func (c *counter) load() uint64 { return c.n.Load() }

// jitterCounters are a jitter buffer's, written on its shard.
type jitterCounters struct {
	target, delay                                 atomic.Int64
	packets, duplicates, late, dropped, lost      counter
	restarts, concealed, recovered, inserted, cut counter
	shortened, lengthened                         counter
}

// upCounters are a phone's way up, written by the line reader.
type upCounters struct {
	received, late, malformed, concealed, jumps, rebased, sent, dtx, errors counter
}

// stats returns the counts of a jitter buffer and of the ring before it.
func (j *jitter) stats() JitterStats {
	c := &j.count
	return JitterStats{
		Target: time.Duration(c.target.Load()), Delay: time.Duration(c.delay.Load()),
		Packets: c.packets.load(), Duplicates: c.duplicates.load(), Late: c.late.load(),
		Dropped: c.dropped.load() + j.in.dropped.Load(), Lost: c.lost.load(), Restarts: c.restarts.load(),
		Concealed: c.concealed.load(), Recovered: c.recovered.load(), Inserted: c.inserted.load(), Cut: c.cut.load(),
		Shortened: c.shortened.load(), Lengthened: c.lengthened.load(),
	}
}
