package ivr

import (
	"math"
	"strings"
	"time"
)

// The music on hold is ours: written here, played by sums of sines. It keeps to what a telephone carries
// (300 to 3400 Hz), so that nothing of it is lost, and below speech in level. What rings at its end rings
// on at its beginning: the loop has no seam.

const (
	musicLevel = -26.0 // dBov
	eighth     = 400 * time.Millisecond
	barLength  = 8 * eighth
)

// bar is a chord, and a tune above it: an eighth a word, where a dot lets the note before ring.
type bar struct{ chord, tune string }

func tune() []bar {
	return []bar{
		{"F4 A4 C5 E5", "C5 . A5 . G5 . E5 ."},
		{"F4 A4 C5 D5", "F5 . . A5 . . D5 ."},
		{"F4 A#4 D5 A5", "D5 . F5 . A5 . C6 ."},
		{"G4 A#4 C5 F5", "A#5 . . G5 . . E5 ."},
		{"G4 A4 C5 E5", "E5 . G5 . C6 . A5 ."},
		{"F4 A4 C5 D5", "A5 . . F5 . . D5 ."},
		{"F4 G4 A#4 D5", "D5 . A#4 . D5 . F5 ."},
		{"E4 G4 A#4 C5", "E5 . . C5 . . G4 ."},
	}
}

// compose plays the tune at rate, in Hz: 25.6 s.
func compose(rate int) []int16 {
	bars := tune()
	b := band{
		rate: rate, tape: make([]float64, len(bars)*samples(barLength, rate)),
		swell:  envelope(samples(barLength+fade, rate), samples(fade, rate), samples(fade, rate)),
		hammer: envelope(samples(2500*time.Millisecond, rate), samples(12*time.Millisecond, rate), samples(200*time.Millisecond, rate)),
	}
	for i, bar := range bars {
		at := i * samples(barLength, rate)
		for k, name := range strings.Fields(bar.chord) {
			b.pad(at, pitch(name), 0.2+0.13*float64(k))
		}
		for k, name := range strings.Fields(bar.tune) {
			if name != "." {
				b.strike(at+k*samples(eighth, rate), pitch(name))
			}
		}
	}
	return levelled(b.tape, musicLevel)
}

// fade is how long one chord goes over into the next.
const fade = 900 * time.Millisecond

// band is who plays, onto a tape that is a loop.
type band struct {
	rate          int
	tape          []float64
	swell, hammer []float64 // envelopes
}

// pad adds a soft note that lasts a bar and fades into the next. A second voice, some tenths of a Hz
// apart and softer, makes it float.
func (b *band) pad(at int, hertz, apart float64) {
	for k, loud := range []float64{0.16, 0.05, 0.015} {
		partial := float64(k + 1)
		b.ring(at, b.swell, hertz*partial, loud, 1)
		b.ring(at, b.swell, (hertz+apart)*partial, loud*0.35, 1)
	}
}

// strike adds a note as of an electric piano: three partials, of which the higher fade first.
func (b *band) strike(at int, hertz float64) {
	for k, loud := range []float64{0.3, 0.09, 0.03} {
		partial := float64(k + 1)
		b.ring(at, b.hammer, hertz*partial, loud, math.Exp(-partial/(0.8*float64(b.rate))))
	}
}

// ring adds a sine that keeps some of its loudness from one sample to the next, and goes on at the tape's
// beginning where the tape is over.
func (b *band) ring(at int, shape []float64, hertz, loud, keeps float64) {
	turns := hertz / float64(b.rate)
	if turns > 0.45 { // the rate does not carry it
		return
	}
	// sin((i+1)x) = 2 cos x sin(ix) - sin((i-1)x)
	again, last, now := 2*math.Cos(2*math.Pi*turns), -math.Sin(2*math.Pi*turns), 0.0
	for i, s := range shape {
		b.tape[(at+i)%len(b.tape)] += loud * s * now
		loud *= keeps
		last, now = now, again*now-last
	}
}

// envelope rises, stays at 1 and falls.
func envelope(length, rise, fall int) []float64 {
	shape := make([]float64, length)
	for i := range shape {
		near := min(float64(i)/float64(rise), float64(length-i)/float64(fall), 1)
		shape[i] = 0.5 - 0.5*math.Cos(math.Pi*near)
	}
	return shape
}

// pitch of a note in Hz; A4 is 440.
func pitch(name string) float64 {
	octave := int(name[len(name)-1] - '0')
	key := strings.Index("C C#D D#E F F#G G#A A#B ", name[:len(name)-1]) / 2
	return 440 * math.Pow(2, float64(key+12*octave-57)/12)
}

// levelled is a tape as sound, at dbov.
func levelled(tape []float64, dbov float64) []int16 {
	var power float64
	for _, s := range tape {
		power += s * s
	}
	gain := 32768 * math.Pow(10, dbov/20) / math.Sqrt(power/float64(len(tape)))
	pcm := make([]int16, len(tape))
	for i, s := range tape {
		pcm[i] = int16(math.Round(s * gain))
	}
	return pcm
}
