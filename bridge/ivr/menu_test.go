package ivr

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rogpeppe/go-internal/txtar"
)

// story is a call as a file of testdata/menu tells it: how the menu is set and what the caller does.
type story struct {
	menu   Menu
	first  string
	pins   []string
	slow   time.Duration
	broken bool
	hangUp time.Duration
	keys   []press
}

type press struct {
	at  time.Duration
	key rune
}

// TestMenu plays every story of testdata/menu and compares what was heard with what it says.
func TestMenu(t *testing.T) {
	files, err := filepath.Glob("testdata/menu/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no stories: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil || len(archive.Files) != 2 {
				t.Fatalf("a story has two parts, what is done and what is heard: %v", err)
			}
			story := readStory(t, string(archive.Files[0].Data))
			synctest.Test(t, func(t *testing.T) {
				got := story.play(t)
				if *update {
					archive.Files[1].Data = []byte(got)
					if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
						t.Fatal(err)
					}
				}
				if want := string(archive.Files[1].Data); got != want {
					t.Errorf("heard:\n%swant:\n%s", got, want)
				}
			})
		})
	}
}

func readStory(t *testing.T, text string) (s story) {
	t.Helper()
	for line := range strings.Lines(text) {
		word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		rest = strings.TrimSpace(rest)
		var err error
		switch word {
		case "languages":
			s.menu.Languages = strings.Fields(rest)
		case "digits":
			s.menu.Digits, err = strconv.Atoi(rest)
		case "tries":
			s.menu.Tries, err = strconv.Atoi(rest)
		case "pins":
			s.pins = strings.Fields(rest)
		case "slow":
			s.slow, err = time.ParseDuration(rest)
		case "broken":
			s.broken = true
		case "first":
			s.first, err = strconv.Unquote(rest)
		case "hang-up":
			s.hangUp, err = time.ParseDuration(rest)
		default: // a time, and the keys pressed from then on, five a second
			var at time.Duration
			at, err = time.ParseDuration(word)
			for _, key := range rest {
				s.keys = append(s.keys, press{at, key})
				at += 200 * time.Millisecond
			}
		}
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
	}
	return s
}

// play plays the story and returns what was heard, and how it ended.
func (s *story) play(t *testing.T) string {
	voices, names := fakeVoices("de", "en", "fr")
	ear := &ear{names: names, began: time.Now()}
	registry := &registry{ear: ear, pins: s.pins, slow: s.slow, broken: s.broken}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if s.hangUp > 0 {
		defer time.AfterFunc(s.hangUp, cancel).Stop()
	}
	keys := make(chan rune)
	over := make(chan struct{})
	pressed := make(chan struct{})
	go func() {
		defer close(pressed)
		for _, p := range s.keys {
			select {
			case <-time.After(time.Until(ear.began.Add(p.at))):
			case <-over:
				return
			}
			select {
			case keys <- p.key:
			case <-over:
			}
		}
	}()
	outcome, err := s.menu.Run(ctx, ear, voices, keys, s.first, registry.find)
	if at := registry.at; at != 0 {
		t.Errorf("%d lookups go on", at)
	}
	close(over)
	ear.write("end: %s, %v", outcome.Language, err)
	ear.sounds.Wait()
	<-pressed
	if registry.most > 1 {
		t.Errorf("%d lookups at once", registry.most)
	}
	return ear.heard.String()
}

func TestMenuRefusesUnknownLanguages(t *testing.T) {
	voices, _ := fakeVoices("fr")
	_, err := (&Menu{Languages: []string{"fr", "br"}}).Run(t.Context(), nil, voices, nil, "", nil)
	if !errors.Is(err, ErrLanguage) {
		t.Errorf("got %v, want %v", err, ErrLanguage)
	}
}

// TestMenuSurvivesPanic: a lookup that panics ends one menu, politely.
func TestMenuSurvivesPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		voices, names := fakeVoices("fr")
		ear := &ear{names: names, began: time.Now()}
		_, err := (&Menu{}).Run(t.Context(), ear, voices, nil, "1234", func(context.Context, string) error { panic("oops") })
		if err == nil || errors.Is(err, ErrGaveUp) || !strings.Contains(ear.heard.String(), string(Failed)) {
			t.Errorf("got %v after\n%s", err, ear.heard.String())
		}
		ear.sounds.Wait()
	})
}

// deaf is a Console of which the phone has gone: whatever is played is over at once.
type deaf struct{}

func (deaf) Play([]int16, bool) Playing { return deaf{} }
func (deaf) Stop()                      {}
func (deaf) Done() <-chan struct{}      { done := make(chan struct{}); close(done); return done }

// TestMenuWithoutEar: where nothing can be heard any more, the menu waits for its context, and does not
// spin meanwhile (virtual time would stand still).
func TestMenuWithoutEar(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		voices, _ := fakeVoices("fr")
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		find := func(ctx context.Context, _ string) error { <-ctx.Done(); return ctx.Err() }
		if _, err := (&Menu{}).Run(ctx, deaf{}, voices, nil, "1234", find); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
}
