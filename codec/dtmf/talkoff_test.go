package dtmf

import (
	"math"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"passerelle/bridge/ivr"
	"passerelle/codec/wav"
)

const narrow = 8000

// voice returns one of the reference voices at 8 kHz, tuned: higher and faster above 1.
func voice(t testing.TB, name string, tuned float64) []int16 {
	t.Helper()
	f, err := os.Open("../../testdata/speech/" + name + ".wav")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	pcm, rate, err := wav.Read(f)
	if err != nil {
		t.Fatal(err)
	}
	return wav.Resample(pcm, int(float64(rate)*tuned)/250*250, narrow)
}

// music is what callers hear who wait.
func music(t testing.TB) []int16 {
	t.Helper()
	voices, err := ivr.Load(16000)
	if err != nil {
		t.Fatal(err)
	}
	return wav.Resample(voices.Music(), 16000, narrow)
}

// talk is speech, and other sound, that has no keys in it, for as long as is wanted. Each piece is two minutes of one,
// two or three of the voices, tuned by three octaves in all, at a level of its own, and some with noise or music.
func talk(t testing.TB, length time.Duration, hear func(pcm []int16)) {
	random := rand.New(rand.NewPCG(7, 7))
	tune := music(t)
	pick := func() []int16 {
		name := []string{"rms", "slt"}[random.IntN(2)]
		return voice(t, name, math.Pow(2, 3*random.Float64()-1))
	}
	for left := length; left > 0; left -= 2 * time.Minute {
		voices := make([][]int16, 1+random.IntN(3))
		for i := range voices {
			voices[i] = pick()
		}
		gain := math.Pow(10, (15*random.Float64()-12)/20)
		noise, played := 0.0, 0.0
		switch random.IntN(4) {
		case 0:
			noise = math.Sqrt(powerOf(-60 + 30*random.Float64()))
		case 1:
			played = random.Float64()
		}
		pcm := make([]int16, 160)
		at := make([]int, len(voices))
		for i := range at {
			at[i] = random.IntN(len(voices[i]))
		}
		for n := range 2 * 60 * 50 {
			for i := range pcm {
				x := noise*random.NormFloat64() + played*float64(tune[(n*160+i)%len(tune)])
				for v, samples := range voices {
					x += gain * float64(samples[(at[v]+n*160+i)%len(samples)])
				}
				pcm[i] = int16(max(-32768, min(32767, x)))
			}
			hear(pcm)
		}
	}
}

// TestNoKeyIsHeardInTalk has no key heard in an hour of talk, or in PASSERELLE_TALK of it.
func TestNoKeyIsHeardInTalk(t *testing.T) {
	length := time.Hour
	if more, err := time.ParseDuration(os.Getenv("PASSERELLE_TALK")); err == nil {
		length = more
	}
	d := NewDetector(narrow)
	heard := ""
	talk(t, length, func(pcm []int16) { d.Hear(pcm, func(key rune) { heard += string(key) }) })
	if heard != "" {
		t.Errorf("%q is heard in %v of talk", heard, length)
	}
}
