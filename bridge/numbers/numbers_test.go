package numbers

import (
	"strings"
	"testing"
)

func TestRead(t *testing.T) {
	france := Plan{Region: "FR"}
	house := Plan{Region: "FR", Outside: "0", Extensions: 4, E164: "+3312345{ext}"}
	quiet := Plan{Region: "FR", Extensions: 4}
	for _, test := range []struct {
		rule    string
		plan    Plan
		dialled string
		kind    Kind
		e164    string
	}{
		{"a national number", france, "0123456789", World, "+33123456789"},
		{"with visual separators", france, "01 23-45.67(89)", World, "+33123456789"},
		{"the international prefix", france, "0033123456789", World, "+33123456789"},
		{"E.164 as it is", france, "+33123456789", World, "+33123456789"},
		{"a national zero behind the country code", france, "+33 (0)1 23 45 67 89", World, "+33123456789"},
		{"parameters of the user part say nothing", france, "+33123456789;npdi", World, "+33123456789"},
		{"a foreign number", france, "+4930123456", World, "+4930123456"},
		{"a foreign number by its prefix", france, "004930123456", World, "+4930123456"},
		{"a premium number is one of the world", france, "0899123456", World, "+33899123456"},

		{"an emergency number", france, "15", Emergency, ""},
		{"17", france, "17", Emergency, ""},
		{"18", france, "18", Emergency, ""},
		{"112", france, "112", Emergency, ""},
		{"114 (the library does not know)", france, "114", Emergency, ""},
		{"115", france, "115", Emergency, ""},
		{"116000", france, "116000", Emergency, ""},
		{"116117", france, "116 117", Emergency, ""},
		{"119", france, "119", Emergency, ""},
		{"191", france, "191", Emergency, ""},
		{"196", france, "196", Emergency, ""},
		{"197", france, "197", Emergency, ""},
		{"one of which somebody made a number of the world", france, "+33112", Emergency, ""},
		{"and the shortest of them", france, "+3315", Emergency, ""},
		{"with the outside's digit", house, "0112", Emergency, ""},
		{"an emergency number is no extension", Plan{Region: "FR", Extensions: 3}, "112", Emergency, ""},
		{"emergency numbers without a plan", Plan{Emergency: "FR"}, "112", Emergency, ""},
		{"of another country", Plan{Region: "US"}, "911", Emergency, ""},
		{"which is nothing here", france, "911", Other, ""},
		{"16 was one", france, "16", Other, ""},

		{"an extension", house, "2001", Extension, "+33123452001"},
		{"without a number of the world", quiet, "2001", Extension, ""},
		{"an extension that is a short number elsewhere", quiet, "3900", Extension, ""},
		{"no extensions here", france, "2001", Other, ""},
		{"a short number", france, "3900", Short, ""},
		{"a directory", france, "118712", Short, ""},
		{"a short number outside", house, "0118712", Short, ""},

		{"Guadeloupe", france, "0590201234", World, "+590590201234"},
		{"Guadeloupe, mobile", france, "0690201234", World, "+590690201234"},
		{"Guadeloupe, mobile again", france, "0691201234", World, "+590691201234"},
		{"French Guiana", france, "0594201234", World, "+594594201234"},
		{"French Guiana, mobile", france, "0694201234", World, "+594694201234"},
		{"Martinique", france, "0596201234", World, "+596596201234"},
		{"Martinique, mobile", france, "0696201234", World, "+596696201234"},
		{"Martinique, mobile again", france, "0697201234", World, "+596697201234"},
		{"Réunion", france, "0262201234", World, "+262262201234"},
		{"Réunion again", france, "0263201234", World, "+262263201234"},
		{"Réunion, mobile", france, "0692201234", World, "+262692201234"},
		{"Réunion, mobile again", france, "0693201234", World, "+262693201234"},
		{"Mayotte", france, "0269601234", World, "+262269601234"},
		{"Mayotte, mobile", france, "0639201234", World, "+262639201234"},
		{"wrongly made one of +33", france, "+33590201234", World, "+590590201234"},
		{"and with the prefix", france, "0033692201234", World, "+262692201234"},
		{"as it is", france, "+590590201234", World, "+590590201234"},
		{"from overseas to there", Plan{Region: "RE"}, "0262201234", World, "+262262201234"},
		{"from overseas to Paris", Plan{Region: "RE"}, "0123456789", World, "+33123456789"},
		{"0639 is overseas, and 0638 is not", france, "0638201234", World, "+33638201234"},

		{"outside", house, "00123456789", World, "+33123456789"},
		{"outside, abroad", house, "0004930123456", World, "+4930123456"},
		{"without the outside's digit", house, "0123456789", World, "+33123456789"},
		{"one digit too many", france, "01234567891", Other, ""},
		{"one too few", france, "012345678", Other, ""},
		{"what the library calls invalid", france, "+15551234567", Other, ""},
		{"far too long", france, strings.Repeat("1", 30), Name, ""},

		{"a name", france, "lobby", Name, ""},
		{"digits in a name", france, "conf-42", Name, ""},
		{"letters are not digits", france, "1-800-FLOWERS", Name, ""},
		{"a service code", france, "*31#0123456789", Name, ""},
		{"nothing", france, "", Name, ""},
		{"a plus", france, "+", Name, ""},
		{"digits of another script", france, "٠١٢٣٤٥٦٧٨٩", Name, ""},

		{"no plan", Plan{}, "0123456789", Other, ""},
		{"no plan, a number of the world", Plan{}, "+33 1 23 45 67 89", World, "+33123456789"},
		{"no plan, no emergency number", Plan{}, "112", Other, ""},
		{"Britain", Plan{Region: "GB"}, "020 7946 0000", World, "+442079460000"},
		{"Germany", Plan{Region: "DE"}, "030 123456", World, "+4930123456"},
		{"America", Plan{Region: "US"}, "(415) 555-2671", World, "+14155552671"},
		{"France, from America", Plan{Region: "US"}, "011 33 1 23 45 67 89", World, "+33123456789"},
	} {
		t.Run(test.rule, func(t *testing.T) {
			n := test.plan.Read(test.dialled)
			if help := map[string]string{"+33112": "112", "+3315": "15", "0112": "112", "116 117": "116117"}[test.dialled]; help != "" && n.Help != help || (n.Help != "") != (n.Kind == Emergency) {
				t.Errorf("%q calls %q for help", test.dialled, n.Help)
			}
			if n.Kind != test.kind || n.E164 != test.e164 || n.Why == "" {
				t.Errorf("%+v reads %q as %v %q (%s), want %v %q", test.plan, test.dialled, n.Kind, n.E164, n.Why, test.kind, test.e164)
			}
		})
	}
}

