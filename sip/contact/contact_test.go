package contact

import (
	"strings"
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	for _, test := range []struct{ rule, value, want string }{
		{"an outbound contact", `<sip:a@192.0.2.1:5060;transport=tcp;ob>;+sip.instance="<urn:uuid:00-11>";reg-id=1;expires=300`,
			`<sip:a@192.0.2.1:5060;transport=tcp;ob>;+sip.instance="<urn:uuid:00-11>";reg-id=1;expires=300`},
		{"several", `"B, \"x\"" <sip:b@[::1]>;expires=60 ,  sip:c@h;q=0.5`, `"B, \"x\"" <sip:b@[::1]>;expires=60|<sip:c@h>;q=0.5`},
		{"words before the brackets", `Desk Phone <sip:a@h>`, `"Desk Phone" <sip:a@h>`},
		{"a comma within brackets", `<sip:a,b@h>, <sip:c@h>`, `<sip:a,b@h>|<sip:c@h>`},
		{"all", `*`, `*`},
		{"blanks", ` <sip:a@h> ; expires = 5 `, `<sip:a@h>;expires=5`},
		{"nothing", ``, ``},
		{"no end of brackets", `<sip:a@h`, `error`},
		{"no end of quotes", `"a <sip:a@h>`, `error`},
		{"a comma at the end", `<sip:a@h>,`, `error`},
		{"nothing within", `<>`, `error`},
		{"no comma between", `<sip:a@h> <sip:b@h>`, `error`},
		{"too many", strings.Repeat("<sip:a@h>,", maxAddresses) + "<sip:a@h>", `error`},
		{"two lines", "<sip:a@h\r\nX: y>", `error`},
	} {
		all, err := Parse(test.value)
		var parts []string
		for _, a := range all {
			parts = append(parts, a.String())
		}
		got := strings.Join(parts, "|")
		if err != nil {
			got = "error"
		}
		if got != test.want {
			t.Errorf("%s: got %q, %v, want %q", test.rule, got, err, test.want)
		}
	}
}

func TestParams(t *testing.T) {
	all, err := Parse(`<sip:a@h>;Expires=abc;q=0.7, <sip:a@h>;q=7, <sip:a@h>;expires=0`)
	if err != nil {
		t.Fatal(err)
	}
	if d, has := all[0].Expires(); d != time.Hour || !has || all[0].Q() != 700 || all[1].Q() != 1000 {
		t.Errorf("got %v, %v, %d, %d", d, has, all[0].Q(), all[1].Q())
	}
	if d, has := all[2].Expires(); d != 0 || !has {
		t.Errorf("got %v, %v", d, has)
	}
	all[2].Set("EXPIRES", "9")
	if got := all[2].String(); got != "<sip:a@h>;EXPIRES=9" {
		t.Errorf("got %s", got)
	}
}

func TestKey(t *testing.T) {
	for _, test := range []struct {
		rule, a, b string
		same       bool
	}{
		{"case of host and scheme", "sip:a@H.example", "SIP:a@h.example", true},
		{"case of the user", "sip:a@h", "sip:A@h", false},
		{"port", "sip:a@h:5060", "sip:a@h", false},
		{"transport", "sip:a@h;transport=TCP", "sip:a@h;x=y;transport=tcp", true},
		{"another transport", "sip:a@h;transport=tcp", "sip:a@h", false},
		{"other parameters", "sip:a@h;line=1", "sip:a@h;line=2", true},
		{"scheme", "sip:a@h", "sips:a@h", false},
	} {
		a, errA := Key(test.a)
		b, errB := Key(test.b)
		if errA != nil || errB != nil || (a == b) != test.same {
			t.Errorf("%s: %q and %q, %v, %v", test.rule, a, b, errA, errB)
		}
	}
	for _, bad := range []string{"", "tel:+33", "sip:", "sip:a@", "mailto:a@h", "sip:a@:5060"} {
		if key, err := Key(bad); err == nil {
			t.Errorf("%q is %q", bad, key)
		}
	}
}

// FuzzParse: what was read and is written is read as the same.
func FuzzParse(f *testing.F) {
	f.Add(`"B, \"x\"" <sip:b@[::1]>;expires=60 ,  sip:c@h;q=0.5`)
	f.Add(`Desk Phone <sip:a@192.0.2.1:5060;ob>;+sip.instance="<urn:uuid:00-11>";reg-id=1`)
	f.Add(`*`)
	f.Fuzz(func(t *testing.T, value string) {
		all, err := Parse(value)
		if err != nil {
			return
		}
		for _, a := range all {
			again, err := Parse(a.String())
			if err != nil || len(again) != 1 || again[0].String() != a.String() || again[0].URI != a.URI {
				t.Fatalf("%q is %q, and then %q, %v", value, a.String(), again, err)
			}
			_, _ = Key(a.URI)
		}
	})
}
