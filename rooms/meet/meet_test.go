package meet

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
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
				room, err := s.room(t.Context(), test.typed)
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
				if _, err := s.Find(t.Context(), pin); !errors.Is(err, rooms.ErrNoRoom) {
					t.Errorf("got %v, want no room", err)
				}
				s.livekit.AddDirect(board, pin)
				time.Sleep(time.Nanosecond)
				if room, err := s.room(t.Context(), pin); room != board {
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
		if room, err := s.room(t.Context(), pin); room != board {
			t.Errorf("got %q, %v, want the room", room, err)
		}
		_, err := s.Find(t.Context(), other)
		var fault *Error
		if !errors.As(err, &fault) || !errors.Is(err, errNoRule) {
			t.Fatalf("got %v, want a fault", err)
		}
		secretless(t, err.Error())
	})
}

// room is the room that Find finds.
func (s *stage) room(ctx context.Context, pin string) (string, error) {
	entry, err := s.Find(ctx, pin)
	return entry.Room, err
}
