package meet

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/livekit/protocol/livekit"
	"go.uber.org/goleak"

	"passerelle/rooms"
	"passerelle/rooms/meet/meettest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	key     = "APItest"
	secret  = "of-tests-only-and-long-enough-for-a-signature"
	token   = "of-roomkit-alone"
	board   = "b1f5f0aa-7bd1-4a43-9c54-1a4b9c3c0a11"
	council = "c2f5f0aa-7bd1-4a43-9c54-1a4b9c3c0a22"
	pin     = "0123456789"
	other   = "0987654321"
)

// stage is a reception with its LiveKit and its Meet, on a wire where virtual time passes.
type stage struct {
	*Reception
	livekit *meettest.LiveKit
	meet    *meettest.Meet
	log     *bytes.Buffer
}

func newStage(t *testing.T, change func(*Config)) *stage {
	t.Helper()
	s := &stage{
		livekit: meettest.NewLiveKit(key, secret),
		meet:    meettest.New(meettest.Config{RoomkitToken: token}),
		log:     new(bytes.Buffer),
	}
	s.meet.UseSIP(s.livekit)
	c := Config{
		LiveKit: parse(t, "wss://livekit.test"), Key: key, Secret: secret,
		Meet: parse(t, "https://visio.test"), RoomkitToken: token, Lobby: true,
		HTTP: &http.Client{Transport: meettest.Wire{"livekit.test": s.livekit, "visio.test": s.meet}},
		Log:  slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	if change != nil {
		change(&c)
	}
	s.Reception = New(c)
	t.Cleanup(s.Close)
	return s
}

func parse(t *testing.T, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// secretless fails if what is written for people holds a PIN or a token.
func secretless(t *testing.T, text string) {
	t.Helper()
	for _, hidden := range []string{pin, other, token, secret} {
		if strings.Contains(text, hidden) {
			t.Errorf("%q holds %q", text, hidden)
		}
	}
}

func TestFind(t *testing.T) {
	const none = ""
	for _, test := range []struct {
		rule    string
		set     func(*stage)
		typed   string
		trusted bool
		room    string
		asked   int // roomkit
	}{
		{"a meeting that is on", func(s *stage) { s.livekit.AddDirect(board, pin) }, pin, false, board, 0},
		{"blanks and # are not part of it", func(s *stage) { s.livekit.AddDirect(board, pin) }, " 012 345\u00a06789 ##", false, board, 0},
		{"leading zeros are", func(s *stage) { s.livekit.AddDirect(board, pin) }, "123456789", false, none, 1},
		{"a prefix opens nothing", func(s *stage) { s.livekit.AddDirect(board, pin) }, pin[:9], false, none, 1},
		{"letters are no PIN", func(s *stage) { s.livekit.AddDirect(board, "12a4") }, "12a4", false, none, 0},
		{"no PIN", func(s *stage) { s.livekit.AddDirect(board, "") }, "#", false, none, 0},
		{"the right one of many", func(s *stage) { s.livekit.AddDirect(council, other); s.livekit.AddDirect(board, pin) }, pin, false, board, 0},
		{"a meeting that nobody has entered", func(s *stage) { s.meet.Add(meettest.Meeting{ID: board, PIN: pin}) }, pin, false, board, 1},
		{"the same for a trusted caller", func(s *stage) { s.meet.Add(meettest.Meeting{ID: board, PIN: pin}) }, pin, true, board, 1},
		{"a PIN of no meeting", func(*stage) {}, pin, false, none, 1},
		{"a PIN of another length", func(*stage) {}, "123456", true, none, 1},
		{"a rule for one trunk only is not ours", func(s *stage) {
			s.livekit.AddRule(&livekit.SIPDispatchRuleInfo{TrunkIds: []string{"ST_1"}, Rule: direct(board, pin)})
		}, pin, true, none, 1},
		{"a rule for some callers only is not ours", func(s *stage) {
			s.livekit.AddRule(&livekit.SIPDispatchRuleInfo{InboundNumbers: []string{"+33199000001"}, Rule: direct(board, pin)})
		}, pin, true, none, 1},
		{"a rule of another kind names no room", func(s *stage) {
			s.livekit.AddRule(&livekit.SIPDispatchRuleInfo{Rule: &livekit.SIPDispatchRule{Rule: &livekit.SIPDispatchRule_DispatchRuleIndividual{
				DispatchRuleIndividual: &livekit.SIPDispatchRuleIndividual{RoomPrefix: board, Pin: pin},
			}}})
		}, pin, true, none, 1},
	} {
		t.Run(test.rule, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStage(t, nil)
				test.set(s)
				room, err := s.Find(t.Context(), test.typed, test.trusted)
				if room != test.room || (room == none) != errors.Is(err, rooms.ErrNoRoom) {
					t.Errorf("got %q, %v, want %q", room, err, test.room)
				}
				if n := s.meet.Count(meettest.Roomkit); n != test.asked {
					t.Errorf("Meet was asked %d times, want %d", n, test.asked)
				}
			})
		})
	}
}

