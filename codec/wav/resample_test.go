package wav

import (
	"fmt"
	"math"
	"testing"
)

// tone returns a second of a sine wave of 0.5 of full scale.
func tone(hz float64, rate int) []int16 {
	pcm := make([]int16, rate)
	for i := range pcm {
		pcm[i] = int16(math.Round(16384 * math.Sin(2*math.Pi*hz*float64(i)/float64(rate))))
	}
	return pcm
}

// split returns how strong the tone of hz is in pcm, and all the rest, in dB of a sine of 0.5 of full
// scale. The ends, where the filter sees the silence around, are left out.
func split(pcm []int16, hz float64, rate int) (tone, rest float64) {
	pcm = pcm[rate/10 : len(pcm)-rate/10]
	var re, im, all float64
	for i, s := range pcm {
		sin, cos := math.Sincos(2 * math.Pi * hz * float64(i) / float64(rate))
		v := float64(s) / 16384
		re += v * cos
		im += v * sin
		all += v * v
	}
	n := float64(len(pcm)) / 2 // the power of a sine of amplitude 1
	power := (re*re + im*im) / (n * n)
	return 10 * math.Log10(power+1e-12), 10 * math.Log10(math.Abs(all/n-power)+1e-12)
}

func TestResample(t *testing.T) {
	pairs := [][2]int{{16000, 8000}, {8000, 16000}, {48000, 8000}, {8000, 48000}, {44100, 16000}, {11025, 8000}}
	for _, p := range pairs {
		from, to := p[0], p[1]
		nyquist := float64(min(from, to)) / 2
		t.Run(fmt.Sprintf("%d to %d", from, to), func(t *testing.T) {
			for _, part := range []float64{0.05, 0.25, 0.5, 0.75, 0.85} {
				hz := math.Round(part * nyquist)
				out := Resample(tone(hz, from), from, to)
				if len(out) != to {
					t.Fatalf("a second became %d samples, want %d", len(out), to)
				}
				kept, rest := split(out, hz, to)
				if math.Abs(kept) > 0.05 || rest > -75 {
					t.Errorf("%v Hz: kept at %.2f dB with %.1f dB of other sound, want 0 and below -75", hz, kept, rest)
				}
			}
		})
	}
}

func TestResampleLeavesNoAliases(t *testing.T) {
	for _, hz := range []float64{4100, 5000, 6500, 7900} {
		out := Resample(tone(hz, 16000), 16000, 8000)
		_, rest := split(out, 1, 8000)
		if rest > -80 {
			t.Errorf("%v Hz at 16 kHz: %.1f dB of it are left at 8 kHz, want below -80", hz, rest)
		}
	}
}

func TestResampleKeepsTime(t *testing.T) {
	pcm := make([]int16, 4800)
	pcm[2400] = 20000
	out := Resample(pcm, 48000, 8000)
	for i, s := range out {
		if (s > 2000) != (i == 400) {
			t.Errorf("sample %d is %d; want the impulse at 400 alone", i, s)
		}
	}
}

func TestResampleEdges(t *testing.T) {
	if got := Resample(nil, 8000, 16000); len(got) != 0 {
		t.Errorf("nothing became %d samples", len(got))
	}
	same := []int16{1, 2, 3}
	if got := Resample(same, 8000, 8000); &got[0] == &same[0] || got[2] != 3 {
		t.Errorf("the same rate: got %v, want a copy of %v", got, same)
	}
	// Full scale does not wrap.
	for _, s := range Resample([]int16{32767, 32767, 32767, -32768, -32768, -32768}, 8000, 48000)[6:12] {
		if s < 0 {
			t.Errorf("full scale wrapped to %d", s)
		}
	}
}

func BenchmarkResample(b *testing.B) {
	second := tone(440, 48000)
	for b.Loop() {
		Resample(second, 48000, 8000)
	}
}
