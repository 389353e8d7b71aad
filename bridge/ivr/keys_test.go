package ivr

import (
	"slices"
	"strings"
	"testing"
)

// TestKeys: '.' among the keys is StarTimeout without one.
func TestKeys(t *testing.T) {
	tests := []struct {
		name, keys string
		commands   []Command
		passed     string
	}{
		{"digits are the room's", "123#A", nil, "123#A"},
		{"star six mutes", "*6", []Command{ToggleMute}, ""},
		{"star nine is a hand", "*9", []Command{Hand}, ""},
		{"star zero asks for help", "*0", []Command{SayHelp}, ""},
		{"commands in a row", "*6*6*9", []Command{ToggleMute, ToggleMute, Hand}, ""},
		{"digits around a command", "1*62", []Command{ToggleMute}, "12"},
		{"a star before another key is the room's", "*1", nil, "*1"},
		{"a star alone is the room's, later", "*.6", nil, "*6"},
		{"the second star counts", "**6", []Command{ToggleMute}, "*"},
		{"stars", "***.", nil, "***"},
		{"star pound", "*#6", nil, "*#6"},
		{"late without a star", "1..2", nil, "12"},
		{"star seven is louder, star four is softer", "*7*4", []Command{Louder, Softer}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			commands, passed := pressAll(DefaultKeys(), tt.keys)
			if len(commands) != len(tt.commands) || passed != tt.passed {
				t.Fatalf("got %v and %q, want %v and %q", commands, passed, tt.commands, tt.passed)
			}
			for i, c := range commands {
				if c != tt.commands[i] {
					t.Errorf("command %d is %v, want %v", i, c, tt.commands[i])
				}
			}
		})
	}
}

func pressAll(keymap Keymap, keys string) (commands []Command, passed string) {
	k := Keys{Map: keymap}
	for _, key := range keys {
		if key == '.' {
			passed += k.Late()
			continue
		}
		c, pass := k.Press(key)
		passed += pass
		if c != None {
			commands = append(commands, c)
		}
	}
	return commands, passed
}

// TestOtherKeys: keys of one to three digits, with and without stars.
func TestOtherKeys(t *testing.T) {
	keymap := Keymap{ToggleMute: "1", Hand: "44", Softer: "*4*", SayHelp: "*#"}
	tests := []struct {
		name, keys string
		commands   []Command
		passed     string
	}{
		{"one key", "1", []Command{ToggleMute}, ""},
		{"two of the same", "44", []Command{Hand}, ""},
		{"three of them", "444", []Command{Hand}, "4"},
		{"three keys", "*4*", []Command{Softer}, ""},
		{"what is no beginning any more", "*45", nil, "*45"},
		{"a command within", "*41", []Command{ToggleMute}, "*4"},
		{"the end of one that was none begins the next", "**#", []Command{SayHelp}, "*"},
		{"two thirds, and too late", "*4.*", nil, "*4*"},
		{"nothing is louder", "*7", nil, "*7"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			commands, passed := pressAll(keymap, tt.keys+".")
			if !slices.Equal(commands, tt.commands) || passed != tt.passed {
				t.Errorf("got %v and %q, want %v and %q", commands, passed, tt.commands, tt.passed)
			}
		})
	}
}

// TestHelp: it names the keys that there are, and none else.
func TestHelp(t *testing.T) {
	keymap := Keymap{ToggleMute: "1", Louder: "*#7"}
	if got, want := Help(keymap), []Prompt{HelpMute, "key-1", HelpLouder, "key-star", "key-pound", "key-7"}; !slices.Equal(got, want) {
		t.Errorf("help is %v, want %v", got, want)
	}
	if got, want := MutedBy(keymap), []Prompt{MutedByModerator, SpeakAgain, "key-1"}; !slices.Equal(got, want) {
		t.Errorf("muted is %v, want %v", got, want)
	}
	if got, want := MutedBy(Keymap{}), []Prompt{MutedByModerator}; !slices.Equal(got, want) {
		t.Errorf("muted is %v, want %v", got, want)
	}
	for _, p := range Help(DefaultKeys()) {
		if !slices.Contains(Prompts(), p) {
			t.Errorf("%s is in help, and is no prompt", p)
		}
	}
}

// FuzzKeys: every key is either in a command or passed on, in order, and no star waits after Late.
func FuzzKeys(f *testing.F) {
	for _, seed := range []string{"*6", "**6.1", "12*.3#*9", "***", "A*D"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var keys strings.Builder
		for _, key := range text {
			if strings.ContainsRune("0123456789*#ABCD.", key) {
				keys.WriteRune(key)
			}
		}
		k := Keys{Map: DefaultKeys()}
		var out strings.Builder
		for _, key := range keys.String() {
			if key == '.' {
				out.WriteString(k.Late())
				if k.Pending() {
					t.Fatal("a star waits for ever")
				}
				continue
			}
			c, pass := k.Press(key)
			out.WriteString(pass)
			out.WriteString(k.Map[c])
		}
		out.WriteString(k.Late())
		if want := strings.ReplaceAll(keys.String(), ".", ""); out.String() != want {
			t.Errorf("%q became %q", keys.String(), out.String())
		}
	})
}
