package audio

import (
	"math"
	"testing"
	"time"

	"passerelle/codec"
	"passerelle/codec/g711"
)

// volumeRig is a phone in a mix in which a tone sounds for ever.
type volumeRig struct {
	t     *testing.T
	shard *shard
	phone *Phone
	line  *recorder
	n     int64
}

func newVolumeRig(t *testing.T, kind codec.Kind, dbov float64) *volumeRig {
	t.Helper()
	e := NewEngine(Config{Shards: 1, Clock: func() time.Duration { return 0 }})
	r := &volumeRig{t: t, shard: e.shards[0], line: &recorder{}}
	p, err := e.NewPhone(PhoneConfig{Kind: kind, Up: &sink{}, Down: r.line})
	if err != nil {
		t.Fatal(err)
	}
	m := e.NewMix("room")
	m.Play(Sound{PCM: Tone(16000, time.Second, dbov, 500), Loop: true})
	p.Join(m)
	r.phone = p
	return r
}

// hear ticks and returns what the phone heard, after the filters have settled.
func (r *volumeRig) hear(ticks int) []float64 {
	r.t.Helper()
	from := len(r.line.frames)
	for range ticks {
		r.shard.tick(r.n)
		r.n++
	}
	decoder, err := g711.NewDecoder(codec.PCMA)
	if err != nil {
		r.t.Fatal(err)
	}
	var heard []float64
	for _, f := range r.line.frames[from:] {
		pcm := make([]int16, len(f.Payload))
		if _, err := decoder.Decode(pcm, f.Payload); err != nil {
			r.t.Fatal(err)
		}
		for _, s := range pcm {
			heard = append(heard, float64(s))
		}
	}
	return heard
}

func levelOf(pcm []float64) float64 {
	var sum float64
	for _, s := range pcm {
		sum += s * s
	}
	return 10 * math.Log10(sum/float64(len(pcm))/(1<<30))
}

// TestVolume: what a phone hears is as many dB louder or softer as it wants, within bounds and without a step.
func TestVolume(t *testing.T) {
	r := newVolumeRig(t, codec.PCMA, -30)
	r.hear(10)
	plain := levelOf(r.hear(20))
	for _, want := range []int{3, 12, 0, -3, -12, -99, 99} {
		r.phone.SetVolume(want)
		change := r.hear(1)
		for i := range change[1:] {
			if step := math.Abs(change[i+1] - change[i]); step > 3500 {
				t.Errorf("%d dB: a step of %.0f while it changes", want, step)
			}
		}
		got := levelOf(r.hear(20)) - plain
		if bound := float64(min(max(want, -MaxVolume), MaxVolume)); math.Abs(got-bound) > 0.3 {
			t.Errorf("%d dB: %.2f dB are heard, want %.0f", want, got, bound)
		}
	}
}

// TestVolumeIsLimited: what would be clipped is turned down, and no harmonics come of it.
func TestVolumeIsLimited(t *testing.T) {
	r := newVolumeRig(t, codec.PCMA, -9)
	r.hear(10)
	r.phone.SetVolume(12)
	r.hear(10)
	heard := r.hear(50)
	if over := distortion(heard, 8000, 500); over > -30 {
		t.Errorf("the rest is %.0f dB below the tone, want 30", -over)
	}
}
