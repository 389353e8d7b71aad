package outgoing

import (
	"errors"
	"strings"
	"testing"

	"passerelle/bridge/numbers"
)

// TestAllows: what a number is, and whether lists that are drawn in the usual way let it be called.
func TestAllows(t *testing.T) {
	france := numbers.Plan{Region: "FR"}
	house := numbers.Plan{Region: "FR", Outside: "0", Extensions: 4, E164: "+3312345{ext}"}
	usual := Rules{Who: []Who{API}, Regions: []string{"FR"}, Kinds: []Kind{Fixed, Mobile, VoIP, TollFree}}
	all := Rules{Who: []Who{API}, Regions: []string{"FR", "US", "001"}, Kinds: Kinds()}
	paris := Rules{Who: []Who{API}, Prefixes: []string{"+331"}, Kinds: []Kind{Fixed}}
	with := func(kinds ...Kind) Rules { return Rules{Who: []Who{API}, Regions: []string{"FR", "US"}, Kinds: kinds} }
	for _, test := range []struct {
		rule    string
		rules   Rules
		plan    numbers.Plan
		dialled string
		key     string // that refuses it; "" where it is allowed
		kind    Kind
		region  string
	}{
		{"nothing is configured", Rules{}, france, "0123456789", "outgoing", Fixed, "FR"},
		{"fixed", usual, france, "01 23 45 67 89", "", Fixed, "FR"},
		{"mobile", usual, france, "0612345678", "", Mobile, "FR"},
		{"voip", usual, france, "0912345678", "", VoIP, "FR"},
		{"toll-free", usual, france, "0800123456", "", TollFree, "FR"},
		{"a kind that is not named", paris, france, "0612345678", "outgoing.kinds", Mobile, "FR"},
		{"premium", usual, france, "0899123456", "outgoing.kinds", Premium, "FR"},
		{"premium by its number of the world", usual, france, "+33899123456", "outgoing.kinds", Premium, "FR"},
		{"premium, named", all, france, "0899123456", "", Premium, "FR"},
		{"shared cost", usual, france, "0820123456", "outgoing.kinds", SharedCost, "FR"},
		{"another country", usual, france, "+4930123456", "outgoing.allow", Fixed, "DE"},
		{"a country that shares its code", with(Fixed, Mobile), france, "+1 876 555 1234", "outgoing.allow", Mobile, "JM"},
		{"fixed or mobile, of which one is named", with(Mobile), france, "+14155552671", "", either, "US"},
		{"fixed or mobile, of which none is", with(VoIP), france, "+14155552671", "outgoing.kinds", either, "US"},
		{"overseas is not France", usual, france, "0590201234", "outgoing.allow", Fixed, "GP"},
		{"overseas, named", Rules{Who: []Who{API}, Regions: []string{"RE"}, Kinds: []Kind{Fixed}}, france, "0262201234", "", Fixed, "RE"},
		{"and Mayotte is not Réunion", Rules{Who: []Who{API}, Regions: []string{"RE"}, Kinds: []Kind{Mobile}}, france, "0639201234", "outgoing.allow", Mobile, "YT"},
		{"a prefix", paris, france, "0123456789", "", Fixed, "FR"},
		{"another prefix", paris, france, "0223456789", "outgoing.allow", Fixed, "FR"},
		{"satellites", usual, france, "+870773111632", "outgoing.kinds", Satellite, "001"},
		{"satellites, named", all, france, "+870773111632", "", Satellite, "001"},
		{"an emergency number", all, france, "112", "emergency", emergency, "FR"},
		{"and by another way", all, france, "+3315", "emergency", emergency, "FR"},
		{"and with the outside's digit", all, house, "0112", "emergency", emergency, "FR"},
		{"and without a plan", all, numbers.Plan{}, "112", "emergency", emergency, ""},
		{"and America's", all, numbers.Plan{}, "911", "emergency", emergency, ""},
		{"a short number", usual, france, "3900", "outgoing.kinds", Short, "FR"},
		{"a short number, named", with(Short), france, "3900", "", Short, "FR"},
		{"a short number of another country", Rules{Who: []Who{API}, Regions: []string{"US"}, Kinds: []Kind{Short}}, france, "3900", "outgoing.allow", Short, "FR"},
		{"an extension", usual, house, "2001", "outgoing.kinds", Extension, ""},
		{"an extension, named", with(Extension), house, "2001", "", Extension, ""},
		{"what is no valid number", usual, france, "+15551234567", "outgoing.kinds", Unknown, "US"},
		{"what is no valid number, named", with(Unknown), france, "+15551234567", "", Unknown, "US"},
		{"what is no valid number, of elsewhere", with(Unknown), france, "+44999999999999", "outgoing.allow", Unknown, "GB"},
		{"a number without a plan", usual, numbers.Plan{}, "0123456789", "outgoing.kinds", Unknown, ""},
		{"a number of the world without a plan", usual, numbers.Plan{}, "+33123456789", "", Fixed, "FR"},
		{"and a bad one", usual, numbers.Plan{}, "+331", "outgoing.kinds", Unknown, ""},
		{"a name", all, france, "lobby", "outgoing.kinds", Unknown, ""},
		{"a service code", all, france, "*31#0123456789", "outgoing.kinds", Unknown, ""},
		{"nothing", all, france, "", "outgoing.kinds", Unknown, ""},
	} {
		t.Run(test.rule, func(t *testing.T) {
			d := Read(test.plan, test.dialled)
			if d.Kind != test.kind || d.Region != test.region {
				t.Errorf("%q is %q of %q, want %q of %q", test.dialled, d.Kind, d.Region, test.kind, test.region)
			}
			check(t, test.rules.Allows(Call{By: API, Trunk: "operator", To: d}), test.key)
		})
	}
}

