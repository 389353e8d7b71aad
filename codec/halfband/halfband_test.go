package halfband

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func sine(rate int, hz float64, samples int) []int32 {
	pcm := make([]int32, samples)
	for i := range pcm {
		pcm[i] = int32(math.Round(20000 * math.Sin(2*math.Pi*hz*float64(i)/float64(rate))))
	}
	return pcm
}

// at returns the amplitude of a tone in the middle of pcm, in dB over that of sine.
func at(pcm []int32, rate int, hz float64) float64 {
	var re, im, all float64
	pcm = pcm[len(pcm)/8 : len(pcm)*7/8]
	for i, s := range pcm {
		w := 1 - math.Cos(2*math.Pi*(float64(i)+0.5)/float64(len(pcm)))
		sin, cos := math.Sincos(2 * math.Pi * hz * float64(i) / float64(rate))
		re, im, all = re+w*float64(s)*cos, im+w*float64(s)*sin, all+w
	}
	return 20 * math.Log10(2*math.Hypot(re, im)/all/20000+1e-9)
}

// TestResponse: flat within 0.1 dB to 3.4 kHz, and whatever is not of the sound 60 dB down.
func TestResponse(t *testing.T) {
	for hz := 100.0; hz <= 3400; hz += 100 {
		wide, narrow := make([]int32, 16000), make([]int32, 8000)
		new(Up).Process(wide, sine(8000, hz, 8000))
		if off := at(wide, 16000, hz); math.Abs(off) > 0.1 {
			t.Errorf("up: %v Hz at %.2f dB, want 0.1 at most", hz, off)
		}
		if image := at(wide, 16000, 8000-hz); image > -60 {
			t.Errorf("up: %v Hz has an image at %.1f dB, want -60 at most", hz, image)
		}
		new(Down).Process(narrow, sine(16000, hz, 16000))
		if off := at(narrow, 8000, hz); math.Abs(off) > 0.1 {
			t.Errorf("down: %v Hz at %.2f dB, want 0.1 at most", hz, off)
		}
		new(Down).Process(narrow, sine(16000, 8000-hz, 16000))
		if alias := at(narrow, 8000, hz); alias > -60 {
			t.Errorf("down: %v Hz is heard at %v Hz, at %.1f dB, want -60 at most", 8000-hz, hz, alias)
		}
	}
}

func TestDelay(t *testing.T) {
	wide, narrow := make([]int32, 400), make([]int32, 200)
	click := make([]int32, 200)
	click[50] = 10000
	new(Up).Process(wide, click)
	if got := loudest(wide); got != 2*50+DelayUp {
		t.Errorf("up: a click at 100 comes out at %d, want %d later", got, DelayUp)
	}
	click = make([]int32, 400)
	click[100] = 10000
	new(Down).Process(narrow, click)
	if got := 2 * loudest(narrow); got != 100+DelayDown {
		t.Errorf("down: a click at 100 comes out at %d, want %d later", got, DelayDown)
	}
}

func loudest(pcm []int32) int { return slices.Index(pcm, slices.Max(pcm)) }

// However a stream is cut, the same comes out; many voices at full scale do not wrap round.
func TestInPieces(t *testing.T) {
	in := make([]int32, 4000)
	random := rand.New(rand.NewPCG(1, 2))
	for i := range in {
		in[i] = 1 << 24
		if random.Uint32()&1 == 0 {
			in[i] = -1 << 24
		}
	}
	wide, narrow := make([]int32, 8000), make([]int32, 2000)
	new(Up).Process(wide, in)
	new(Down).Process(narrow, in)
	var up Up
	var down Down
	wides, narrows := make([]int32, 8000), make([]int32, 2000)
	for i, n := 0, 2; i < len(in); n = n%900 + 14 {
		n = min(n, len(in)-i)
		up.Process(wides[2*i:], in[i:i+n])
		down.Process(narrows[i/2:], in[i:i+n])
		i += n
	}
	if !slices.Equal(wide, wides) || !slices.Equal(narrow, narrows) {
		t.Error("in pieces it is another sound")
	}
	if want := reference(in, 1000); math.Abs(float64(narrow[500])-want) > 1 {
		t.Errorf("with many voices: got %d, want %.1f", narrow[500], want)
	}
	up.Reset()
	down.Reset()
	if up != (Up{}) || down != (Down{}) {
		t.Error("Reset does not forget the past")
	}
}

// reference returns what Down makes of the sample at i, in floating point.
func reference(in []int32, i int) float64 {
	sum := float64(in[i-DelayDown]) / 2
	for k, w := range weights {
		sum += float64(w) / 32768 * (float64(in[i+1-2*k]) + float64(in[i+1-span+1+2*k]))
	}
	return sum
}

func TestNothingIsAllocated(t *testing.T) {
	var up Up
	var down Down
	wide, narrow := make([]int32, 320), make([]int32, 160)
	if n := testing.AllocsPerRun(100, func() { up.Process(wide, narrow); down.Process(narrow, wide) }); n != 0 {
		t.Errorf("%v allocations a frame, want 0", n)
	}
}

func BenchmarkUp(b *testing.B) {
	var up Up
	wide, narrow := make([]int32, 320), sine(8000, 440, 160)
	for b.Loop() {
		up.Process(wide, narrow)
	}
}

func BenchmarkDown(b *testing.B) {
	var down Down
	wide, narrow := sine(16000, 440, 320), make([]int32, 160)
	for b.Loop() {
		down.Process(narrow, wide)
	}
}
