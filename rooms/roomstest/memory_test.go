package roomstest_test

import (
	"testing"

	"go.uber.org/goleak"

	"passerelle/codec"
	"passerelle/rooms"
	"passerelle/rooms/roomstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestContract(t *testing.T) {
	roomstest.Run(t, func(*testing.T) roomstest.Harness {
		b := roomstest.New()
		b.Refuse = func(name string) error {
			if name == "secret" {
				return rooms.ErrNoRoom
			}
			return nil
		}
		return roomstest.Harness{
			Backend: b,
			Join:    func(_ *testing.T, room, name string) roomstest.Person { return b.Join(room, name) },
			Refused: "secret",
		}
	})
}

// told is a listener for tests of what the contract leaves open.
type told struct {
	tracks []string
	states []rooms.State
}

func (l *told) TrackAdded(id string, _ rooms.Participant) codec.Reader {
	l.tracks = append(l.tracks, id)
	return nil
}
func (*told) TrackRemoved(string)      {}
func (*told) Participant(rooms.Change) {}
func (l *told) Room(s rooms.State)     { l.states = append(l.states, s) }

func TestAnotherGatewaysPhonesAreTracks(t *testing.T) {
	b := roomstest.New()
	var here, there told
	one, err := b.Open(t.Context(), "board", &here)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Open(t.Context(), "board", &there); err != nil {
		t.Fatal(err)
	}
	s, err := one.Seat(t.Context(), rooms.Participant{Name: "Phone", Kind: rooms.Phone})
	if err != nil {
		t.Fatal(err)
	}
	if len(here.tracks) != 0 || len(there.tracks) != 1 || there.tracks[0] != s.ID() {
		t.Errorf("tracks here %q, there %q, want none and %q", here.tracks, there.tracks, s.ID())
	}
}

func TestEndOfARoom(t *testing.T) {
	b := roomstest.New()
	var l told
	room, err := b.Open(t.Context(), "board", &l)
	if err != nil {
		t.Fatal(err)
	}
	s, err := room.Seat(t.Context(), rooms.Participant{Name: "Phone", Kind: rooms.Phone})
	if err != nil {
		t.Fatal(err)
	}
	b.Tell("board", rooms.RecordingOn)
	b.End("board")
	if len(l.states) != 2 || l.states[1] != rooms.Ended {
		t.Errorf("states %v, want recording on and ended", l.states)
	}
	if _, ok := <-s.Events(); ok {
		t.Errorf("an event after the end, want a closed channel")
	}
	if err := room.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	if open := b.Rooms(); len(open) != 0 {
		t.Errorf("rooms %q are still open", open)
	}
}
