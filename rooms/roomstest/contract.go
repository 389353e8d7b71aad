package roomstest

import (
	"testing"

	"passerelle/codec"
	"passerelle/rooms"
)

// Harness is a backend under test and the means to meet it from the other side.
type Harness struct {
	Backend rooms.Backend
	// Join brings a foreign participant into a room: not one of the Backend's own seats, with the sound
	// flowing both ways when Join returns. The room opens if it is not open yet.
	Join func(t *testing.T, room, name string) Person
	// Refused is a room that may not be opened (rooms.ErrNoRoom); empty if every room may.
	Refused string
	// NoLevels says that the rooms do not pass on what level a voice has, so that a Listener's frames have a guess.
	NoLevels bool
	// NoLoss says that the rooms do not pass on what those who hear a seat report as lost.
	NoLoss bool
}

// Person is a foreign participant with the powers of a moderator.
type Person interface {
	ID() string
	// Speak sends one packet of 20 ms of Opus, the next of one stream, with its level in -dBov.
	Speak(payload []byte, level uint8) error
	// Heard returns what arrives; the frames are the receiver's to keep.
	Heard() <-chan codec.Frame
	// SetMuted mutes the person itself.
	SetMuted(muted bool) error
	// MutePhone mutes or unmutes a phone; RemovePhone takes it out of the room.
	MutePhone(id string, muted bool) error
	RemovePhone(id string) error
	// Roster returns everybody in the room, the person itself included.
	Roster() []rooms.Participant
	// Report tells the room that a fraction, 0 to 1, of what was heard lately got lost on the way.
	Report(lost float64) error
	Leave() error
}

// rule is one sentence of the contract of package rooms.
type rule struct {
	name string
	test func(*testing.T, Harness)
}

// Run tests the contract, all rules at once. Each gets a Harness of its own.
func Run(t *testing.T, open func(*testing.T) Harness) {
	for _, rules := range [][]rule{soundRules(), rosterRules(), endRules()} {
		for _, r := range rules {
			t.Run(r.name, func(t *testing.T) {
				t.Parallel()
				r.test(t, open(t))
			})
		}
	}
}
