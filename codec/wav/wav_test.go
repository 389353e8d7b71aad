package wav

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// file builds a WAV file from chunks, each with the padding that its size asks for.
func file(chunks ...[]byte) []byte {
	b := append([]byte("RIFF\x00\x00\x00\x00"), "WAVE"...)
	for _, c := range chunks {
		b = append(b, c...)
	}
	binary.LittleEndian.PutUint32(b[4:], uint32(len(b)-8))
	return b
}

func chunk(name string, body ...byte) []byte {
	b := binary.LittleEndian.AppendUint32([]byte(name), uint32(len(body)))
	b = append(b, body...)
	if len(body)%2 == 1 {
		b = append(b, 0)
	}
	return b
}

func fmtChunk(code, channels, rate, bits int, more ...byte) []byte {
	le := binary.LittleEndian
	var b []byte
	b = le.AppendUint16(b, uint16(code))
	b = le.AppendUint16(b, uint16(channels))
	b = le.AppendUint32(b, uint32(rate))
	b = le.AppendUint32(b, uint32(rate*channels*bits/8))
	b = le.AppendUint16(b, uint16(channels*bits/8))
	b = le.AppendUint16(b, uint16(bits))
	return chunk("fmt ", append(b, more...)...)
}

// extension is what follows the first 16 bytes in a WAVE_FORMAT_EXTENSIBLE fmt chunk.
func extension(code byte) []byte {
	guid := []byte{code, 0, 0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xaa, 0, 0x38, 0x9b, 0x71}
	return append([]byte{22, 0, 16, 0, 4, 0, 0, 0}, guid...)
}

func withSize(chunk []byte, size uint32) []byte {
	binary.LittleEndian.PutUint32(chunk[4:], size)
	return chunk
}

func TestRead(t *testing.T) {
	sound := chunk("data", 1, 0, 0xff, 0xff, 0, 0x80)
	mono := fmtChunk(formatPCM, 1, 16000, 16)
	tests := []struct {
		name string
		file []byte
		want []int16
		rate int
		err  error
	}{
		{"mono", file(mono, sound), []int16{1, -1, -32768}, 16000, nil},
		{"stereo is mixed", file(fmtChunk(formatPCM, 2, 8000, 16), chunk("data", 100, 0, 50, 0, 0, 0x80, 0, 0x80)), []int16{75, -32768}, 8000, nil},
		{"mu-law", file(fmtChunk(formatMuLaw, 1, 8000, 8), chunk("data", 0xff, 0x80, 0)), []int16{0, 32124, -32124}, 8000, nil},
		{"A-law", file(fmtChunk(formatALaw, 1, 8000, 8), chunk("data", 0xd5, 0x55)), []int16{8, -8}, 8000, nil},
		{"extensible", file(fmtChunk(formatExtensible, 1, 48000, 16, extension(formatPCM)...), sound), []int16{1, -1, -32768}, 48000, nil},
		{"chunks before the sound", file(chunk("LIST", 1, 2, 3), mono, chunk("fact", 3, 0, 0, 0), sound), []int16{1, -1, -32768}, 16000, nil},
		{"no sound", file(mono, chunk("data")), []int16{}, 16000, nil},
		{"length unknown", file(mono, withSize(slices.Clone(sound), unknownSize)), []int16{1, -1, -32768}, 16000, nil},
		{"length never written", file(mono, withSize(slices.Clone(sound), 0)), []int16{1, -1, -32768}, 16000, nil},
		{"sound cut short", file(mono, withSize(slices.Clone(sound), 1000)), []int16{1, -1, -32768}, 16000, nil},
		{"half a sample at the end", file(mono, sound[:len(sound)-1]), []int16{1, -1}, 16000, nil},

		{"empty", nil, nil, 0, ErrFormat},
		{"not RIFF", []byte("OggS00000000"), nil, 0, ErrFormat},
		{"no sound chunk", file(mono), nil, 0, ErrFormat},
		{"sound before its format", file(sound, mono), nil, 0, ErrFormat},
		{"a chunk that never ends", file(withSize(chunk("LIST", 1, 2), 1<<31)), nil, 0, ErrFormat},
		{"short fmt", file(chunk("fmt ", 1, 0), sound), nil, 0, ErrFormat},
		{"endless fmt", file(withSize(slices.Clone(mono), 1<<30), sound), nil, 0, ErrFormat},
		{"24 bits", file(fmtChunk(formatPCM, 1, 16000, 24), sound), nil, 0, ErrEncoding},
		{"float", file(fmtChunk(3, 1, 16000, 32), sound), nil, 0, ErrEncoding},
		{"no channels", file(fmtChunk(formatPCM, 0, 16000, 16), sound), nil, 0, ErrEncoding},
		{"a thousand channels", file(fmtChunk(formatPCM, 1000, 16000, 16), sound), nil, 0, ErrEncoding},
		{"no rate", file(fmtChunk(formatPCM, 1, 0, 16), sound), nil, 0, ErrEncoding},
		{"2 GB", file(mono, withSize(slices.Clone(sound), 2<<30)), nil, 0, ErrTooLong},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			pcm, rate, err := Read(bytes.NewReader(tt.file))
			if !errors.Is(err, tt.err) {
				t.Fatalf("got error %v, want %v", err, tt.err)
			}
			if err == nil && (!slices.Equal(pcm, tt.want) || rate != tt.rate) {
				t.Errorf("got %v at %d Hz, want %v at %d", pcm, rate, tt.want, tt.rate)
			}
		})
	}
}

