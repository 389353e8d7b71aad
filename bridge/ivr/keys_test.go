package ivr

import (
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
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			commands, passed := pressAll(tt.keys)
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

func pressAll(keys string) (commands []Command, passed string) {
	var k Keys
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
		var k Keys
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
			switch c {
			case ToggleMute:
				out.WriteString("*6")
			case Hand:
				out.WriteString("*9")
			case SayHelp:
				out.WriteString("*0")
			}
		}
		out.WriteString(k.Late())
		if want := strings.ReplaceAll(keys.String(), ".", ""); out.String() != want {
			t.Errorf("%q became %q", keys.String(), out.String())
		}
	})
}
