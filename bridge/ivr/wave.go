package ivr

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"time"

	"passerelle/codec/wav"
)

// waveTake is a WAV file.
type waveTake struct {
	pcm  []int16
	rate int // Hz
}

// parseWAV reads a WAV file: linear 16-bit samples or G.711, of any rate that a telephone carries.
func parseWAV(file []byte) (*waveTake, error) {
	pcm, rate, err := wav.Read(bytes.NewReader(file))
	switch {
	case err != nil:
		return nil, err
	case rate < 8000 || rate > 48000:
		return nil, fmt.Errorf("%w: %d Hz; 8000 to 48000 are wanted", wav.ErrEncoding, rate)
	case len(pcm) > samples(longest, rate):
		return nil, ErrTooLong
	}
	return &waveTake{pcm, rate}, nil
}

func (w *waveTake) decode(rate int) []int16 { return wav.Resample(w.pcm, w.rate, rate) }

const (
	speechLevel = -20.5 // dBov, of all that is said, while somebody speaks: that of the voices that come with the program
	speechRange = 30.0  // dB; what is softer than the loudest by that is no speech
	silentBelow = 42.0  // dB; likewise, and what is at the ends is silence
	headroom    = 30000 // of 32767: no sample is louder
	moment      = 20 * time.Millisecond
)

// spoken is the level of those moments in which somebody speaks, in dBov; that of silence is 0, so that nothing is made
// of it.
func spoken(pcm []int16, rate int) float64 {
	var powers []float64
	for part := range slices.Chunk(pcm, samples(moment, rate)) {
		powers = append(powers, power(part))
	}
	if len(powers) == 0 || slices.Max(powers) == 0 {
		return 0
	}
	least := slices.Max(powers) * math.Pow(10, -speechRange/10)
	var sum, n float64
	for _, p := range powers {
		if p >= least {
			sum, n = sum+p, n+1
		}
	}
	return 10 * math.Log10(sum/n)
}

// power is the mean power of pcm; that of full scale is 1.
func power(pcm []int16) float64 {
	var sum float64
	for _, s := range pcm {
		sum += float64(s) * float64(s)
	}
	return sum / float64(len(pcm)) / (1 << 30)
}

// louder is pcm, changed by so many dB, or by as many as it has room for. It is changed in place.
func louder(pcm []int16, decibels float64) []int16 {
	gain := math.Pow(10, decibels/20)
	if len(pcm) > 0 {
		peak := max(float64(slices.Max(pcm)), -float64(slices.Min(pcm)))
		gain = min(gain, headroom/max(peak, 1))
	}
	for i, s := range pcm {
		pcm[i] = int16(math.Round(float64(s) * gain))
	}
	return pcm
}

// Master returns what somebody said as all else is said: without the silence at its ends, at the level of speech, and with a
// short pause after it; nil if that is no word. pcm is at rate, in Hz, and is left as it is.
func Master(pcm []int16, rate int) []int16 {
	said := slices.Clone(trimmed(pcm, rate))
	if len(said) < samples(shortest, rate) {
		return nil
	}
	return append(louder(said, speechLevel-spoken(said, rate)), make([]int16, samples(hyphen, rate))...)
}

// shortest is how short a word can be.
const shortest = 150 * time.Millisecond

// trimmed is pcm without the silence at its ends, down to a moment.
func trimmed(pcm []int16, rate int) []int16 {
	step := samples(moment/4, rate)
	var powers []float64
	for part := range slices.Chunk(pcm, step) {
		powers = append(powers, power(part))
	}
	if len(powers) == 0 {
		return nil
	}
	least := slices.Max(powers) * math.Pow(10, -silentBelow/10)
	loud := func(p float64) bool { return p > least }
	first := slices.IndexFunc(powers, loud)
	if first < 0 {
		return nil
	}
	last := len(powers) - 1
	for !loud(powers[last]) {
		last--
	}
	return pcm[max(first-4, 0)*step : min((last+5)*step, len(pcm))]
}
