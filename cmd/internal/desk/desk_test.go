package desk

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"passerelle/sip/digest"
)

func TestWith(t *testing.T) {
	at := func(text string) netip.Prefix { return netip.MustParsePrefix(text) }
	locked := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	p := Phones{Phones: []Phone{{User: "2001"}, {User: "2002"}}}
	p.With([]digest.Suspect{
		{User: "2002", From: at("192.0.2.1/32"), Wrong: 7, Locked: locked},
		{User: "2002", Wrong: 8},
		{User: "201", From: at("2001:db8::/64"), Wrong: 1},
		{From: at("192.0.2.1/32"), Wrong: 9},
	})
	var got string
	for _, phone := range p.Phones {
		got += fmt.Sprint(phone.User, phone.Unknown)
		for _, w := range phone.Wrong {
			got += fmt.Sprint(" ", w.From, "x", w.Times, !w.Locked.IsZero())
		}
		got += "; "
	}
	if want := "2001false; 2002false 192.0.2.1x7 true x8 false; 201true 2001:db8::/64x1 false; "; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if len(p.Sources) != 1 || p.Sources[0].From != "192.0.2.1" || p.Sources[0].Times != 9 {
		t.Errorf("the sources are %+v", p.Sources)
	}
}
