package peers

import (
	"math"
	"os"
	"testing"

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
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	pcm, rate, err := wav.Read(f)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return brightness(wav.Resample(pcm, rate, wideRate))
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
