package meet

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"passerelle/rooms"
	"passerelle/rooms/meet/meettest"
)

// knocked is what came of one who knocked.
type knocked struct {
	attributes map[string]string
	err        error
	waited     int // how often waiting was told
	took       time.Duration
}

// knock admits a guest while a test plays the host.
func (s *stage) knock(ctx context.Context, room string) <-chan knocked {
	out := make(chan knocked, 1)
	go func() {
		var k knocked
		began := time.Now()
		k.attributes, k.err = s.Admit(ctx, rooms.Entry{Room: room}, "+33 1 99 00 •• ••", func() { k.waited++ })
		k.took = time.Since(began)
		out <- k
	}()
	return out
}

// meeting returns a stage with one meeting.
func meeting(t *testing.T, access meettest.Access, change func(*Config)) *stage {
	s := newStage(t, change)
	s.meet.Add(meettest.Meeting{ID: board, PIN: pin, Access: access})
	return s
}

// isGuest fails unless a participant carries what Meet gives its guests.
func isGuest(t *testing.T, attributes map[string]string) {
	t.Helper()
	if attributes["is_authenticated"] != "false" || !strings.HasPrefix(attributes["color"], "hsl(") || len(attributes) != 2 {
		t.Errorf("attributes %v", attributes)
	}
}

func TestNoLobby(t *testing.T) {
	for rule, change := range map[string]func(*Config){
		"never":   func(c *Config) { c.Lobby = false },
		"no Meet": func(c *Config) { c.Meet = nil },
	} {
		t.Run(rule, func(t *testing.T) {
			s := meeting(t, meettest.Restricted, change)
			attributes, err := s.Admit(t.Context(), rooms.Entry{Room: board}, "x", func() { t.Error("it waits") })
			if err != nil {
				t.Fatal(err)
			}
			isGuest(t, attributes)
			if n := s.meet.Count(meettest.RequestEntry); n != 0 {
				t.Errorf("it knocked %d times", n)
			}
		})
	}
}

func TestPublicRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := meeting(t, meettest.Public, nil)
		k := <-s.knock(t.Context(), board)
		if k.err != nil || k.waited != 0 || k.took != 0 {
			t.Errorf("got %+v, want to be let in at once", k)
		}
		isGuest(t, k.attributes)
	})
}

// TestDecisions holds what a host decides against what becomes of the guest.
func TestDecisions(t *testing.T) {
	for _, test := range []struct {
		rule   string
		decide func(*meettest.Meet, string) bool
		err    error
	}{
		{"accepted", (*meettest.Meet).Accept, nil},
		{"denied", (*meettest.Meet).Deny, rooms.ErrDenied},
	} {
		t.Run(test.rule, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := meeting(t, meettest.Trusted, nil)
				out := s.knock(t.Context(), board)
				time.Sleep(time.Minute) // many times what Meet remembers
				guests := s.meet.Waiting(board)
				if len(guests) != 1 || guests[0].Name != "+33 1 99 00 •• ••" {
					t.Fatalf("waiting: %+v", guests)
				}
				if n := s.meet.Count(meettest.RequestEntry); n < 39 || n > 42 {
					t.Errorf("it knocked %d times in a minute, want every 1.5 s", n)
				}
				test.decide(s.meet, guests[0].ID)
				k := <-out
				if !errors.Is(k.err, test.err) || k.waited != 1 || k.took > time.Minute+knockEvery {
					t.Errorf("got %+v", k)
				}
				if test.err == nil && k.attributes["color"] != guests[0].Color {
					t.Errorf("attributes %v, want the colour %s", k.attributes, guests[0].Color)
				}
			})
		})
	}
}

// TestGuestsAreDifferent holds that each call is somebody of its own to Meet.
func TestGuestsAreDifferent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := meeting(t, meettest.Restricted, nil)
		first, second := s.knock(t.Context(), board), s.knock(t.Context(), board)
		time.Sleep(10 * time.Second)
		guests := s.meet.Waiting(board)
		if len(guests) != 2 {
			t.Fatalf("%d wait, want 2", len(guests))
		}
		s.meet.Deny(guests[0].ID)
		s.meet.Accept(guests[1].ID)
		a, b := <-first, <-second
		if errors.Is(a.err, rooms.ErrDenied) == errors.Is(b.err, rooms.ErrDenied) {
			t.Errorf("got %v and %v, want one of them denied", a.err, b.err)
		}
	})
}

