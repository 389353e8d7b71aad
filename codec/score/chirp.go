package score

import (
	"math"
	"time"
)

// ChirpLength is how long a chirp lasts.
const ChirpLength = 240 * time.Millisecond

// Chirp returns a sound of ChirpLength at Rate that is found to the sample wherever it is heard: a tone that
// rises from 500 to 3100 Hz, faded at both ends, at -14 dBov. Telephones, G.711, Opus and mixes leave it whole.
func Chirp() []int16 {
	const (
		from, to  = 500.0, 3100.0 // Hz
		amplitude = 9000
		fade      = 80 // samples
	)
	pcm := make([]int16, int(ChirpLength*Rate/time.Second))
	length := float64(len(pcm)) / Rate
	for i := range pcm {
		t := float64(i) / Rate
		gain := min(1, float64(i)/fade, float64(len(pcm)-1-i)/fade)
		pcm[i] = int16(amplitude * gain * math.Sin(2*math.Pi*(from*t+(to-from)*t*t/(2*length))))
	}
	return pcm
}

// FindChirp looks for chirp in a recording, both at Rate, and returns the sample at which it begins, and how
// alike the two are there, 0 to 1. Speech without a chirp stays below 0.2; 0.4 is one for certain, under speech
// that is louder than it.
func FindChirp(chirp, recording []int16) (begin int, alike float64) {
	if len(recording) < len(chirp) {
		return 0, 0
	}
	a, b := telephone(chirp), telephone(recording)
	products, powers := correlate(a, b), powers(b)
	own := power(a)
	for d := 0; d+len(a) <= len(b); d++ {
		here := powers[d+len(a)] - powers[d]
		if here < 1 {
			continue
		}
		if c := products[d] / math.Sqrt(here*own); c > alike {
			begin, alike = d, c
		}
	}
	return begin, alike
}
