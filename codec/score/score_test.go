package score

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"passerelle/codec"
	"passerelle/codec/g711"
	"passerelle/codec/opus"
	"passerelle/codec/wav"
)

func voice(t testing.TB, name string) []int16 {
	t.Helper()
	pcm, err := ReadFile("../../testdata/speech/" + name + ".wav")
	if err != nil {
		t.Fatal(err)
	}
	return pcm
}

func samples(d time.Duration) int { return int(d * Rate / time.Second) }

func delayed(pcm []int16, by time.Duration) []int16 {
	return append(make([]int16, samples(by)), pcm...)
}

func louder(pcm []int16, db float64) []int16 {
	out := make([]int16, len(pcm))
	for i, s := range pcm {
		out[i] = int16(float64(s) * math.Pow(10, db/20))
	}
	return out
}

func silenced(pcm []int16, spans ...Gap) []int16 {
	out := slices.Clone(pcm)
	for _, g := range spans {
		clear(out[samples(g.From):samples(g.To)])
	}
	return out
}

// inserted stretches time once, as a jitter buffer does that grows.
func inserted(pcm []int16, at, length time.Duration) []int16 {
	return slices.Concat(pcm[:samples(at)], make([]int16, samples(length)), pcm[samples(at):])
}

func skipped(pcm []int16, at, length time.Duration) []int16 {
	return slices.Concat(pcm[:samples(at)], pcm[samples(at+length):])
}

func mixed(a, b []int16) []int16 {
	out := slices.Clone(a)
	for i := range min(len(a), len(b)) {
		out[i] += b[i]
	}
	return out
}

func noisy(pcm []int16, rms float64) []int16 {
	random := rand.New(rand.NewPCG(1, 2))
	out := make([]int16, len(pcm))
	for i, s := range pcm {
		out[i] = s + int16(random.NormFloat64()*rms)
	}
	return out
}

const ms = time.Millisecond

func TestFind(t *testing.T) {
	ref, other := voice(t, "slt"), voice(t, "rms")
	word := Gap{1500 * ms, 1560 * ms}
	// What is not given is as through a wire: no delay, gain, gap; every window above 0.99.
	type want struct {
		lost           bool
		delay          time.Duration
		shift          time.Duration
		gain           float64
		median         float64
		speed          float64
		gaps           []Gap
		clipped        time.Duration
		wholeAt, below float64 // between them the correlation of the whole
	}
	tests := []struct {
		name      string
		recording []int16
		want      want
	}{
		{"itself", ref, want{wholeAt: 0.999}},
		{"late", delayed(ref, 416500*time.Microsecond), want{delay: 416500 * time.Microsecond}},
		{"begun too late, and gone on longer", append(slices.Clone(ref[samples(200*ms):]), make([]int16, 20000)...), want{delay: -200 * ms}},
		{"quieter", louder(ref, -12), want{gain: -12}},
		{"louder", louder(ref, 6), want{gain: 6}},
		{"upon hum and noise", noisy(mixed(ref, hum(len(ref))), 30), want{}},
		{"a packet of 20 ms missing", silenced(ref, Gap{1500 * ms, 1520 * ms}), want{gaps: []Gap{{1500 * ms, 1520 * ms}}}},
		{"60 ms missing", delayed(silenced(ref, word), 77*ms), want{delay: 77 * ms, gaps: []Gap{word}}},
		{"twice 40 ms missing", silenced(ref, Gap{1 * time.Second, 1040 * ms}, Gap{5600 * ms, 5640 * ms}), want{gaps: []Gap{{1 * time.Second, 1040 * ms}, {5600 * ms, 5640 * ms}}}},
		{"a clipped onset", silenced(ref, Gap{0, 340 * ms}), want{gaps: []Gap{{300 * ms, 340 * ms}}, clipped: 40 * ms}},
		{"time stretched in the first second", inserted(ref, 850*ms, 40*ms), want{delay: 40 * ms, shift: 40 * ms, below: 0.97}},
		{"time shrunk in the middle", skipped(ref, 4750*ms, 30*ms), want{shift: 30 * ms, speed: 1, below: 0.9}},
		{"a clock that is 0.02% fast", wav.Resample(ref, 10002, 10000), want{speed: 1.0002, delay: -ms, shift: 1800 * time.Microsecond, below: 0.95}},
		{"with another voice as loud", mixed(ref, other), want{median: 0.6, gain: 3, below: 0.9}},

		{"at double speed", wav.Resample(ref, 2, 1), want{lost: true, speed: 2}},
		{"at half speed", wav.Resample(ref, 1, 2), want{lost: true, speed: 0.5}},
		{"48 kHz heard at 8", wav.Resample(ref, 1, 6)[:len(ref)], want{lost: true, speed: 1. / 6}},
		{"44.1 kHz heard at 48", wav.Resample(ref, 480, 441), want{lost: true, speed: 480. / 441}},
		{"somebody else", other, want{lost: true, below: 0.1}},
		{"silence", make([]int16, len(ref)), want{lost: true, below: 0.001}},
		{"noise", noisy(make([]int16, len(ref)), 1000), want{lost: true, below: 0.1}},
		{"nothing", nil, want{lost: true, below: 0.001}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m := Find(ref, tt.recording, Rate)
			t.Log(m)
			if m.Found() == tt.want.lost {
				t.Fatalf("found: %v", m.Found())
			}
			if tt.want.below > 0 && m.Correlation > tt.want.below || m.Correlation < tt.want.wholeAt {
				t.Errorf("correlation of the whole is %.3f, want %.3f to %.3f", m.Correlation, tt.want.wholeAt, tt.want.below)
			}
			if speed := tt.want.speed; speed != 0 && math.Abs(m.Speed/speed-1) > 0.0001 {
				t.Errorf("speed %.5f, want %.5f", m.Speed, speed)
			}
			if tt.want.lost {
				return
			}
			if least := tt.want.median; m.Median < least || least == 0 && m.Median < 0.99 {
				t.Errorf("median correlation of the windows is %.3f, want %.2f (0: 0.99)", m.Median, least)
			}
			if (m.Delay-tt.want.delay).Abs() > ms || (m.Shift-tt.want.shift).Abs() > ms {
				t.Errorf("delay %v moving by %v, want %v, %v", m.Delay, m.Shift, tt.want.delay, tt.want.shift)
			}
			if math.Abs(m.GainDB-tt.want.gain) > 0.5 {
				t.Errorf("gain %.1f dB, want %.1f", m.GainDB, tt.want.gain)
			}
			if !slices.Equal(m.Gaps, tt.want.gaps) || m.Clipped != tt.want.clipped {
				t.Errorf("gaps %v, onset clipped %v; want %v, %v", m.Gaps, m.Clipped, tt.want.gaps, tt.want.clipped)
			}
		})
	}
}