func TestNobodyOpens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := meeting(t, meettest.Restricted, func(c *Config) { c.LobbyTimeout = 2 * time.Minute })
		k := <-s.knock(t.Context(), board)
		if !errors.Is(k.err, rooms.ErrUnanswered) || k.took != 2*time.Minute {
			t.Errorf("got %+v, want to give up after 2 minutes", k)
		}
	})
}

// TestHangUp holds that a guest who has gone is not waiting any more, by itself.
func TestHangUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := meeting(t, meettest.Restricted, nil)
		ctx, hangUp := context.WithCancel(t.Context())
		out := s.knock(ctx, board)
		time.Sleep(5 * time.Second)
		hangUp()
		if k := <-out; !errors.Is(k.err, context.Canceled) || k.took != 5*time.Second {
			t.Errorf("got %+v", k)
		}
		knocks := s.meet.Count(meettest.RequestEntry)
		time.Sleep(10 * time.Second)
		if n := s.meet.Count(meettest.RequestEntry); n != knocks || len(s.meet.Waiting(board)) != 0 {
			t.Errorf("%d knocks after the end, %d still wait", n-knocks, len(s.meet.Waiting(board)))
		}
	})
}

// TestThrottle holds that Meet is not asked while it does not want to be.
func TestThrottle(t *testing.T) {
	for _, test := range []struct {
		rule   string
		header []string
		pause  time.Duration
	}{
		{"for so many seconds", []string{"Retry-After", "30"}, 30 * time.Second},
		{"it does not say for how long", nil, holdBack},
		{"for less than we would wait", []string{"Retry-After", "1"}, knockEvery},
	} {
		t.Run(test.rule, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := meeting(t, meettest.Public, nil)
				s.meet.Break(meettest.RequestEntry, 1, status(http.StatusTooManyRequests, test.header...))
				if k := <-s.knock(t.Context(), board); k.err != nil || k.took != test.pause {
					t.Errorf("got %+v, want to be let in after %v", k, test.pause)
				}
			})
		})
	}
}

// TestAiling holds that a Meet that is away for a moment is not noticed, and one that stays away is told.
func TestAiling(t *testing.T) {
	for _, test := range []struct {
		rule  string
		times int
		fails bool
	}{{"a restart", 10, false}, {"it stays away", 1000, true}} {
		t.Run(test.rule, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := meeting(t, meettest.Public, nil)
				s.meet.Break(meettest.RequestEntry, test.times, status(http.StatusBadGateway))
				k := <-s.knock(t.Context(), board)
				var fault *Error
				if errors.As(k.err, &fault) != test.fails || test.fails && k.took > ailingFor+knockEvery {
					t.Errorf("got %+v", k)
				}
			})
		})
	}
}

func TestDoorIsGone(t *testing.T) {
	for _, test := range []struct {
		rule   string
		room   string
		answer http.HandlerFunc
		noRoom bool
		says   string
	}{
		{"a room that Meet has deleted", council, nil, true, ""},
		{"a room that is not Meet's", "../../users", nil, true, "not a room of Meet's"},
		{"a page in front of Meet", board, status(404, "Content-Type", "text/html"), false, "meet.url"},
		{"a name that Meet does not take", board, status(400, "Content-Type", "application/json"), false, "HTTP 400"},
		{"a host that Meet does not serve", board, status(400), false, "DJANGO_ALLOWED_HOSTS"},
		{"a page that takes everything", board, status(200, "Content-Type", "text/html"), false, "meet.url leads to Meet"},
		{"a status from the future", board, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(`{"status":"pondering"}`))
		}, false, "newer"},
	} {
		t.Run(test.rule, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := meeting(t, meettest.Public, nil)
				if test.answer != nil {
					s.meet.Break(meettest.RequestEntry, 1, test.answer)
				}
				k := <-s.knock(t.Context(), test.room)
				if k.err == nil || errors.Is(k.err, rooms.ErrNoRoom) != test.noRoom || !strings.Contains(k.err.Error(), test.says) {
					t.Errorf("got %v, want %q", k.err, test.says)
				}
			})
		})
	}
}

func TestDisplayName(t *testing.T) {
	for given, want := range map[string]string{
		"":                       nameless,
		" \t\r\n":                nameless,
		"Salle\r\nMarianne":      "Salle  Marianne",
		strings.Repeat("é", 200): strings.Repeat("é", maxName),
		"+33 1 99 00 •• ••":      "+33 1 99 00 •• ••",
		"\xff\xfe":               nameless,
	} {
		if got := displayName(given); got != want {
			t.Errorf("%q becomes %q, want %q", given, got, want)
		}
	}
}
