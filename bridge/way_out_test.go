package bridge

import (
	"errors"
	"strings"
	"testing"
	"time"

	"passerelle/bridge/numbers"
	"passerelle/bridge/outgoing"
	"passerelle/codec"
	"passerelle/config"
	"passerelle/sip"
)

// TestWaysOut: which calls go out over a trunk, as what, and why others do not.
func TestWaysOut(t *testing.T) {
	live := decided(
		config.Route{From: []string{phones, "pbx", "operator"}, ToMatch: whole(`[0+].*`), Trunk: "carrier"},
		config.Route{From: []string{"carrier"}, ToMatch: whole(`0.*`), Trunk: "carrier"},
		config.Route{From: []string{phones, "pbx", "operator", "carrier"}, Announce: "unassigned"},
	)
	live.Trunks = append(live.Trunks, config.Trunk{Name: "carrier", Trusted: true, Numbers: config.Numbers{Plan: "FR", Present: "+33123456700"}})
	live.Phones = []config.Phone{{User: "2001"}}
	live.Emergency = "FR"
	live.Outgoing = &config.Outgoing{Regions: []string{"FR"}, Kinds: []string{"fixed"}}
	for _, test := range []struct {
		rule   string
		via    string // of calls for help
		trunk  string
		called string
		want   string // where it goes; "" where it is refused
		dials  string
		code   int
		help   bool
		trace  string // part of it
	}{
		{"a phone calls out", "", phones, "0123456789", "trunk carrier", "0123456789", 0, false, "towards a fixed number of FR"},
		{"a PBX does, with the outside's digit", "", "pbx", "00123456789", "trunk carrier", "+33123456789", 0, false, "out over trunk carrier"},
		{"and an operator, whom the route names", "", "operator", "0123456789", "trunk carrier", "+33123456789", 0, false, "out over trunk carrier"},
		{"a kind that is not allowed", "", phones, "0899123456", "", "", 403, false, "(outgoing.kinds)"},
		{"a country that is not", "", phones, "+4930123456", "", "", 403, false, "(outgoing.allow)"},
		{"back where it came from", "", "carrier", "0123456789", "", "", 482, false, "where it would go"},
		{"a call for help of a phone", "carrier", phones, "112", "trunk carrier", "112", 0, true, "help emergency.via"},
		{"of a trusted trunk", "carrier", "pbx", "015", "trunk carrier", "15", 0, true, "out over trunk carrier, for help"},
		{"of another trunk", "carrier", "operator", "112", "announcement emergency", "", 0, true, "help trunk operator is not trusted"},
		{"of the trunk itself", "carrier", "carrier", "112", "announcement emergency", "", 0, true, "where it would go"},
		{"where there is no way out", "", phones, "18", "announcement emergency", "", 0, true, "emergency.via names no trunk"},
		{"what somebody made a number of the world", "carrier", phones, "+33112", "trunk carrier", "112", 0, true, "out over trunk carrier, for help"},
	} {
		t.Run(test.rule, func(t *testing.T) {
			live.Help = test.via
			ask := Ask{Called: test.called, At: time.Now(), Header: func(string) []string { return nil }}
			if ask.Trunk = trunkNamed(live, test.trunk); ask.Trunk == nil {
				ask.Trunk = asTrunk(&live.Phones[0])
			}
			to, err := newDirectory(live).decide(ask, masked)
			if to.trace.Code != test.code || (err != nil) != (test.code != 0) {
				t.Fatalf("%d, %v, want %d: %s", to.trace.Code, err, test.code, &to.trace)
			}
			if err == nil && (to.String() != test.want || to.dials != test.dials) {
				t.Errorf("got %s, %q, want %s, %q", to, to.dials, test.want, test.dials)
			}
			if err == nil && to.emergency != test.help {
				t.Errorf("a call for help: %v, want %v", to.emergency, test.help)
			}
			if !strings.Contains(to.trace.String(), test.trace) {
				t.Errorf("the trace does not say %q: %s", test.trace, &to.trace)
			}
		})
	}
}

