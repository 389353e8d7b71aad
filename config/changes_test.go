package config

import (
	"strings"
	"testing"
)

func TestChanges(t *testing.T) {
	const before = `version: 1
networks: [{name: voice, listen: ["udp://127.0.0.1:5060"]}]
trunks:
  - {name: a, accept: {from: [192.0.2.1]}}
  - {name: b, accept: {from: [192.0.2.2]}, codecs: [PCMA]}
phones: [{user: 2001, name: Hall, password: finch}, {user: 2002, password: finch}]
rooms: [{name: board, password: canary}]
routes:
  - {from: [a], to: "1", room: board}
  - {from: [a], to: "2", room: board}
`
	load := func(text string) *Config {
		t.Helper()
		c, err := loadText(text)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	for _, test := range []struct{ rule, old, new, want string }{
		{"nothing", "", "", ""},
		{"only how it is written", `codecs: [PCMA]`, `codecs: ["PCMA"]`, ""},
		{"a value", `codecs: [PCMA]`, `codecs: [PCMA, PCMU]`, "trunks[b].codecs: [PCMA] -> [PCMA, PCMU]"},
		{"trunks go by their names", "  - {name: a, accept: {from: [192.0.2.1]}}\n  - {name: b, accept: {from: [192.0.2.2]}, codecs: [PCMA]}\n", "  - {name: b, accept: {from: [192.0.2.2]}, codecs: [PCMA]}\n  - {name: a, accept: {from: [192.0.2.1]}}\n", ""},
		{"a route", `to: "2"`, `to: "3"`, `routes[1]: {from: [a], to: "2", room: board, engine: house} -> {from: [a], to: "3", room: board, engine: house}`},
		{"a default that is said", `version: 1`, "version: 1\ndrain: 1m", "drain: 10m -> 1m"},
		{"a listener", `127.0.0.1:5060`, `127.0.0.1:5070`, `networks[voice].listen: ['udp://127.0.0.1:5060'] -> ['udp://127.0.0.1:5070'] (takes a restart)`},
		{"a phone by its user", "name: Hall", "name: Desk", "phones[2001].name: Hall -> Desk"},
		{"a phone that is new", "phones: [", "phones: [{user: 2003, name: Lobby, password: robin}, ",
			"phones[2003]: (nothing) -> {user: \"2003\", name: Lobby, password: '***'}\na password of phones or trunks: *** -> ***"},
		{"a trunk that is gone", "  - {name: b, accept: {from: [192.0.2.2]}, codecs: [PCMA]}\n", "  - {name: c, accept: {from: [192.0.2.2]}}\n",
			"trunks[b]: {name: b, accept: {from: [192.0.2.2]}, codecs: [PCMA]} -> (nothing)\ntrunks[c]: (nothing) -> {name: c, accept: {from: [192.0.2.2]}}"},
		{"settings that were not there", "codecs: [PCMA]", "codecs: [PCMA], servers: [192.0.2.2], register: {user: 4711, password: kite}, health: off",
			"trunks[b].health: (nothing) -> off\ntrunks[b].register: (nothing) -> {user: \"4711\", password: '***'}\ntrunks[b].servers: (nothing) -> [192.0.2.2]\na password of phones or trunks: *** -> ***"},
		{"a phone's password", "password: finch", "password: wren", "a password of phones or trunks: *** -> ***"},
		{"the realm", "version: 1", "version: 1\nregistrar: {realm: house}", "registrar.realm: passerelle -> house"},
		{"a trunk that we reach out to", "codecs: [PCMA]", "codecs: [PCMA], servers: [192.0.2.2], health: off",
			"trunks[b].health: (nothing) -> off\ntrunks[b].servers: (nothing) -> [192.0.2.2]"},
		{"a secret is not shown", `canary`, `bird`, "a secret of rooms or routes: *** -> ***"},
		{"the page", `version: 1`, "version: 1\nhttp: {listen: 127.0.0.1:9000}", "http.listen: 127.0.0.1:8080 -> 127.0.0.1:9000 (takes a restart)"},
	} {
		t.Run(test.rule, func(t *testing.T) {
			changed := strings.Replace(before, test.old, test.new, 1)
			var got []string
			for _, c := range load(before).Changes(load(changed)) {
				got = append(got, c.String())
			}
			if strings.Join(got, "\n") != test.want {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), test.want)
			}
		})
	}
}
