package score

import (
	"slices"
	"testing"
	"time"
)

// TestPhrase hears a phrase that is said with pauses and losses, and none that is not said, or half.
func TestPhrase(t *testing.T) {
	other, voice := voice(t, "rms"), voice(t, "slt")
	const begin, length = 4000 * ms, 2000 * ms // each half has as much speech
	said := voice[samples(begin):samples(begin+length)]
	phrase := NewPhrase(said, Rate)
	silence := make([]int16, 2*Rate)
	within := func(pcm []int16) []int16 { return slices.Concat(silence, pcm, silence) }
	stalled, lost := said, said
	for at := 1600 * ms; at > 0; at -= 500 * ms {
		stalled, lost = inserted(stalled, at, 180*ms), skipped(lost, at, 60*ms)
	}
	for _, c := range []struct {
		rule      string
		recording []int16
		heard     bool
	}{
		{"by itself", within(said), true},
		{"amid other words", voice, true},
		{"through A-law, softer", within(throughALaw(t, louder(said, -20))), true},
		{"under another sound", noisy(within(said), 400), true},
		{"with pauses", within(stalled), true},
		{"with spans that are missing", within(lost), true},
		{"the first half", within(said[:len(said)/2]), false},
		{"the second half", within(said[len(said)/2:]), false},
		{"the halves the other way round", within(slices.Concat(said[len(said)/2:], said[:len(said)/2])), false},
		{"the halves with long silence between", within(slices.Concat(said[:len(said)/2], silence, said[len(said)/2:])), false},
		{"other words", voice[samples(begin+length):], false},
		{"another voice", other, false},
		{"silence", within(silence), false},
	} {
		l := phrase.Listen()
		heard := false
		for part := range slices.Chunk(c.recording, 160) {
			heard = l.Hear(part)
		}
		if heard != c.heard {
			t.Errorf("%s: heard is %v, %.2f of it", c.rule, heard, l.Best())
		}
	}
}

// TestPhraseIsHeardAtItsEnd and not before, although most of it is enough.
func TestPhraseIsHeardAtItsEnd(t *testing.T) {
	said := voice(t, "slt")[:2*Rate]
	l, at := NewPhrase(said, Rate).Listen(), 0
	for part := range slices.Chunk(append(slices.Clone(said), make([]int16, Rate)...), 160) {
		at += len(part)
		if l.Hear(part) {
			break
		}
	}
	if late := at - len(said); late < 0 || late > samples(300*time.Millisecond) {
		t.Errorf("heard %v after its end", time.Duration(late)*time.Second/Rate)
	}
}

func BenchmarkPhrase(b *testing.B) {
	pcm := voice(b, "slt")
	phrase := NewPhrase(pcm[:3*Rate], Rate)
	for b.Loop() {
		phrase.Listen().Hear(pcm)
	}
	b.ReportMetric(float64(len(pcm))/Rate, "s-heard/op")
}