func TestSame(t *testing.T) {
	france, house := Plan{Region: "FR"}, Plan{Region: "FR", Extensions: 4, E164: "+3312345{ext}"}
	for _, test := range []struct {
		rule string
		plan Plan
		a, b string
		want bool
	}{
		{"national and international", france, "0123456789", "+33 1 23 45 67 89", true},
		{"overseas", france, "0590201234", "+590590201234", true},
		{"an extension and its number of the world", house, "2001", "+33123452001", true},
		{"digits that are no number", france, "2-001", "2001", true},
		{"an invalid number, both ways", france, "+15551234567", "0015551234567", false},
		{"a name", france, "lobby", "lobby", true},
		{"names are not numbers", france, "Lobby", "lobby", false},
		{"two nothings that are no numbers", france, "a", "b", false},
		{"without a plan a zero is a zero", Plan{}, "0123456789", "+33123456789", false},
		{"another number", france, "0123456788", "0123456789", false},
	} {
		t.Run(test.rule, func(t *testing.T) {
			if got := test.plan.Read(test.a).Same(test.plan.Read(test.b)); got != test.want {
				t.Errorf("%q and %q: %v, want %v", test.a, test.b, got, test.want)
			}
		})
	}
}

// FuzzRead: a number of the world is read again as itself, and an emergency number is one whatever stands between its
// digits.
func FuzzRead(f *testing.F) {
	for _, s := range []string{"0123456789", "+33 1 23 45 67 89", "15", "0590201234", "lobby", "+15551234567", "00 49 30 123456", "2001"} {
		f.Add(s, "FR")
		f.Add(s, "US")
	}
	f.Fuzz(func(t *testing.T, dialled, region string) {
		if !Supported(region) {
			return
		}
		plan := Plan{Region: region, Extensions: 4}
		n := plan.Read(dialled)
		if n.Dialled != dialled || n.Kind == 0 || n.Why == "" || n.Kind == Name && n.E164 != "" {
			t.Fatalf("%q: %+v", dialled, n)
		}
		if n.Kind == World {
			if again := plan.Read(n.E164); again.Kind == World && again.E164 != n.E164 {
				t.Fatalf("%q is %s, which is %s", dialled, n.E164, again.E164)
			}
		}
		if spaced := plan.Read(strings.Join(strings.Split(n.Bare, ""), " ")); n.Bare != "" && n.Bare[0] != '+' && spaced.Kind != n.Kind {
			t.Fatalf("%q is %v, and with spaces %v", dialled, n.Kind, spaced.Kind)
		}
	})
}

func BenchmarkRead(b *testing.B) {
	plan := Plan{Region: "FR", Extensions: 4}
	for b.Loop() {
		plan.Read("01 23 45 67 89")
	}
}