func hum(n int) []int16 {
	pcm := make([]int16, n)
	for i := range pcm {
		pcm[i] = int16(300 + 300*math.Sin(2*math.Pi*50*float64(i)/Rate))
	}
	return pcm
}

// The gates hold through the codecs that calls go through, at any rate of the recording.
func TestFindThroughCodecs(t *testing.T) {
	tests := []struct {
		name   string
		chain  func(t *testing.T, pcm []int16) (heard []int16, rate int)
		delay  time.Duration
		median float64
	}{
		{"PCMU", func(t *testing.T, pcm []int16) ([]int16, int) { return throughG711(t, codec.PCMU, pcm), 8000 }, 0, 0.995},
		{"PCMA, recorded at 48 kHz", func(t *testing.T, pcm []int16) ([]int16, int) {
			return wav.Resample(throughG711(t, codec.PCMA, pcm), 8000, 48000), 48000
		}, 0, 0.995},
		{"PCMU, Opus at 8 kHz, a browser", func(t *testing.T, pcm []int16) ([]int16, int) {
			return throughOpus(t, throughG711(t, codec.PCMU, pcm), 8000, 48000), 48000
		}, opus.Lookahead, 0.95},
		{"a browser, Opus at 48 kHz, PCMU", func(t *testing.T, pcm []int16) ([]int16, int) {
			return throughG711(t, codec.PCMU, throughOpus(t, wav.Resample(pcm, 8000, 48000), 48000, 8000)), 8000
		}, opus.Lookahead, 0.93},
	}
	for _, tt := range tests {
		for _, name := range []string{"rms", "slt"} {
			t.Run(tt.name+", "+name, func(t *testing.T) {
				t.Parallel()
				ref := voice(t, name)
				heard, rate := tt.chain(t, ref)
				m := Find(ref, wav.Resample(heard, rate, Rate), Rate)
				t.Log(m)
				if !m.Found() || m.Median < tt.median || m.Worst < 0.6 {
					t.Errorf("correlation %.3f, at worst %.3f; want %.3f and 0.6", m.Median, m.Worst, tt.median)
				}
				if (m.Delay-tt.delay).Abs() > ms/2 || m.Shift > ms {
					t.Errorf("delay %v moving by %v, want %v and 0", m.Delay, m.Shift, tt.delay)
				}
				if math.Abs(m.GainDB) > 1 || m.SpectrumDB > 3 || len(m.Gaps) > 0 || m.Clipped > 0 {
					t.Errorf("gain %.1f dB, spectrum off by %.1f dB, gaps %v, onset clipped %v; want none", m.GainDB, m.SpectrumDB, m.Gaps, m.Clipped)
				}
			})
		}
	}
}

