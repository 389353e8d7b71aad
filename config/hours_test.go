package config

import (
	"testing"
	"time"
)

func TestHours(t *testing.T) {
	paris, err := parseZone("Europe/Paris")
	if err != nil {
		t.Fatal(err)
	}
	// 2026-11-27 is a Friday; Paris is one hour ahead of UTC then, and two in summer.
	for _, test := range []struct {
		rule, hours, at string
		want            bool
	}{
		{"within", "mon-fri 08:00-18:30", "2026-11-27T12:00:00Z", true},
		{"the first minute", "mon-fri 08:00-18:30", "2026-11-27T07:00:00Z", true},
		{"the minute before", "mon-fri 08:00-18:30", "2026-11-27T06:59:59Z", false},
		{"the end is not within", "mon-fri 08:00-18:30", "2026-11-27T17:30:00Z", false},
		{"another day", "mon-fri 08:00-18:30", "2026-11-28T12:00:00Z", false},
		{"summer time", "08:00-18:30", "2026-07-03T06:00:00Z", true},
		{"a day is all of it, where the clock is", "sat", "2026-11-27T23:30:00Z", true},
		{"and no more", "fri", "2026-11-27T23:30:00Z", false},
		{"days in a list", "mon,fri", "2026-11-27T12:00:00Z", true},
		{"over the week's end", "sat-mon", "2026-11-29T12:00:00Z", true},
		{"not the rest of the week", "sat-mon", "2026-11-27T12:00:00Z", false},
		{"a night, before midnight", "fri 22:00-02:00", "2026-11-27T22:00:00Z", true},
		{"a night, after midnight", "fri 22:00-02:00", "2026-11-28T00:30:00Z", true},
		{"the night before is another", "fri 22:00-02:00", "2026-11-27T00:30:00Z", false},
		{"until the end of the day", "20:00-24:00", "2026-11-27T22:59:00Z", true},
	} {
		t.Run(test.rule, func(t *testing.T) {
			h, err := parseHours(test.hours)
			if err != nil {
				t.Fatal(err)
			}
			at, err := time.Parse(time.RFC3339, test.at)
			if err != nil {
				t.Fatal(err)
			}
			if got := h.Contain(at.In(paris)); got != test.want {
				t.Errorf("%s contains %s: %v, want %v", test.hours, at.In(paris), got, test.want)
			}
		})
	}
	for _, wrong := range []string{"", "8:00-18:00", "mon-", "monday", "mon 08:00", "mon 08:00-08:00", "mon 24:00-08:00", "mon fri", "mon 8 18", "25:00-26:00", "08:00-18:00 mon"} {
		if h, err := parseHours(wrong); err == nil {
			t.Errorf("%q is %+v", wrong, h)
		}
	}
}
