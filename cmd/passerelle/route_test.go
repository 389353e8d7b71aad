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

func TestRouteCommand(t *testing.T) {
	file := filepath.Join(t.TempDir(), "passerelle.yaml")
	if err := os.WriteFile(file, []byte(routed), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) (string, error) {
		var out strings.Builder
		c := routeCommand()
		c.SetOut(&out)
		c.SetErr(&out)
		c.SilenceUsage, c.SilenceErrors = true, true
		c.SetArgs(append([]string{"--config", file}, args...))
		err := c.Execute()
		return out.String(), err
	}
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
