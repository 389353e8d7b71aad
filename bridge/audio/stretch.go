package audio

import (
	"math"
	"time"
)

// Sound is made shorter or longer by a period of its own: where it repeats itself, one period less, or more, is not
// heard (WSOLA: waveform similarity overlap-add).

const (
	periodLeast = 2500 * time.Microsecond // 400 Hz
	periodMost  = 15 * time.Millisecond   // 66 Hz, and several periods of higher voices
	likeSpan    = 10 * time.Millisecond   // compared with what is a period later, at most
	likeLeast   = 5 * time.Millisecond    // ... at least
	alike       = 0.8                     // correlation from which a period can go unheard
	searchRate  = 4000                    // Hz, of the first search
)

// findPeriod returns the period, in samples, with which the beginning of pcm repeats itself best, and how well: 1 is
// perfectly. It is 0 where pcm is too short.
func findPeriod(pcm []int16, rate int) (period int, likeness float32) {
	from, to := samples(periodLeast, rate), min(samples(periodMost, rate), len(pcm)-samples(likeLeast, rate))
	if to < from {
		return 0, 0
	}
	by := max(1, rate/searchRate)
	period, _ = mostAlike(pcm, rate, from, to, by)
	return mostAlike(pcm, rate, max(from, period-by+1), min(to, period+by-1), 1)
}

// mostAlike searches periods from one to another, every by samples over every by samples.
func mostAlike(pcm []int16, rate, from, to, by int) (period int, likeness float32) {
	likeness = -1
	for p := from; p <= to; p += by {
		later := pcm[p:min(len(pcm), p+samples(likeSpan, rate))]
		var match, early, late float32
		for i := 0; i < len(later); i += by {
			a, b := float32(pcm[i]), float32(later[i])
			match += a * b
			early += a * a
			late += b * b
		}
		if l := match / (float32(math.Sqrt(float64(early)*float64(late))) + 1); l >= likeness {
			period, likeness = p, l
		}
	}
	return period, likeness
}

// shorten returns pcm without one period at its beginning, in the same memory.
func shorten(pcm []int16, period, rate int) []int16 {
	n := fadeLength(pcm, period, rate)
	rest := pcm[period:]
	for i := range n {
		rest[i] = fade(pcm[i], rest[i], i, n)
	}
	return rest
}

// lengthen returns pcm with one period more at its beginning, in the same memory, which has room for it.
func lengthen(pcm []int16, period, rate int) []int16 {
	n := fadeLength(pcm, period, rate)
	longer := pcm[:len(pcm)+period]
	again := longer[period:]
	copy(again, pcm)
	for i := range n {
		again[i] = fade(again[period+i], again[i], i, n)
	}
	return longer
}

// fadeLength returns over how many samples the two ends of a period are blended.
func fadeLength(pcm []int16, period, rate int) int {
	return min(period, len(pcm)-period, samples(likeSpan, rate))
}

// fade returns sample i of n that go over from one sound to another.
func fade(from, to int16, i, n int) int16 {
	return int16((int(from)*(n-i) + int(to)*(i+1)) / (n + 1))
}
