package score

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"passerelle/codec"
	"passerelle/codec/g711"
)

// TestFindChirp finds a chirp to the sample, in silence and under a voice that is louder, through A-law; and finds
// none where none is.
func TestFindChirp(t *testing.T) {
	chirp, speech := Chirp(), voice(t, "rms")
	const at = 12345
	for _, c := range []struct {
		name  string
		under float64 // gain of the speech beneath it, in dB
		there bool
	}{
		{"in silence", -100, true},
		{"under a voice", 0, true},
		{"under a louder voice", 4, true},
		{"no chirp", 0, false},
	} {
		pcm := louder(speech, c.under)
		if c.there {
			for i, s := range chirp {
				pcm[at+i] = int16(min(max(int(pcm[at+i])+int(s), math.MinInt16), math.MaxInt16))
			}
		}
		begin, alike := FindChirp(chirp, throughALaw(t, pcm))
		if found := alike > 0.4; found != c.there || c.there && begin != at {
			t.Errorf("%s: at %d with %.2f, want %d", c.name, begin, alike, at)
		}
	}
	if _, alike := FindChirp(chirp, chirp[:100]); alike != 0 {
		t.Error("a chirp was found in less than one")
	}
}

// TestSegmentalSNR adds noise so many dB below what each segment has above 300 Hz, and moves nothing else.
func TestSegmentalSNR(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	ref := voice(t, "slt")
	band := telephone(ref)
	if m := Find(ref, louder(ref, -6), Rate); m.SNRDB < 34 {
		t.Errorf("half as loud and else the same: %v", m)
	}
	if m := Find(ref, throughALaw(t, ref), Rate); m.SNRDB < 24 || m.SNRDB > 30 {
		t.Errorf("A-law adds noise 38 dB below loud speech, most of which is below 300 Hz: %v", m)
	}
	for _, below := range []float64{20, 10} {
		noisy := make([]int16, len(ref))
		for i := range ref {
			from := i / 160 * 160
			level := math.Sqrt(power(band[from:min(from+160, len(band))])/160) * math.Pow(10, -below/20)
			noisy[i] = int16(float64(ref[i]) + random.NormFloat64()*level)
		}
		if m := Find(ref, delayed(noisy, 50*time.Millisecond), Rate); math.Abs(m.SNRDB-below) > 1.5 {
			t.Errorf("noise %v dB below the speech: %v", below, m)
		}
	}
}

func throughALaw(t testing.TB, pcm []int16) []int16 {
	t.Helper()
	encoder, err := g711.NewEncoder(codec.PCMA)
	if err != nil {
		t.Fatal(err)
	}
	decoder, err := g711.NewDecoder(codec.PCMA)
	if err != nil {
		t.Fatal(err)
	}
	payload, out := make([]byte, len(pcm)), make([]int16, len(pcm))
	if _, err := encoder.Encode(payload, pcm); err != nil {
		t.Fatal(err)
	}
	if _, err := decoder.Decode(out, payload); err != nil {
		t.Fatal(err)
	}
	return out
}
