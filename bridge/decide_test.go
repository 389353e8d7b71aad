package bridge

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"passerelle/config"
)

// decided is a configuration for the tests of routes: a PBX in France with extensions, and an operator.
func decided(routes ...config.Route) *config.Live {
	return &config.Live{
		Trunks: []config.Trunk{
			{Name: "pbx", Trusted: true, Numbers: config.Numbers{Plan: "FR", Outside: "0", Extensions: config.Extensions{Digits: 4, E164: "+3312345{ext}"}}},
			{Name: "operator", Numbers: config.Numbers{Plan: "FR"}},
			{Name: "plain"},
		},
		Menus:  []config.Menu{{Name: "visio", Engine: "cloud", Languages: []string{"fr"}}},
		Routes: routes,
	}
}

func whole(expression string) *regexp.Regexp { return regexp.MustCompile(`\A(?:` + expression + `)\z`) }

func hoursOf(days ...time.Weekday) config.Hours {
	h := config.Hours{From: 8 * time.Hour, Until: 18 * time.Hour}
	for _, d := range days {
		h.Days[d] = true
	}
	return h
}

func TestDecide(t *testing.T) {
	paris, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		t.Fatal(err)
	}
	room := config.Route{From: []string{"pbx", "operator", "plain"}, Room: "board", Engine: "house"}
	with := func(change func(*config.Route)) config.Route { r := room; change(&r); return r }
	number := with(func(r *config.Route) { r.To = "+33123456789" })
	for _, test := range []struct {
		rule  string
		route config.Route
		ask   Ask
		trunk string
		want  string
		code  int
		miss  string // part of why the route does not take it
	}{
		{rule: "E.164 against a national number", route: number, trunk: "operator", ask: Ask{Called: "0123456789"}, want: "house/board"},
		{rule: "with the outside's digit", route: number, trunk: "pbx", ask: Ask{Called: "00123456789"}, want: "house/board"},
		{rule: "the route's number is written as people do", route: with(func(r *config.Route) { r.To = "01 23 45 67 89" }), trunk: "operator", ask: Ask{Called: "+33123456789"}, want: "house/board"},
		{rule: "an extension by its number of the world", route: with(func(r *config.Route) { r.To = "+33123452001" }), trunk: "pbx", ask: Ask{Called: "2001"}, want: "house/board"},
		{rule: "no plan, no number of the world", route: number, trunk: "plain", ask: Ask{Called: "0123456789"}, code: 404, miss: "another number was dialled"},
		{rule: "an expression is for what was dialled", route: with(func(r *config.Route) { r.ToMatch, r.Room = whole("01234567(..)"), "r$1" }), trunk: "operator", ask: Ask{Called: "0123456789"}, want: "house/r89"},
		{rule: "or for its number of the world", route: with(func(r *config.Route) { r.ToMatch, r.Room = whole(`\+331234567(..)`), "r$1" }), trunk: "operator", ask: Ask{Called: "0123456789"}, want: "house/r89"},
		{rule: "whatever was dialled", route: room, trunk: "plain", ask: Ask{Called: "anything"}, want: "house/board"},

		{rule: "a caller as a number", route: with(func(r *config.Route) { r.Callers = []string{"x", "+33199000123"} }), trunk: "operator", ask: Ask{Called: "1", Caller: "0199000123"}, want: "house/board"},
		{rule: "another caller", route: with(func(r *config.Route) { r.Callers = []string{"+33199000123"} }), trunk: "operator", ask: Ask{Called: "1", Caller: "0199000124"}, code: 404, miss: "somebody else calls"},
		{rule: "a caller by expression", route: with(func(r *config.Route) { r.Caller = whole(`\+33199.*`) }), trunk: "operator", ask: Ask{Called: "1", Caller: "0199000124"}, want: "house/board"},
		{rule: "callers who withhold their number have none", route: with(func(r *config.Route) { r.Caller = whole("") }), trunk: "operator", ask: Ask{Called: "1"}, want: "house/board"},
		{rule: "and no other", route: with(func(r *config.Route) { r.Caller = whole(`\+.*`) }), trunk: "operator", ask: Ask{Called: "1"}, code: 404, miss: "caller_match"},

		{rule: "the transport", route: with(func(r *config.Route) { r.Transport = []string{"tcp", "tls"} }), trunk: "pbx", ask: Ask{Called: "1", Transport: "tls"}, want: "house/board"},
		{rule: "another", route: with(func(r *config.Route) { r.Transport = []string{"tcp", "tls"} }), trunk: "pbx", ask: Ask{Called: "1", Transport: "udp"}, code: 404, miss: "it wants transport tcp or tls, and this is udp"},

		{rule: "a header", route: with(func(r *config.Route) { r.Header = &config.Header{Name: "X-Line", Match: whole("vip.*")} }), trunk: "pbx", ask: Ask{Called: "1"}, want: "house/board"},
		{rule: "another value", route: with(func(r *config.Route) { r.Header = &config.Header{Name: "X-Line", Match: whole("vi")} }), trunk: "pbx", ask: Ask{Called: "1"}, code: 404, miss: "no header X-Line that matches"},
		{rule: "no such header", route: with(func(r *config.Route) { r.Header = &config.Header{Name: "X-Other", Match: whole(".*")} }), trunk: "pbx", ask: Ask{Called: "1"}, code: 404, miss: "no header X-Other"},

		{rule: "within hours", route: with(func(r *config.Route) { r.Hours, r.Zone = []config.Hours{hoursOf(time.Friday)}, paris }), trunk: "pbx", ask: Ask{Called: "1"}, want: "house/board"},
		{rule: "outside of hours", route: with(func(r *config.Route) { r.Hours, r.Zone = []config.Hours{hoursOf(time.Monday)}, paris }), trunk: "pbx", ask: Ask{Called: "1"}, code: 404, miss: "it is Fri 10:00 CET"},

		{rule: "rejected", route: config.Route{From: []string{"pbx"}, Reject: 603}, trunk: "pbx", ask: Ask{Called: "1"}, code: 603},
		{rule: "told", route: config.Route{From: []string{"pbx"}, Announce: "closed"}, trunk: "pbx", ask: Ask{Called: "1"}, want: "announcement closed"},
		{rule: "an echo test", route: config.Route{From: []string{"pbx"}, Echo: true}, trunk: "pbx", ask: Ask{Called: "1"}, want: "echo test"},
		{rule: "without from trusted trunks", route: config.Route{Room: "board", Engine: "house"}, trunk: "pbx", ask: Ask{Called: "1"}, want: "house/board"},
		{rule: "and no others", route: config.Route{Room: "board", Engine: "house"}, trunk: "operator", ask: Ask{Called: "1"}, code: 404, miss: "trusted trunks"},
		{rule: "a call for help, whatever routes say", route: room, trunk: "operator", ask: Ask{Called: "112"}, want: "announcement emergency"},
		{rule: "and rather than an extension", route: room, trunk: "pbx", ask: Ask{Called: "0112"}, want: "announcement emergency"},
		{rule: "without a plan it is a number", route: room, trunk: "plain", ask: Ask{Called: "112"}, want: "house/board"},
	} {
		t.Run(test.rule, func(t *testing.T) {
			live := decided(test.route)
			ask := test.ask
			for i := range live.Trunks {
				if live.Trunks[i].Name == test.trunk {
					ask.Trunk = &live.Trunks[i]
				}
			}
			ask.At = time.Date(2026, 11, 27, 9, 0, 0, 0, time.UTC)
			ask.Header = func(name string) []string {
				return map[string][]string{"X-Line": {"first", "vip line"}}[name]
			}
			to, err := newDirectory(live).decide(ask, masked)
			if code := to.trace.Code; code != test.code || (err != nil) != (code != 0) {
				t.Fatalf("%v, %v, want %d: %s", code, err, test.code, &to.trace)
			}
			if err == nil && to.String() != test.want {
				t.Errorf("got %s, want %s: %s", to, test.want, &to.trace)
			}
			if !strings.Contains(to.trace.String(), test.miss) || to.trace.End == "" {
				t.Errorf("the trace does not say %q: %s", test.miss, &to.trace)
			}
		})
	}
}

