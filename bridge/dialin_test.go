package bridge

import (
	"testing"
	"time"

	"passerelle/config"
)

func TestHowToDial(t *testing.T) {
	live := decided(
		config.Route{From: []string{"operator"}, To: "01 23 45 67 89", Room: "board", Engine: "house"},
		config.Route{From: []string{"operator"}, To: "+33123456780", Menu: "visio", Engine: "cloud"},
		config.Route{From: []string{"plain"}, To: "conference", Room: "named", Engine: "house"},
		config.Route{From: []string{"pbx"}, ToMatch: whole(`(.+)\*([0-9]{4})`), Menu: "visio", PIN: config.NewSecret("$2"), Engine: "cloud"},
		config.Route{From: []string{"pbx"}, ToMatch: whole("conf-(.+)"), Room: "conf-$1", Engine: "house"},
		config.Route{From: []string{"pbx"}, ToMatch: whole("[0-9]{10}"), Menu: "visio", PIN: config.NewSecret("$0"), Engine: "cloud"},
		config.Route{From: []string{"pbx"}, To: "+33123456770", Menu: "door", Engine: "house"},
		config.Route{From: []string{"pbx"}, ToMatch: whole("[0-9]{7}"), Menu: "door", PIN: config.NewSecret("$0"), Engine: "house"},
	)
	live.Menus = append(live.Menus, config.Menu{Name: "door", Engine: "house", Languages: []string{"fr"}})
	live.Rooms = []config.Room{
		{Name: "hall", Engine: "house", PIN: config.NewSecret("0042117"), ModeratorPIN: config.NewSecret("9942117")},
		{Name: "board", Engine: "house", PIN: config.NewSecret("0042118")},
	}
	for _, test := range []struct {
		rule, room, pin string
		want            DialIn
		sip             string
	}{
		{"a number of its own, before its PIN", "board", "", DialIn{Room: "board", Number: "+33123456789", Tel: "tel:+33123456789", User: "0042118"}, "sip:0042118@gw.example"},
		{"behind a menu, and straight by PIN", "uuid", "0042117042", DialIn{"uuid", "+33123456780", "0042117042", "tel:+33123456780,,0042117042%23", "0042117042"}, "sip:0042117042@gw.example"},
		{"room*PIN", "uuid", "0042", DialIn{"uuid", "+33123456780", "0042", "tel:+33123456780,,0042%23", "uuid*0042"}, "sip:uuid%2A0042@gw.example"},
		{"its own PIN", "hall", "", DialIn{"hall", "+33123456770", "0042117", "tel:+33123456770,,0042117%23", "0042117"}, "sip:0042117@gw.example"},
		{"by name", "conf-été", "", DialIn{Room: "conf-été", User: "conf-été"}, "sip:conf-%C3%A9t%C3%A9@gw.example"},
		{"a name is no number", "named", "", DialIn{Room: "named"}, ""},
		{"nobody can", "nowhere", "", DialIn{Room: "nowhere"}, ""},
	} {
		t.Run(test.rule, func(t *testing.T) {
			got, ok := HowToDial(live, test.room, test.pin, time.Now())
			if got != test.want || ok != (test.want.Number+test.want.User != "") {
				t.Errorf("got %+v, %v, want %+v", got, ok, test.want)
			}
			if sip := got.SIP("gw.example"); sip != test.sip {
				t.Errorf("got %s, want %s", sip, test.sip)
			}
		})
	}
}
