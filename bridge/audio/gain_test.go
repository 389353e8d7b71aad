package audio

import (
	"math"
	"slices"
	"testing"
	"time"
)

// louder returns pcm louder by so much.
func louder(pcm []int16, db float64) []int16 {
	out := make([]int16, len(pcm))
	for i, s := range pcm {
		out[i] = clamp(int32(math.Round(float64(s) * math.Pow(10, db/20))))
	}
	return out
}

// levelled sends pcm through a gate and a leveller, as a phone's packets, and returns what comes out and the gain
// in dB after each packet.
func levelled(pcm []int16, rate int) (out []int16, gains []float64) {
	g, l := newGate(rate), newLeveller(rate)
	for packet := range slices.Chunk(slices.Clone(pcm), rate/50) {
		voice, _ := g.hear(packet)
		l.level(packet, voice)
		out = append(out, packet...)
		gains = append(gains, l.gain)
	}
	return out, gains
}

func TestGainBringsVoicesToOneLevel(t *testing.T) {
	for _, rate := range []int{8000, 16000} {
		for _, name := range []string{"rms", "slt"} {
			voice := voiceAt(t, name, rate) // at -20 dBov
			for _, off := range []float64{-25, -12, -8, 0, 4, 8} {
				pcm := louder(slices.Concat(voice, voice), off)
				out, gains := levelled(pcm, rate)
				want := min(max(-off, gainLeast), gainMost)
				got := gains[len(gains)-1]
				if math.Abs(got-want) > 2.5 {
					t.Errorf("%s at %d Hz, %+v dB: brought by %+.1f dB, want about %+.1f", name, rate, off, got, want)
				}
				if off == 0 && !slices.Equal(out, pcm) {
					t.Errorf("%s at %d Hz: a voice at its level is changed", name, rate)
				}
			}
		}
	}
}

// Up by at most 3 dB a second, down by at most 10, smoothly.
func TestGainMovesSlowly(t *testing.T) {
	voice := voiceAt(t, "slt", 8000)
	_, gains := levelled(slices.Concat(louder(voice, -12), louder(voice, 6)), 8000)
	for i := 1; i < len(gains); i++ {
		if step := (gains[i] - gains[i-1]) * 50; step > gainUp+0.01 || step < -gainDown-0.01 {
			t.Fatalf("packet %d: %+.1f dB a second", i, step)
		}
	}
	if up := slices.Max(gains); up < 9 {
		t.Errorf("a quiet voice is brought up by %.1f dB in 10 s, want 9", up)
	}
	if last := gains[len(gains)-1]; last > -3 {
		t.Errorf("10 s after it became loud it is brought by %+.1f dB, want it down by 3", last)
	}
}

// Neither silence nor noise moves the gain, between words or afterwards.
func TestGainStandsStillWithoutAVoice(t *testing.T) {
	const rate = 8000
	voice := louder(voiceAt(t, "rms", rate), -10)
	lead := slices.Concat(make([]int16, 4*rate), voice)
	for _, test := range []struct {
		rule  string
		noise func(n int) []float64
		dbov  float64
	}{
		{"silence", nil, 0},
		{"hiss", func(n int) []float64 { return white(n, 1) }, -55},
		{"a fan", func(n int) []float64 { return pink(n, 2) }, -45},
		{"hum", func(n int) []float64 { return hum(n, rate, 3) }, -40},
	} {
		pcm := slices.Concat(lead, make([]int16, 30*rate))
		if test.noise != nil {
			pcm = over(pcm, test.noise(len(pcm)), test.dbov)
		}
		_, gains := levelled(pcm, rate)
		ended := gains[(len(lead)+rate)/160]
		if last := gains[len(gains)-1]; math.Abs(last-ended) > 0.5 || ended < 5 {
			t.Errorf("%s: the gain goes from %.1f to %.1f dB in 30 s without a voice", test.rule, ended, last)
		}
	}
}

// A voice that was whispered and is shouted is limited, never clipped.
func TestGainNeverClips(t *testing.T) {
	voice := voiceAt(t, "rms", 8000)
	out, _ := levelled(slices.Concat(louder(voice, -14), Tone(8000, 2*time.Second, -6, 300)), 8000)
	flat := 0
	for i := 1; i < len(out); i++ {
		if out[i] == out[i-1] && max(out[i], -out[i]) == math.MaxInt16 {
			flat++
		}
	}
	if flat > 0 {
		t.Errorf("%d samples are clipped", flat)
	}
	if most := slices.Max(out); most < 29000 {
		t.Errorf("the shout has a peak of %d only: the test tests nothing", most)
	}
}

// What the room is told of the level is told of what it hears.
func TestUpLevelIsThatAfterTheGain(t *testing.T) {
	h := newHandset(t, plainEngine(1), 20*ms)
	h.phone.up.gain.off = false
	for range 10 * 50 {
		h.send(Tone(8000, 20*ms, -29, 400))
	}
	first, last := h.seat.frames[0].Level, h.seat.frames[len(h.seat.frames)-1].Level
	if first != 29 || last < 19 || last > 21 {
		t.Errorf("the level goes from %d to %d, want it from 29 to 20", first, last)
	}
	if pcm := h.heardAtSeat(); math.Abs(float64(level(power(pcm[len(pcm)-160:])))-20) > 1 {
		t.Errorf("the sound is at -%d dBov", level(power(pcm[len(pcm)-160:])))
	}
}

// What is made up for a loss is as loud as what was heard.
func TestGainHoldsOverALoss(t *testing.T) {
	h := newHandset(t, plainEngine(1), 20*ms)
	h.phone.up.gain.off = false
	for range 5 * 50 {
		h.send(Tone(8000, 20*ms, -29, 400))
	}
	h.lose(160)
	h.seat.frames = nil
	h.send(Tone(8000, 20*ms, -29, 400))
	if n := len(h.seat.frames); n != 2 {
		t.Fatalf("%d packets, want the lost one and the next", n)
	}
	if made, next := h.seat.frames[0].Level, h.seat.frames[1].Level; made > next+3 || made < next-1 {
		t.Errorf("made up at -%d dBov, and goes on at -%d", made, next)
	}
}

func TestGainCanBeTurnedOff(t *testing.T) {
	l := newLeveller(8000)
	l.off = true
	voice := louder(voiceAt(t, "slt", 8000), -14)
	out := slices.Clone(voice)
	for packet := range slices.Chunk(out, 160) {
		l.level(packet, true)
	}
	if !slices.Equal(out, voice) {
		t.Error("the voice is changed")
	}
}

func BenchmarkGain(b *testing.B) {
	for _, test := range []struct {
		what string
		dbov float64
	}{{"at its level", -20}, {"quiet", -30}} {
		b.Run(test.what, func(b *testing.B) {
			l := newLeveller(8000)
			tone := Tone(8000, 20*time.Millisecond, test.dbov, 400)
			pcm := make([]int16, len(tone))
			b.ReportAllocs()
			for b.Loop() {
				copy(pcm, tone)
				l.level(pcm, true)
			}
		})
	}
}