// The emergency numbers of a country may be known everywhere.
func TestEmergencyEverywhere(t *testing.T) {
	live := decided(config.Route{From: []string{"plain"}, Room: "board", Engine: "house"})
	live.Emergency = "FR"
	to, err := newDirectory(live).decide(Ask{Trunk: &live.Trunks[2], Called: "15"}, masked)
	if err != nil || !to.emergency {
		t.Errorf("15 goes to %s, %v", to, err)
	}
}

// TestTheTraceHoldsNoPIN looks for canaries in every way of writing a trace.
func TestTheTraceHoldsNoPIN(t *testing.T) {
	live := decided(
		config.Route{From: []string{"pbx"}, ToMatch: whole("pin-([0-9]+)"), Menu: "visio", PIN: config.NewSecret("$1"), Engine: "cloud"},
		config.Route{From: []string{"pbx"}, ToMatch: whole("([0-9]{10})#?"), Menu: "visio", PIN: config.NewSecret("$1"), Engine: "cloud"},
		config.Route{From: []string{"pbx"}, To: "700", Menu: "visio", PIN: config.NewSecret("4711471147"), Engine: "cloud"},
	)
	for _, called := range []string{"0471147114", "0471147114#", "47114711", "47114711471147", "pin-4711471", "pin-4711x", "471147114711*", "700"} {
		for _, show := range []func(string) string{masked, func(s string) string { return s }} {
			to, _ := newDirectory(live).decide(Ask{
				Trunk: &live.Trunks[0], Called: called, Header: func(string) []string { return []string{"4711"} },
			}, show)
			if text := to.trace.String() + to.trace.Called + to.trace.warning(); strings.Contains(text, "4711") {
				t.Errorf("%s is seen: %s", called, text)
			}
		}
	}
	to, _ := newDirectory(live).decide(Ask{Trunk: &live.Trunks[0], Called: "+33123456780"}, masked)
	if to.trace.Called == hidden {
		t.Error("a number that is no PIN is hidden")
	}
}

