package bridge

import (
	"slices"
	"testing"

	"passerelle/bridge/ivr"
	"passerelle/codec"
	"passerelle/codec/g711"
	"passerelle/codec/score"
	"passerelle/config"
	"passerelle/rooms"
)

// TestKeymap: a menu's keys go before its trunk's, and these before those of all.
func TestKeymap(t *testing.T) {
	all := config.Keys{Mute: "*6", Hand: "*9", Help: "*0"}
	trunk, menu := config.Keys{Mute: "1", Softer: "*4"}, config.Keys{Mute: "2", Louder: "*7"}
	for _, tt := range []struct {
		rule  string
		trunk *config.Keys
		menu  *config.Keys
		want  ivr.Keymap
	}{
		{"nobody else says any", nil, nil, ivr.Keymap{ivr.ToggleMute: "*6", ivr.Hand: "*9", ivr.SayHelp: "*0"}},
		{"the trunk does", &trunk, nil, ivr.Keymap{ivr.ToggleMute: "1", ivr.Softer: "*4"}},
		{"the menu does", nil, &menu, ivr.Keymap{ivr.ToggleMute: "2", ivr.Louder: "*7"}},
		{"both do", &trunk, &menu, ivr.Keymap{ivr.ToggleMute: "2", ivr.Louder: "*7"}},
	} {
		to := destination{trunk: &config.Trunk{Keys: tt.trunk}, menu: &config.Menu{Keys: tt.menu}}
		if got := keymap(&config.Live{Keys: all}, to); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.rule, got, tt.want)
		}
	}
	if got, want := keymap(&config.Default().Live, destination{}), ivr.DefaultKeys(); got != want {
		t.Errorf("the default is %q, and %q where nobody has a configuration", got, want)
	}
}

// TestLanguage: who says what callers are spoken to in, before they choose.
func TestLanguage(t *testing.T) {
	menus := []config.Menu{{Name: "a", Engine: "visio", Languages: []string{"fr", "en"}}, {Name: "b", Engine: "lab", Languages: []string{"es"}}}
	for _, tt := range []struct {
		rule, route, trunk, engine string
		menu                       *config.Menu
		want                       string
		first                      []string // of the menu
	}{
		{"the route before the trunk", "fr", "en", "house", nil, "fr", nil},
		{"the trunk before the menus of the engine", "", "en", "visio", nil, "en", nil},
		{"the first menu of the engine", "", "", "lab", nil, "es", nil},
		{"nobody", "", "", "house", nil, "en", nil},
		{"a menu begins with its first", "", "", "visio", &menus[0], "fr", []string{"fr", "en"}},
		{"... or with the route's", "en", "fr", "visio", &menus[0], "en", []string{"en", "fr"}},
		{"... or with the trunk's", "", "en", "visio", &menus[0], "en", []string{"en", "fr"}},
		{"... where it speaks it", "", "es", "visio", &menus[0], "fr", []string{"fr", "en"}},
	} {
		to := destination{language: tt.route, engine: tt.engine, menu: tt.menu, trunk: &config.Trunk{Language: tt.trunk}}
		got := language(&config.Live{Menus: menus}, to)
		if got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.rule, got, tt.want)
		}
		if tt.menu == nil {
			continue
		}
		if first := beginning(tt.menu.Languages, got); !slices.Equal(first, tt.first) {
			t.Errorf("%s: the menu speaks %q, want %q", tt.rule, first, tt.first)
		}
	}
	if got := config.OwnLanguages(); !slices.Equal(got, ivr.Embedded()) {
		t.Errorf("the configuration knows %q, and the program speaks %q", got, ivr.Embedded())
	}
}

// TestVolumeKeys: each turns what the phone hears by a step, the gateway's own words included, to where it says that it is enough.
func TestVolumeKeys(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	r.backend.Join("lobby", "host")
	p, err := r.call("lobby", codec.PCMA)
	must(t, p, err)
	loudest := func(keys string, words ivr.Prompt) float64 {
		for _, key := range keys {
			p.dials("*" + string(key))
		}
		p.says("en", words)
		p.mu.Lock()
		defer p.mu.Unlock()
		level, _ := score.Loudest(p.heard[len(p.heard)-g711.Rate:], g711.Rate)
		return level
	}
	loud := loudest("77777", ivr.LoudestAlready)
	p.forget()
	soft := loudest("444444444", ivr.SoftestAlready)
	if turned := loud - soft; turned < 18 || turned > 26 {
		t.Errorf("it is turned down by %.1f dB, want 24 less what the words differ by", turned)
	}
}

// TestHelpSaysTheKeys that are configured, and they work.
func TestHelpSaysTheKeys(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(live *config.Live) {
		live.Trunks[0].Language, live.Trunks[0].Keys = "fr", &config.Keys{Mute: "1", Hand: "4", Help: "*0"}
	})
	host := r.backend.Join("lobby", "host")
	p, err := r.call("lobby", codec.PCMA)
	must(t, p, err)
	p.dials("*0")
	p.says("fr", ivr.HelpMute, "key-1", ivr.HelpHand, "key-4", ivr.HelpHelp, "key-star", "key-0")
	p.dials("4")
	p.says("fr", ivr.HandRaised)
	p.dials("2")
	id := phoneID(t, host.Roster())
	eventually(t, "the other key with the room", func() bool {
		return slices.ContainsFunc(host.Messages(id), func(m rooms.Message) bool { return m.Kind == rooms.Digits && m.Text == "2" })
	})
}
