package peers

import (
	"math"
	"os"
	"testing"

	"passerelle/codec"
	"passerelle/codec/g722"
	"passerelle/codec/opus"
	"passerelle/codec/wav"
)

// Sound of a telephone without wideband ends at 3.4 kHz; where it is wide, the sibilants of speech are in this band.
const (
	wideFrom = 4400 // Hz
	wideTo   = 7000
	wideRate = 16000
)

// Bright returns by how many dB the sound of a WAV file above 4.4 kHz is weaker than all of it.
func Bright(t testing.TB, path string) float64 {
	t.Helper()
	pcm, rate := readWAV(t, path)
	return brightness(wav.Resample(pcm, rate, wideRate))
}

func readWAV(t testing.TB, path string) (pcm []int16, rate int) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if pcm, rate, err = wav.Read(f); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return pcm, rate
}

// Opus takes 2 dB of what is above 4.4 kHz away from speech, each time, and G.722 half a dB. What follows is what a
// speech, at 16 kHz, is after a codec, with no network or gateway beside.

// afterG722 is a speech that was G.722.
func afterG722(t testing.TB, pcm []int16) []int16 {
	t.Helper()
	return after(t, pcm, g722.NewEncoder(), wideRate, g722.NewDecoder())
}

// afterOpus is a speech that was Opus, from an encoder at a rate of its own.
func afterOpus(t testing.TB, pcm []int16, cfg opus.Config) []int16 {
	t.Helper()
	encoder, err := opus.NewEncoder(cfg)
	if err != nil {
		t.Fatal(err)
	}
	decoder, err := opus.NewDecoder(wideRate)
	if err != nil {
		t.Fatal(err)
	}
	return after(t, wav.Resample(pcm, wideRate, cfg.Rate), encoder, cfg.Rate, decoder)
}

func after(t testing.TB, pcm []int16, encoder codec.Encoder, rate int, decoder codec.Decoder) (all []int16) {
	t.Helper()
	defer encoder.Close()
	defer decoder.Close()
	packet, out := make([]byte, opus.MaxPacket), make([]int16, wideRate/50)
	for frame := rate / 50; len(pcm) >= frame; pcm = pcm[frame:] {
		n, err := encoder.Encode(packet, pcm[:frame])
		if err == nil {
			n, err = decoder.Decode(out, packet[:n])
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, out[:n]...)
	}
	return all
}

// brightness is Bright of samples at 16 kHz: the powers in the band and in all, summed over pieces of 16 ms.
func brightness(pcm []int16) float64 {
	const piece = 256
	const step = wideRate / piece // Hz
	var band, all float64
	var windowed [piece]float64
	for ; len(pcm) >= piece; pcm = pcm[piece:] {
		for i, s := range pcm[:piece] {
			windowed[i] = float64(s) * (1 - math.Cos(2*math.Pi*(float64(i)+0.5)/piece))
			all += windowed[i] * windowed[i]
		}
		for hz := wideFrom; hz < wideTo; hz += step {
			band += tone(windowed[:], float64(hz))
		}
	}
	return 10 * math.Log10((all+1)/(band+1e-3))
}

// tone returns the sum of squares of what pcm has of a frequency, by Goertzel's recursion.
func tone(pcm []float64, hz float64) float64 {
	twice := 2 * math.Cos(2*math.Pi*hz/wideRate)
	var a, b float64
	for _, s := range pcm {
		a, b = s+twice*a-b, a
	}
	return 2 * (a*a + b*b - twice*a*b) / float64(len(pcm))
}
