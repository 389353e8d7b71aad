package livekit

import (
	"errors"
	"fmt"

	"github.com/livekit/protocol/livekit"

	"passerelle/rooms"
)

// moved is the server's wish that the participant comes back.
type moved struct {
	to    string // URL of another server; "" for the same
	again bool   // ... in a new session
}

func (m *moved) Error() string {
	if m.again {
		return "the server asks to join again"
	}
	return "the server asks to resume"
}

// left is what a LeaveRequest means.
func left(m *livekit.LeaveRequest) error {
	to := ""
	if regions := m.GetRegions().GetRegions(); len(regions) > 0 {
		to = regions[0].GetUrl()
	}
	switch {
	case m.GetAction() == livekit.LeaveRequest_RESUME:
		return &moved{to: to}
	case m.GetAction() == livekit.LeaveRequest_RECONNECT, m.GetCanReconnect():
		return &moved{to: to, again: true}
	}
	switch m.GetReason() {
	case livekit.DisconnectReason_PARTICIPANT_REMOVED:
		return rooms.ErrRemoved
	case livekit.DisconnectReason_ROOM_DELETED, livekit.DisconnectReason_ROOM_CLOSED:
		return rooms.ErrClosed
	case livekit.DisconnectReason_JOIN_FAILURE: // the one failure that it has no other word for
		return rooms.ErrFull
	case livekit.DisconnectReason_DUPLICATE_IDENTITY:
		// Nobody has our identities but we: an attempt of ours that was given up has come through late.
		return &moved{again: true}
	case livekit.DisconnectReason_CLIENT_INITIATED:
		return fmt.Errorf("%w: LiveKit says %s", rooms.ErrClosed, m.GetReason())
	}
	return &moved{to: to, again: true} // a server that goes away, and all that is only known to it
}

// final reports whether a session's end is the participant's.
func final(err error) bool {
	for _, end := range []error{rooms.ErrRemoved, rooms.ErrClosed, rooms.ErrNoRoom, rooms.ErrEncrypted} {
		if errors.Is(err, end) {
			return true
		}
	}
	return false
}
