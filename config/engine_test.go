package config

import (
	"fmt"
	"testing"
	"time"
)

func TestOnlyEmbeddedRoomsAreOpenedFromThePage(t *testing.T) {
	const engines = "version: 1\nengines: [{name: house, embedded: {}}, {name: lab, livekit: {url: \"wss://lab.example.org\", api_key: k, api_secret: s}}]\n"
	for routes, want := range map[string]bool{
		`[{to_match: "(.+)", room: "$1", engine: lab}]`:                                                  false,
		`[{to_match: "(.+)", room: "x", engine: house}]`:                                                 false,
		`[{to_match: "(.+)", room: "x$$1", engine: house}]`:                                              false,
		`[{to_match: "l(.+)", room: "$1", engine: lab}, {to_match: "h(.+)", room: "$1", engine: house}]`: true,
	} {
		c, err := loadText(engines + "routes: " + routes)
		if err != nil {
			t.Fatal(err)
		}
		if c.Live.AnyRoom != want {
			t.Errorf("%s: any room %v", routes, c.Live.AnyRoom)
		}
	}
}

func TestMeetAndLiveKitAreTyped(t *testing.T) {
	c, err := loadText(`version: 1
engines:
- name: visio
  livekit: {url: "https://livekit.example.org/prefix/", api_key: key, api_secret: sesame, udp: "127.0.0.1:7900-7999"}
  meet: {url: "https://visio.example.org/", roomkit_token: token, lobby: never, lobby_timeout: 1m}
- {name: lab, livekit: {url: "ws://127.0.0.1:7880", api_key: key, api_secret: sesame}, alone_timeout: off, max_call: 1h}
- {name: house, embedded: {}, alone_timeout: 1h, max_call: 0s}
limits: {guesses_a_minute: 5}
menus: [{name: front, engine: visio, languages: [en], pin: {digits: any, tries: 1}, before_host: enter}]
`)
	if err != nil {
		t.Fatal(err)
	}
	visio, lab, house := c.Static.Engines[0], c.Static.Engines[1], c.Static.Engines[2]
	if l := visio.LiveKit; l.URL.String() != "https://livekit.example.org/prefix" || l.Key.Reveal() != "key" ||
		l.Secret.Reveal() != "sesame" || fmt.Sprint(l.UDP) != "{127.0.0.1 7900 7999}" {
		t.Errorf("livekit %+v", l)
	}
	if m := visio.Meet; m.URL.String() != "https://visio.example.org" || m.RoomkitToken.Reveal() != "token" || m.Lobby ||
		m.LobbyTimeout != time.Minute {
		t.Errorf("meet %+v", m)
	}
	if n := c.Live.Limits.GuessesPerMinute; n != 5 {
		t.Errorf("%d guesses a minute", n)
	}
	if lab.Meet != nil || lab.LiveKit.UDP.First != 0 || lab.LiveKit.UDP.Last != 0 || !lab.LiveKit.UDP.Addr.IsUnspecified() {
		t.Errorf("lab %+v, %+v", lab, lab.LiveKit)
	}
	for name, test := range map[string]struct {
		engine    Engine
		alone, up time.Duration
	}{
		"default of livekit":  {visio, 10 * time.Minute, 12 * time.Hour},
		"off and a time":      {lab, 0, time.Hour},
		"a time and no time":  {house, time.Hour, 0},
		"default of embedded": {Default().Static.Engines[0], 0, 12 * time.Hour},
	} {
		if e := test.engine; e.AloneTimeout != test.alone || e.MaxCall != test.up {
			t.Errorf("%s: alone %s, call %s", name, e.AloneTimeout, e.MaxCall)
		}
	}
	if got := fmt.Sprintf("%+v", c.Live.Menus); got != "[{Name:front Engine:visio Languages:[en] Digits:0 Tries:1 WaitForHost:false Keys:<nil>}]" {
		t.Error(got)
	}
}
