package audio

import (
	"math"
	"sync/atomic"
)

// volume is how loud a phone wants what it hears. Behind it is a limiter of the phone's own, so that nothing is clipped.
type volume struct {
	want atomic.Int32 // dB; 0 leaves sound as it is

	// The shard's own.
	is      int32 // dB
	gain    float32
	limiter limiter
}

// MaxVolume is by how much a phone's sound can be turned up, and down, in dB.
const MaxVolume = 12

// SetVolume turns what the phone hears, what is played to it included, up by so many dB, or down; by MaxVolume at most.
func (p *Phone) SetVolume(decibels int) {
	p.volume.want.Store(int32(min(max(decibels, -MaxVolume), MaxVolume)))
}

// off reports whether sound is left as it is, now and at the end of the tick. Called on the shard.
func (v *volume) off() bool { return v.is == 0 && v.want.Load() == 0 && v.limiter.gain == 1 }

// begin is for a phone whose sound has another rate from now on.
func (v *volume) begin(rate int) {
	v.limiter = newLimiter(rate)
	v.gain = decibelGain(v.is)
}

// turn changes what a phone hears in one tick. A new volume is reached within it. Called on the shard.
func (v *volume) turn(w *scratch, mixed []int16) {
	if v.off() {
		return
	}
	to := v.want.Load()
	end := v.gain
	if to != v.is {
		end = decibelGain(to)
	}
	loud, gains := w.turned[:len(mixed)], w.gains[:len(mixed)]
	step := (end - v.gain) / float32(len(mixed))
	for i, s := range mixed {
		v.gain += step
		loud[i] = int32(float32(s) * v.gain)
	}
	v.is, v.gain = to, end
	if w.limits && v.limiter.shape(gains, loud) {
		for i, s := range loud {
			mixed[i] = clamp(int32(float32(s) * gains[i]))
		}
		return
	}
	for i, s := range loud {
		mixed[i] = clamp(s)
	}
}

func decibelGain(decibels int32) float32 { return float32(math.Pow(10, float64(decibels)/20)) }
