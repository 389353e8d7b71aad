package ivr

import (
	"bytes"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"passerelle/codec/score"
	"passerelle/codec/wav"
)

// aWAV is a second of a tone at a rate, with half a second of silence before it and after it, 40 dB below full scale.
func aWAV(t testing.TB, rate int, hertz float64) []byte {
	t.Helper()
	pcm := make([]int16, 2*rate)
	for i := range rate {
		pcm[rate/2+i] = int16(327 * math.Sin(2*math.Pi*hertz*float64(i)/float64(rate)))
	}
	var file bytes.Buffer
	if err := wav.Write(&file, pcm, rate); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

// record writes files into a folder.
func record(t *testing.T, folder string, files map[string][]byte) {
	t.Helper()
	for name, data := range files {
		path := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// whole is a recording for every prompt of a language.
func whole(t *testing.T, language string) map[string][]byte {
	files := make(map[string][]byte)
	for _, p := range Prompts() {
		files[language+"/"+string(p)+".wav"] = aWAV(t, 8000, 440)
	}
	return files
}

// TestFolderAddsALanguage: with a file for every prompt, at whatever rate and of whatever kind.
func TestFolderAddsALanguage(t *testing.T) {
	folder := t.TempDir()
	files := whole(t, "es")
	files["es/welcome.wav"] = aWAV(t, 44100, 1000)
	delete(files, "es/goodbye.wav")
	files["es/goodbye.opus"] = read(t, "voices/fr/goodbye.opus")
	record(t, folder, files)
	v, err := Open(Config{Rate: 16000, Folder: folder})
	if err != nil {
		t.Fatal(err)
	}
	if got := v.Languages(); !slices.Equal(got, []string{"en", "es", "fr"}) {
		t.Errorf("the languages are %v", got)
	}
	pcm := v.Say("es", Welcome)
	length := time.Duration(len(pcm)) * time.Second / 16000
	if length < time.Second+breath || length > time.Second+breath+100*time.Millisecond {
		t.Errorf("a second lasts %v, want the silence at its ends gone", length)
	}
	if level := activeLevel(pcm, 16000); math.Abs(level-speechLevel) > 0.5 {
		t.Errorf("it is said at %.1f dBov, want %.1f", level, speechLevel)
	}
	if !score.Find(v.Say("fr", Goodbye), v.Say("es", Goodbye), 16000).Found() {
		t.Error("the file of Opus is not heard")
	}
}

// TestFolderReplaces: some recordings of a language that there is are said by that voice, and what is said in a row by one.
func TestFolderReplaces(t *testing.T) {
	folder := t.TempDir()
	record(t, folder, map[string][]byte{
		"fr/muted.wav": aWAV(t, 8000, 440), "fr/welcome.wav": aWAV(t, 8000, 440), "fr/room-closed.wav": aWAV(t, 8000, 440),
	})
	v, err := Open(Config{Rate: 16000, Folder: folder})
	if err != nil {
		t.Fatal(err)
	}
	own := load(t, 16000)
	for _, tt := range []struct {
		rule    string
		prompts []Prompt
		theirs  bool
	}{
		{"a sentence that is there", []Prompt{Muted}, true},
		{"a sentence that is not", []Prompt{Unmuted}, false},
		{"two in one breath of which one is not there", []Prompt{RoomClosed, Goodbye}, false},
	} {
		if ours := slices.Equal(v.Say("fr", tt.prompts...), own.Say("fr", tt.prompts...)); ours == tt.theirs {
			t.Errorf("%s: said by the program's own voice: %v, want %v", tt.rule, ours, !tt.theirs)
		}
	}
	if !slices.Equal(v.say("fr", []Prompt{Welcome}, inMenu()), own.Say("fr", Welcome)) {
		t.Error("a menu begins with a voice that cannot go on")
	}
	if !slices.Equal(v.Say("en", Muted), own.Say("en", Muted)) {
		t.Error("English is said by somebody else")
	}
}

// TestFolderIsWrong: all that is wrong is told at once.
func TestFolderIsWrong(t *testing.T) {
	folder := t.TempDir()
	files := whole(t, "es")
	delete(files, "es/welcome.wav")
	delete(files, "es/key-7.wav")
	files["es/muted.wav"] = []byte("ID3\x03")
	files["es/echo.wav"] = []byte("RIFF....WAVE")
	files["es/goodbye.wav"] = aWAV(t, 8000, 0)
	files["fr/mutted.wav"] = aWAV(t, 8000, 440)
	record(t, folder, files)
	_, err := Open(Config{Rate: 16000, Folder: folder})
	if err == nil {
		t.Fatal("nothing is wrong")
	}
	for _, want := range []string{
		"es: 2 of 79 recordings are missing: welcome, key-7", "es/muted.wav: neither a WAV file nor", "es/echo.wav: not a WAV file",
		"es/goodbye.wav: nothing is to be heard", "fr/mutted.wav: no prompt is called mutted",
	} {
		want = strings.Replace(want, "79", strconv.Itoa(len(Prompts())), 1)
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not told:\n%v", want, err)
		}
	}
	if _, err := Open(Config{Rate: 16000, Folder: filepath.Join(folder, "nowhere")}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a folder that is not there: %v", err)
	}
}

// TestScript: every prompt has words, for whoever records it.
func TestScript(t *testing.T) {
	for _, language := range []string{"en", "fr", "es"} {
		said, err := Script(language)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range Prompts() {
			if said[p] == "" {
				t.Errorf("%s: %s has no words", language, p)
			}
		}
	}
}