func throughG711(t *testing.T, kind codec.Kind, pcm []int16) []int16 {
	t.Helper()
	e, err := g711.NewEncoder(kind)
	if err != nil {
		t.Fatal(err)
	}
	d, err := g711.NewDecoder(kind)
	if err != nil {
		t.Fatal(err)
	}
	return through(t, e, d, pcm, 160, 160)
}

func throughOpus(t *testing.T, pcm []int16, from, to int) []int16 {
	t.Helper()
	e, err := opus.NewEncoder(opus.Config{Rate: from})
	if err != nil {
		t.Fatal(err)
	}
	d, err := opus.NewDecoder(to)
	if err != nil {
		t.Fatal(err)
	}
	return through(t, e, d, pcm, from/50, to/50)
}

func through(t *testing.T, e codec.Encoder, d codec.Decoder, pcm []int16, in, out int) []int16 {
	t.Helper()
	var heard []int16
	payload, frame := make([]byte, opus.MaxPacket), make([]int16, out)
	for chunk := range slices.Chunk(pcm, in) {
		if len(chunk) < in {
			break
		}
		n, err := e.Encode(payload, chunk)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.Decode(frame, payload[:n]); err != nil {
			t.Fatal(err)
		}
		heard = append(heard, frame...)
	}
	return heard
}

func TestFindAtOtherRates(t *testing.T) {
	ref := voice(t, "slt")[:5*Rate]
	for _, rate := range []int{16000, 48000} {
		m := Find(wav.Resample(ref, Rate, rate), wav.Resample(delayed(ref, 100*ms), Rate, rate), rate)
		if !m.Found() || m.Median < 0.99 || (m.Delay-100*ms).Abs() > ms {
			t.Errorf("%d Hz: %v", rate, m)
		}
	}
}

func TestReadFileNeedsAFile(t *testing.T) {
	if _, err := ReadFile("score_test.go"); err == nil {
		t.Error("Go source was taken for sound")
	}
	if _, err := ReadFile("no such file"); err == nil {
		t.Error("no error for no file")
	}
}

func TestLevel(t *testing.T) {
	square := slices.Repeat([]int16{32767, -32768}, 4000)
	quiet := slices.Repeat([]int16{8, -8}, 4000)
	click := slices.Concat(quiet, slices.Repeat([]int16{3000, -3000}, 80), quiet)
	tests := []struct {
		name           string
		pcm            []int16
		level, loudest float64
		silent         bool
	}{
		{"nothing", nil, Floor, Floor, true},
		{"digital silence", make([]int16, 8000), Floor, Floor, true},
		{"an idle A-law line", quiet, -72.2, -72.2, true},
		{"full scale", square, 0, 0, false},
		{"20 ms in two seconds", click, -40.9, -20.8, false},
	}
	for _, tt := range tests {
		if got := Level(tt.pcm); math.Abs(got-tt.level) > 0.1 {
			t.Errorf("%s: level %.1f dBov, want %.1f", tt.name, got, tt.level)
		}
		if got, _ := Loudest(tt.pcm, Rate); math.Abs(got-tt.loudest) > 0.1 {
			t.Errorf("%s: loudest %.1f dBov, want %.1f", tt.name, got, tt.loudest)
		}
		if got := Silent(tt.pcm, Rate); got != tt.silent {
			t.Errorf("%s: silent: %v", tt.name, got)
		}
	}
	if _, at := Loudest(click, Rate); at != time.Second {
		t.Errorf("the loudest is found at %v, want 1s", at)
	}
}

func BenchmarkFind(b *testing.B) {
	ref := append(voice(b, "rms"), voice(b, "slt")[:33000]...) // 15 s
	for b.Loop() {
		Find(ref, ref, Rate)
	}
}

func BenchmarkFindNothing(b *testing.B) {
	ref := append(voice(b, "rms"), voice(b, "slt")[:33000]...)
	noise := noisy(make([]int16, len(ref)), 1000)
	for b.Loop() {
		Find(ref, noise, Rate)
	}
}

// TestCompare has a sound that comes every second, and one voice once: only who knows the delay finds the voice.
func TestCompare(t *testing.T) {
	chirp, speech := Chirp(), voice(t, "slt")
	ref, heard := slices.Clone(speech), delayed(speech, 60*time.Millisecond)
	for at := 0; at+Rate < len(ref); at += Rate {
		copy(ref[at:], chirp)
		copy(heard[samples(60*time.Millisecond)+at:], chirp)
	}
	m := Compare(ref, heard, Rate, 20*time.Millisecond)
	if m.Delay != 60*time.Millisecond || m.Median < 0.999 || m.Worst < 0.999 {
		t.Errorf("%v; want the same sound after 60 ms", m)
	}
	if m := Compare(ref, heard, Rate, time.Second+60*time.Millisecond); m.Worst > 0.5 {
		t.Errorf("a second off, where the chirps are alike and the voice is not: %v", m)
	}
}
