package audio

import (
	"time"

	"passerelle/codec"
)

const (
	gapConcealed  = 60 * time.Millisecond // a loss up to this is made up
	contradiction = time.Second           // between the jump of a timestamp and that of the arrival
	lateMost      = time.Minute           // what is older than this belongs to another source
	lateSteps     = 100                   // likewise, in packets; the line takes none that are later
)

// timeline maps a phone's RTP time to the room's: base + (phone's - phone's base) x 48000 / clock,
// modulo 2^32. It sees audio packets only: RFC 4733 packets, whose timestamp stands still, leave a gap
// of their length.
type timeline struct {
	clock   int    // Hz, the phone's
	scale   uint32 // ours for one of the phone's
	running bool
	quiet   bool          // the phone said that silence follows (RFC 3389)
	renewed bool          // what comes next begins anew
	seq     uint16        // newest
	ts      uint32        // newest's
	end     uint32        // where newest ends
	arrival time.Duration // newest's
	our     uint32        // our time at end
}

// retime lets the phone count at another clock from now on.
func (t *timeline) retime(clock int) {
	newest := t.span(int32(t.end - t.ts))
	t.clock, t.scale = clock, uint32(mediaRate/clock)
	t.end = t.ts + t.units(newest)
}

// place says where a packet belongs.
type place uint8

const (
	follows  place = iota // what was before it, without a gap
	tooLate               // nowhere: it is late, or a duplicate
	lost                  // after a loss that can be made up
	later                 // after a silence, or a long loss
	begins                // another source or clock: the mapping has begun anew
	beginsOn              // likewise, and its sound follows what was before it
)

// newTimeline returns a timeline for a phone's clock that begins at our.
func newTimeline(clock int, our uint32) timeline {
	return timeline{clock: clock, scale: uint32(mediaRate / clock), our: our}
}

// look says where f belongs, and how much is missing before it, in the phone's clock.
func (t *timeline) look(f *codec.Frame) (p place, gap uint32) {
	if !t.running {
		return begins, 0
	}
	newer := int16(f.Seq - t.seq)
	moved := t.span(int32(f.Timestamp - t.ts))
	missing := int32(f.Timestamp - t.end)
	silent := f.Arrival - t.arrival - t.span(int32(t.end-t.ts)) // between what was heard and f
	switch {
	case t.renewed:
	case newer <= 0 && newer > -lateSteps && moved <= 0 && moved > -lateMost:
		return tooLate, 0
	case missing == 0:
		return follows, 0
	case missing > 0 && newer > 1 && !t.quiet && t.span(missing) <= gapConcealed:
		return lost, uint32(missing)
	case missing > 0 && (t.span(missing)-silent).Abs() <= contradiction:
		return later, uint32(missing)
	}
	if silent > gapConcealed {
		return begins, t.units(silent)
	}
	return beginsOn, 0
}

// span returns a difference of the phone's timestamps as a duration.
func (t *timeline) span(units int32) time.Duration {
	return time.Duration(units) * time.Second / time.Duration(t.clock)
}

// units is the inverse of span.
func (t *timeline) units(d time.Duration) uint32 {
	return uint32(d * time.Duration(t.clock) / time.Second)
}

// pass moves over n units of the phone's clock of which there is no packet.
func (t *timeline) pass(n uint32) {
	t.end += n
	t.our += n * t.scale
}

// heard moves over f, which lasts n units, and returns its time as ours.
func (t *timeline) heard(f *codec.Frame, n uint32) uint32 {
	at := t.our
	t.running, t.quiet, t.renewed = true, false, false
	t.seq, t.ts, t.arrival = f.Seq, f.Timestamp, f.Arrival
	t.end = f.Timestamp + n
	t.our += n * t.scale
	return at
}
