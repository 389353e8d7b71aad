package audio

import (
	"math"
	"slices"
	"testing"
	"time"

	"passerelle/codec"
)

// limited sends sound through a limiter in blocks of 20 ms.
func limited(pcm []int32, rate int) (out []float64, touched int) {
	l := newLimiter(rate)
	gains := make([]float32, rate/50)
	for block := range slices.Chunk(pcm, rate/50) {
		shaped := l.shape(gains, block)
		for i, s := range block {
			v := float64(s)
			if shaped {
				touched++
				v *= float64(gains[i])
			}
			out = append(out, v)
		}
	}
	return out, touched
}

// sinus returns a tone whose peak is a multiple of full scale.
func sinus(rate, n int, hz, scale float64) []int32 {
	pcm := make([]int32, n)
	for i := range pcm {
		pcm[i] = int32(scale * 32767 * math.Sin(2*math.Pi*hz*float64(i)/float64(rate)))
	}
	return pcm
}

func TestLimiter(t *testing.T) {
	for _, rate := range []int{8000, 16000} {
		for _, scale := range []float64{0.1, 0.88, 0.9, 1, 1.5, 4, 10} {
			out, touched := limited(sinus(rate, 2*rate, 440, scale), rate)
			most := 0.0
			for _, v := range out {
				most = max(most, math.Abs(v))
			}
			if most > math.MaxInt16 {
				t.Errorf("%d Hz, %v times full scale: %.0f comes out", rate, scale, most)
			}
			if below := scale*32767 <= limitKnee; below != (touched == 0) {
				t.Errorf("%d Hz, %v times full scale: %d samples touched", rate, scale, touched)
			}
			if scale >= 1.5 && most < limitKnee {
				t.Errorf("%d Hz, %v times full scale: only %.0f comes out", rate, scale, most)
			}
			// No harmonics to speak of: it is turned down, not clipped.
			if over := distortion(out[rate/2:], rate, 440); over > -35 {
				t.Errorf("%d Hz, %v times full scale: the rest is %.0f dB below the tone, want 35", rate, scale, -over)
			}
		}
	}
}

// distortion returns, in dB, how much more than a tone there is in pcm.
func distortion(pcm []float64, rate int, hz float64) float64 {
	var re, im, all float64
	for i, v := range pcm {
		sin, cos := math.Sincos(2 * math.Pi * hz * float64(i) / float64(rate))
		re += v * cos
		im += v * sin
		all += v * v
	}
	tone := 2 * (re*re + im*im) / float64(len(pcm))
	return 10 * math.Log10((all-tone)/tone+1e-12)
}

// A shout turns everything down at once, and everything comes back within half a second, without a step.
func TestLimiterComesBackSmoothly(t *testing.T) {
	const rate = 8000
	pcm := slices.Concat(sinus(rate, 1600, 440, 0.5), sinus(rate, 1600, 440, 3), sinus(rate, 8000, 440, 0.5))
	l := newLimiter(rate)
	gains := make([]float32, 160)
	last, lastShaped := float32(1), 0
	for i := 0; i < len(pcm); i += 160 {
		if !l.shape(gains, pcm[i:i+160]) {
			last = 1
			continue
		}
		lastShaped = i + 160
		for k, g := range gains {
			if at := i + k; at > 3200 && (g < last || g > last+0.003) {
				t.Fatalf("at %d the gain goes from %.4f to %.4f", at, last, g)
			}
			last = g
		}
	}
	if lastShaped < 3200+800 || lastShaped > 3200+8000 {
		t.Errorf("it comes back %d ms after the shout", (lastShaped-3200)/8)
	}
}

// Three phones that shout at once: nobody hears them clipped, and who hears less than all of them hears no more.
func TestMixIsLimited(t *testing.T) {
	e := plainEngine(1)
	e.noLimiter = false
	m := e.NewMix("room")
	var hs []*handset
	for range 4 {
		h := newHandset(t, e, 20*ms)
		h.phone.Join(m)
		hs = append(hs, h)
	}
	s := e.shards[0]
	s.tick(0)
	for n := int64(1); n < 60; n++ {
		for i, h := range hs[:3] {
			h.now = time.Duration(n)*tickLength - 5*ms
			h.send(Tone(8000, 20*ms, -4, []float64{200, 250, 350}[i]))
		}
		s.tick(n)
	}
	for i, h := range hs {
		pcm := h.heard()[3200:]
		most, flat, longest := int16(0), 0, 0
		for k, v := range pcm {
			most = max(most, v)
			if flat++; k == 0 || v != pcm[k-1] || max(v, -v) < 32000 {
				flat = 0
			}
			longest = max(longest, flat)
		}
		if longest > 3 || most < 20000 { // G.711 has only so many values near full scale
			t.Errorf("phone %d hears %d samples clipped in a row, at most %d", i, longest, most)
		}
	}
}

// As long as nothing is too loud, the limiter changes nothing: what all hear is still encoded once.
func TestLimiterIsNotThereBelowTheKnee(t *testing.T) {
	heard := map[bool][]codec.Frame{}
	for _, without := range []bool{true, false} {
		e := plainEngine(1)
		e.noLimiter = without
		m := e.NewMix("room")
		a, b := newHandset(t, e, 20*ms), newHandset(t, e, 20*ms)
		a.phone.Join(m)
		b.phone.Join(m)
		e.shards[0].tick(0)
		pcm := speech(t)
		for n := int64(1); n < 300; n++ {
			a.now = time.Duration(n)*tickLength - 5*ms
			a.send(pcm[n*160:][:160])
			e.shards[0].tick(n)
		}
		heard[without] = b.line.frames
	}
	for i, f := range heard[true] {
		if !slices.Equal(f.Payload, heard[false][i].Payload) {
			t.Fatalf("packet %d differs", i)
		}
	}
}

func BenchmarkLimiter(b *testing.B) {
	for _, test := range []struct {
		what  string
		scale float64
	}{{"below", 0.5}, {"above", 2}} {
		b.Run(test.what, func(b *testing.B) {
			l, pcm, gains := newLimiter(8000), sinus(8000, 160, 440, test.scale), make([]float32, 160)
			b.ReportAllocs()
			for b.Loop() {
				l.shape(gains, pcm)
			}
		})
	}
}