func direct(room, pin string) *livekit.SIPDispatchRule {
	return &livekit.SIPDispatchRule{Rule: &livekit.SIPDispatchRule_DispatchRuleDirect{
		DispatchRuleDirect: &livekit.SIPDispatchRuleDirect{RoomName: room, Pin: pin},
	}}
}

// TestWithoutRoomkit holds that only meetings that are on are found where Meet cannot be asked.
func TestWithoutRoomkit(t *testing.T) {
	for rule, change := range map[string]func(*Config){
		"no token": func(c *Config) { c.RoomkitToken = "" },
		"no Meet":  func(c *Config) { c.Meet = nil },
	} {
		t.Run(rule, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStage(t, change)
				s.meet.Add(meettest.Meeting{ID: board, PIN: pin})
				if _, err := s.Find(t.Context(), pin, true); !errors.Is(err, rooms.ErrNoRoom) {
					t.Errorf("got %v, want no room", err)
				}
				s.livekit.AddDirect(board, pin)
				time.Sleep(time.Nanosecond)
				if room, err := s.Find(t.Context(), pin, true); room != board {
					t.Errorf("got %q, %v", room, err)
				}
				if n := s.meet.Count(meettest.Roomkit); n != 0 {
					t.Errorf("Meet was asked %d times", n)
				}
				if err := s.Check(t.Context()); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// TestLateRule holds that a rule that Meet makes a moment after it has said so is waited for, and one that it never
// makes is a fault that is told.
func TestLateRule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, nil)
		s.meet.Break(meettest.Roomkit, 2, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(`{"status":"success"}`))
		})
		time.AfterFunc(time.Second, func() { s.livekit.AddDirect(board, pin) })
		if room, err := s.Find(t.Context(), pin, false); room != board {
			t.Errorf("got %q, %v, want the room", room, err)
		}
		_, err := s.Find(t.Context(), other, false)
		var fault *Error
		if !errors.As(err, &fault) || !errors.Is(err, errNoRule) {
			t.Fatalf("got %v, want a fault", err)
		}
		secretless(t, err.Error())
	})
}

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
		if room, err := s.Find(t.Context(), other, false); room != council {
			t.Errorf("a meeting that is on: %q, %v", room, err)
		}
		if room, err := s.Find(t.Context(), pin, true); room != board {
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
			if room, err := s.Find(t.Context(), meeting.PIN, false); room != meeting.ID {
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

// TestManyCallers holds that callers share what is asked of LiveKit.
func TestManyCallers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, nil)
		s.livekit.AddDirect(board, pin)
		s.livekit.Slow(func() { time.Sleep(50 * time.Millisecond) })
		var wrong atomic.Int64
		var callers sync.WaitGroup
		for range 200 {
			callers.Go(func() {
				if room, err := s.Find(t.Context(), pin, false); room != board || err != nil {
					wrong.Add(1)
				}
			})
		}
		callers.Wait()
		if wrong.Load() != 0 || s.livekit.Lists() != 1 {
			t.Errorf("%d of 200 callers did not get in; the rules were asked for %d times, want once", wrong.Load(), s.livekit.Lists())
		}
	})
}

// TestReaderHangsUp holds that those who wait for a list are not let down by the one who asked for it.
func TestReaderHangsUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, nil)
		s.livekit.AddDirect(board, pin)
		s.livekit.Slow(func() { time.Sleep(time.Second) })
		first, hangUp := context.WithCancel(t.Context())
		var callers sync.WaitGroup
		callers.Go(func() {
			if _, err := s.Find(first, pin, true); !errors.Is(err, context.Canceled) {
				t.Errorf("who hung up got %v", err)
			}
		})
		synctest.Wait()
		callers.Go(func() {
			if room, err := s.Find(t.Context(), pin, true); room != board {
				t.Errorf("who waited got %q, %v", room, err)
			}
		})
		synctest.Wait()
		hangUp()
		callers.Wait()
	})
}

// TestMissLooksAgain holds that a PIN is not called wrong by a list older than the meeting.
func TestMissLooksAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, func(c *Config) { c.RoomkitToken = "" })
		if err := s.Check(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.livekit.AddDirect(board, pin)
		time.Sleep(time.Nanosecond)
		if room, err := s.Find(t.Context(), pin, true); room != board {
			t.Errorf("got %q, %v, want the room", room, err)
		}
	})
}

// TestGuessesDoNotFloodLiveKit holds that wrong PINs cost it four lists a second, and no more.
func TestGuessesDoNotFloodLiveKit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, func(c *Config) { c.RoomkitToken = "" })
		ctx, stop := context.WithTimeout(t.Context(), 10*time.Second)
		defer stop()
		var callers sync.WaitGroup
		for i := range 50 { // one after the other, all the time
			callers.Go(func() {
				time.Sleep(time.Duration(i) * 19 * time.Millisecond)
				for ctx.Err() == nil {
					_, _ = s.Find(ctx, pin, false)
				}
			})
		}
		callers.Wait()
		if n := s.livekit.Lists(); n > 42 {
			t.Errorf("the rules were asked for %d times in 10 s, want 4 a second", n)
		}
	})
}
