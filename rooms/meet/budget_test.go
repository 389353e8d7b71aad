package meet

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"passerelle/rooms"
	"passerelle/rooms/meet/meettest"
)

// TestBudget holds that strangers try at most so many wrong PINs a minute, that others do not suffer from it, and that
// nobody hears a difference.
func TestBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, nil)
		s.meet.Add(meettest.Meeting{ID: board, PIN: pin})
		s.livekit.AddDirect(council, other)
		for i := range 60 {
			began := time.Now()
			if _, err := s.Find(t.Context(), "5550000000", false); !errors.Is(err, rooms.ErrNoRoom) {
				t.Fatalf("guess %d: %v", i, err)
			}
			if took := time.Since(began); took != time.Second {
				t.Errorf("guess %d took %v, want a second", i, took)
			}
		}
		if n := s.meet.Count(meettest.Roomkit); n != guesses {
			t.Errorf("Meet was asked %d times in a minute, want %d", n, guesses)
		}
		if n := strings.Count(s.log.String(), "too many wrong PINs"); n != 1 {
			t.Errorf("it was told %d times:\n%s", n, s.log)
		}
		secretless(t, s.log.String())
		// The guesses of the first seconds are over a minute old again only now.
		if room, err := s.room(t.Context(), other, false); room != council {
			t.Errorf("a meeting that is on: %q, %v", room, err)
		}
		if room, err := s.room(t.Context(), pin, true); room != board {
			t.Errorf("a trusted caller: %q, %v", room, err)
		}
	})
}

// TestRightPINsAreNoGuesses holds that callers before the host cost each other nothing.
func TestRightPINsAreNoGuesses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, func(c *Config) { c.GuessesPerMinute = 1 })
		for i := range 30 {
			meeting := meettest.Meeting{ID: board[:34] + string("0123456789"[i/10]) + string("0123456789"[i%10]), PIN: pin[:8] + string("0123456789"[i/10]) + string("0123456789"[i%10])}
			s.meet.Add(meeting)
			if room, err := s.room(t.Context(), meeting.PIN, false); room != meeting.ID {
				t.Fatalf("caller %d: %q, %v", i, room, err)
			}
		}
	})
}

// TestPace holds that a wrong PIN that Meet was not asked about takes as long as one that it was slow to deny.
func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, func(c *Config) { c.GuessesPerMinute = 1 })
		s.meet.Break(meettest.Roomkit, 1, func(w http.ResponseWriter, _ *http.Request) {
			time.Sleep(1300 * time.Millisecond)
			w.WriteHeader(http.StatusNotFound)
		})
		for i := range 3 {
			began := time.Now()
			if _, err := s.Find(t.Context(), pin, false); !errors.Is(err, rooms.ErrNoRoom) {
				t.Fatal(err)
			}
			if took := time.Since(began); took != 2*time.Second {
				t.Errorf("guess %d took %v, want 2s", i, took)
			}
		}
	})
}
