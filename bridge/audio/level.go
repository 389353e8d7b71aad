package audio

import (
	"math"

	"passerelle/codec"
)

// fullPower is the mean square of a full-scale square wave: 0 dBov.
const fullPower = 32768 * 32768

// power returns the mean square of pcm.
func power(pcm []int16) float64 {
	if len(pcm) == 0 {
		return 0
	}
	var sum uint64
	for _, s := range pcm {
		sum += uint64(int32(s) * int32(s))
	}
	return float64(sum) / float64(len(pcm))
}

// level returns a mean square as -dBov, from 0 (a full-scale square wave) to 127 (silence), as RFC 6464
// counts it.
func level(power float64) uint8 {
	if power == 0 {
		return codec.Silence
	}
	db := -10 * math.Log10(power/fullPower)
	return uint8(min(max(math.Round(db), 0), float64(codec.Silence)))
}

// powerAt returns the mean square of sound at dbov, which is not positive.
func powerAt(dbov float64) float64 { return fullPower * math.Pow(10, dbov/10) }

// clamp returns s as a sample.
func clamp(s int32) int16 { return int16(min(max(s, math.MinInt16), math.MaxInt16)) }
