package ivr

import (
	"embed"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"
)

//go:embed voices/*.txt voices/*/*.opus
var embedded embed.FS

// Config is where voices are looked for. Only Rate is needed: it leaves the voices that come with the program.
type Config struct {
	Rate int // Hz, of all sound: 8000, 16000 or 48000
	// Folder has a folder for every language, "fr", and in it a file for every prompt, "welcome.wav" or "welcome.opus". They go
	// before all others, and may be in languages of their own.
	Folder string
	// Debian is where the packages asterisk-core-sounds-LANGUAGE-wav put their recordings, DebianFolder as a rule.
	Debian string
}

// Voices is everything that can be said, in every language, at one rate. Its methods may be called from
// any goroutine; what they return is shared and must not be changed.
type Voices struct {
	rate      int
	languages map[string][]voice // the best first; together they have all Prompts
	music     func() []int16
	told      []string
}

// voice is somebody's recordings in one language: of all Prompts, or of some.
type voice map[Prompt]*recording

// Load returns the voices that come with the program, at rate: 8000, 16000 or 48000 Hz. It is cheap:
// each prompt is decoded when it is first asked for, which takes some milliseconds.
func Load(rate int) (*Voices, error) { return Open(Config{Rate: rate}) }

// Open returns all voices that there are. What is wrong with the recordings of c.Folder is told all at once, in an error of
// several lines; recordings of Debian that are not there, or no recordings, are none.
func Open(c Config) (*Voices, error) {
	if err := check(c.Rate); err != nil {
		return nil, err
	}
	v := &Voices{rate: c.Rate, languages: make(map[string][]voice)}
	v.music = sync.OnceValue(func() []int16 { return compose(c.Rate) })
	if c.Folder != "" {
		if err := v.addFolder(c.Folder); err != nil {
			return nil, err
		}
	}
	if c.Debian != "" {
		v.addDebian(c.Debian)
	}
	return v, v.addEmbedded()
}

// add adds a voice of a language behind those that there are, and notes it under a name.
func (v *Voices) add(language, name string, l voice) {
	if len(l) == 0 {
		return
	}
	v.languages[language] = append(v.languages[language], l)
	v.told = append(v.told, fmt.Sprintf("%s: %s, %d sentences", language, name, len(l)))
}

// addEmbedded adds the voices that come with the program.
func (v *Voices) addEmbedded() error {
	for _, language := range Embedded() {
		l := make(voice)
		for _, p := range Prompts() {
			name := "voices/" + language + "/" + string(p) + ".opus"
			file, err := fs.ReadFile(embedded, name)
			if err != nil {
				return fmt.Errorf("read what comes with the program: %w", err)
			}
			take, err := parseOpus(file)
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			l[p] = &recording{take: take, words: take.words}
		}
		v.add(language, "the program's own", l)
	}
	return nil
}

// Embedded returns the languages that the program comes with: "en", "fr".
func Embedded() []string { return []string{"en", "fr"} }

// inMenu is what one voice says of a menu, to its end: the sentences follow each other there.
func inMenu() []Prompt {
	return []Prompt{Welcome, EnterPIN, WrongPIN, Incomplete, NoInput, TooManyTries, OneMoment, Failed, Goodbye}
}

// has tells whether a voice has all of some prompts.
func (l voice) has(prompts []Prompt) bool {
	return !slices.ContainsFunc(prompts, func(p Prompt) bool { return l[p] == nil })
}

// Rate returns the rate of all sound of v, in Hz.
func (v *Voices) Rate() int { return v.rate }

// Languages returns the languages that can be spoken, sorted: "en", "fr".
func (v *Voices) Languages() []string { return slices.Sorted(maps.Keys(v.languages)) }

// Told says which voices there are, a line each, those that speak first before the others of their language.
func (v *Voices) Told() []string { return v.told }

// Say returns the sound of prompts one after the other, each with a pause after it, all of them by the first voice that
// has them all; nothing for a language or a prompt that is not there. The sound of one prompt is decoded once and shared.
func (v *Voices) Say(language string, prompts ...Prompt) []int16 {
	return v.say(language, prompts, nil)
}

// say is Say by a voice that has others as well.
func (v *Voices) say(language string, prompts, others []Prompt) []int16 {
	for _, l := range v.languages[language] {
		if len(prompts) > 0 && l.has(prompts) && l.has(others) {
			return l.join(prompts, v.rate)
		}
	}
	return nil
}

// Music returns music on hold, to be played in a loop that has no seam.
func (v *Voices) Music() []int16 { return v.music() }

// Script returns what the voices that come with the program say for every prompt, in the order of Prompts, for whoever
// records them: of a language that there is, else in English.
func Script(language string) (map[Prompt]string, error) {
	if !slices.Contains(Embedded(), language) {
		language = "en"
	}
	text, err := fs.ReadFile(embedded, "voices/"+language+".txt")
	if err != nil {
		return nil, fmt.Errorf("read the words: %w", err)
	}
	said := make(map[Prompt]string)
	for line := range strings.Lines(string(text)) {
		if name, words, ok := strings.Cut(strings.TrimSpace(line), ": "); ok {
			said[Prompt(name)] = words
		}
	}
	return said, nil
}
