package ivr

import (
	"math"
	"testing"
	"time"
)

// Each country's ringing tone is of its frequencies, and comes and goes as it does there (ITU-T E.180, Supplement 2).
func TestRingback(t *testing.T) {
	const rate = 8000
	for _, c := range []struct {
		country string
		hz      []float64
		on, all time.Duration // the first tone, and a period
	}{
		{"FR", []float64{440}, 1500 * time.Millisecond, 5 * time.Second},
		{"RE", []float64{440}, 1500 * time.Millisecond, 5 * time.Second},
		{"GB", []float64{400, 450}, 400 * time.Millisecond, 3 * time.Second},
		{"US", []float64{440, 480}, 2 * time.Second, 6 * time.Second},
		{"DE", []float64{425}, time.Second, 5 * time.Second},
		{"", []float64{425}, time.Second, 5 * time.Second},
	} {
		pcm := Ringback(c.country, rate)
		if got := time.Duration(len(pcm)) * time.Second / rate; got != c.all {
			t.Errorf("%s: a period of %v, want %v", c.country, got, c.all)
		}
		n := int(c.on.Seconds() * rate)
		share := 0.0
		for _, hz := range c.hz {
			share += toneIn(pcm[:n], hz/rate)
		}
		if share < 0.97 {
			t.Errorf("%s: %.2f of the tone is what it should be", c.country, share)
		}
		if level := 10 * math.Log10(powerOf(pcm[:n])/(32768*32768)); math.Abs(level-toneLevel) > 0.3 {
			t.Errorf("%s: %.1f dBov, want %v", c.country, level, toneLevel)
		}
		if powerOf(pcm[n:n+rate/10]) != 0 {
			t.Errorf("%s: it does not pause after %v", c.country, c.on)
		}
		if pcm[0] != 0 || pcm[n-1] > 400 || pcm[n-1] < -400 {
			t.Errorf("%s: it clicks", c.country)
		}
	}
}

// toneIn returns which part of the power of pcm is a tone of a frequency, in cycles a sample.
func toneIn(pcm []int16, cycles float64) float64 {
	var re, im float64
	for i, s := range pcm {
		sin, cos := math.Sincos(2 * math.Pi * cycles * float64(i))
		re, im = re+float64(s)*cos, im+float64(s)*sin
	}
	n := float64(len(pcm))
	return 2 * (re*re + im*im) / (n * n) / powerOf(pcm)
}

func powerOf(pcm []int16) (mean float64) {
	for _, s := range pcm {
		mean += float64(s) * float64(s)
	}
	return mean / float64(len(pcm))
}
