package ivr

import (
	"bufio"
	"cmp"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"passerelle/codec"
	"passerelle/codec/g711"
	"passerelle/codec/score"
)

// words returns what a language says for each prompt, as voices/<language>.txt has it.
func words(t *testing.T, language string) map[Prompt]string {
	t.Helper()
	f, err := os.Open("voices/" + language + ".txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	said := make(map[Prompt]string)
	for lines := bufio.NewScanner(f); lines.Scan(); {
		name, sentence, ok := strings.Cut(lines.Text(), ": ")
		if !ok || said[Prompt(name)] != "" {
			t.Errorf("%s: %q", f.Name(), lines.Text())
		}
		said[Prompt(name)] = sentence
	}
	return said
}

func load(t testing.TB, rate int) *Voices {
	t.Helper()
	v, err := Load(rate)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestEverythingIsSaid: every language has every prompt, in writing and in sound, and nothing else.
func TestEverythingIsSaid(t *testing.T) {
	v := load(t, 16000)
	if got := v.Languages(); !slices.Equal(got, []string{"en", "fr"}) {
		t.Fatalf("the languages are %v", got)
	}
	all := slices.Sorted(slices.Values(Prompts()))
	if len(slices.Compact(slices.Clone(all))) != len(all) {
		t.Error("a prompt is listed twice")
	}
	var size int64
	for _, l := range v.Languages() {
		said := words(t, l)
		for p := range said {
			if !slices.Contains(all, p) {
				t.Errorf("%s: %s is written and is no prompt", l, p)
			}
		}
		files, _ := filepath.Glob("voices/" + l + "/*.opus")
		for _, f := range files {
			if !slices.Contains(all, Prompt(strings.TrimSuffix(filepath.Base(f), ".opus"))) {
				t.Errorf("%s is no prompt", f)
			}
			info, err := os.Stat(f)
			if err != nil {
				t.Fatal(err)
			}
			size += info.Size()
		}
		for _, p := range all {
			if spoken := v.languages[l][0][p].words; spoken != said[p] || spoken == "" {
				t.Errorf("%s %s: %q is written and %q spoken: run voices/make.sh", l, p, said[p], spoken)
			}
		}
	}
	if size > 1_500_000 {
		t.Errorf("the recordings have %d bytes", size)
	}
}

// TestSoundOfPrompts holds every recording to one level and to a caller's patience, at every rate.
func TestSoundOfPrompts(t *testing.T) {
	for _, rate := range []int{8000, 16000} {
		v := load(t, rate)
		softest, loudest := 0.0, -127.0
		for _, l := range v.Languages() {
			for _, p := range Prompts() {
				pcm := v.Say(l, p)
				length := time.Duration(len(pcm)) * time.Second / time.Duration(rate)
				if length < 900*time.Millisecond && !p.isKey() || length > 8*time.Second && p != Encrypted {
					t.Errorf("%s %s at %d Hz lasts %v", l, p, rate, length)
				}
				level := activeLevel(pcm, rate) // of a word, less: six is mostly breath
				if level < -22 && !p.isKey() || level < -24 || level > -18 {
					t.Errorf("%s %s at %d Hz is spoken at %.1f dBov", l, p, rate, level)
				}
				softest, loudest = min(softest, level), max(loudest, level)
				if peak := slices.Max(pcm); peak > 31000 || slices.Min(pcm) < -31000 {
					t.Errorf("%s %s at %d Hz is clipped, or nearly: %d to %d", l, p, rate, slices.Min(pcm), peak)
				}
				if !score.Silent(pcm[len(pcm)-samples(breath, rate):], rate) {
					t.Errorf("%s %s at %d Hz leaves no time to breathe", l, p, rate)
				}
				if late := samples(150*time.Millisecond, rate); score.Silent(pcm[:late], rate) {
					t.Errorf("%s %s at %d Hz begins with silence", l, p, rate)
				}
			}
		}
		if loudest-softest > 4 {
			t.Errorf("at %d Hz prompts are spoken at %.1f to %.1f dBov", rate, softest, loudest)
		}
		t.Logf("at %d Hz prompts are spoken at %.1f to %.1f dBov", rate, softest, loudest)
	}
}

// activeLevel is the level of the 20 ms in which somebody speaks, in dBov.
func activeLevel(pcm []int16, rate int) float64 {
	loudest, _ := score.Loudest(pcm, rate)
	n := rate / 50
	var spoken []int16
	for frame := range slices.Chunk(pcm, n) {
		if score.Level(frame) > loudest-30 {
			spoken = append(spoken, frame...)
		}
	}
	return score.Level(spoken)
}

func TestSay(t *testing.T) {
	v := load(t, 8000)
	if a, b := v.Say("fr", Welcome), v.Say("fr", Welcome); &a[0] != &b[0] {
		t.Error("one prompt is decoded twice")
	}
	both := v.Say("fr", Welcome, Goodbye)
	if want := len(v.Say("fr", Welcome)) + len(v.Say("fr", Goodbye)); len(both) != want {
		t.Errorf("two prompts have %d samples, want %d", len(both), want)
	}
	if got := v.Say("br", Welcome); len(got) != 0 {
		t.Errorf("an unknown language has %d samples", len(got))
	}
	if _, err := Load(44100); err == nil {
		t.Error("44100 Hz are possible")
	}
	if a, b := v.Music(), v.Music(); len(a) == 0 || &a[0] != &b[0] {
		t.Error("music is composed twice, or not at all")
	}
}

// overALaw is what a telephone makes of pcm at 8 kHz.
func overALaw(t *testing.T, pcm []int16) []int16 {
	t.Helper()
	encoder, err := g711.NewEncoder(codec.PCMA)
	if err != nil {
		t.Fatal(err)
	}
	decoder, err := g711.NewDecoder(codec.PCMA)
	if err != nil {
		t.Fatal(err)
	}
	payload, out := make([]byte, len(pcm)), make([]int16, len(pcm))
	if _, err := encoder.Encode(payload, pcm); err != nil {
		t.Fatal(err)
	}
	if _, err := decoder.Decode(out, payload); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestPromptsAreRecognised: in what a telephone heard, score.Find finds what was said where it was said,
// with music under it, and nothing else.
func TestPromptsAreRecognised(t *testing.T) {
	const rate = 8000
	v := load(t, rate)
	for _, l := range v.Languages() {
		var heard []int16
		begins := make(map[Prompt]int)
		for _, p := range []Prompt{WrongPIN, Muted, RecordingRuns} {
			begins[p] = len(heard)
			heard = append(heard, v.Say(l, p)...)
		}
		for i, s := range v.Music()[:len(heard)] {
			heard[i] += s / 3 // 10 dB below
		}
		heard = overALaw(t, heard)
		for _, p := range []Prompt{WrongPIN, Muted, RecordingRuns, Unmuted, TranscriptionRuns, Goodbye} {
			at, said := begins[p]
			m := score.Find(v.Say(l, p), heard, rate)
			if m.Found() != said {
				t.Errorf("%s %s found: %v, want %v; %v", l, p, m.Found(), said, m)
			}
			want := time.Duration(at) * time.Second / rate
			if said && (m.Delay-want).Abs() > 5*time.Millisecond {
				t.Errorf("%s %s found at %v, was at %v", l, p, m.Delay, want)
			}
		}
	}
}

// TestPromptsAreDistinct: no prompt is taken for another. Those are compared that share most of their
// words; with PASSERELLE_JUDGE=1 all are, which takes minutes.
func TestPromptsAreDistinct(t *testing.T) {
	const rate = 8000
	v := load(t, rate)
	all := os.Getenv("PASSERELLE_JUDGE") != ""
	for _, l := range v.Languages() {
		said := words(t, l)
		for _, p := range Prompts() {
			if p.isKey() { // other sentences may well have the word
				continue
			}
			others := Prompts()
			slices.SortFunc(others, func(a, b Prompt) int { return cmp.Compare(shared(said[p], said[b]), shared(said[p], said[a])) })
			for _, other := range others {
				if other == p || !all && shared(said[p], said[other]) < 0.6 {
					continue
				}
				if m := score.Find(v.Say(l, p), overALaw(t, v.Say(l, other)), rate); m.Median > 0.55 {
					t.Errorf("%s %s is heard in %s: %v", l, p, other, m)
				}
			}
		}
	}
}

// shared is how much of a's words, 0 to 1, b has too.
func shared(a, b string) float64 {
	theirs := strings.Fields(strings.ToLower(b))
	ours := strings.Fields(strings.ToLower(a))
	var n float64
	for _, w := range ours {
		if slices.Contains(theirs, w) {
			n++
		}
	}
	return n / float64(len(ours))
}
