package peers

import (
	"fmt"
	"math"
	"testing"
	"time"

	"passerelle/codec/score"
)

// Quality says how well something must be heard.
type Quality struct {
	Median  float64       // correlation of the windows, at least
	GainDB  float64       // how far the level may be off, either way
	Gap     time.Duration // the longest gap allowed
	Clipped time.Duration // how much of an utterance's beginning may be missing
	Drifts  bool          // a jitter buffer may adapt so much that time runs at another speed
}

// OverG711 is what the telephone's codec allows, there and back: nearly the same wave.
func OverG711() Quality { return Quality{Median: 0.98, GainDB: 1} }

// OverOpus is what Opus and a browser's jitter buffer allow: it is alike, and time is stretched a little.
// Where it is, up to 40 ms may look as if they were missing; two lost packets in a row are more.
func OverOpus() Quality { return Quality{Median: 0.90, GainDB: 1.5, Gap: 40 * time.Millisecond} }

// AmongMany is what is asked where many calls at once share a small machine with those who make them.
func AmongMany() Quality {
	return Quality{Median: 0.90, GainDB: 1.5, Gap: 100 * time.Millisecond, Drifts: true}
}

// Recording is what somebody heard, at [score.Rate].
type Recording struct {
	Who  string
	Path string
	PCM  []int16
}

// Listen reads a recording.
func Listen(t testing.TB, who, path string) Recording {
	t.Helper()
	pcm, err := score.ReadFile(path)
	if err != nil {
		t.Fatalf("what %s heard: %v", who, err)
	}
	return Recording{Who: who, Path: path, PCM: pcm}
}

// Length returns how long the recording is.
func (r Recording) Length() time.Duration {
	return time.Duration(len(r.PCM)) * time.Second / score.Rate
}

// From returns what was heard from then on.
func (r Recording) From(at time.Duration) Recording {
	r.PCM = r.PCM[min(max(int(at*score.Rate/time.Second), 0), len(r.PCM)):]
	return r
}

// Until returns what was heard before.
func (r Recording) Until(at time.Duration) Recording {
	r.PCM = r.PCM[:min(max(int(at*score.Rate/time.Second), 0), len(r.PCM))]
	return r
}

// Hears fails the test unless the speech is in the recording: at its pitch and level, without gaps, from
// its first sound on. It returns how it was found.
func (r Recording) Hears(t testing.TB, s Speech, want Quality) score.Match {
	t.Helper()
	return r.Holds(t, s.Name, s.PCM(t), want)
}

// Holds is Hears for any sound at [score.Rate], such as a prompt of the gateway's.
func (r Recording) Holds(t testing.TB, what string, pcm []int16, want Quality) score.Match {
	t.Helper()
	var m score.Match
	quietly(func() { m = score.Find(pcm, r.PCM, score.Rate) })
	t.Logf("%s hears %s: %v", r.Who, what, m)
	switch {
	case !m.Found() && !(want.Drifts && m.Median >= want.Median):
		t.Errorf("%s does not hear %s: %v (%s)", r.Who, what, m, r.Path)
	case m.Median < want.Median:
		t.Errorf("%s hears %s with a median correlation of %.3f, want at least %.3f (%s)", r.Who, what, m.Median, want.Median, r.Path)
	case math.Abs(m.GainDB) > want.GainDB:
		t.Errorf("%s hears %s %+.1f dB off, want at most %.1f (%s)", r.Who, what, m.GainDB, want.GainDB, r.Path)
	case m.Longest() > want.Gap:
		t.Errorf("%s hears %s with gaps %v, want none above %v (%s)", r.Who, what, m.Gaps, want.Gap, r.Path)
	case m.Clipped > want.Clipped:
		t.Errorf("%s hears %s with %v of a beginning missing, want at most %v (%s)", r.Who, what, m.Clipped, want.Clipped, r.Path)
	}
	return m
}

// HearsNot fails the test if the speech is in the recording.
func (r Recording) HearsNot(t testing.TB, s Speech) { t.Helper(); r.HoldsNot(t, s.Name, s.PCM(t)) }

// HoldsNot fails the test if the sound is in the recording.
func (r Recording) HoldsNot(t testing.TB, what string, pcm []int16) {
	t.Helper()
	var begin int
	var there bool
	quietly(func() { begin, there = spot(pcm, r.PCM) })
	if there {
		t.Errorf("%s hears %s, and should not, %v into the recording (%s)", r.Who, what, duration(begin), r.Path)
	}
}

// HearsOnce fails the test unless the speech is in the recording, and only once: whoever hears a voice by
// two ways hears an echo of it.
func (r Recording) HearsOnce(t testing.TB, s Speech, want Quality) score.Match {
	t.Helper()
	m := r.Hears(t, s, want)
	if !m.Found() {
		return m
	}
	sound := s.PCM(t)
	var begin int
	var twice bool
	quietly(func() { begin, twice = echo(sound, r.PCM) })
	if twice {
		t.Errorf("%s hears %s twice: %v, and again %v into the recording (%s)", r.Who, s.Name, m, duration(begin), r.Path)
	}
	return m
}

// Silent fails the test unless nothing at all is heard.
func (r Recording) Silent(t testing.TB, when string) {
	t.Helper()
	if len(r.PCM) == 0 {
		t.Errorf("%s: nothing was recorded %s (%s)", r.Who, when, r.Path)
		return
	}
	if level, at := score.Loudest(r.PCM, score.Rate); level >= score.SilentBelow {
		t.Errorf("%s hears something at %.0f dBov %v into what should be silence, %s (%s)", r.Who, level, at, when, r.Path)
	}
}

// PCM returns the speech at [score.Rate], the silence around it included.
func (s Speech) PCM(t testing.TB) []int16 {
	t.Helper()
	pcm, err := score.ReadFile(s.WAV(8000))
	if err != nil {
		t.Fatalf("%s: %v", s.Name, err)
	}
	return pcm
}

// Length returns how long the speech is, the silence around it included.
func (s Speech) Length(t testing.TB) time.Duration {
	t.Helper()
	return time.Duration(len(s.PCM(t))) * time.Second / score.Rate
}

// String is the voice's name.
func (s Speech) String() string { return fmt.Sprintf("the voice %s", s.Name) }
