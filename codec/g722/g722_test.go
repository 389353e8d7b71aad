package g722

import (
	"bytes"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"passerelle/codec/wav"
)

// speech returns one of the reference voices.
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

// sounds are what coders are compared by: more than ten seconds of each kind.
func sounds(t testing.TB) map[string][]int16 {
	random := rand.New(rand.NewPCG(1, 2))
	make := func(length int, at func(i int) float64) []int16 {
		pcm := make([]int16, length)
		for i := range pcm {
			pcm[i] = int16(math.Round(max(min(at(i), math.MaxInt16), math.MinInt16)))
		}
		return pcm
	}
	sine := func(hz float64, i int) float64 { return math.Sin(2 * math.Pi * hz * float64(i) / Rate) }
	const length = 12 * Rate
	return map[string][]int16{
		"speech":     slices.Concat(speech(t, "rms"), speech(t, "slt")),
		"tones":      make(length, func(i int) float64 { return 9000*sine(440, i) + 6000*sine(5200, i) + 3000*sine(7700, i) }),
		"sweep":      make(length, func(i int) float64 { return 20000 * sine(float64(i)/length*4000, i) }),
		"noise":      make(length, func(int) float64 { return random.NormFloat64() * 4000 }),
		"quiet":      make(length, func(int) float64 { return random.NormFloat64() * 3 }),
		"full noise": make(length, func(int) float64 { return random.NormFloat64() * 60000 }),
		"square":     make(length, func(i int) float64 { return math.Copysign(32768, sine(1000, i)+1e-9) }),
		"clicks":     make(length, func(i int) float64 { return float64(i%1600/1599) * 32767 }),
	}
}

func encode(t testing.TB, pcm []int16) []byte {
	t.Helper()
	code := make([]byte, len(pcm)/2)
	if n, err := NewEncoder().Encode(code, pcm[:len(pcm)&^1]); n != len(code) || err != nil {
		t.Fatalf("encode: %d bytes of %d, %v", n, len(code), err)
	}
	return code
}

func decode(t testing.TB, code []byte) []int16 {
	t.Helper()
	pcm := make([]int16, 2*len(code))
	if n, err := NewDecoder().Decode(pcm, code); n != len(pcm) || err != nil {
		t.Fatalf("decode: %d samples of %d, %v", n, len(pcm), err)
	}
	return pcm
}

// TestLikeFFmpeg: every byte and every sample as the ffmpeg of this machine has them.
func TestLikeFFmpeg(t *testing.T) {
	ffmpeg, err := exec.LookPath("ffmpeg")
	if err != nil {
		t.Skip("no ffmpeg here: apt-get install ffmpeg")
	}
	for name, pcm := range sounds(t) {
		code := encode(t, pcm)
		theirs := convert(t, ffmpeg, raw(pcm), "s16le", "g722")
		sameBytes(t, name+", encoded", code, theirs)
		sameBytes(t, name+", decoded", raw(decode(t, code)), convert(t, ffmpeg, code, "g722", "s16le"))
	}
	anything := make([]byte, 10*Rate/2)
	random := rand.New(rand.NewPCG(3, 4))
	for i := range anything {
		anything[i] = byte(random.Uint32())
	}
	sameBytes(t, "any bytes, decoded", raw(decode(t, anything)), convert(t, ffmpeg, anything, "g722", "s16le"))
}

func sameBytes(t *testing.T, what string, got, want []byte) {
	t.Helper()
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			t.Errorf("%s: byte %d is %#x, want %#x", what, i, got[i], want[i])
			return
		}
	}
	if len(got) != len(want) {
		t.Errorf("%s: %d bytes, want %d", what, len(got), len(want))
	}
}

// convert lets ffmpeg turn one raw format into another, both mono at 16 kHz.
func convert(t *testing.T, ffmpeg string, in []byte, from, to string) []byte {
	t.Helper()
	file := filepath.Join(t.TempDir(), "in")
	if err := os.WriteFile(file, in, 0o600); err != nil {
		t.Fatal(err)
	}
	source := []string{"-f", from}
	if from == "s16le" {
		source = append(source, "-ar", "16000", "-ac", "1")
	}
	args := slices.Concat([]string{"-v", "error", "-bitexact"}, source, []string{"-i", file, "-ar", "16000", "-ac", "1", "-f", to, "-"})
	cmd := exec.CommandContext(t.Context(), ffmpeg, args...)
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("ffmpeg %v: %v\n%s", args, err, complaint.Bytes())
	}
	return out
}

