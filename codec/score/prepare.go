package score

import (
	"fmt"
	"math"
	"os"

	"passerelle/codec/wav"
)

// ReadFile reads a WAV file of any rate for Find: mono at Rate.
func ReadFile(path string) ([]int16, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	pcm, rate, err := wav.Read(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return wav.Resample(pcm, rate, Rate), nil
}

const (
	lowEdge = 300 // Hz
	reach   = 80  // of the filter on each side, in samples
)

// sound is one of the two to compare, as it is seen for likeness and for gaps.
type sound struct{ telephone, sharp []float64 }

func newSound(pcm []int16) sound { return sound{telephone(pcm), sharp(pcm)} }

// telephone takes away what is below the telephone's band: there, the high-pass filters of telephones
// and Opus encoders turn the phase, which nobody hears but correlation does.
func telephone(pcm []int16) []float64 {
	weights := highPass()
	// With the filter's reach on both sides the inner loop needs no bounds.
	wide := make([]float64, len(pcm)+2*reach)
	for i, s := range pcm {
		wide[reach+i] = float64(s)
	}
	out := make([]float64, len(pcm))
	for i := range out {
		var sum float64
		for k, s := range wide[i : i+len(weights)] {
			sum += s * weights[k]
		}
		out[i] = sum
	}
	return out
}

// highPass is an impulse less a windowed sinc of lowEdge: linear in phase.
func highPass() []float64 {
	weights := make([]float64, 2*reach+1)
	var sum float64
	for i := range weights {
		x := float64(i-reach) * 2 * lowEdge / Rate
		w := 1.0
		if x != 0 {
			w = math.Sin(math.Pi*x) / (math.Pi * x)
		}
		weights[i] = -w * (0.54 + 0.46*math.Cos(math.Pi*float64(i-reach)/(reach+1)))
		sum -= weights[i]
	}
	for i := range weights {
		weights[i] /= sum
	}
	weights[reach]++
	return weights
}

// sharp weakens low frequencies, so that hum is not taken for sound, without blurring time.
func sharp(pcm []int16) []float64 {
	out := make([]float64, len(pcm))
	before := 0.0
	for i, s := range pcm {
		out[i] = float64(s) - 0.9*before
		before = float64(s)
	}
	return out
}

// speed at which something is played, as a ratio.
type speed struct{ up, down int }

// of returns pcm as it sounds at that speed.
func (s speed) of(pcm []int16) []int16 { return wav.Resample(pcm, s.up, s.down) }

func (s speed) float() float64 { return float64(s.up) / float64(s.down) }
