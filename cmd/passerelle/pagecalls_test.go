package main

import (
	"errors"
	"fmt"
	"testing"

	"passerelle/bridge"
	"passerelle/bridge/ivr"
	"passerelle/bridge/outgoing"
	"passerelle/rooms/sfu"
)

// TestThePageSaysWhyACallOutFailed holds which word of the page an error becomes.
func TestThePageSaysWhyACallOutFailed(t *testing.T) {
	for _, test := range []struct {
		rule string
		err  error
		want sfu.DialState
	}{
		{"not allowed", &bridge.CallFailed{Words: ivr.CallNotAllowed, Err: &outgoing.Refusal{Reason: outgoing.Denied}}, sfu.Forbidden},
		{"not allowed now", &bridge.CallFailed{Words: ivr.CallFailed, Err: &outgoing.Refusal{Reason: outgoing.Busy}}, sfu.Limited},
		{"busy", fmt.Errorf("x: %w", &bridge.CallFailed{Words: ivr.Busy}), sfu.Busy},
		{"nobody answers", &bridge.CallFailed{Words: ivr.NoAnswer}, sfu.NoAnswer},
		{"refused there", &bridge.CallFailed{Words: ivr.CallRefused}, sfu.Declined},
		{"no such number", &bridge.CallFailed{Words: ivr.NumberUnknown}, sfu.NoNumber},
		{"switched off", &bridge.CallFailed{Words: ivr.NotReachable}, sfu.Unreachable},
		{"anything else", errors.New("x"), sfu.Unfinished},
	} {
		if got := dialFailure(test.err); got != test.want {
			t.Errorf("%s: got %q, want %q", test.rule, got, test.want)
		}
	}
}
