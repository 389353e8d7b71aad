package g722

import (
	"bytes"
	"flag"
	"os"
	"os/exec"
	"testing"
)

var update = flag.Bool("update", false, "let ffmpeg write the golden files")

// TestGolden: half a second of speech as ffmpeg codes it, and as it decodes that.
func TestGolden(t *testing.T) {
	pcm := speech(t, "slt")[16000:24000]
	code := encode(t, pcm)
	if *update {
		ffmpeg, err := exec.LookPath("ffmpeg")
		if err != nil {
			t.Fatal(err)
		}
		theirs := convert(t, ffmpeg, raw(pcm), "s16le", "g722")
		write(t, "testdata/speech.g722", theirs)
		write(t, "testdata/speech.s16le", convert(t, ffmpeg, theirs, "g722", "s16le"))
	}
	sameBytes(t, "encoded", code, read(t, "testdata/speech.g722"))
	sameBytes(t, "decoded", raw(decode(t, code)), read(t, "testdata/speech.s16le"))
}

func read(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func write(t testing.TB, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// FuzzDecode: any bytes decode to two samples each, in pieces as in one, with losses or without, and
// encoding what was decoded gives as many bytes again.
func FuzzDecode(f *testing.F) {
	f.Add(read(f, "testdata/speech.g722")[:400], uint8(33), uint16(0))
	f.Add(bytes.Repeat([]byte{0xbf, 0x20}, 300), uint8(200), uint16(320))
	f.Add([]byte{}, uint8(0), uint16(7))
	f.Fuzz(func(t *testing.T, code []byte, cut uint8, lost uint16) {
		whole := decode(t, code)
		d, pieces := NewDecoder(), make([]int16, len(whole))
		at := min(int(cut), len(code))
		mustDo(t)(d.Decode(pieces, code[:at]))
		mustDo(t)(d.Decode(pieces[2*at:], code[at:]))
		for i := range whole {
			if whole[i] != pieces[i] {
				t.Fatalf("sample %d is %d in pieces and %d in one", i, pieces[i], whole[i])
			}
		}
		mustDo(t)(d.Conceal(make([]int16, lost)))
		if n, err := d.Decode(pieces, code); n != 2*len(code) || err != nil {
			t.Fatalf("after a loss: %d samples, %v", n, err)
		}
		if again := encode(t, pieces); len(again) != len(code) {
			t.Fatalf("%d bytes became %d", len(code), len(again))
		}
	})
}