// outward makes the routes of a rig lead out, over its trunks.
func outward(live *config.Live) {
	live.Trunks[0].Numbers = config.Numbers{Plan: "FR"}
	live.Routes = []config.Route{{From: []string{"loopback"}, ToMatch: whole(`0.*`), Trunk: "carrierA"}, live.Routes[0]}
	live.Emergency = "FR"
}

// TestGoesOut: a phone calls a number over a trunk, as one of the trunk's own; the two hear each other, and either may hang
// up.
func TestGoesOut(t *testing.T) {
	t.Parallel()
	carol := newRig(t, nil).called()
	r := carrierRigWith(t, outward, carol)
	for _, hangsUp := range []string{"the caller", "the other end"} {
		called := r.dials("0123456789")
		invite := carol.await("INVITE")
		if !strings.HasPrefix(invite, "INVITE sip:+33123456789@") || !strings.Contains(headerOf(invite, "From"), "sip:+33199999999@") ||
			!strings.Contains(headerOf(invite, "P-Asserted-Identity"), "sip:+33199999999@") {
			t.Errorf("called: %s", invite)
		}
		carol.says(invite, 180, "")
		carol.says(invite, 200, carol.answer(invite))
		carol.await("ACK")
		ben := <-called
		must(t, ben.telephone, ben.err)
		stop := carol.whistle(700)
		ben.hears(700)
		stop()
		stop = ben.whistle(1000)
		carol.hears(1000)
		stop()
		if hangsUp == "the caller" {
			ben.hangup()
			carol.says(carol.await("BYE"), 200, "")
		} else {
			carol.hangsUp(invite)
			eventually(t, "the caller's end", func() bool { return ben.dialog.Context().Err() != nil })
		}
		r.nothingLeft()
	}
}

// TestGoesOutIsRefused: what the far end says, and what the rules say, the caller is told.
func TestGoesOutIsRefused(t *testing.T) {
	t.Parallel()
	carol := newRig(t, nil).called()
	r := carrierRigWith(t, func(live *config.Live) { outward(live); live.Outgoing.Limits.MinutesDay = 1 }, carol)
	called := r.dials("0123456789")
	invite := carol.await("INVITE")
	carol.says(invite, 486, "")
	carol.await("ACK")
	refusedWith(t, (<-called).err, 486)
	refusedWith(t, (<-r.dials("0899123456")).err, 403)
	called = r.dials("0123456789")
	invite = carol.await("INVITE")
	refusedWith(t, (<-r.dials("0123456788")).err, 503)
	carol.says(invite, 603, "")
	carol.await("ACK")
	refusedWith(t, (<-called).err, 603)
	r.nothingLeft()
}

// TestCallForHelp: it goes out where nothing else may any more, with nobody's leave; and where it cannot, the caller is told.
func TestCallForHelp(t *testing.T) {
	t.Parallel()
	carol := newRig(t, nil).called()
	r := carrierRigWith(t, func(live *config.Live) {
		outward(live)
		live.Help, live.Outgoing, live.Limits.Calls = "carrierA", nil, 1
		live.Trunks[0].Calls, live.Trunks[1].Calls = 1, 1
	}, carol)
	ada, err := r.call("lobby", codec.PCMA)
	must(t, ada, err)
	refusedWith(t, (<-r.dials("lobby")).err, 503)
	called := r.dials("112")
	invite := carol.await("INVITE")
	if !strings.HasPrefix(invite, "INVITE sip:112@") || !strings.Contains(headerOf(invite, "From"), "sip:+33199999999@") {
		t.Errorf("called: %s", invite)
	}
	carol.says(invite, 200, carol.answer(invite))
	carol.await("ACK")
	ben := <-called
	must(t, ben.telephone, ben.err)
	carol.whistle(700)
	ben.hears(700)
	ben.hangup()
	carol.says(carol.await("BYE"), 200, "")

	called = r.dials("15")
	invite = carol.await("INVITE")
	carol.says(invite, 503, "")
	carol.await("ACK")
	ben = <-called
	must(t, ben.telephone, ben.err)
	eventually(t, "the caller to be told", func() bool { return strings.Contains(r.logged.String(), "a call for help did not get out") })
	ben.hangup()
	eventually(t, "the end of the sentence", func() bool { return strings.Contains(r.logged.String(), `to="announcement emergency"`) })
	ada.hangup()
	r.nothingLeft()
}

