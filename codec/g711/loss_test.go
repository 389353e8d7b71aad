package g711_test

import (
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"passerelle/codec"
	"passerelle/codec/g711"
	"passerelle/codec/score"
	"passerelle/codec/wav"
)

// standIns are what is heard instead of a lost packet of 20 ms.
func standIns() map[string]func(d *g711.Decoder, pcm, last []int16) {
	return map[string]func(d *g711.Decoder, pcm, last []int16){
		"silence":    func(_ *g711.Decoder, pcm, _ []int16) { clear(pcm) },
		"repetition": func(_ *g711.Decoder, pcm, last []int16) { copy(pcm, last) },
		"Appendix I": func(d *g711.Decoder, pcm, _ []int16) { _, _ = d.Conceal(pcm) },
	}
}

// heard is how speech is heard over a network that loses packets.
type heard struct {
	snr  float64       // signal to error over lost packets that had speech, in dB: the mean
	near float64       // mean correlation of 300 ms windows, at the worst tenth of them
	gaps time.Duration // in all, in which speech is missing
	step float64       // greatest step from one sample to the next, against the voice's own
}

// overNetwork plays both voices over a network that loses percent of the packets, at random.
func overNetwork(t *testing.T, percent int, instead func(d *g711.Decoder, pcm, last []int16)) heard {
	t.Helper()
	var all heard
	lost := 0
	for _, name := range []string{"rms", "slt"} {
		voice := reference(t, name)
		e, err := g711.NewEncoder(codec.PCMU)
		if err != nil {
			t.Fatal(err)
		}
		d, err := g711.NewDecoder(codec.PCMU)
		if err != nil {
			t.Fatal(err)
		}
		r := rand.New(rand.NewPCG(3, uint64(percent)))
		out, payload := make([]int16, 0, len(voice)), make([]byte, 160)
		last := make([]int16, 160)
		for packet := range slices.Chunk(voice, 160) {
			pcm := make([]int16, 160)
			if r.IntN(100) >= percent {
				if _, err := e.Encode(payload, packet); err != nil {
					t.Fatal(err)
				}
				if _, err := d.Decode(pcm, payload); err != nil {
					t.Fatal(err)
				}
				copy(last, pcm)
			} else {
				instead(d, pcm, last)
				if score.Level(packet) > -40 {
					lost++
					all.snr += ratio(packet, pcm)
				}
			}
			out = append(out, pcm...)
		}
		m := score.Find(voice, out, g711.Rate)
		all.near += m.Worst / 2
		for _, g := range m.Gaps {
			all.gaps += g.Length()
		}
		all.step = max(all.step, steepest(out)/steepest(voice))
	}
	all.snr /= float64(lost)
	return all
}

func reference(t *testing.T, name string) []int16 {
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
	pcm = wav.Resample(pcm, rate, g711.Rate)
	return pcm[:5*g711.Rate]
}

// ratio of signal to error, in dB.
func ratio(want, got []int16) float64 {
	var signal, off float64
	for i, s := range want {
		signal += float64(s) * float64(s)
		off += (float64(s) - float64(got[i])) * (float64(s) - float64(got[i]))
	}
	return 10 * math.Log10((signal+1)/(off+1))
}

func steepest(pcm []int16) float64 {
	most := 0.0
	for i := 1; i < len(pcm); i++ {
		most = max(most, math.Abs(float64(pcm[i])-float64(pcm[i-1])))
	}
	return most
}

// At random losses of 1, 5 and 10%, what is made up is better than silence and than the packet before again.
func TestConcealmentOverALossyNetwork(t *testing.T) {
	for _, percent := range []int{1, 5, 10} {
		got := make(map[string]heard)
		for _, name := range []string{"silence", "repetition", "Appendix I"} {
			h := overNetwork(t, percent, standIns()[name])
			got[name] = h
			t.Logf("%2d%% lost, %-10s: %+5.1f dB over its error, worst window %.2f, %4d ms missing, steps %.2f of the voice's",
				percent, name, h.snr, h.near, h.gaps.Milliseconds(), h.step)
		}
		made := got["Appendix I"]
		for _, other := range []string{"silence", "repetition"} {
			if made.snr < got[other].snr+1 {
				t.Errorf("%d%%: %.1f dB over its error, %s %.1f; want 1 more", percent, made.snr, other, got[other].snr)
			}
		}
		if made.gaps*4 > got["silence"].gaps {
			t.Errorf("%d%%: %v are missing, with silence %v", percent, made.gaps, got["silence"].gaps)
		}
		if made.step > 1.1 {
			t.Errorf("%d%%: steps of %.2f times the voice's own", percent, made.step)
		}
	}
}