// A failing disk is not a bad file.
func TestReadReportsTheReader(t *testing.T) {
	whole := file(fmtChunk(formatPCM, 1, 16000, 16), chunk("data", 1, 2, 3, 4))
	for n := range whole {
		r := io.MultiReader(bytes.NewReader(whole[:n]), brokenDisk{})
		if _, _, err := Read(r); !errors.Is(err, errDisk) {
			t.Errorf("after %d bytes: got %v, want the disk's error", n, err)
		}
	}
}

var errDisk = errors.New("disk on fire")

type brokenDisk struct{}

func (brokenDisk) Read([]byte) (int, error) { return 0, errDisk }

func TestWriter(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.wav")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w, err := NewWriter(f, 8000)
	if err != nil {
		t.Fatal(err)
	}
	var want []int16
	for i := range 100 {
		frame := slices.Repeat([]int16{int16(i), int16(-i)}, 80)
		if err := w.Write(frame); err != nil {
			t.Fatal(err)
		}
		want = append(want, frame...)
	}
	// As if the recorder had been killed: what reached the file can be read.
	early, rate := readFile(t, path)
	if rate != 8000 || len(early) < 8000 || !slices.Equal(early, want[:len(early)]) {
		t.Errorf("before Close: %d samples at %d Hz, want the first 8000 or more at 8000", len(early), rate)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if got, _ := readFile(t, path); !slices.Equal(got, want) {
		t.Errorf("after Close: got %d samples, want the %d written", len(got), len(want))
	}
	streamed, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var atOnce bytes.Buffer
	if err := Write(&atOnce, want, 8000); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(streamed, atOnce.Bytes()) {
		t.Error("a Writer's file differs from what Write writes")
	}
}

func TestWriteRefusesRates(t *testing.T) {
	if err := Write(io.Discard, nil, 0); !errors.Is(err, ErrEncoding) {
		t.Errorf("got %v, want ErrEncoding", err)
	}
	if _, err := NewWriter(nil, 1<<20); !errors.Is(err, ErrEncoding) {
		t.Errorf("got %v, want ErrEncoding", err)
	}
}

func readFile(t *testing.T, path string) ([]int16, int) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	pcm, rate, err := Read(f)
	if err != nil {
		t.Fatal(err)
	}
	return pcm, rate
}

// What was read can be written, reads back the same, and is written the same again.
func FuzzRead(f *testing.F) {
	sound := chunk("data", 1, 0, 0xff, 0xff, 0, 0x80, 7)
	f.Add(file(fmtChunk(formatPCM, 1, 16000, 16), sound))
	f.Add(file(fmtChunk(formatPCM, 2, 44100, 16), chunk("LIST", 1), sound))
	f.Add(file(fmtChunk(formatMuLaw, 1, 8000, 8), sound))
	f.Add(file(fmtChunk(formatALaw, 2, 8000, 8), sound))
	f.Add(file(fmtChunk(formatExtensible, 1, 48000, 16, extension(formatPCM)...), sound))
	f.Add(file(fmtChunk(formatPCM, 1, 8000, 16), withSize(slices.Clone(sound), unknownSize)))
	f.Fuzz(func(t *testing.T, b []byte) {
		pcm, rate, err := Read(bytes.NewReader(b))
		if err != nil {
			return
		}
		var once, twice bytes.Buffer
		if err := Write(&once, pcm, rate); err != nil {
			t.Fatalf("write what was read: %v", err)
		}
		again, rateAgain, err := Read(bytes.NewReader(once.Bytes()))
		if err != nil || !slices.Equal(again, pcm) || rateAgain != rate {
			t.Fatalf("read again: %d samples at %d Hz (%v), want %d at %d", len(again), rateAgain, err, len(pcm), rate)
		}
		if err := Write(&twice, again, rate); err != nil || !bytes.Equal(once.Bytes(), twice.Bytes()) {
			t.Fatalf("written twice, the files differ (%v)", err)
		}
	})
}
