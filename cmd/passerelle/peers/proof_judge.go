//go:build peers

package peers

import (
	"math"
	"strings"
	"testing"
	"time"

	"passerelle/codec/score"
)

// Backs is when everybody of a circle hears everybody again, counted from something.
type Backs struct {
	Down   time.Duration // when the last phone hears the member
	Up     time.Duration // when the member hears the last phone
	Across time.Duration // when the last phone hears the last other
}

// AwaitBack waits until everybody hears everybody for good, and returns since when that is, from a moment on.
func (c *Circle) AwaitBack(t testing.TB, after time.Time, within time.Duration) Backs {
	t.Helper()
	for deadline := time.Now().Add(within); ; {
		backs, missing := c.backs(t, after)
		if len(missing) == 0 {
			return backs
		}
		if time.Now().After(deadline) {
			t.Errorf("within %v these are not heard: %s", within, strings.Join(missing, ", "))
			return backs
		}
		time.Sleep(300 * time.Millisecond)
	}
}

func (c *Circle) backs(t testing.TB, after time.Time) (b Backs, missing []string) {
	t.Helper()
	hears := func(ear *Hearing, hum Hum, who string, last *time.Duration) {
		since, ok := ear.Steady(hum, after)
		if !ok {
			missing = append(missing, who+" by "+ear.Who)
			return
		}
		*last = max(*last, since.Sub(after))
	}
	for _, h := range c.Phones {
		ear := h.Hearing(t)
		hears(ear, c.Humming, c.Member.Name, &b.Down)
		for _, mouth := range c.Phones {
			if mouth != h {
				hears(ear, mouth.Hum, mouth.Name, &b.Across)
			}
		}
		voices, since := c.Member.Hears(h.Hum, after)
		if voices == 0 {
			missing = append(missing, h.Name+" by "+c.Member.Name)
			continue
		}
		b.Up = max(b.Up, since.Sub(after))
	}
	return b, missing
}

// Judge fails the test unless between two times everybody hears everybody else, once, and nobody himself.
func (c *Circle) Judge(t testing.TB, from, to time.Time) {
	t.Helper()
	lowest, highest, own, longest := 0.0, score.Floor+0.0, score.Floor+0.0, time.Duration(0)
	for _, h := range c.Phones {
		ear := h.Hearing(t)
		at := ear.Level(h.Hum, from, to)
		if own = max(own, at); at > humAbsent {
			t.Errorf("%s hears himself, at %.0f dBov", h.Name, at)
		}
		for who, hum := range c.mouths() {
			if hum == h.Hum {
				continue
			}
			at := ear.Level(hum, from, to)
			lowest, highest, longest = min(lowest, at), max(highest, at), max(longest, ear.Absent(hum, from, to))
			if math.Abs(at-humLevel) > humHalf {
				t.Errorf("%s hears %s at %.1f dBov, want %.1f", h.Name, who, at, humLevel)
			}
		}
	}
	c.judgeMember(t, from, to)
	t.Logf("%d phones and a member, everybody hears everybody: a hum of %.0f dBov at %.1f to %.1f, his own at %.1f at most; the longest pause in %v is %v",
		len(c.Phones), humLevel, lowest, highest, own, to.Sub(from).Round(time.Millisecond), longest.Round(time.Millisecond))
}

// judgeMember is Judge for the member, who hears each phone by a voice of its own.
func (c *Circle) judgeMember(t testing.TB, from, to time.Time) {
	t.Helper()
	voices := c.Member.Voices()
	for who, hum := range c.mouths() {
		heard, want := 0, 1
		if hum == c.Humming {
			want = 0
		}
		for _, v := range voices {
			if v.Level(hum, from, to) > humAbsent {
				heard++
			}
		}
		if heard != want {
			t.Errorf("%s hears %s by %d voices, want %d", c.Member.Name, who, heard, want)
		}
	}
}

// mouths returns everybody's name and hum.
func (c *Circle) mouths() map[string]Hum {
	all := map[string]Hum{c.Member.Name: c.Humming}
	for _, h := range c.Phones {
		all[h.Name] = h.Hum
	}
	return all
}

// LongestPause returns for how long between two times one of the ears did not hear one of the mouths.
func LongestPause(t testing.TB, ears []*Hummer, mouths []Hum, from, to time.Time) (longest time.Duration) {
	t.Helper()
	for _, h := range ears {
		ear := h.Hearing(t)
		for _, hum := range mouths {
			if hum != h.Hum {
				longest = max(longest, ear.Absent(hum, from, to))
			}
		}
	}
	return longest
}

// Stay fails the test if one of the phones was hung up on.
func Stay(t testing.TB, phones []*Hummer) {
	t.Helper()
	for _, h := range phones {
		h.Stays(t)
	}
}
