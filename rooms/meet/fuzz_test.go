package meet

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"passerelle/rooms"
)

// FuzzNormalise holds that a PIN is digits, that it is found again in what was typed in its order, and that it
// normalises to itself.
func FuzzNormalise(f *testing.F) {
	for _, seed := range []string{"0123456789", " 01 23 #", "##", "12a", "１２３", "\u00a01\u202f2#", strings.Repeat("9", 33), "1#2", "+331", "\xff1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, ok := normalise(text)
		if !ok {
			if got != "" {
				t.Errorf("%q is no PIN, and yet %q", text, got)
			}
			return
		}
		if got == "" || len(got) > maxPIN || strings.Trim(got, "0123456789") != "" {
			t.Errorf("%q becomes %q", text, got)
		}
		digits := strings.Map(func(r rune) rune {
			if r >= '0' && r <= '9' {
				return r
			}
			return -1
		}, text)
		if digits != got {
			t.Errorf("%q has the digits %s, and becomes %q", text, digits, got)
		}
		for _, same := range []string{got, got + "#", " " + got + " #", got[:1] + " " + got[1:]} {
			if again, ok := normalise(same); !ok || again != got {
				t.Errorf("%q becomes %q, want %q", same, again, got)
			}
		}
	})
}

// FuzzEntry holds that whatever Meet answers to a knock is one of three states, or an error that quotes nothing.
func FuzzEntry(f *testing.F) {
	for _, seed := range []string{
		`{"status":"waiting","username":"x","id":"1","color":"hsl(1, 50%, 25%)","livekit":null}`,
		`{"status":"accepted","color":"red;background:url(x)"}`, `{"status":"denied"}`, `{"status":"unknown"}`,
		`{"status":1}`, `[]`, `null`, ``, `{`, `{"status":"accepted"}{"status":"denied"}`,
	} {
		f.Add(http.StatusOK, true, []byte(seed))
		f.Add(http.StatusNotFound, false, []byte(seed))
	}
	f.Fuzz(func(t *testing.T, code int, isJSON bool, body []byte) {
		said, err := parseEntry(&reply{status: code, json: isJSON, body: body})
		if err != nil {
			var fault *Error
			if said != (entry{}) || !errors.As(err, &fault) && !errors.Is(err, rooms.ErrNoRoom) {
				t.Errorf("got %+v, %v", said, err)
			}
			if len(body) > 20 && strings.Contains(err.Error(), string(body)) {
				t.Errorf("%q quotes what was answered", err)
			}
			return
		}
		if code != http.StatusOK || !isJSON {
			t.Errorf("%d, JSON %v, is believed", code, isJSON)
		}
		if said.Status != waiting && said.Status != accepted && said.Status != denied {
			t.Errorf("status %q", said.Status)
		}
		if color := attributes(said.Color)["color"]; color == "" || len(color) > 64 || strings.ContainsAny(color, "<>\"';:&\\/\n") {
			t.Errorf("colour %q", color)
		}
	})
}

// FuzzRetryAfter holds that nobody can make a caller wait for longer than an hour, or less than not at all.
func FuzzRetryAfter(f *testing.F) {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	for _, seed := range []string{"", "0", "30", " 30 ", "-1", "1e9", "999999999999", now.Add(time.Minute).Format(http.TimeFormat), "Wed, 21 Oct 2015 07:28:00 GMT"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if d := retryAfter(text, now); d < 0 || d > maxRetryAfter {
			t.Errorf("%q is %v", text, d)
		}
	})
	if got := retryAfter(now.Add(time.Minute).Format(http.TimeFormat), now); got != time.Minute {
		f.Errorf("a date in a minute is %v", got)
	}
}
