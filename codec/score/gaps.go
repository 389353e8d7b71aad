package score

import (
	"math"
	"slices"
	"time"
)

const (
	frame     = 10 * Rate / 1000 // samples by which activity and gaps are looked at
	quiet     = 30               // dB below the loud frames: not active
	missing   = 20               // dB below what it should be: not there
	shortest  = 2                // frames that make a gap
	ring      = frame / 5
	bridge    = 3  // inactive frames within a gap
	utterance = 20 // inactive frames before an utterance
)

// findActive tells for each frame of x whether somebody speaks: not far below the loudest twentieth.
func findActive(x []float64) []bool {
	levels := make([]float64, len(x)/frame)
	for i := range levels {
		levels[i] = power(x[i*frame : (i+1)*frame])
	}
	sorted := slices.Sorted(slices.Values(levels))
	active := make([]bool, len(levels))
	if len(sorted) == 0 {
		return active
	}
	least := max(sorted[len(sorted)*19/20]*math.Pow(10, -quiet/10.), frame*audible*audible)
	for i, l := range levels {
		active[i] = l > least
	}
	return active
}

// audible is the root mean square below which a reference counts as silent: -66 dBov.
const audible = 16

// gaps returns the spans of active reference that are not in the recording, and how much of an
// utterance's beginning is missing at most.
func (p *comparison) gaps(gain float64) (gaps []Gap, clipped time.Duration) {
	from, to := -1, -1 // of the gap that goes on, in frames
	onset := false     // ... it began with an utterance
	pause := utterance
	end := func() {
		if from >= 0 && to-from >= shortest {
			gaps = append(gaps, Gap{frames(from), frames(to)})
			if onset {
				clipped = max(clipped, frames(to-from))
			}
		}
		from = -1
	}
	for i, active := range p.active {
		switch {
		case !active:
			if pause++; pause > bridge {
				end()
			}
			continue
		case !p.isMissing(i, gain):
			end()
		case from < 0:
			from, to, onset = i, i+1, pause >= utterance
		default:
			to = i + 1
		}
		pause = 0
	}
	end()
	return gaps, clipped
}

func frames(n int) time.Duration { return duration(n * frame) }

// isMissing tells whether a frame of the reference is heard at none of the delays that it may have: of
// the windows around it, of the last good one before and the first after. One of them is right also
// where time was moved.
func (p *comparison) isMissing(i int, gain float64) bool {
	// What came before may ring on for 2 ms.
	at, end := i*frame+ring, (i+1)*frame
	want := power(p.ref.sharp[at:end]) * gain * gain * math.Pow(10, -missing/10.)
	here := func(delay int) bool { return power(cut(p.rec.sharp, at+delay, end+delay)) > want }
	before, after := -1, -1
	for k, w := range p.pieces {
		switch {
		case !w.good():
		case w.at+window <= at:
			before = k
		case w.at >= end:
			if after < 0 {
				after = k
			}
		case here(w.delay):
			return false
		}
	}
	heard := before >= 0 && here(p.pieces[before].delay) || after >= 0 && here(p.pieces[after].delay)
	return !heard
}
