package main

import (
	"bytes"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"passerelle/config"
	"passerelle/sip"
)

// fromREADME is the README's example, with a secret of ours.
func fromREADME(t *testing.T) string {
	t.Helper()
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(readme), "```yaml\n")
	example, _, closed := strings.Cut(rest, "```")
	if !found || !closed {
		t.Fatal("the README has no example")
	}
	secret := filepath.Join(t.TempDir(), "board")
	if err := os.WriteFile(secret, []byte("sesame\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	const theirs = "/run/secrets/board"
	if !strings.Contains(example, theirs) {
		t.Fatalf("the README's example has no %s", theirs)
	}
	return strings.Replace(example, theirs, secret, 1)
}

// around is a configuration around rooms and routes.
func around(rest string) string {
	return `
version: 1
engines: [{name: house, embedded: {}}]
trunks: [{name: pbx, accept: {from: [192.0.2.16/28]}}]
http: {listen: "127.0.0.1:8080"}
` + rest
}

func TestTheWelcomeNamesANumberThatARouteTakes(t *testing.T) {
	for _, test := range []struct {
		rule, file string
		want       []string
	}{
		{"the README's example", fromREADME(t), []string{
			"  dial   sip:+33123456789@192.0.2.9:5060\n  dial   sip:+33123456789@192.0.2.9:5060;transport=tcp\n",
			"  open   https://rooms.example.org/board\n", "  takes  calls from pbx (",
		}},
		{"a number before an expression", around(`routes: [{from: [pbx], to_match: "(.+)", room: "$1"}, {from: [pbx], to: "100", room: hall}]`), []string{
			"dial   sip:100@", "open   http://127.0.0.1:8080/hall\n",
		}},
		{"a room's name that an expression takes", around(`
rooms: [{name: board}, {name: conf-hall}]
routes: [{from: [pbx], to_match: "conf-([a-z]+)", room: "the-$1"}]`), []string{
			"dial   sip:conf-hall@", "open   http://127.0.0.1:8080/the-hall\n",
		}},
		{"the lobby, where an expression takes it", around(`routes: [{from: [pbx], to_match: "[a-z]+", room: hall}]`), []string{
			"dial   sip:lobby@", "open   http://127.0.0.1:8080/hall\n",
		}},
		{"no number that is known", around(`
rooms: [{name: board}]
routes: [{from: [pbx], to_match: "[0-9]+", room: board}]`), []string{
			"listens on udp://192.0.2.9:5060\n  listens on tcp://192.0.2.9:5060\n", "open   http://127.0.0.1:8080/board\n",
		}},
		{"what a SIP URI must escape", around(`routes: [{from: [pbx], to: "*30#", room: hall}]`), []string{"dial   sip:*30%23@"}},
	} {
		t.Run(test.rule, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "passerelle.yaml")
			if err := os.WriteFile(path, []byte(test.file), 0o600); err != nil {
				t.Fatal(err)
			}
			c, err := config.Load(config.Source{Path: path})
			if err != nil {
				t.Fatal(err)
			}
			at := netip.MustParseAddrPort("192.0.2.9:5060")
			var out bytes.Buffer
			welcome(&out, c, c.Static.HTTP.Listen.String(), []sip.Listener{{Network: "udp", Addr: at}, {Network: "tcp", Addr: at}})
			for _, want := range test.want {
				if !strings.Contains(out.String(), want) {
					t.Errorf("the welcome lacks %q:\n%s", want, &out)
				}
			}
			if dials, listens := strings.Contains(out.String(), "dial "), strings.Contains(out.String(), "listens "); dials == listens {
				t.Errorf("the welcome says what to dial, or else where it listens:\n%s", &out)
			}
		})
	}
}

func TestTheWelcomeWithoutAFile(t *testing.T) {
	t.Chdir(t.TempDir())
	c, err := config.Load(config.Source{})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	welcome(&out, c, "127.0.0.1:8080", []sip.Listener{
		{Network: "udp", Addr: netip.MustParseAddrPort("0.0.0.0:5060")}, {Network: "udp", Addr: netip.MustParseAddrPort("[::]:5060")},
		{Network: "tcp", Addr: netip.MustParseAddrPort("0.0.0.0:5060")}, {Network: "tcp", Addr: netip.MustParseAddrPort("[::]:5060")},
		{Network: "ws", Addr: netip.MustParseAddrPort("0.0.0.0:7080")},
	})
	want := "Passerelle " + version + `
  dial   sip:lobby@127.0.0.1:5060
  dial   sip:lobby@127.0.0.1:5060;transport=tcp
  joins  browser phones at ws://127.0.0.1:7080
  open   http://127.0.0.1:8080/lobby
  takes  calls from loopback and private addresses, to any room (no configuration file)
`
	if out.String() != want {
		t.Errorf("the welcome is\n%swant\n%s", &out, want)
	}
}
