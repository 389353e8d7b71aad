package ivr

import (
	"bytes"
	"errors"
	"os"
	"testing"
	"time"
)

// read returns a recording of the program's own.
func read(t testing.TB, path string) []byte {
	t.Helper()
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func TestParseOpus(t *testing.T) {
	good := read(t, "voices/en/muted.opus")
	change := func(old, new string) []byte { return bytes.Replace(good, []byte(old), []byte(new), 1) }
	tests := []struct {
		name string
		file []byte
		want error
	}{
		{"a recording", good, nil},
		{"nothing", nil, ErrOpus},
		{"no Ogg", []byte("RIFF....WAVEfmt ............................"), ErrOgg},
		{"cut short in a page", good[:len(good)-1], ErrOgg},
		{"cut short in a header", good[:20], ErrOgg},
		{"no Opus", change("OpusHead", "Speex   "), ErrOpus},
		{"stereo", change("OpusHead\x01\x01", "OpusHead\x01\x02"), ErrOpus},
		{"a version to come", change("OpusHead\x01", "OpusHead\x10"), ErrOpus},
		{"no tags", change("OpusTags", "OpusBags"), ErrOpus},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := parseOpus(tt.file); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
}

// TestSilentWhereBroken: a packet that is no Opus is silent, and the rest is heard.
func TestSilentWhereBroken(t *testing.T) {
	whole, err := parseOpus(read(t, "voices/en/goodbye.opus"))
	if err != nil {
		t.Fatal(err)
	}
	broken, _ := parseOpus(read(t, "voices/en/goodbye.opus"))
	broken.packets[3] = []byte{0xff, 0xff, 0xff}
	missing := len(whole.decode(8000)) - len(broken.decode(8000))
	if missing < 0 || missing > samples(60*time.Millisecond, 8000) {
		t.Errorf("%d samples are missing", missing)
	}
}

// FuzzRecording: what parses, of whatever kind, has a sound, within its bounds.
func FuzzRecording(f *testing.F) {
	good := read(f, "voices/en/muted.opus")
	f.Add(good)
	f.Add(good[:200])
	f.Add([]byte("OggS\x00\x02"))
	f.Add(aWAV(f, 16000, 440))
	f.Fuzz(func(t *testing.T, file []byte) {
		r, err := parseRecording(file)
		if err != nil {
			return
		}
		pcm := r.sound(8000)
		if most := samples(longest+breath, 8000); len(pcm) > most || len(pcm) <= samples(breath, 8000) {
			t.Errorf("%d samples, at most %d", len(pcm), most)
		}
	})
}
