package audio

import (
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"passerelle/codec/wav"
)

// voiceAt returns one of the reference voices, "rms" or "slt", at rate.
func voiceAt(t testing.TB, name string, rate int) []int16 {
	t.Helper()
	f, err := os.Open(filepath.Join("..", "..", "testdata", "speech", name+".wav"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	pcm, from, err := wav.Read(f)
	if err != nil {
		t.Fatal(err)
	}
	return wav.Resample(pcm, from, rate)
}

// white returns n samples of white noise at 0 dB.
func white(n int, seed uint64) []float64 {
	r := rand.New(rand.NewPCG(seed, 8))
	x := make([]float64, n)
	for i := range x {
		x[i] = r.NormFloat64()
	}
	return x
}

// pink returns noise that has as much power in every octave (Paul Kellet's filter).
func pink(n int, seed uint64) []float64 {
	x := white(n, seed)
	var b0, b1, b2 float64
	for i, w := range x {
		b0 = 0.99765*b0 + w*0.0990460
		b1 = 0.96300*b1 + w*0.2965164
		b2 = 0.57000*b2 + w*1.0526913
		x[i] = b0 + b1 + b2 + w*0.1848
	}
	return x
}

// hum returns what a bad power supply adds: 50 Hz and what belongs to it, over a little noise.
func hum(n, rate int, seed uint64) []float64 {
	x := white(n, seed)
	for i := range x {
		x[i] /= 30
		for k := 1; k <= 20; k++ {
			x[i] += math.Sin(2*math.Pi*50*float64(k)*float64(i)/float64(rate)+float64(k*k)) / float64(k)
		}
	}
	return x
}

// babble returns what a full room sounds like: many parts of both voices at once, here and there backwards.
func babble(t testing.TB, n, rate int) []float64 {
	x := make([]float64, n)
	r := rand.New(rand.NewPCG(9, 8))
	for _, name := range []string{"rms", "slt"} {
		voice := voiceAt(t, name, rate)
		for range 6 {
			at, back := r.IntN(len(voice)), r.IntN(2) == 0
			for i := range x {
				from := (at + i) % len(voice)
				if back {
					from = len(voice) - 1 - from
				}
				x[i] += float64(voice[from])
			}
		}
	}
	return x
}

// car returns what is heard in a car: noise below a few hundred Hz, slowly louder and softer.
func car(n, rate int, seed uint64) []float64 {
	x := white(n, seed)
	var a, b float64
	k := 2 * math.Pi * 150 / float64(rate)
	for i, w := range x {
		a += k * (w - a)
		b += k * (a - b)
		x[i] = (b + w/300) * (1 + 0.3*math.Sin(2*math.Pi*0.3*float64(i)/float64(rate)))
	}
	return x
}

// over returns pcm with noise added, which is brought to dbov.
func over(pcm []int16, noise []float64, dbov float64) []int16 {
	var sum float64
	for _, s := range noise {
		sum += s * s
	}
	gain := math.Sqrt(powerAt(dbov) / (sum / float64(len(noise))))
	out := make([]int16, len(pcm))
	for i, s := range pcm {
		out[i] = clamp(int32(math.Round(float64(s) + gain*noise[i])))
	}
	return out
}

// music returns seconds of something like it: notes of a plucked, then of a blown instrument, with a beat.
func music(n, rate int) []float64 {
	x := make([]float64, n)
	scale := []float64{262, 330, 392, 523, 440, 349, 294, 247}
	r := rand.New(rand.NewPCG(4, 8))
	note := rate * 4 / 10
	for i := range x {
		k, at := i/note, float64(i%note)/float64(rate)
		f := scale[k*5%len(scale)]
		t := float64(i) / float64(rate)
		decay := math.Exp(-3 * at)
		if k/16%2 == 1 {
			decay = math.Min(1, at*30) * (0.9 + 0.1*math.Sin(2*math.Pi*5*t))
		}
		for h := 1.0; h <= 5; h++ {
			x[i] += decay * math.Sin(2*math.Pi*f*h*t) / h
		}
		x[i] += 0.5 * math.Sin(2*math.Pi*f/2*t) * decay
		if at < 0.05 && k%2 == 0 {
			x[i] += 0.7 * r.NormFloat64() * math.Exp(-60*at)
		}
	}
	return x
}