// raw returns samples as bytes, the lower one first.
func raw(pcm []int16) []byte {
	b := make([]byte, 0, 2*len(pcm))
	for _, s := range pcm {
		b = append(b, byte(s), byte(uint16(s)>>8))
	}
	return b
}

// However a stream is cut into packets, it is coded alike.
func TestInPieces(t *testing.T) {
	pcm := speech(t, "slt")[8000:24000]
	whole := encode(t, pcm)
	sound := decode(t, whole)
	e, d := NewEncoder(), NewDecoder()
	code, again := make([]byte, len(whole)), make([]int16, len(pcm))
	for at, n := 0, 2; at < len(pcm); n = n%1000 + 14 {
		n = min(n, len(pcm)-at)
		mustDo(t)(e.Encode(code[at/2:], pcm[at:at+n]))
		mustDo(t)(d.Decode(again[at:], code[at/2:(at+n)/2]))
		at += n
	}
	if !bytes.Equal(code, whole) {
		t.Error("encoded in pieces it is another stream")
	}
	if !slices.Equal(again, sound) {
		t.Error("decoded in pieces it is another sound")
	}
}

func TestReset(t *testing.T) {
	pcm := speech(t, "rms")[8000:16000]
	e, d := NewEncoder(), NewDecoder()
	code, first := make([]byte, len(pcm)/2), make([]int16, len(pcm))
	mustDo(t)(e.Encode(code, pcm))
	mustDo(t)(d.Decode(first, code))
	mustDo(t)(d.Conceal(make([]int16, 320)))
	e.Reset()
	d.Reset()
	again, second := make([]byte, len(code)), make([]int16, len(pcm))
	mustDo(t)(e.Encode(again, pcm))
	mustDo(t)(d.Decode(second, code))
	if !bytes.Equal(code, again) || !slices.Equal(first, second) {
		t.Error("after Reset the stream's past is not forgotten")
	}
}

func TestWrongBuffers(t *testing.T) {
	e, d := NewEncoder(), NewDecoder()
	if _, err := e.Encode(make([]byte, 160), make([]int16, 319)); !errors.Is(err, ErrOdd) {
		t.Errorf("an odd number of samples: got %v, want ErrOdd", err)
	}
	if _, err := e.Encode(make([]byte, 159), make([]int16, 320)); !errors.Is(err, io.ErrShortBuffer) {
		t.Errorf("encode into 159 bytes: got %v, want io.ErrShortBuffer", err)
	}
	if _, err := d.Decode(make([]int16, 319), make([]byte, 160)); !errors.Is(err, io.ErrShortBuffer) {
		t.Errorf("decode into 319 samples: got %v, want io.ErrShortBuffer", err)
	}
	if n, err := d.Decode(make([]int16, 10), nil); n != 0 || err != nil {
		t.Errorf("an empty packet: got %d, %v, want nothing", n, err)
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

func TestNothingIsAllocated(t *testing.T) {
	e, d := NewEncoder(), NewDecoder()
	pcm, payload := speech(t, "rms")[16000:16320], make([]byte, 160)
	allocs := testing.AllocsPerRun(100, func() {
		mustDo(t)(e.Encode(payload, pcm))
		mustDo(t)(d.Decode(pcm, payload))
		mustDo(t)(d.Conceal(pcm))
		mustDo(t)(d.Recover(pcm, payload))
	})
	if allocs != 0 {
		t.Errorf("%v allocations a frame, want 0", allocs)
	}
}

func BenchmarkEncode(b *testing.B) {
	e, sound, payload, i := NewEncoder(), speech(b, "rms"), make([]byte, 160), 0
	b.ReportAllocs()
	for b.Loop() {
		_, _ = e.Encode(payload, sound[i:i+320])
		i = (i + 320) % (len(sound) - 320)
	}
}

func BenchmarkDecode(b *testing.B) {
	code := encode(b, speech(b, "rms"))
	d, pcm, i := NewDecoder(), make([]int16, 320), 0
	b.ReportAllocs()
	for b.Loop() {
		_, _ = d.Decode(pcm, code[i:i+160])
		i = (i + 160) % (len(code) - 160)
	}
}

// A loss of 20 ms and the return from it.
func BenchmarkConceal(b *testing.B) {
	code := encode(b, speech(b, "rms"))
	d, pcm, i := NewDecoder(), make([]int16, 320), 0
	b.ReportAllocs()
	for b.Loop() {
		_, _ = d.Conceal(pcm)
		_, _ = d.Decode(pcm, code[i:i+160])
		i = (i + 160) % (len(code) - 160)
	}
}
