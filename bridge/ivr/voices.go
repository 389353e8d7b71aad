package ivr

import (
	"embed"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"sync"
)

//go:embed voices/*/*.opus
var embedded embed.FS

// Voices is everything that can be said, in every language, at one rate. Its methods may be called from
// any goroutine; what they return is shared and must not be changed.
type Voices struct {
	rate      int
	languages map[string]language
	music     func() []int16
}

// language has a recording for each of Prompts.
type language map[Prompt]*recording

// Load returns the voices that come with the program, at rate: 8000, 16000 or 48000 Hz. It is cheap:
// each prompt is decoded when it is first asked for, which takes some milliseconds.
func Load(rate int) (*Voices, error) {
	if err := check(rate); err != nil {
		return nil, err
	}
	v := &Voices{rate: rate, languages: make(map[string]language)}
	v.music = sync.OnceValue(func() []int16 { return compose(rate) })
	folders, err := embedded.ReadDir("voices")
	if err != nil {
		return nil, fmt.Errorf("list the voices: %w", err)
	}
	for _, folder := range folders {
		files, err := fs.Sub(embedded, "voices/"+folder.Name())
		if err != nil {
			return nil, fmt.Errorf("open the voice %s: %w", folder.Name(), err)
		}
		l, err := readLanguage(files)
		if err != nil {
			return nil, fmt.Errorf("load the voice %s: %w", folder.Name(), err)
		}
		v.languages[folder.Name()] = l
	}
	return v, nil
}

// readLanguage reads a folder of recordings, named as the prompts are: one for each of them.
func readLanguage(files fs.FS) (language, error) {
	l := make(language)
	for _, p := range Prompts() {
		name := string(p) + ".opus"
		file, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, err
		}
		if l[p], err = parseRecording(file); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return l, nil
}

// Rate returns the rate of all sound of v, in Hz.
func (v *Voices) Rate() int { return v.rate }

// Languages returns the languages that can be spoken, sorted: "en", "fr".
func (v *Voices) Languages() []string { return slices.Sorted(maps.Keys(v.languages)) }

// Say returns the sound of prompts one after the other, each with a pause after it; nothing for a
// language or a prompt that is not there. The sound of one prompt is decoded once and shared.
func (v *Voices) Say(language string, prompts ...Prompt) []int16 {
	var sounds [][]int16
	for _, p := range prompts {
		if r, ok := v.languages[language][p]; ok {
			sounds = append(sounds, r.sound(v.rate))
		}
	}
	if len(sounds) == 1 {
		return sounds[0]
	}
	return slices.Concat(sounds...)
}

// Music returns music on hold, to be played in a loop that has no seam.
func (v *Voices) Music() []int16 { return v.music() }
