package ivr

import (
	"math"
	"time"
)

const (
	noteLength = 110 * time.Millisecond // from one note to the next
	noteRings  = 220 * time.Millisecond // until it has faded
)

// Notes returns short soft notes one after the other, each ringing on into the next, as of a small bell: of frequencies in
// Hz, at dbov while they sound. What they mean is told by whether they rise or fall, and not by their pitch.
func Notes(rate int, dbov float64, hertz ...float64) []int16 {
	b := band{rate: rate, tape: make([]float64, samples(time.Duration(len(hertz)-1)*noteLength+noteRings, rate))}
	b.hammer = envelope(samples(noteRings, rate), samples(8*time.Millisecond, rate), samples(120*time.Millisecond, rate))
	for i, pitch := range hertz {
		at := i * samples(noteLength, rate)
		for k, loud := range []float64{1, 0.2} {
			b.ring(at, b.hammer, pitch*float64(k+1), loud, math.Exp(-1/(0.08*float64(rate))))
		}
	}
	return levelled(b.tape, dbov)
}
