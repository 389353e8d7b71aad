package bridge

import (
	"errors"
	"fmt"
	"testing"

	"passerelle/rooms"
	"passerelle/sip"
	"passerelle/sip/rtp"
)

func TestRefusalOf(t *testing.T) {
	for _, test := range []struct {
		rule  string
		err   error
		code  int
		says  bool // a Warning
		retry bool
	}{
		{"our own refusal", refuse(404, "no route"), 404, true, false},
		{"a full house asks to try again", full("all calls are taken"), 503, true, true},
		{"no port left asks to try again", fmt.Errorf("open a phone line: %w", rtp.ErrNoPorts), 503, false, true},
		{"a drain asks to try again", errDrained, 503, true, true},
		{"no such room", fmt.Errorf("open room: %w", rooms.ErrNoRoom), 404, true, false},
		{"a full room", rooms.ErrFull, 486, true, false},
		{"rooms that cannot be reached", fmt.Errorf("open room: %w: dial tcp", rooms.ErrUnavailable), 503, true, true},
		{"an encrypted room", rooms.ErrEncrypted, 403, true, false},
		{"a closed room", rooms.ErrClosed, 480, true, false},
		{"what nobody expected says nothing", errors.New("password is hunter2"), 500, false, false},
	} {
		t.Run(test.rule, func(t *testing.T) {
			got := refusalOf(test.err)
			if got.Code != test.code || (got.Warning.Text != "") != test.says || (got.RetryAfter > 0) != test.retry {
				t.Errorf("refusalOf(%v) = %+v, want %d, a warning: %v, Retry-After: %v", test.err, got, test.code, test.says, test.retry)
			}
		})
	}
}

func TestEndings(t *testing.T) {
	for _, test := range []struct {
		err      error
		reason   string
		words    bool
		expected bool
	}{
		{errDrained, "the gateway closes", true, true},
		{rooms.ErrRemoved, "removed from the room", true, true},
		{fmt.Errorf("menu visio: %w", rooms.ErrDenied), "not let into the room", true, true},
		{sip.ErrBye, "", false, true},
		{rtp.ErrDeadPeer, "no RTP arrives", false, true},
		{errors.New("inner"), "", true, false},
	} {
		got := endingOf(test.err)
		if got.reason != test.reason || (len(got.words) > 0) != test.words || got.expected != test.expected {
			t.Errorf("endingOf(%v) = %+v, want reason %q, words: %v, expected: %v", test.err, got, test.reason, test.words, test.expected)
		}
	}
}
