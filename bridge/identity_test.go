package bridge

import (
	"testing"
	"time"

	"passerelle/sip"
)

func TestIdentity(t *testing.T) {
	const pai, rpid = `"Ada Lovelace" <sip:+33199000123@192.0.2.40;user=phone>`, `"Ben" <sip:2001@192.0.2.40>;party=calling;screen=yes;privacy=off`
	for _, test := range []struct {
		rule    string
		trusted bool
		headers map[string][]string
		want    identity
	}{
		{"From, where nothing else is said", true, nil, identity{"Front", "1000", ""}},
		{"what a trusted trunk asserts", true, map[string][]string{"P-Asserted-Identity": {pai}}, identity{"Ada Lovelace", "+33199000123", ""}},
		{"nobody else may", false, map[string][]string{"P-Asserted-Identity": {pai}, "Remote-Party-ID": {rpid}}, identity{"Front", "1000", ""}},
		{"the tel URI behind one that cannot be read", true, map[string][]string{"P-Asserted-Identity": {"<mailto:x>", "<tel:+33199000123>"}}, identity{"", "+33199000123", ""}},
		{"older equipment", true, map[string][]string{"Remote-Party-ID": {rpid}}, identity{"Ben", "2001", ""}},
		{"the newer header wins", true, map[string][]string{"Remote-Party-ID": {rpid}, "P-Asserted-Identity": {pai}}, identity{"Ada Lovelace", "+33199000123", ""}},
		{"privacy id", true, map[string][]string{"P-Asserted-Identity": {pai}, "Privacy": {"id"}}, identity{}},
		{"privacy among others", true, map[string][]string{"Privacy": {"header; ID;critical"}}, identity{}},
		{"privacy user from a stranger", false, map[string][]string{"Privacy": {"user"}}, identity{}},
		{"privacy none", true, map[string][]string{"P-Asserted-Identity": {pai}, "Privacy": {"none"}}, identity{"Ada Lovelace", "+33199000123", ""}},
		{"privacy of older equipment", true, map[string][]string{"Remote-Party-ID": {`<sip:2001@x>;privacy=full`}}, identity{}},
		{"which a stranger cannot ask for", false, map[string][]string{"Remote-Party-ID": {`<sip:2001@x>;privacy=full`}}, identity{"Front", "1000", ""}},
		{"diverted", true, map[string][]string{"Diversion": {"<sip:+33199000999@x>;reason=unconditional;counter=1"}}, identity{"Front", "1000", "+33199000999"}},
		{"diverted, in a history", true, map[string][]string{"History-Info": {"<sip:+33199000999@x>;index=1, <sip:100@y;cause=302>;index=1.1"}}, identity{"Front", "1000", "+33199000999"}},
		{"a history of one", true, map[string][]string{"History-Info": {"<sip:100@y>;index=1"}}, identity{"Front", "1000", ""}},
		{"nobody else may", false, map[string][]string{"Diversion": {"<sip:+33199000999@x>"}}, identity{"Front", "1000", ""}},
		{"withheld, and diverted", true, map[string][]string{"Diversion": {"<sip:+33199000999@x>"}, "Privacy": {"id"}}, identity{"", "", "+33199000999"}},
	} {
		t.Run(test.rule, func(t *testing.T) {
			h := headers{func(name string) []string { return test.headers[name] }, test.trusted}
			if got := h.identity(sip.Address{Display: "Front", User: "1000"}, "100"); got != test.want {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}

func TestKeypad(t *testing.T) {
	type press struct {
		key rune
		way keyWay
		at  time.Duration
	}
	for _, test := range []struct {
		rule    string
		presses []press
		want    string
	}{
		{"one way", []press{{'1', byRTP, 0}, {'1', byRTP, 1}, {'2', byRTP, 2}}, "112"},
		{"both ways, RTP first", []press{{'1', byRTP, 0}, {'1', byINFO, 1}, {'2', byRTP, 2}, {'2', byINFO, 3}}, "12"},
		{"both ways, INFO first", []press{{'1', byINFO, 0}, {'1', byRTP, 1}, {'1', byINFO, 2}, {'1', byRTP, 3}}, "11"},
		{"INFO lags behind", []press{{'1', byRTP, 0}, {'1', byRTP, 1}, {'2', byRTP, 2}, {'1', byINFO, 3}, {'1', byINFO, 4}, {'2', byINFO, 5}}, "112"},
		{"one of them is lost", []press{{'1', byRTP, 0}, {'2', byRTP, 1}, {'2', byINFO, 2}, {'3', byRTP, 3}, {'3', byINFO, 4}}, "123"},
		{"a bit of the tone beside the event", []press{{'1', byTone, 0}, {'1', byRTP, 1}}, "1"},
		{"the same key later is another press", []press{{'1', byRTP, 0}, {'1', byINFO, doubled + 1}}, "11"},
	} {
		t.Run(test.rule, func(t *testing.T) {
			var k keypad
			got := ""
			for _, p := range test.presses {
				if k.press(p.key, p.way, p.at) {
					got += string(p.key)
				}
			}
			if got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
	var k keypad
	for range 10 * keypadMemory {
		k.press('1', byRTP, 0)
	}
	if len(k.pending) > keypadMemory {
		t.Errorf("%d keys are remembered", len(k.pending))
	}
}

// A PIN that comes in INFO opens the menu as one in RTP does.
func TestThePINInINFO(t *testing.T) {
	t.Parallel()
	desk := &reception{pins: map[string]string{"0042": "f00d-cafe"}}
	r := newMenuRig(t, desk)
	ada := r.late()
	ada.number = "100"
	ada.send("ACK", 1, ada.take(ada.call()))
	for i, key := range "0042" {
		ada.send("INFO", 2+i, "Signal="+string(key)+"\r\nDuration=160\r\n")
		ada.await("SIP/2.0 200 OK\r\n")
	}
	host := r.backend.Join("f00d-cafe", "host")
	eventually(t, "the phone in the roster", func() bool { return len(host.Roster()) == 2 })
}
