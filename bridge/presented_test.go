package bridge

import (
	"strings"
	"testing"

	"passerelle/bridge/numbers"
	"passerelle/codec"
	"passerelle/config"
	"passerelle/sip"
)

// TestPresent: a trunk is told a number that it has given us, whoever calls.
func TestPresent(t *testing.T) {
	const main, mine, hidden = "+33123456700", "+33123456742", "anonymous"
	ours := config.Numbers{Plan: "FR", Ours: []config.Range{{First: main, Last: "+33123456799"}}, Present: main}
	house := config.Numbers{Plan: "FR", Ours: []config.Range{{First: "2000", Last: "2099"}}, Present: "2000", Extensions: config.Extensions{Digits: 4, E164: "+3319999{ext}"}}
	alone := config.Numbers{Plan: "FR", Present: main}
	address := func(display, user, host string) sip.Address {
		return sip.Address{Display: display, User: user, Host: host}
	}
	for _, test := range []struct {
		rule     string
		numbers  config.Numbers
		who      sip.Address
		private  bool
		from     sip.Address
		asserted string
	}{
		{"one of ours", ours, address("Ada", mine, ""), false, address("Ada", mine, ""), mine},
		{"one of ours, written as at home", ours, address("", "01 23 45 67 42", ""), false, address("", mine, ""), mine},
		{"one of others", ours, address("Bank", "+33199000123", ""), false, address("", main, ""), main},
		{"the next after ours", ours, address("", "+33123456800", ""), false, address("", main, ""), main},
		{"a name", ours, address("Board", "board", ""), false, address("", main, ""), main},
		{"nobody", ours, address("", "", ""), false, address("", main, ""), main},
		{"whatever host it came from", ours, address("", mine, "evil.example"), false, address("", mine, ""), mine},
		{"one of ours, withheld", ours, address("Ada", mine, ""), true, address("Anonymous", hidden, "anonymous.invalid"), mine},
		{"withheld", ours, address("", "", ""), true, address("Anonymous", hidden, "anonymous.invalid"), main},
		{"an extension of ours", house, address("", "2042", ""), false, address("", "2042", ""), "2042"},
		{"another extension", house, address("", "2142", ""), false, address("", "2000", ""), "2000"},
		{"one number for all", alone, address("", "+33199000123", ""), false, address("", main, ""), main},
		{"a trunk that nothing is known of", config.Numbers{}, address("Ada", "2001", ""), false, address("Ada", "2001", ""), ""},
		{"and nobody", config.Numbers{}, address("", "", ""), false, address("", hidden, ""), ""},
		{"and withheld", config.Numbers{}, address("Ada", "2001", ""), true, address("", hidden, ""), ""},
	} {
		t.Run(test.rule, func(t *testing.T) {
			trunk := &config.Trunk{Numbers: test.numbers}
			plan := planOf(&config.Live{}, trunk)
			got := present(trunk, plan, test.who, test.private)
			if got.from != test.from || got.asserted.User != test.asserted || got.private != test.private {
				t.Errorf("got %+v, want %+v and %q", got, test.from, test.asserted)
			}
			trunk.Register = &config.Login{Domain: "carrier.example"}
			want := test.from
			if want.Host == "" {
				want.Host = "carrier.example"
			}
			var dial sip.Dial
			present(trunk, plan, test.who, test.private).on(&dial)
			if dial.From != want || dial.Asserted.User != test.asserted || dial.Private != test.private {
				t.Errorf("where we register: got %+v, want %+v", dial, want)
			}
		})
	}
}

// FuzzPresent: no caller can say more than that one of ours calls.
func FuzzPresent(f *testing.F) {
	for _, s := range []string{"", "+33123456742", "0123456742", "lobby", "+33199000123", "+33 (0)1 23 45 67 42", "2001;x=+33123456742"} {
		f.Add(s)
	}
	trunk := &config.Trunk{Numbers: config.Numbers{Plan: "FR", Present: "+33123456700", Ours: []config.Range{{First: "+33123456700", Last: "+33123456799"}}}}
	f.Fuzz(func(t *testing.T, user string) {
		p := present(trunk, numbers.Plan{Region: "FR"}, sip.Address{Display: "x", User: user, Host: "evil.example"}, false)
		if !trunk.Numbers.Owns(p.from.User) || p.asserted != p.from || p.from.Host != "" {
			t.Errorf("%q calls as %+v", user, p)
		}
	})
}

// TestIdentityIsKept: that somebody has signed who calls is known of the call, and not claimed to be true.
func TestIdentityIsKept(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	ada := r.late()
	ada.send("INVITE", 1, "", "Identity: eyJhbGciOiJFUzI1NiJ9.e30.c2lnbmF0dXJl;info=<https://cert.example.org/passport.cer>")
	ada.send("ACK", 1, ada.take(ada.join(ada.await("SIP/2.0 200"))))
	eventually(t, "the log to say so", func() bool { return strings.Contains(r.logged.String(), `identity="not verified"`) })
	if calls := r.gateway.Calls(); len(calls) != 1 || !calls[0].Identity {
		t.Errorf("the calls are %+v", calls)
	}
	ben, err := r.call("lobby", codec.PCMA)
	must(t, ben, err)
	if calls := r.gateway.Calls(); len(calls) != 2 || calls[1].Identity {
		t.Errorf("the calls are %+v", calls)
	}
}
