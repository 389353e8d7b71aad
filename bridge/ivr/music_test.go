package ivr

import (
	"fmt"
	"math"
	"testing"
	"time"

	"passerelle/codec/score"
)

// TestMusic holds the music to what a telephone needs, at every rate.
func TestMusic(t *testing.T) {
	for _, rate := range []int{8000, 16000, 48000} {
		t.Run(fmt.Sprint(rate), func(t *testing.T) {
			pcm := compose(rate)
			if length := time.Duration(len(pcm)) * time.Second / time.Duration(rate); length < 20*time.Second || length > 40*time.Second {
				t.Errorf("it lasts %v, want 20 to 40 s", length)
			}
			if level := score.Level(pcm); math.Abs(level-musicLevel) > 0.1 {
				t.Errorf("it is at %.1f dBov, want %.0f", level, musicLevel)
			}
			// No second of it is silent, or louder than speech.
			for i := 0; i+rate <= len(pcm); i += rate / 2 {
				if level := score.Level(pcm[i : i+rate]); level < -32 || level > -21 {
					t.Errorf("%.1f dBov at %v", level, time.Duration(i)*time.Second/time.Duration(rate))
				}
			}
			for _, s := range pcm {
				if s > 16384 || s < -16384 {
					t.Fatalf("a peak of %d", s)
				}
			}
		})
	}
}

// TestMusicHasNoSeam: where the loop closes, sound goes on as it does everywhere else.
func TestMusicHasNoSeam(t *testing.T) {
	const rate = 8000
	pcm := compose(rate)
	at := func(i int) float64 { return float64(pcm[(i+len(pcm))%len(pcm)]) }
	// A click is a jump of the slope. The greatest one within is what a hammer makes.
	bend := func(i int) float64 { return math.Abs(at(i+1) - 2*at(i) + at(i-1)) }
	var greatest float64
	for i := 1; i < len(pcm)-1; i++ {
		greatest = max(greatest, bend(i))
	}
	for i := -2; i <= 2; i++ {
		if b := bend(i); b > greatest {
			t.Errorf("a bend of %.0f at the seam, at most %.0f within", b, greatest)
		}
	}
	n := rate / 20
	before, after := score.Level(pcm[len(pcm)-n:]), score.Level(pcm[:n])
	if math.Abs(before-after) > 3 {
		t.Errorf("%.1f dBov before the seam, %.1f after it", before, after)
	}
}

// TestMusicIsForTelephones: what 300 to 3400 Hz carries of it is nearly all of it.
func TestMusicIsForTelephones(t *testing.T) {
	const rate = 16000
	pcm := compose(rate)
	if lost := score.Level(pcm) - score.Level(between(pcm, rate, 300, 3400)); lost > 1 {
		t.Errorf("%.1f dB are lost", lost)
	}
}

// between is what of pcm lies between two frequencies, in Hz, roughly: two filters of second order.
func between(pcm []int16, rate int, low, high float64) []int16 {
	out := make([]float64, len(pcm))
	for i, s := range pcm {
		out[i] = float64(s)
	}
	biquad(out, low/float64(rate), true)
	biquad(out, high/float64(rate), false)
	result := make([]int16, len(out))
	for i, s := range out {
		result[i] = int16(math.Round(max(-32768, min(32767, s))))
	}
	return result
}

// biquad is a Butterworth filter of second order, in place.
func biquad(x []float64, turns float64, highPass bool) {
	w := 2 * math.Pi * turns
	alpha, cos := math.Sin(w)/math.Sqrt2, math.Cos(w)
	b0, b1 := (1-cos)/2, 1-cos
	if highPass {
		b0, b1 = (1+cos)/2, -(1 + cos)
	}
	a0, a1, a2 := 1+alpha, -2*cos, 1-alpha
	var x1, x2, y1, y2 float64
	for i, s := range x {
		y := (b0*s + b1*x1 + b0*x2 - a1*y1 - a2*y2) / a0
		x2, x1, y2, y1 = x1, s, y1, y
		x[i] = y
	}
}

func BenchmarkMusic(b *testing.B) {
	for b.Loop() {
		compose(8000)
	}
}
