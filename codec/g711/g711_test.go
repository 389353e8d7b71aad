package g711

import (
	"errors"
	"io"
	"math"
	"os"
	"testing"

	zaf "github.com/zaf/g711"

	"passerelle/codec"
	"passerelle/codec/wav"
)

var kinds = []codec.Kind{codec.PCMU, codec.PCMA}

// speech returns one of the reference voices at 8 kHz.
func speech(t testing.TB, voice string) []int16 {
	t.Helper()
	f, err := os.Open("../../testdata/speech/" + voice + ".wav")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	pcm, rate, err := wav.Read(f)
	if err != nil {
		t.Fatal(err)
	}
	return wav.Resample(pcm, rate, Rate)
}

func open(t testing.TB, kind codec.Kind) (*Encoder, *Decoder) {
	t.Helper()
	e, err := NewEncoder(kind)
	if err != nil {
		t.Fatal(err)
	}
	d, err := NewDecoder(kind)
	if err != nil {
		t.Fatal(err)
	}
	return e, d
}

func TestOnlyG711(t *testing.T) {
	for _, kind := range []codec.Kind{0, codec.G722, codec.Opus, codec.ComfortNoise} {
		if _, err := NewDecoder(kind); err == nil {
			t.Errorf("decoder for %s: no error", kind)
		}
		if _, err := NewEncoder(kind); err == nil {
			t.Errorf("encoder for %s: no error", kind)
		}
	}
}

func TestEverySample(t *testing.T) {
	reference := map[codec.Kind]func(int16) uint8{codec.PCMU: zaf.EncodeUlawFrame, codec.PCMA: zaf.EncodeAlawFrame}
	for _, kind := range kinds {
		e, d := open(t, kind)
		for s := math.MinInt16; s <= math.MaxInt16; s++ {
			var b [1]byte
			var back [1]int16
			if n, err := e.Encode(b[:], []int16{int16(s)}); n != 1 || err != nil {
				t.Fatalf("%s: encode: %d, %v", kind, n, err)
			}
			if want := reference[kind](int16(s)); b[0] != want {
				t.Fatalf("%s: %d became %#x, want %#x", kind, s, b[0], want)
			}
			if n, err := d.Decode(back[:], b[:]); n != 1 || err != nil {
				t.Fatalf("%s: decode: %d, %v", kind, n, err)
			}
			// Half a step is 1/32 of the value, or 8; mu-law ends at 32124.
			size := math.Abs(float64(s))
			if off := math.Abs(float64(s) - float64(back[0])); off > max(8+size/32, size-32124) {
				t.Fatalf("%s: %d came back as %d", kind, s, back[0])
			}
		}
	}
}

// Sound that crosses several gateways is not coded worse each time.
func TestCodingTwiceChangesNothing(t *testing.T) {
	for _, kind := range kinds {
		e, d := open(t, kind)
		for b := range 256 {
			var pcm, again [1]int16
			var code [1]byte
			mustDo(t)(d.Decode(pcm[:], []byte{byte(b)}))
			mustDo(t)(e.Encode(code[:], pcm[:]))
			mustDo(t)(d.Decode(again[:], code[:]))
			if again != pcm {
				t.Errorf("%s: %#x is %d, and %d when coded again", kind, b, pcm[0], again[0])
			}
		}
	}
}

func mustDo(t testing.TB) func(int, error) {
	return func(_ int, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestShortBuffers(t *testing.T) {
	e, d := open(t, codec.PCMA)
	if _, err := e.Encode(make([]byte, 159), make([]int16, 160)); !errors.Is(err, io.ErrShortBuffer) {
		t.Errorf("encode into 159 bytes: got %v, want io.ErrShortBuffer", err)
	}
	if _, err := d.Decode(make([]int16, 159), make([]byte, 160)); !errors.Is(err, io.ErrShortBuffer) {
		t.Errorf("decode into 159 samples: got %v, want io.ErrShortBuffer", err)
	}
	if n, err := d.Decode(make([]int16, 10), nil); n != 0 || err != nil {
		t.Errorf("an empty packet: got %d, %v, want nothing", n, err)
	}
}

func TestNothingIsAllocated(t *testing.T) {
	pcm, payload := make([]int16, 160), make([]byte, 160)
	for _, kind := range kinds {
		e, d := open(t, kind)
		allocs := testing.AllocsPerRun(100, func() {
			mustDo(t)(e.Encode(payload, pcm))
			mustDo(t)(d.Decode(pcm, payload))
			mustDo(t)(d.Conceal(pcm))
			mustDo(t)(d.Recover(pcm, payload))
		})
		if allocs != 0 {
			t.Errorf("%s: %v allocations a frame, want 0", kind, allocs)
		}
	}
}

func BenchmarkEncode(b *testing.B) {
	for _, kind := range kinds {
		b.Run(kind.String(), func(b *testing.B) {
			e, _ := open(b, kind)
			pcm, payload := speech(b, "rms")[8000:8160], make([]byte, 160)
			b.ReportAllocs()
			for b.Loop() {
				_, _ = e.Encode(payload, pcm)
			}
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	for _, kind := range kinds {
		b.Run(kind.String(), func(b *testing.B) {
			e, d := open(b, kind)
			pcm, payload := speech(b, "rms")[8000:8160], make([]byte, 160)
			mustDo(b)(e.Encode(payload, pcm))
			b.ReportAllocs()
			for b.Loop() {
				_, _ = d.Decode(pcm, payload)
			}
		})
	}
}

// A loss of 20 ms and the return from it.
func BenchmarkConceal(b *testing.B) {
	e, d := open(b, codec.PCMU)
	sound := speech(b, "rms")[8000:8800]
	payload := make([]byte, len(sound))
	mustDo(b)(e.Encode(payload, sound))
	mustDo(b)(d.Decode(sound, payload))
	pcm := make([]int16, 160)
	b.ReportAllocs()
	for b.Loop() {
		_, _ = d.Conceal(pcm)
		_, _ = d.Decode(pcm, payload[:160])
	}
}

// After a loss sound is made up, and forgotten with the stream.
func TestConcealsWhatIsLost(t *testing.T) {
	e, d := open(t, codec.PCMU)
	sound := speech(t, "rms")[8000:8800]
	payload, pcm := make([]byte, len(sound)), make([]int16, len(sound))
	mustDo(t)(e.Encode(payload, sound))
	mustDo(t)(d.Decode(pcm, payload))
	lost := make([]int16, 80)
	mustDo(t)(d.Conceal(lost))
	if lost[40] == 0 && lost[41] == 0 && lost[42] == 0 {
		t.Error("a loss in speech is silent")
	}
	d.Reset()
	mustDo(t)(d.Recover(lost, payload))
	for i, s := range lost {
		if s != 0 {
			t.Fatalf("after Reset the old stream is still heard, at %d", i)
		}
	}
}
