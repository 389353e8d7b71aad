package audio

import (
	"math"
	"time"
)

// What a limiter goes by.
const (
	limitKnee    = 29204.0 // -1 dB of full scale: what stays below is left alone, bit by bit
	limitRoom    = 32766 - limitKnee
	limitPiece   = 400                    // of a second: the gain changes from one piece to the next
	limitRelease = 100 * time.Millisecond // time constant of the return
	limitReturn  = float32(time.Second/limitPiece) / float32(limitRelease)
)

// limiter turns sound down where it would be clipped: at once, or over the 2.5 ms before where they are in
// the same block, and smoothly up again. It delays nothing. Sound below the knee is not touched while there is
// nothing to come back from.
type limiter struct {
	piece int     // samples
	gain  float32 // at the end of the block before; 1 leaves sound as it is
}

func newLimiter(rate int) limiter { return limiter{piece: rate / limitPiece, gain: 1} }

// shape writes to gains by what each sample of a block is to be multiplied; false says that the block is fine
// as it is, and nothing is written.
func (l *limiter) shape(gains []float32, pcm []int32) bool {
	if l.gain == 1 && peak(pcm) <= limitKnee {
		return false
	}
	need := l.need(pcm)
	for at := 0; at < len(pcm); at += l.piece {
		piece := pcm[at:min(at+l.piece, len(pcm))]
		here := need
		need = l.need(pcm[at+len(piece):])
		l.ramp(gains[at:], piece, here, min(here, need, l.back()))
	}
	return true
}

// need returns the gain that the first piece of pcm needs.
func (l *limiter) need(pcm []int32) float32 {
	return soften(peak(pcm[:min(l.piece, len(pcm))]))
}

// back returns the gain a piece later, if nothing is too loud.
func (l *limiter) back() float32 {
	gain := l.gain + (1-l.gain)*limitReturn
	if gain > 0.999 {
		return 1
	}
	return gain
}

// ramp brings the gain to a new one over a piece that needs one of here. Where that comes too late, as it does at
// the beginning of a block, each sample is softened by itself.
func (l *limiter) ramp(gains []float32, pcm []int32, here, to float32) {
	step := (to - l.gain) / float32(len(pcm))
	for i, s := range pcm {
		l.gain += step
		gains[i] = l.gain
		if l.gain > here {
			gains[i] = min(l.gain, soften(float32(max(s, -s))))
		}
	}
	l.gain = to
}

// soften returns the gain for a peak: 1 up to the knee, and then ever less, so that full scale is never reached.
func soften(peak float32) float32 {
	if peak <= limitKnee {
		return 1
	}
	return (limitKnee + limitRoom*(1-float32(math.Exp(-float64(peak-limitKnee)/limitRoom)))) / peak
}

// softened returns s as a sample, softened by itself where it is too loud.
func softened(s int32) int16 {
	if over := float32(max(s, -s)); over > limitKnee {
		return int16(float32(s) * soften(over))
	}
	return int16(s)
}

// peak returns the greatest magnitude in pcm.
func peak(pcm []int32) float32 {
	var most, least int32
	for _, s := range pcm {
		most, least = max(most, s), min(least, s)
	}
	return float32(max(most, -least))
}
