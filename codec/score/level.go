package score

import (
	"math"
	"time"
)

// SilentBelow is the level, in dBov, that the loudest 20 ms of a silent recording stay below. The noise
// of an idle A-law line is at -72, and comfort noise near it.
const SilentBelow = -55

// Floor is the level of digital silence, in dBov.
const Floor = -127

// Level returns the level of pcm in dBov, Floor to 0 (RFC 6464: 0 is a square wave at full scale).
func Level(pcm []int16) float64 {
	var sum float64
	for _, s := range pcm {
		sum += float64(s) * float64(s)
	}
	if sum == 0 {
		return Floor
	}
	return max(Floor, 10*math.Log10(sum/float64(len(pcm))/(32768*32768)))
}

// Loudest returns the level of the loudest 20 ms in pcm, at rate in Hz, and where they are.
func Loudest(pcm []int16, rate int) (level float64, at time.Duration) {
	level = Floor
	n := max(rate/50, 1)
	for i := 0; i < len(pcm); i += n {
		if l := Level(pcm[i:min(i+n, len(pcm))]); l > level {
			level, at = l, time.Duration(i)*time.Second/time.Duration(rate)
		}
	}
	return level, at
}

// Silent tells whether nothing is heard in pcm, at rate in Hz.
func Silent(pcm []int16, rate int) bool {
	level, _ := Loudest(pcm, rate)
	return level < SilentBelow
}
