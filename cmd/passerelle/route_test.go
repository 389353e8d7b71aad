package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"passerelle/bridge"
)

const routed = `version: 1
trunks:
  - {name: operator, accept: {from: [192.0.2.0/24]}, numbers: {plan: FR}}
  - {name: pbx, accept: {from: [10.0.0.1]}, trusted: true}
rooms: [{name: board}]
routes:
  - {from: [operator], to: "+33123456789", hours: "mon-fri 08:00-18:00", zone: Europe/Paris, room: board}
  - {from: [operator], to: "+33123456789", announce: closed}
  - {from: [pbx], header: {name: X-Line, match: vip}, echo: on}
`

// routes runs passerelle route with a configuration.
func routes(t *testing.T, text string) func(args ...string) (string, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "passerelle.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return func(args ...string) (string, error) {
		var out strings.Builder
		c := routeCommand()
		c.SetOut(&out)
		c.SetErr(&out)
		c.SilenceUsage, c.SilenceErrors = true, true
		c.SetArgs(append([]string{"--config", file}, args...))
		err := c.Execute()
		return out.String(), err
	}
}

func TestRouteCommand(t *testing.T) {
	run := routes(t, routed)
	got, err := run("--trunk", "operator", "--from", "0199000123", "--to", "0123456789", "--at", "2026-11-28T12:00:00+01:00")
	const want = `trunk    yes  operator
called   yes  0123456789 is +33123456789 (plan FR)
caller   yes  0199000123 is +33199000123 (plan FR)
route 1  no   it is Sat 12:00 CET, and not mon-fri 08:00-18:00
route 2  yes  it asks from, to
so       ->   the caller is told: closed
`
	if err != nil || got != want {
		t.Errorf("got\n%s%v, want\n%s", got, err, want)
	}
	got, err = run("--trunk", "pbx", "--to", "1", "--header", "x-line: vip", "--json")
	var trace bridge.Trace
	if err != nil || json.Unmarshal([]byte(got), &trace) != nil || trace.End != "an echo test" || len(trace.Steps) != 6 {
		t.Errorf("got %s, %v", got, err)
	}
	if got, err = run("--trunk", "pbx", "--to", "1"); err != nil || !strings.Contains(got, "so       ->   404, none of 3 routes takes 1 from trunk pbx") {
		t.Errorf("got %s, %v", got, err)
	}
	for _, wrong := range [][]string{{"--to", "1"}, {"--trunk", "nobody"}, {"--trunk", "pbx", "--at", "noon"}} {
		if out, err := run(wrong...); err == nil {
			t.Errorf("%v: %s", wrong, out)
		}
	}
	var coloured strings.Builder
	if err := printTrace(&coloured, trace, true); err != nil || !strings.Contains(coloured.String(), red+"no ") || !strings.Contains(coloured.String(), green+"an echo test") {
		t.Errorf("%q, %v", coloured.String(), err)
	}
}

// TestRouteCommandLeadsOut: where a phone's calls go out, and why they do not.
func TestRouteCommandLeadsOut(t *testing.T) {
	run := routes(t, `version: 1
trunks: [{name: carrier, servers: sip.carrier.example, numbers: {plan: FR, ours: [+33123456700]}}]
phones: [{user: 2001, password: secret}]
routes: [{from: [phones], to_match: "[0+].*", trunk: carrier}]
outgoing: {via: carrier, allow: FR}
emergency: {numbers: FR, via: carrier}
`)
	for called, want := range map[string]string{
		"0123456789": `trunk    yes  phones
called   yes  0123456789 (there is no plan (trunks[].numbers): as dialled)
caller   yes  nothing
route 1  yes  it asks from, to_match
towards  yes  a fixed number of FR
so       ->   out over trunk carrier
`,
		"+4930123456": `trunk    yes  phones
called   yes  +4930123456 (it begins with +, and there is no plan)
caller   yes  nothing
route 1  yes  it asks from, to_match
so       ->   403, it is a fixed number of DE, and FR may be called (outgoing.allow)
`,
		"112": `trunk   yes  phones
called  yes  112 (an emergency number of FR)
caller  yes  nothing
help    yes  emergency.via
so      ->   out over trunk carrier, for help
`,
	} {
		if got, err := run("--trunk", "phones", "--to", called); err != nil || got != want {
			t.Errorf("%s:\n%s%v, want\n%s", called, got, err, want)
		}
	}
}
