package peers

import (
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
)

// Sox runs sox, which the peers' sounds are made with.
func Sox(t testing.TB, args ...string) {
	t.Helper()
	if out, err := exec.Command("sox", args...).CombinedOutput(); err != nil {
		t.Fatalf("sox %v: %v\n%s", args, err, out)
	}
}

// Speech is something to say: a recording of testdata/speech, in the forms that the peers take.
type Speech struct {
	Name string
	dir  string
}

// The voices of testdata/speech.
const (
	Man   = "rms"
	Woman = "slt"
)

// Says prepares a voice's recording, with lead and tail seconds of silence around it, in dir/NAME.
func Says(t testing.TB, dir, name string, lead, tail float64) Speech {
	t.Helper()
	s := Speech{Name: name, dir: Sub(t, dir, name)}
	source := filepath.Join(Root(), "testdata", "speech", name+".wav")
	silence := []string{"pad", strconv.FormatFloat(lead, 'f', -1, 64), strconv.FormatFloat(tail, 'f', -1, 64)}
	for _, rate := range []int{8000, 48000} {
		Sox(t, append([]string{"-D", source, "-r", strconv.Itoa(rate), "-c", "1", "-b", "16", s.WAV(rate)}, silence...)...)
	}
	Sox(t, "-D", s.WAV(8000), "-t", "ul", s.Raw("ulaw"))
	Sox(t, "-D", s.WAV(8000), "-t", "al", s.Raw("alaw"))
	return s
}

// Bare returns the speech without the silence that was put around it.
func (s Speech) Bare(t testing.TB) Speech {
	t.Helper()
	return Says(t, Sub(t, s.dir, "bare"), s.Name, 0, 0)
}

// WAV returns the speech as a WAV file of 8000 or 48000 Hz, 16 bits, mono.
func (s Speech) WAV(rate int) string {
	return filepath.Join(s.dir, "speech-"+strconv.Itoa(rate)+".wav")
}

// Raw returns the speech as bytes without a header: "ulaw" or "alaw" at 8000 Hz.
func (s Speech) Raw(coding string) string { return filepath.Join(s.dir, "speech."+coding) }

// Part returns the beginning of a voice's recording, in dir/NAME.
func Part(t testing.TB, dir, name string, seconds float64) Speech {
	t.Helper()
	return Says(t, Sub(t, dir, "whole"), name, 0, 0).cut(t, Sub(t, dir, name), "trim", "0", inSeconds(seconds))
}

// After returns the speech with silence before it, in DIR/late.
func (s Speech) After(t testing.TB, silence float64) Speech {
	t.Helper()
	return s.cut(t, Sub(t, s.dir, "late"), "pad", inSeconds(silence), "0")
}

// cut returns what an effect of sox makes of the speech, in dir.
func (s Speech) cut(t testing.TB, dir string, effect ...string) Speech {
	t.Helper()
	made := Speech{Name: s.Name, dir: dir}
	for _, rate := range []int{8000, 48000} {
		Sox(t, append([]string{"-D", s.WAV(rate), made.WAV(rate)}, effect...)...)
	}
	Sox(t, "-D", made.WAV(8000), "-t", "ul", made.Raw("ulaw"))
	Sox(t, "-D", made.WAV(8000), "-t", "al", made.Raw("alaw"))
	return made
}

func inSeconds(s float64) string { return strconv.FormatFloat(s, 'f', -1, 64) }
