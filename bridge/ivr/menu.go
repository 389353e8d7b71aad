package ivr

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// Errors with which a menu ends.
var (
	// ErrUnknown is for the find of Menu.Run to return: the PIN opens nothing, whatever the reason.
	ErrUnknown = errors.New("the PIN is not known")
	// ErrGaveUp: too many PINs were wrong, or the caller was silent too often or took too long.
	ErrGaveUp = errors.New("the caller gave no right PIN")
	// ErrLanguage: no voice speaks it.
	ErrLanguage = errors.New("no voice speaks this language")
)

// Menu asks a caller for a PIN. Its zero value asks in every language of the voices, takes PINs of any
// length, and allows three tries.
type Menu struct {
	Languages []string // the first is the one that begins; none means all of the voices
	Digits    int      // of a PIN; 0 for any number, ended by # or by a pause
	Tries     int      // wrong PINs, and as many silences, before the caller is sent away; 0 means 3
}

// Console is a caller's ear. Play begins to play sound at the rate of the voices, once or in a loop,
// to the caller alone. It must not block, and must not change pcm.
type Console interface {
	Play(pcm []int16, loop bool) Playing
}

// Playing is a sound that is being played. Done is closed when the sound has been heard or stopped, or
// when nobody is there any more to hear it.
type Playing interface {
	Done() <-chan struct{}
	Stop()
}

// Outcome is what is known of a caller when a menu ends, however it ends.
type Outcome struct {
	Language string // the caller's, as chosen by pound
}

// Run asks for a PIN until find knows one: it returns nil, ErrGaveUp (the caller has been told, and
// bidden goodbye), ctx's error, or find's (the caller has been told of a technical problem, and bidden
// goodbye). keys are the caller's, each as it is pressed: 0-9, *, #; others are ignored.
//
// first is a PIN that came with the call, tried before anything is said; empty where there is none.
// find is called one call at a time, at most Tries times, and must return when its context is done; it
// returns nil for a PIN that is right, ErrUnknown for one that is not, and any other error for trouble.
// Its errors must not hold the PIN. When Run returns, find has returned and nothing plays.
func (m *Menu) Run(ctx context.Context, c Console, v *Voices, keys <-chan rune, first string, find func(ctx context.Context, pin string) error) (Outcome, error) {
	menu, err := m.complete(v)
	if err != nil {
		return Outcome{}, err
	}
	r := run{
		dialogue: dialogue{menu: menu}, player: player{console: c, voices: v},
		keys: keys, find: find, answers: make(chan error, 1),
	}
	err = r.all(ctx, first)
	return Outcome{Language: menu.Languages[r.dialogue.language]}, err
}

// complete fills in the defaults.
func (m *Menu) complete(v *Voices) (Menu, error) {
	menu := *m
	known := v.Languages()
	if len(menu.Languages) == 0 {
		menu.Languages = known
	}
	for _, l := range menu.Languages {
		if !slices.Contains(known, l) {
			return menu, fmt.Errorf("%w: %q", ErrLanguage, l)
		}
	}
	if menu.Tries <= 0 {
		menu.Tries = 3
	}
	return menu, nil
}
