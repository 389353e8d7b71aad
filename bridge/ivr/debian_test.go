package ivr

import (
	"math"
	"os"
	"slices"
	"testing"
	"time"

	"passerelle/codec/score"
)

// withStudio returns the voices with Debian's recordings, or skips the test where these are not installed.
func withStudio(t *testing.T, rate int) *Voices {
	t.Helper()
	for _, s := range studios() {
		if _, err := os.Stat(DebianFolder + "/" + s.folder); err != nil {
			t.Skipf("the recordings of asterisk-core-sounds-%s-wav are not installed", s.language)
		}
	}
	v, err := Open(Config{Rate: rate, Debian: DebianFolder})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestStudio: what Debian's recordings say of ours is all there, at the level of the others, and recognised by telephone.
func TestStudio(t *testing.T) {
	const rate = 8000
	v := withStudio(t, rate)
	own := load(t, rate)
	for _, s := range studios() {
		studio := v.languages[s.language][0]
		for p := range s.takes {
			if studio[p] == nil {
				t.Errorf("%s %s: %v are not there", s.language, p, s.takes[p])
				continue
			}
			pcm := v.Say(s.language, p)
			level, length := activeLevel(pcm, rate), time.Duration(len(pcm))*time.Second/rate
			peak := max(int(slices.Max(pcm)), -int(slices.Min(pcm)))
			t.Logf("%s %-18s %5.2f s, %.1f dBov, peak %.1f dB of full scale", s.language, p, length.Seconds(), level, 20*math.Log10(float64(peak)/32768))
			if math.Abs(level-speechLevel) > 1 || peak > headroom {
				t.Errorf("%s %s is said at %.1f dBov with a peak of %d, want %.1f and %d at most", s.language, p, level, peak, speechLevel, headroom)
			}
			if late := samples(150*time.Millisecond, rate); score.Silent(pcm[:late], rate) {
				t.Errorf("%s %s begins with silence", s.language, p)
			}
			if slices.Equal(pcm, own.Say(s.language, p)) {
				t.Errorf("%s %s is said by the program's own voice", s.language, p)
			}
			if m := score.Find(pcm, overALaw(t, pcm), rate); !m.Found() {
				t.Errorf("%s %s is not recognised: %v", s.language, p, m)
			}
		}
	}
	near := [][2]Prompt{{Muted, Unmuted}, {Unmuted, Muted}, {HasJoined, HasLeft}, {HasLeft, HasJoined}}
	all := os.Getenv("PASSERELLE_JUDGE") != "" // takes a minute
	for _, s := range studios() {
		for p := range s.takes {
			for other := range s.takes {
				if p == other || !all && !slices.Contains(near, [2]Prompt{p, other}) {
					continue
				}
				if m := score.Find(v.Say(s.language, p), overALaw(t, v.Say(s.language, other)), rate); m.Median > 0.55 {
					t.Errorf("%s %s is heard in %s: %v", s.language, p, other, m)
				}
			}
		}
	}
	for _, tt := range []struct {
		rule     string
		language string
		prompts  []Prompt
		others   []Prompt
		studio   bool
	}{
		{"the English menu", "en", []Prompt{WrongPIN}, inMenu(), true},
		{"the French menu, whose keys have other names there", "fr", []Prompt{Goodbye}, inMenu(), false},
		{"the way to the other language", "en", []Prompt{OtherLanguage}, inMenu(), false},
		{"an end", "fr", []Prompt{RoomClosed, Goodbye}, nil, true},
		{"an end that the studio has half of", "fr", []Prompt{Denied, Goodbye}, nil, false},
		{"help", "en", Help(DefaultKeys()), nil, false},
	} {
		got := v.say(tt.language, tt.prompts, tt.others)
		if ours := slices.Equal(got, own.Say(tt.language, tt.prompts...)); ours == tt.studio || len(got) == 0 {
			t.Errorf("%s: by the program's own voice: %v, want %v", tt.rule, ours, !tt.studio)
		}
	}
}

// TestNoStudio: where the recordings are not installed the program's own voices speak, and nothing is said of it.
func TestNoStudio(t *testing.T) {
	v, err := Open(Config{Rate: 8000, Debian: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	if got := v.Told(); len(got) != 2 || !slices.Equal(v.Say("en", Muted), load(t, 8000).Say("en", Muted)) {
		t.Errorf("there are %q", got)
	}
}