// dialling is a call that has come to something.
type dialling struct {
	*telephone
	err error
}

// dials calls, and does not wait.
func (r *rig) dials(to string) <-chan dialling {
	done := make(chan dialling, 1)
	go func() {
		p, err := r.call(to, codec.PCMU)
		done <- dialling{p, err}
	}()
	return done
}

func refusedWith(t *testing.T, err error, code int) {
	t.Helper()
	var status *sip.StatusError
	if !errors.As(err, &status) || status.Code != code {
		t.Errorf("got %v, want %d", err, code)
	}
}

// TestAsWhomItGoesOut: a phone is its own number, whatever it says that it is; a caller of a trunk is the one that trunk says.
func TestAsWhomItGoesOut(t *testing.T) {
	t.Parallel()
	r := carrierRig(t, newRig(t, nil).called())
	live := r.gateway.Live()
	carrier := &live.Trunks[1]
	carrier.Numbers.Ours = []config.Range{{First: "+33199999900", Last: "+33199999999"}}
	desk := &config.Phone{User: "2001", Name: "Desk", Number: "+33199999901"}
	bare := &config.Phone{User: "2002", Name: "Bare"}
	for _, test := range []struct {
		rule  string
		from  *config.Trunk
		phone *config.Phone
		says  string // who calls, by its own account
		want  string
		leave bool // somebody is asked for it
		help  bool
	}{
		{"a phone with a number", asTrunk(desk), desk, "+33199999942", "+33199999901", true, false},
		{"a phone without one", asTrunk(bare), bare, "+33199999942", "+33199999999", true, false},
		{"one that has not proved which it is", someone(""), nil, "+33199999942", "+33199999999", false, true},
		{"a trunk's caller", &live.Trunks[0], nil, "+33199999942", "+33199999942", true, false},
		{"a trunk's caller of elsewhere", &live.Trunks[0], nil, "+33199000123", "+33199999999", true, false},
		{"a call for help", asTrunk(desk), desk, "", "+33199999901", false, true},
	} {
		t.Run(test.rule, func(t *testing.T) {
			c := blankCall(r.gateway, "")
			c.live = live
			c.invite.From.User = test.says
			c.to = destination{trunk: test.from, phone: test.phone, caller: test.says, out: carrier, dials: "0123456789", emergency: test.help}
			ways, err := c.waysOut()
			if err != nil || len(ways) != 1 || len(ways[0]) != 1 {
				t.Fatalf("%v, %v", ways, err)
			}
			if w := ways[0][0]; w.dial.Asserted.User != test.want || (w.permit != nil) != test.leave || test.says != "" && w.dial.From.User != test.want {
				t.Errorf("it calls as %+v, asking for leave is %v; want %s, %v", w.dial.From, w.permit != nil, test.want, test.leave)
			}
		})
	}
}

// TestAsDialled: a trunk is told the number that the rules have judged.
func TestAsDialled(t *testing.T) {
	house := numbers.Plan{Region: "FR", Extensions: 4, E164: "+3312345{ext}"}
	for dialled, want := range map[string]string{
		"01 23 45 67 89": "+33123456789", "0123456789;x=0899123456": "+33123456789", "2001": "2001", "20-01;x=y": "2001", "39 00": "3900",
		"112": "112", "+33 899 12 34 56": "+33899123456", "lobby": "lobby",
	} {
		if got := asDialled(outgoing.Read(house, dialled)); got != want {
			t.Errorf("%q is told as %q, want %q", dialled, got, want)
		}
	}
}