func TestWho(t *testing.T) {
	rules := Rules{Who: []Who{Moderator}, Regions: []string{"FR"}, Kinds: []Kind{Fixed, Phones}}
	to := Read(numbers.Plan{Region: "FR"}, "0123456789")
	check(t, rules.Allows(Call{By: Moderator, To: to}), "")
	check(t, rules.Allows(Call{By: API, To: to}), "outgoing.who")
	check(t, rules.Allows(Call{By: Route, To: to}), "")
	check(t, rules.Allows(Call{By: Moderator, To: Phone("2001")}), "")
	rules.Kinds = []Kind{Fixed}
	check(t, rules.Allows(Call{By: Moderator, To: Phone("2001")}), "outgoing.kinds")
}

// check compares an error with the key that it should name.
func check(t *testing.T, err error, key string) {
	t.Helper()
	var refused *Refusal
	switch {
	case err == nil && key == "":
	case !errors.As(err, &refused) || refused.Key != key || refused.Why == "":
		t.Errorf("got %v, want %q to be in the way", err, key)
	}
}

// FuzzAllows: whatever is dialled, what rules for fixed numbers of France let through is one: nine digits behind +33, none of
// them premium, and no call for help.
func FuzzAllows(f *testing.F) {
	for _, s := range []string{"0123456789", "+33 (0)1 23 45 67 89", "0899123456", "112", "+33112", "0590201234", "00 33 1 23 45 67 89", "lobby", "0123456789;x=0899123456", "+3315"} {
		f.Add(s, "", uint8(0))
		f.Add(s, "0", uint8(4))
	}
	rules := Rules{Who: []Who{API}, Regions: []string{"FR"}, Kinds: []Kind{Fixed}}
	f.Fuzz(func(t *testing.T, dialled, outside string, extensions uint8) {
		plan := numbers.Plan{Region: "FR", Outside: outside, Extensions: int(extensions % 9)}
		d := Read(plan, dialled)
		if rules.Allows(Call{By: API, Trunk: "carrier", To: d}) != nil {
			return
		}
		number, france := strings.CutPrefix(d.Number.E164, "+33")
		if !france || len(number) != 9 || number[0] < '1' || number[0] > '5' || strings.Trim(number, "0123456789") != "" || d.Number.Help != "" {
			t.Errorf("%q is let through as %+v", dialled, d)
		}
	})
}
