package rtp

import (
	"errors"
	"testing"
)

func TestKeypress(t *testing.T) {
	for _, clock := range []int{8000, 48000} {
		k := keypress{code: 5, clock: clock}
		frame := uint16(clock / 50)
		want := []struct {
			duration uint16
			end      bool
		}{{frame, false}, {2 * frame, false}, {3 * frame, false}, {4 * frame, false}, {5 * frame, true}, {5 * frame, true}, {5 * frame, true}}
		for i, w := range want {
			e, marker, last := k.next()
			if e.duration != w.duration || e.end != w.end || e.code != 5 {
				t.Errorf("%d Hz, packet %d: got %+v, want %+v", clock, i, e, w)
			}
			if marker != (i == 0) || last != (i == len(want)-1) {
				t.Errorf("%d Hz, packet %d: got marker %v, last %v", clock, i, marker, last)
			}
		}
	}
}

func TestKeypressGivenUp(t *testing.T) {
	for _, tt := range []struct {
		after    int // packets
		duration uint16
		times    int
	}{{0, 160, 3}, {2, 320, 3}, {4, 640, 3}, {5, 800, 2}, {6, 800, 1}} {
		k := keypress{code: 5, clock: 8000}
		for range tt.after {
			k.next()
		}
		if e, times := k.cut(); !e.end || e.duration != tt.duration || times != tt.times {
			t.Errorf("after %d packets: got %+v, %d times; want duration %d, %d times", tt.after, e, times, tt.duration, tt.times)
		}
	}
}

func TestParseKeys(t *testing.T) {
	codes, err := parseKeys("0123456789*#ABCDabcd")
	if err != nil || len(codes) != 20 || codes[11] != 11 || codes[19] != 15 {
		t.Errorf("got %v, %v", codes, err)
	}
	for _, s := range []string{"12 3", "é", "E", "1\x00"} {
		if _, err := parseKeys(s); !errors.Is(err, ErrDigit) {
			t.Errorf("%q: got %v, want ErrDigit", s, err)
		}
	}
}
