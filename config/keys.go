package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Keys are what callers press during a call: one to three of 0-9, * and # each, "" for what they cannot do. None of them
// begins with another.
type Keys struct {
	Mute   string // *6 by default
	Hand   string // *9
	Softer string // *4
	Louder string // *7
	Help   string // *0
}

// keyPreset is keys by habit: those of keySettings that nobody says.
type keyPreset struct {
	name string
	why  string // for docs/configuration.md
	keys Keys
}

func keyPresets() []keyPreset {
	return []keyPreset{
		{"default", "As with most bridges, a star before each: digits alone are for the room.",
			Keys{Mute: "*6", Hand: "*9", Softer: "*4", Louder: "*7", Help: "*0"}},
		{"renater", "As on RENATER's room systems, one key for the microphone and one for the hand; theirs for camera (2), chat (3) and participants (5) go to the room.",
			Keys{Mute: "1", Hand: "4", Softer: "*4", Louder: "*7", Help: "*0"}},
	}
}

// keyPresetNames are their names.
func keyPresetNames() []string {
	var names []string
	for _, p := range keyPresets() {
		names = append(names, p.name)
	}
	return names
}

// byName returns the keys of k by the names of their settings, in the order of these.
func (k *Keys) byName() []namedKey {
	return []namedKey{{"mute", &k.Mute}, {"hand", &k.Hand}, {"softer", &k.Softer}, {"louder", &k.Louder}, {"help", &k.Help}}
}

// namedKey is one of Keys.
type namedKey struct {
	name string
	keys *string
}

// keysSetting is the keys of callers: of all of them, of a trunk's, or of a menu's.
func keysSetting(whose, without string) setting {
	const values = `one to three of 0-9, * and #, in quotes as "*6", or off`
	s := setting{key: "keys", is: mapping, doc: whose, keys: []setting{
		{key: "preset", values: listed(keyPresetNames()), unset: "default", doc: "Which keys those are that are not said here."},
		{key: "mute", values: values, means: "as in the preset", doc: "Mutes or unmutes the microphone, in step with the room."},
		{key: "hand", values: values, means: "as in the preset", doc: "Raises or lowers the hand."},
		{key: "softer", values: values, means: "as in the preset", doc: "Turns down what the phone hears, by 3 dB."},
		{key: "louder", values: values, means: "as in the preset", doc: "Turns it up."},
		{key: "help", values: values, means: "as in the preset", doc: "Says these keys."},
	}}
	if without == "" {
		s.unset = "{}"
	} else {
		s.means = without
	}
	return s
}

// keys reads them, and puts in what the preset says.
func (b *builder) keys(t *tree) *Keys {
	if !t.ok() {
		return nil
	}
	preset, err := parseKeyPreset(t.get("preset").text)
	if err != nil {
		b.add(t.get("preset").at, t.get("preset").path, "%s", err)
	}
	k := preset
	named := k.byName()
	for _, n := range named {
		if t.get(n.name) == nil {
			t.put(n.name, orOff(*n.keys))
			continue
		}
		*n.keys = value(b, t.get(n.name), parseKeys)
	}
	for i, n := range named {
		for _, other := range named[:i] {
			b.apart(t, n, other)
		}
	}
	return &k
}

// apart tells of two keys one of which begins with the other: nobody could press both.
func (b *builder) apart(t *tree, one, other namedKey) {
	if *one.keys == "" || *other.keys == "" {
		return
	}
	if strings.HasPrefix(*other.keys, *one.keys) {
		one, other = other, one
	}
	if !strings.HasPrefix(*one.keys, *other.keys) {
		return
	}
	at := t.get(one.name)
	if at.at.source == "" { // the preset's: whoever said the other can change it
		at = t.get(other.name)
	}
	if at.at.source == "" {
		at = t
	}
	b.add(at.at, at.path, "%s (%s) begins with %s (%s): pressed, it is never more than that", quoted(*one.keys), one.name, quoted(*other.keys), other.name)
}

// orOff writes keys as they are said.
func orOff(keys string) string {
	if keys == "" {
		return "off"
	}
	return keys
}

// parseKeys reads the keys of one thing that callers do.
func parseKeys(text string) (string, error) {
	switch {
	case text == "off":
		return "", nil
	case text == "" || len(text) > 3 || strings.Trim(text, "0123456789*#") != "":
		return "", errors.New(`one to three of 0-9, * and # are wanted, such as "*6", or off`)
	}
	return text, nil
}

// parseKeyPreset reads the name of a preset of keys.
func parseKeyPreset(text string) (Keys, error) {
	i := slices.IndexFunc(keyPresets(), func(p keyPreset) bool { return p.name == text })
	if i >= 0 {
		return keyPresets()[i].keys, nil
	}
	if near := nearest(text, keyPresetNames()); near != "" {
		return Keys{}, fmt.Errorf("there is no preset %s; do you mean %s?", quoted(text), near)
	}
	return Keys{}, fmt.Errorf("there is no preset %s; there are %s", quoted(text), listed(keyPresetNames()))
}
