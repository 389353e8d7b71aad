package audio

import (
	"math"
	"slices"
	"testing"
	"time"
)

// scaled is sound whose every packet was made shorter or longer, where it repeats itself well enough: a third faster
// or slower, which no buffer ever is for long.
type scaled struct {
	pcm     []int16
	periods int
	from    []int // where the packets that were scaled began
	to      []int // ... and begin
}

// scale sends pcm through shorten or lengthen; blindly with 7.5 ms, whatever its period is.
func scale(pcm []int16, rate int, faster, blindly bool) (out scaled) {
	packet := make([]int16, rate/50, rate/25)
	at := 0
	for whole := range slices.Chunk(pcm, rate/50) {
		piece := packet[:copy(packet[:rate/50], whole)]
		period, likeness := findPeriod(piece, rate)
		if blindly {
			period = rate * 75 / 10000
		}
		begin := len(out.pcm)
		switch {
		case len(piece) < rate/50 || likeness < alike:
		case faster:
			piece = shorten(piece, period, rate)
			out.note(at, begin)
		default:
			piece = lengthen(piece, period, rate)
			out.note(at, begin)
		}
		out.pcm = append(out.pcm, piece...)
		at += len(whole)
	}
	return out
}

func (s *scaled) note(from, to int) {
	s.periods++
	s.from, s.to = append(s.from, from), append(s.to, to)
}

// distance returns by how many dB the spectra of the scaled packets, with their surroundings, are off: the mean of the
// root mean squares over bands of 200 Hz from 200 to 3400.
func (s *scaled) distance(pcm []int16, rate int) float64 {
	var sum float64
	n, size := 0, rate*32/1000
	for i, from := range s.from {
		to := s.to[i] - size/4
		from -= size / 4
		if from < 0 || to < 0 || from+size > len(pcm) || to+size > len(s.pcm) {
			continue
		}
		a, b := pcm[from:from+size], s.pcm[to:to+size]
		floor := power(a) / 1000
		var squares float64
		for hz := 200.0; hz < 3400; hz += 200 {
			d := 10 * math.Log10((band(a, rate, hz)+floor)/(band(b, rate, hz)+floor))
			squares += d * d / 16
		}
		sum += math.Sqrt(squares)
		n++
	}
	return sum / float64(n)
}

// band returns the power of pcm between hz and 200 Hz above.
func band(pcm []int16, rate int, hz float64) float64 {
	var sum float64
	for f := hz + 25; f < hz+200; f += 50 {
		var re, im float64
		for i, s := range pcm {
			sin, cos := math.Sincos(2 * math.Pi * f * float64(i) / float64(rate))
			w := 1 - math.Cos(2*math.Pi*(float64(i)+0.5)/float64(len(pcm)))
			re += w * float64(s) * cos
			im += w * float64(s) * sin
		}
		sum += 2 * (re*re + im*im) / float64(len(pcm)*len(pcm))
	}
	return sum
}

// steepest returns the greatest step from one sample to the next, and the greatest bend.
func steepest(pcm []int16) (step, bend float64) {
	for i := 2; i < len(pcm); i++ {
		d := float64(pcm[i]) - float64(pcm[i-1])
		step = max(step, math.Abs(d))
		bend = max(bend, math.Abs(d-float64(pcm[i-1])+float64(pcm[i-2])))
	}
	return step, bend
}

// A tone stays a tone, without a click, and no longer or shorter than the periods say.
func TestStretchedTone(t *testing.T) {
	for _, rate := range []int{8000, 16000} {
		for _, hz := range []float64{100, 130, 217, 440, 1004, 2100} {
			tone := Tone(rate, 2*time.Second, -12, hz)
			step, bend := steepest(tone)
			for _, faster := range []bool{true, false} {
				out := scale(tone, rate, faster, false)
				if out.periods < 95 || faster != (len(out.pcm) < len(tone)) {
					t.Errorf("%v Hz at %d: %d packets of 100 are scaled, %d samples of %d", hz, rate, out.periods, len(out.pcm), len(tone))
				}
				if s, b := steepest(out.pcm); s > 1.1*step || b > 1.5*bend+100 {
					t.Errorf("%v Hz at %d, faster %v: steps of %.0f and bends of %.0f, the tone's own are %.0f and %.0f", hz, rate, faster, s, b, step, bend)
				}
			}
		}
	}
}

// Speech keeps its spectrum and has no clicks. Leaving out or repeating as much blindly is worse.
func TestStretchedSpeech(t *testing.T) {
	for _, name := range []string{"rms", "slt"} {
		voice := voiceAt(t, name, 8000)
		step, bend := steepest(voice)
		for _, faster := range []bool{true, false} {
			out, blind := scale(voice, 8000, faster, false), scale(voice, 8000, faster, true)
			s, b := steepest(out.pcm)
			got, worse := out.distance(voice, 8000), blind.distance(voice, 8000)
			t.Logf("%s, faster %v: %d periods of %d packets, %.2f of the length, spectrum off by %.2f dB (blindly %.2f), steps %.0f of %.0f, bends %.0f of %.0f",
				name, faster, out.periods, len(voice)/160, float64(len(out.pcm))/float64(len(voice)), got, worse, s, step, b, bend)
			if got > 1.5 || got > 0.85*worse {
				t.Errorf("%s, faster %v: spectrum off by %.2f dB, blindly %.2f; want at most 1.5, and a sixth less", name, faster, got, worse)
			}
			if s > 1.1*step || b > 1.1*bend {
				t.Errorf("%s, faster %v: clicks: steps of %.0f and bends of %.0f, the voice's own are %.0f and %.0f", name, faster, s, b, step, bend)
			}
		}
	}
}

// Whatever the packet's length, what is shorter or longer is so by the period, and begins and ends as before.
func TestStretchedLength(t *testing.T) {
	voice := voiceAt(t, "slt", 8000)[8000:]
	for _, n := range []int{20, 59, 60, 61, 80, 160, 240, 480, 960} {
		period, _ := findPeriod(voice[:n], 8000)
		if n < 60 {
			if period != 0 {
				t.Errorf("%d samples: a period of %d", n, period)
			}
			continue
		}
		if period < 20 || period > 120 || period > n-40 {
			t.Errorf("%d samples: a period of %d", n, period)
		}
		shorter := shorten(slices.Clone(voice[:n]), period, 8000)
		longer := lengthen(append(make([]int16, 0, 1200), voice[:n]...), period, 8000)
		if len(shorter) != n-period || len(longer) != n+period {
			t.Errorf("%d samples and a period of %d: %d and %d", n, period, len(shorter), len(longer))
		}
		if longer[0] != voice[0] || longer[len(longer)-1] != voice[n-1] {
			t.Errorf("%d samples: longer, it begins or ends otherwise", n)
		}
	}
}

func BenchmarkFindPeriod(b *testing.B) {
	voice := voiceAt(b, "rms", 8000)[8000:]
	b.ReportAllocs()
	for b.Loop() {
		findPeriod(voice[:160], 8000)
	}
}
