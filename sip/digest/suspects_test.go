package digest

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestSuspects: who guesses is told for an hour, each that is counted by itself, with its lock.
func TestSuspects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := NewVerifier(realm("house", nil, Account{}))
		from := netip.MustParseAddr("192.0.2.7")
		list := func() (lines []string) {
			for _, s := range v.Suspects() {
				locked := time.Duration(0)
				if !s.Locked.IsZero() {
					locked = time.Until(s.Locked)
				}
				lines = append(lines, fmt.Sprintf("%q %v %d %v", s.User, s.From, s.Wrong, locked))
			}
			return lines
		}
		v.guesses.wrong("2001", from)
		want := []string{`"" 192.0.2.7/32 1 0s`, `"2001" 192.0.2.7/32 1 0s`, `"2001" invalid Prefix 1 0s`}
		if got := list(); !slices.Equal(got, want) {
			t.Errorf("after one: %q", got)
		}
		for range 6 {
			v.guesses.wrong("2001", from)
		}
		if got := list(); got[1] != `"2001" 192.0.2.7/32 7 4s` {
			t.Errorf("after seven: %q", got)
		}
		time.Sleep(5 * time.Second)
		if got := list(); got[1] != `"2001" 192.0.2.7/32 7 0s` {
			t.Errorf("after the lock: %q", got)
		}
		v.guesses.wrong("2002", from)
		v.Forgive("2002")
		if got := list(); len(got) != 3 || strings.Contains(fmt.Sprint(got), "2002") {
			t.Errorf("after 2002 was forgiven: %q", got)
		}
		time.Sleep(time.Hour + time.Second)
		if got := list(); len(got) != 0 {
			t.Errorf("after an hour: %q", got)
		}
	})
}
