package peers

import (
	"math"
	"testing"
	"time"

	"passerelle/bridge/ivr"
	"passerelle/codec/halfband"
	"passerelle/codec/score"
)

// Words are what the gateway says in one language, to be recognised in what narrow phones heard: it says it at
// the rate of its mixes, and its half-band filter makes it narrow.
type Words struct {
	Language string
	voices   *ivr.Voices
}

// Speaks returns the gateway's words in "fr" or "en".
func Speaks(t testing.TB, language string) Words {
	t.Helper()
	voices, err := ivr.Load(2 * score.Rate)
	if err != nil {
		t.Fatalf("the gateway's words: %v", err)
	}
	return Words{Language: language, voices: voices}
}

// PCM returns how the gateway says it, at [score.Rate].
func (w Words) PCM(prompts ...ivr.Prompt) []int16 {
	return narrowed(w.voices.Say(w.Language, prompts...))
}

// Music returns what callers hear while they wait, once around.
func (w Words) Music() []int16 { return narrowed(w.voices.Music()) }

// narrowed returns what a phone of G.711 hears of a sound at twice [score.Rate].
func narrowed(pcm []int16) []int16 {
	wide := make([]int32, len(pcm)&^1)
	for i := range wide {
		wide[i] = int32(pcm[i])
	}
	low := make([]int32, len(wide)/2)
	new(halfband.Down).Process(low, wide)
	out := make([]int16, len(low))
	for i, s := range low {
		out[i] = int16(min(max(s, math.MinInt16), math.MaxInt16))
	}
	return out
}

// AwaitWords waits until the caller has heard a prompt to its end, and returns where in the recording that is.
func (c *Caller) AwaitWords(t testing.TB, w Words, prompt ivr.Prompt, from, within time.Duration) (end time.Duration) {
	t.Helper()
	return c.AwaitHears(t, string(prompt)+" ("+w.Language+")", w.PCM(prompt), from, within)
}

// HearsWords fails the test unless each of the prompts is in the recording, one after the other. It returns
// where the last ends. How well they sound is for [Recording.Holds]: here it is told what was said.
func (r Recording) HearsWords(t testing.TB, w Words, prompts ...ivr.Prompt) (end time.Duration) {
	t.Helper()
	at := 0
	for _, prompt := range prompts {
		pcm := w.PCM(prompt)
		var begin int
		var there bool
		quietly(func() { begin, there = spot(pcm, r.PCM[at:]) })
		if !there {
			t.Errorf("%s does not hear %s (%s) after %v of the recording (%s)", r.Who, prompt, w.Language, duration(at), r.Path)
			continue
		}
		t.Logf("%s hears %s (%s) at %v", r.Who, prompt, w.Language, duration(at+begin))
		at = min(at+begin+len(pcm), len(r.PCM))
	}
	return duration(at)
}

// HearsNotWords fails the test if one of the prompts is in the recording.
func (r Recording) HearsNotWords(t testing.TB, w Words, prompts ...ivr.Prompt) {
	t.Helper()
	for _, prompt := range prompts {
		r.HoldsNot(t, string(prompt)+" ("+w.Language+")", w.PCM(prompt))
	}
}
