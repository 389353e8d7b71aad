package config

import "testing"

func TestRange(t *testing.T) {
	for _, test := range []struct {
		text, number string
		want         bool
	}{
		{"+33123456700..+33123456799", "+33123456700", true},
		{"+33123456700..+33123456799", "+33123456799", true},
		{"+33 1 23 45 67 00..+33 1 23 45 67 99", "+33123456742", true},
		{"+33123456700..+33123456799", "+33123456800", false},
		{"+33123456700..+33123456799", "+3312345675", false},
		{"+33123456700..+33123456799", "33123456750", false},
		{"+33123456700", "+33123456700", true},
		{"+33123456700", "+33123456701", false},
		{"2000..2099", "2042", true},
		{"2000..2099", "02042", false},
		{"2000..2099", "+2042", false},
	} {
		r, err := parseRange(test.text)
		if err != nil || r.Contains(test.number) != test.want {
			t.Errorf("%s in %s: %v (%v), want %v", test.number, test.text, !test.want, err, test.want)
		}
	}
	for _, text := range []string{"", "..", "+33123456700..", "+33123456799..+33123456700", "+33123456700..2099", "2000..20999", "+33", "lobby"} {
		if r, err := parseRange(text); err == nil {
			t.Errorf("%q is %+v", text, r)
		}
	}
}
