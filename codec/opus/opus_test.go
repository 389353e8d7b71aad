package opus

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"passerelle/codec/score"
	"passerelle/codec/wav"
)

var rates = []int{8000, 16000, 48000}

func speech(t testing.TB, voice string, rate int) []int16 {
	t.Helper()
	pcm, err := score.ReadFile("../../testdata/speech/" + voice + ".wav")
	if err != nil {
		t.Fatal(err)
	}
	return wav.Resample(pcm, score.Rate, rate)
}

func encoder(t testing.TB, cfg Config) *Encoder {
	t.Helper()
	e, err := NewEncoder(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func decoder(t testing.TB, rate int) *Decoder {
	t.Helper()
	d, err := NewDecoder(rate)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// packets encodes pcm in frames of so many samples.
func packets(t testing.TB, e *Encoder, pcm []int16, samples int) [][]byte {
	t.Helper()
	var out [][]byte
	for frame := range slices.Chunk(pcm, samples) {
		if len(frame) < samples {
			break
		}
		dst := make([]byte, MaxPacket)
		n, err := e.Encode(dst, frame)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, dst[:n])
	}
	return out
}

func must(t testing.TB, n int, err error) int {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestConfig(t *testing.T) {
	for _, rate := range []int{0, 12000, 44100, -8000} {
		if _, err := NewDecoder(rate); !errors.Is(err, ErrRate) {
			t.Errorf("decoder at %d Hz: got %v, want ErrRate", rate, err)
		}
		if _, err := NewEncoder(Config{Rate: rate}); !errors.Is(err, ErrRate) {
			t.Errorf("encoder at %d Hz: got %v, want ErrRate", rate, err)
		}
	}
	for _, cfg := range []Config{{Complexity: 11}, {Complexity: -1}, {Bitrate: -5}, {LossPercent: 101}, {LossPercent: -1}} {
		cfg.Rate = 8000
		if _, err := NewEncoder(cfg); err == nil {
			t.Errorf("%+v: no error", cfg)
		}
	}
	if err := encoder(t, Config{Rate: 8000}).SetLoss(101); err == nil {
		t.Error("a loss of 101%: no error")
	}
}

// The binding takes a slice's capacity for its length; this package must not.
func TestNothingBeyondTheSlices(t *testing.T) {
	for _, rate := range rates {
		e, d := encoder(t, Config{Rate: rate}), decoder(t, rate)
		frame := rate / 50
		voice := speech(t, "slt", rate)[rate:][:frame]
		room := slices.Repeat([]byte{0xaa}, 4000)
		n := must2(t)(e.Encode(room[:100], voice))
		if n > 100 || slices.ContainsFunc(room[100:], func(b byte) bool { return b != 0xaa }) {
			t.Errorf("%d Hz: a packet of %d bytes was written into 100", rate, n)
		}
		pcm := slices.Repeat([]int16{99}, 8*frame)
		for name, act := range map[string]func() (int, error){
			"decode":  func() (int, error) { return d.Decode(pcm[:frame], room[:n]) },
			"conceal": func() (int, error) { return d.Conceal(pcm[:frame]) },
			"recover": func() (int, error) { return d.Recover(pcm[:frame], room[:n]) },
		} {
			if got := must2(t)(act()); got != frame {
				t.Errorf("%d Hz: %s: %d samples, want %d", rate, name, got, frame)
			}
			if slices.ContainsFunc(pcm[frame:], func(s int16) bool { return s != 99 }) {
				t.Errorf("%d Hz: %s wrote beyond its slice", rate, name)
			}
		}
		if _, err := d.Decode(pcm[:frame-1:frame-1], room[:n]); err == nil {
			t.Errorf("%d Hz: a packet was decoded into less than a frame", rate)
		}
	}
}

func must2(t testing.TB) func(int, error) int {
	return func(n int, err error) int { t.Helper(); return must(t, n, err) }
}

func TestFrames(t *testing.T) {
	tests := []struct {
		tenths int // of a ms
		fits   bool
	}{{25, true}, {50, true}, {100, true}, {200, true}, {400, true}, {600, true}, {0, false}, {150, false}, {205, false}, {300, false}, {800, false}, {1200, false}}
	for _, rate := range rates {
		e, d := encoder(t, Config{Rate: rate}), decoder(t, rate)
		for _, tt := range tests {
			pcm := make([]int16, rate*tt.tenths/10000)
			dst := make([]byte, MaxPacket)
			n, err := e.Encode(dst, pcm)
			if !tt.fits {
				if !errors.Is(err, ErrFrame) {
					t.Errorf("%d Hz: %d.%d ms: got %v, want ErrFrame", rate, tt.tenths/10, tt.tenths%10, err)
				}
				continue
			}
			if got := must2(t)(d.Decode(make([]int16, rate*120/1000), dst[:must(t, n, err)])); got != len(pcm) {
				t.Errorf("%d Hz: %d.%d ms came back as %d samples, want %d", rate, tt.tenths/10, tt.tenths%10, got, len(pcm))
			}
		}
	}
}

// Each frame length and rate carries speech, at the level it had, Lookahead later.
func TestSpeech(t *testing.T) {
	for _, rate := range rates {
		for _, ms := range []int{10, 20, 40, 60} {
			t.Run(fmt.Sprintf("%d Hz, %d ms", rate, ms), func(t *testing.T) {
				t.Parallel()
				voice := speech(t, "slt", rate)[:rate*42/10] // whole frames of any length
				d := decoder(t, 8000)
				var heard []int16
				for _, p := range packets(t, encoder(t, Config{Rate: rate}), voice, rate*ms/1000) {
					pcm := make([]int16, 8*120)
					heard = append(heard, pcm[:must2(t)(d.Decode(pcm, p))]...)
				}
				m := score.Find(wav.Resample(voice, rate, 8000), heard, 8000)
				if !m.Found() || m.Median < 0.92 || math.Abs(m.GainDB) > 0.7 || len(m.Gaps) > 0 || (m.Delay-Lookahead).Abs() > 500e3 {
					t.Errorf("want a correlation of 0.92, %v late, no gap; got %v", Lookahead, m)
				}
			})
		}
	}
}

func TestBitrate(t *testing.T) {
	for _, tt := range []struct{ rate, bitrate, least, most int }{{8000, 0, 21000, 27000}, {16000, 0, 26000, 36000}, {48000, 0, 36000, 46000}, {8000, 12000, 10000, 14000}} {
		size, frames := 0, 0
		for _, p := range packets(t, encoder(t, Config{Rate: tt.rate, Bitrate: tt.bitrate}), speech(t, "rms", tt.rate)[tt.rate/2:][:3*tt.rate], tt.rate/50) {
			size += len(p)
			frames++
		}
		if got := size * 8 * 50 / frames; got < tt.least || got > tt.most {
			t.Errorf("%d Hz, %d asked for: %d bit/s, want %d to %d", tt.rate, tt.bitrate, got, tt.least, tt.most)
		}
	}
}

func TestResetIsAFreshStart(t *testing.T) {
	for _, rate := range rates {
		cfg := Config{Rate: rate, FEC: true, LossPercent: 10}
		voice := speech(t, "rms", rate)[rate:][:rate]
		e := encoder(t, cfg)
		want := packets(t, e, voice, rate/50)
		e.Reset()
		got := packets(t, e, voice, rate/50)
		if !slices.EqualFunc(got, want, bytes.Equal) {
			t.Errorf("%d Hz: after Reset the encoder makes other packets", rate)
		}
		d := decoder(t, rate)
		first, again := make([]int16, rate/50), make([]int16, rate/50)
		must2(t)(d.Decode(first, want[0]))
		for _, p := range want[1:] {
			must2(t)(d.Decode(again, p))
		}
		d.Reset()
		must2(t)(d.Decode(again, want[0]))
		if !slices.Equal(first, again) {
			t.Errorf("%d Hz: after Reset the decoder hears something else", rate)
		}
	}
}

func TestNothingIsAllocated(t *testing.T) {
	for _, rate := range rates {
		e, d := encoder(t, Config{Rate: rate, FEC: true, LossPercent: 5}), decoder(t, rate)
		voice := speech(t, "slt", rate)[rate:][:rate/50]
		pcm, dst := make([]int16, rate/50), make([]byte, MaxPacket)
		allocs := testing.AllocsPerRun(100, func() {
			_ = e.SetLoss(5)
			n, err := e.Encode(dst, voice)
			must(t, n, err)
			must2(t)(d.Conceal(pcm))
			must2(t)(d.Recover(pcm, dst[:n]))
			must2(t)(d.Decode(pcm, dst[:n]))
			must2(t)(d.Decode(pcm, dst[:e.DTXPayload(dst)]))
		})
		if allocs != 0 {
			t.Errorf("%d Hz: %v allocations a frame, want 0", rate, allocs)
		}
	}
}

// The floor of `make bench`: what libopus alone takes for a frame of 20 ms.
func BenchmarkEncode(b *testing.B) {
	for _, rate := range rates {
		b.Run(fmt.Sprint(rate), func(b *testing.B) {
			e := encoder(b, Config{Rate: rate, FEC: true})
			frames := slices.Collect(slices.Chunk(speech(b, "rms", rate)[rate/2:][:rate], rate/50))
			dst := make([]byte, MaxPacket)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if _, err := e.Encode(dst, frames[i%len(frames)]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	for _, rate := range rates {
		b.Run(fmt.Sprint(rate), func(b *testing.B) { benchmarkDecode(b, rate, rate) })
	}
	b.Run("48000 to 8000", func(b *testing.B) { benchmarkDecode(b, 48000, 8000) })
}

func benchmarkDecode(b *testing.B, from, to int) {
	d := decoder(b, to)
	coded := packets(b, encoder(b, Config{Rate: from, FEC: true}), speech(b, "rms", from)[from/2:][:from], from/50)
	pcm := make([]int16, to/50)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, err := d.Decode(pcm, coded[i%len(coded)]); err != nil {
			b.Fatal(err)
		}
	}
}
