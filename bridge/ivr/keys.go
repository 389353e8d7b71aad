package ivr

import (
	"slices"
	"strings"
	"time"
)

// StarTimeout is how long the beginning of a command waits for the key that makes it one.
const StarTimeout = 2 * time.Second

// Command is what a caller asks of the gateway by keys during a call.
type Command uint8

// The commands.
const (
	None       Command = iota
	ToggleMute         // mute or unmute the microphone
	Hand               // raise or lower it
	Softer             // turn down what the phone hears
	Louder             // turn it up
	SayHelp            // say Help
	commands           // how many there are, None included
)

// Keymap is which keys are which command: one to three of 0-9, * and # each, "" for a command that callers do not
// have. None of them begins with another.
type Keymap [commands]string

// DefaultKeys are the keys of callers where nobody says others.
func DefaultKeys() Keymap {
	return Keymap{ToggleMute: "*6", Hand: "*9", Softer: "*4", Louder: "*7", SayHelp: "*0"}
}

// Keys tells the commands of a caller from the digits that are for the room. It begins with nothing but Map; it belongs
// to one goroutine, and knows no clock: its owner calls Late when StarTimeout has passed since a Press after which
// Pending holds.
type Keys struct {
	Map  Keymap
	held string // the beginning of a command
}

// Press takes a key, one of 0-9, *, #, A-D. It returns the command that it completes, if any, and the
// keys to pass on to the room, if any.
func (k *Keys) Press(key rune) (c Command, pass string) {
	held := k.held + string(key)
	for held != "" && !k.begins(held) { // what comes first is the room's, what comes after may not be
		pass, held = pass+held[:1], held[1:]
	}
	k.held = held
	if c := Command(max(slices.Index(k.Map[:], held), 0)); held != "" && c != None {
		k.held = ""
		return c, pass
	}
	return None, pass
}

// begins tells whether a command begins with keys.
func (k *Keys) begins(keys string) bool {
	return slices.ContainsFunc(k.Map[:], func(command string) bool { return strings.HasPrefix(command, keys) })
}

// Pending tells whether the beginning of a command waits for the next key.
func (k *Keys) Pending() bool { return k.held != "" }

// Late returns the keys that waited in vain, to be passed on to the room.
func (k *Keys) Late() (pass string) {
	pass, k.held = k.held, ""
	return pass
}

// Help is what says which keys there are: for each command what it does, and its keys by their names.
func Help(keys Keymap) []Prompt {
	var said []Prompt
	for _, does := range []struct {
		command Command
		words   Prompt
	}{{ToggleMute, HelpMute}, {Hand, HelpHand}, {Softer, HelpSofter}, {Louder, HelpLouder}, {SayHelp, HelpHelp}} {
		if pressed := keys[does.command]; pressed != "" {
			said = append(append(said, does.words), named(pressed)...)
		}
	}
	return said
}

// MutedBy is what tells a caller that a moderator has muted it, and how to speak again where keys has a way.
func MutedBy(keys Keymap) []Prompt {
	if keys[ToggleMute] == "" {
		return []Prompt{MutedByModerator}
	}
	return append([]Prompt{MutedByModerator, SpeakAgain}, named(keys[ToggleMute])...)
}

// HeldBy is what tells a caller that a moderator has muted it and alone may unmute it, and how to ask for that where keys
// has a way.
func HeldBy(keys Keymap) []Prompt {
	if keys[Hand] == "" {
		return []Prompt{MutedByModerator}
	}
	return append([]Prompt{MutedByModerator, HelpHand}, named(keys[Hand])...)
}

// Consent is what asks whoever was called to press keys in order to join.
func Consent(keys string) []Prompt { return append([]Prompt{PressToJoin}, named(keys)...) }

// named are the names of keys.
func named(keys string) []Prompt {
	var names []Prompt
	for _, key := range keys {
		names = append(names, keyName(key))
	}
	return names
}

// keyName is the name of a key, one of 0-9, * and #.
func keyName(key rune) Prompt {
	switch key {
	case '*':
		return keyPrefix + "star"
	case '#':
		return keyPrefix + "pound"
	}
	return keyPrefix + Prompt(key)
}

// keyPrefix is how the names of all keys begin.
const keyPrefix = "key-"
