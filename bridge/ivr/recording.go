package ivr

import (
	"slices"
	"sync"
	"time"
)

const (
	// longest is what a recording may last.
	longest = time.Minute
	// breath is the silence after a recording, so that sentences in a row are sentences.
	breath = 250 * time.Millisecond
	// hyphen is what is left of it before a piece that goes on with the sentence.
	hyphen = 60 * time.Millisecond
)

// recording is one prompt in one language: as it is kept, and as sound once somebody has asked for it.
type recording struct {
	take  take
	words string // what is said, if the file tells

	once sync.Once
	pcm  []int16
}

// take is sound as it is kept: compressed, or at a rate of its own. decode returns it at rate, in Hz; what it returns is
// the caller's.
type take interface {
	decode(rate int) []int16
}

// sound returns the recording at rate, in Hz, and a breath after it; always at the same rate, always the
// same slice.
func (r *recording) sound(rate int) []int16 {
	r.once.Do(func() { r.pcm = append(r.take.decode(rate), make([]int16, samples(breath, rate))...) })
	return r.pcm
}

// mastered is recordings as whoever made them left them, one after the other: freed of silence at the ends and brought to
// the level of all that is said.
type mastered []take

func (m mastered) decode(rate int) []int16 {
	var pcm []int16
	for _, t := range m {
		if len(pcm) > 0 {
			pcm = append(pcm, make([]int16, samples(breath, rate))...)
		}
		pcm = append(pcm, trimmed(t.decode(rate), rate)...)
	}
	return louder(pcm, speechLevel-spoken(pcm, rate))
}

// join returns prompts one after the other; where the next is the name of a key, it belongs to the same sentence.
func (v voice) join(prompts []Prompt, rate int) []int16 {
	if len(prompts) == 1 {
		return v[prompts[0]].sound(rate)
	}
	var sounds [][]int16
	for i, p := range prompts {
		pcm := v[p].sound(rate)
		if i+1 < len(prompts) && prompts[i+1].isKey() {
			pcm = pcm[:len(pcm)-samples(breath-hyphen, rate)]
		}
		sounds = append(sounds, pcm)
	}
	return slices.Concat(sounds...)
}

// samples in d at rate, in Hz.
func samples(d time.Duration, rate int) int { return int(d * time.Duration(rate) / time.Second) }
