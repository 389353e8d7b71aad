package main

import (
	"context"
	"errors"

	"passerelle/bridge"
	"passerelle/bridge/ivr"
	"passerelle/bridge/outgoing"
	"passerelle/rooms/sfu"
)

// mayModeratorsDial reports whether calls out may be made from the page of a room.
func (h *house) mayModeratorsDial() bool {
	o := h.live().Outgoing
	return o != nil && o.Moderators
}

// dialFrom calls out from the page of an engine's rooms, for a moderator.
func (h *house) dialFrom(engine string) func(context.Context, string, string, func(sfu.DialState)) error {
	return func(ctx context.Context, room, number string, progress func(sfu.DialState)) error {
		out := bridge.CallOut{Engine: engine, Room: room, Number: number, By: string(outgoing.Moderator)}
		err := h.gateway.CallOut(ctx, out, func(p bridge.Progress) {
			if state, ok := dialState(p.State); ok {
				progress(state)
			}
		})
		if err != nil {
			return &sfu.DialFailure{State: dialFailure(err), Err: err}
		}
		return nil
	}
}

// dialState is how far a call out has come, for the page; how it ends is its error.
func dialState(s bridge.State) (state sfu.DialState, ok bool) {
	switch s {
	case bridge.Calling:
		return sfu.Calling, true
	case bridge.Ringing:
		return sfu.Ringing, true
	case bridge.Answered: // and may have to press a key
		return sfu.Asked, true
	case bridge.Joined:
		return sfu.Answered, true
	}
	return "", false
}

// dialFailure is why a call out has failed, for the page.
func dialFailure(err error) sfu.DialState {
	var denied *outgoing.Refusal
	if errors.As(err, &denied) {
		if denied.Reason == outgoing.Denied {
			return sfu.Forbidden
		}
		return sfu.Limited
	}
	var failed *bridge.CallFailed
	if errors.As(err, &failed) {
		switch failed.Words {
		case ivr.Busy:
			return sfu.Busy
		case ivr.NoAnswer:
			return sfu.NoAnswer
		case ivr.CallRefused:
			return sfu.Declined
		case ivr.NumberUnknown:
			return sfu.NoNumber
		case ivr.NotReachable:
			return sfu.Unreachable
		}
	}
	return sfu.Unfinished
}