func TestTraceInOneLine(t *testing.T) {
	live := decided(
		config.Route{From: []string{"operator"}, Room: "a", Engine: "house"},
		config.Route{From: []string{"pbx"}, To: "700", Echo: true},
		config.Route{To: "+33123456789", Callers: []string{"2001"}, Room: "board", Engine: "house"},
	)
	to, err := newDirectory(live).decide(Ask{Trunk: &live.Trunks[0], Called: "00123456789", Caller: "2001"}, masked)
	const want = "trunk pbx; called 00•••••••89 is +33 1 •• •• •• 89 (plan FR, with 0 before it for the outside); " +
		"caller 2••1 is +33 1 •• •• •• 01 (an extension, 4 digits); route 1: it takes calls of operator; " +
		"route 2: another number was dialled (to); route 3 takes it; room house/board"
	if got := to.trace.String(); err != nil || got != want {
		t.Errorf("got  %s, %v\nwant %s", got, err, want)
	}
	live.Routes = make([]config.Route, 1000)
	to, _ = newDirectory(live).decide(Ask{Trunk: &live.Trunks[1], Called: "1"}, masked)
	if n := len(to.trace.Steps) + to.trace.More; len(to.trace.Steps) > stepsKept || n != 1003 || len(to.trace.warning()) > longestLine+3 {
		t.Errorf("%d steps, %d of them kept, in a line of %d bytes", n, len(to.trace.Steps), len(to.trace.warning()))
	}
}
