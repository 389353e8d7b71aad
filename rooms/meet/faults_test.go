package meet

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twitchtv/twirp"

	"passerelle/rooms"
	"passerelle/rooms/meet/meettest"
)

// status answers with an HTTP status, as what stands in front of an API does.
func status(code int, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(code)
		_, _ = w.Write([]byte(pin + token)) // which nobody may see
	}
}

// TestFaultsSayWhatToDo holds that every way in which LiveKit and Meet can fail names what its administrator sets.
func TestFaultsSayWhatToDo(t *testing.T) {
	breakRoomkit := func(answer http.HandlerFunc) func(*stage) {
		return func(s *stage) { s.meet.Break(meettest.Roomkit, 1, answer) }
	}
	for _, test := range []struct {
		rule   string
		change func(*Config)
		set    func(*stage)
		says   string
	}{
		{"another key of LiveKit", func(c *Config) { c.Key = "APIother" }, nil, "livekit.api_key"},
		{"another secret of LiveKit", func(c *Config) { c.Secret = strings.Repeat("x", 32) }, nil, "livekit.api_secret"},
		{"a LiveKit without Redis", nil, func(s *stage) { s.livekit.Break(twirp.InternalError("sip not connected (redis required)")) }, "Redis"},
		{"a server that is no LiveKit", func(c *Config) { c.LiveKit.Host = "visio.test" }, nil, "livekit.url leads to a LiveKit"},
		{"no LiveKit", func(c *Config) { c.LiveKit.Host = "nowhere.test" }, nil, "can be reached"},
		{"another token of roomkit", func(c *Config) { c.RoomkitToken = "another" }, nil, "ROOMKIT_SERVER_TO_SERVER_API_TOKEN"},
		{"too many PINs", nil, breakRoomkit(status(429)), "ROOMKIT_JOIN_THROTTLE_RATES"},
		{"an error of Meet's", nil, breakRoomkit(status(500)), "Meet's log"},
		{"a proxy without Meet", nil, breakRoomkit(status(502)), "Meet's log"},
		{"a host that Meet does not serve", nil, breakRoomkit(status(400, "Content-Type", "text/html")), "DJANGO_ALLOWED_HOSTS"},
		{"a redirect", nil, breakRoomkit(status(301, "Location", "https://elsewhere.test/?"+pin)), "redirects are not followed"},
		{"a page that takes everything", nil, breakRoomkit(status(204)), "meet.url leads to Meet"},
		{"no Meet", func(c *Config) { c.Meet.Host = "nowhere.test" }, nil, "meet.url leads to Meet"},
	} {
		t.Run(test.rule, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStage(t, test.change)
				if test.set != nil {
					test.set(s)
				}
				_, err := s.Find(t.Context(), pin)
				var fault *Error
				if !errors.As(err, &fault) || errors.Is(err, rooms.ErrNoRoom) {
					t.Fatalf("got %v, want a fault", err)
				}
				if !strings.Contains(err.Error(), test.says) {
					t.Errorf("got %q, want it to name %q", err, test.says)
				}
				secretless(t, err.Error())
			})
		})
	}
}

// TestCheck holds that an administrator learns of a roomkit that is off before a caller does.
func TestCheck(t *testing.T) {
	for _, test := range []struct {
		rule   string
		change func(*Config)
		answer http.HandlerFunc
		says   string
	}{
		{"all is well", nil, nil, ""},
		{"roomkit is off, or Meet too old", nil, status(404), "ROOMKIT_ENABLED"},
		{"another token", func(c *Config) { c.RoomkitToken = "another" }, nil, "ROOMKIT_SERVER_TO_SERVER_API_TOKEN"},
		{"another key", func(c *Config) { c.Key = "APIother" }, nil, "livekit.api_key"},
	} {
		t.Run(test.rule, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStage(t, test.change)
				if test.answer != nil {
					s.meet.Break(meettest.Roomkit, 1, test.answer)
				}
				err := s.Check(t.Context())
				if test.says == "" && err != nil || test.says != "" && (err == nil || !strings.Contains(err.Error(), test.says)) {
					t.Errorf("got %v, want %q", err, test.says)
				}
			})
		})
	}
}

// TestNobodyWaitsForever holds that a LiveKit or a Meet that does not answer is given up in time.
func TestNobodyWaitsForever(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, nil)
		s.livekit.Slow(func() { time.Sleep(time.Minute) })
		began := time.Now()
		if _, err := s.Find(t.Context(), pin); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want a time-out", err)
		}
		if took := time.Since(began); took != callTimeout {
			t.Errorf("it took %v, want %v", took, callTimeout)
		}
		s.livekit.Slow(nil)
		s.meet.Break(meettest.Roomkit, 1, func(http.ResponseWriter, *http.Request) { time.Sleep(time.Minute) })
		if _, err := s.Find(t.Context(), pin); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want a time-out", err)
		}
		time.Sleep(2 * time.Minute) // the servers wake up
	})
}

// TestEndlessAnswer holds that an answer of any length costs no memory.
func TestEndlessAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, nil)
		s.meet.Break(meettest.Roomkit, 1, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write(make([]byte, maxReply+1))
		})
		var large *http.MaxBytesError
		if _, err := s.Find(t.Context(), pin); !errors.As(err, &large) {
			t.Errorf("got %v, want that it is too large", err)
		}
	})
}

// TestAddresses holds where the API is of what an administrator writes.
func TestAddresses(t *testing.T) {
	for given, want := range map[string]string{
		"wss://livekit.example.org":              "https://livekit.example.org",
		"ws://10.0.0.1:7880/":                    "http://10.0.0.1:7880",
		"https://livekit.example.org/":           "https://livekit.example.org",
		"wss://livekit.example.org/rooms/":       "https://livekit.example.org/rooms",
		"http://user:word@livekit.example.org?x": "http://livekit.example.org",
	} {
		if got := httpURL(parse(t, given)).String(); got != want {
			t.Errorf("%s is %s, want %s", given, got, want)
		}
	}
}
