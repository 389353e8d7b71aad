// Package rooms is the other door of the gateway: what it asks of any place where people meet. It does
// not know what a telephone is, nor whose software keeps the room.
package rooms

import (
	"context"
	"errors"

	"passerelle/codec"
)

// Reasons why a room cannot be joined, or is left.
var (
	ErrNoRoom  = errors.New("no such room")
	ErrFull    = errors.New("the room is full")
	ErrClosed  = errors.New("the room is closed")
	ErrRemoved = errors.New("removed from the room")
	// ErrUnavailable: whoever keeps the rooms cannot be reached, or is in trouble.
	ErrUnavailable = errors.New("the rooms cannot be reached")
	// ErrEncrypted: what is said there is encrypted from end to end, and no gateway can hear it.
	ErrEncrypted  = errors.New("the room is encrypted from end to end")
	ErrDenied     = errors.New("not let into the room")
	ErrUnanswered = errors.New("nobody let the caller into the room")
	// ErrHeld: a moderator has muted the phone, and alone may unmute it.
	ErrHeld = errors.New("a moderator keeps it muted")
)

// Backend keeps rooms. Its methods may be called from any goroutine.
type Backend interface {
	// Open joins the room as ONE silent listener, shared by every phone of this gateway in it. It may
	// block on the network until ctx is done. The Room must be closed.
	Open(ctx context.Context, name string, l Listener) (Room, error)
}

// Namer is a Backend for which several names mean one room.
type Namer interface {
	// RoomName returns the one name under which a room is known, for any of them.
	RoomName(name string) string
}

// Reception is where callers without an account ask for a room. Its methods may be called from any
// goroutine, and may block on the network until ctx is done.
type Reception interface {
	// Find returns where pin leads; ErrNoRoom if nowhere, whatever the reason. How often somebody guesses is
	// held down by whoever asks.
	Find(ctx context.Context, pin string) (Entry, error)
	// Admit knocks at a room for a guest of that name and returns when it is let in, with what the room
	// wants its participant to carry; ErrDenied or ErrUnanswered if it is not. waiting is called once, from
	// the same goroutine, if the guest has to wait.
	Admit(ctx context.Context, to Entry, name string, waiting func()) (attributes map[string]string, err error)
}

// Entry is where a PIN leads.
type Entry struct {
	Room      string // as Backend.Open takes it
	Moderator bool   // whoever comes with this PIN is one: Participant.Moderator of the seat
}

// Porter is a Reception that knows which of its rooms keep callers waiting who come without a PIN.
type Porter interface {
	// Knocks says whether Admit may have to wait for somebody to open the room.
	Knocks(room string) bool
}

// Room is one room, as this gateway is in it. Its methods may be called from any goroutine.
type Room interface {
	// Seat makes a phone a participant. It may block on the network until ctx is done. The Seat must
	// be closed before the room.
	Seat(ctx context.Context, who Participant) (Seat, error)
	// Close leaves the room and waits until the Listener is not called any more.
	Close() error
}

// Seat is one phone, as the room sees it. WriteFrame takes Opus frames (RTP clock 48000) with Level and
// Voice set, from one goroutine at a time; the other methods may be called from any goroutine.
type Seat interface {
	codec.Writer
	// ID returns the participant's id in the room, as Listener.Participant tells it.
	ID() string
	// Events returns what the room asks of this phone. The channel is bounded: a mute and an unmute
	// that nobody read yet become one event, the last. It is closed when the seat is lost or closed.
	Events() <-chan Event
	// SetMuted tells the room that the phone has muted or unmuted itself; ErrHeld if it may not.
	SetMuted(muted bool) error
	// Arrived tells the room that who is called has come (Participant.Calling).
	Arrived() error
	// Send sends a raised hand, digits or text to the room.
	Send(Message) error
	// Loss returns the fraction, 0 to 1, of this seat's packets lost on the way to the room or its
	// listeners, as reported lately.
	Loss() float64
	// Close leaves the seat; it may be called more than once.
	Close() error
}

// Listener hears the room. Nobody tells it of tracks that this gateway published. A backend calls one
// method at a time and waits for it; none may block, and none may call back into the backend.
type Listener interface {
	// TrackAdded announces a voice, and returns where its Opus frames go (from a goroutine of the
	// backend's own, until TrackRemoved has been called); nil if nobody wants it.
	TrackAdded(id string, from Participant) codec.Reader
	TrackRemoved(id string)
	// Participant tells of every participant, phones of this gateway included, and of those who were
	// there before.
	Participant(Change)
	// Room tells what happens to the room as a whole.
	Room(State)
}

// PartKind says how a participant takes part.
type PartKind uint8

// The kinds of participants.
const (
	Browser PartKind = iota
	Phone
	Agent
)

// Participant is somebody in a room, as all others see them.
type Participant struct {
	ID    string // unique in the room; given by the backend where it is empty
	Name  string // shown to everybody: never a whole phone number
	Kind  PartKind
	Muted bool
	// Moderator says that the participant may moderate, where the rooms have moderators.
	Moderator bool
	// Calling: it is still being called, and nobody is there yet (Seat.Arrived).
	Calling bool
	// Attributes are further properties of a phone, which listeners are told as they were given, and others by backends
	// that carry them (LiveKit); none holds a whole phone number.
	Attributes map[string]string
}

// ChangeKind says what happened to a participant.
type ChangeKind uint8

// What can happen to a participant.
const (
	Joined ChangeKind = iota
	Left
	Changed // name, mute, arrival, or attributes
)

// Change is one line of the roster's story.
type Change struct {
	Kind        ChangeKind
	Participant Participant
}

// State says what happens to a room as a whole.
type State uint8

// What can happen to a room. After Ended the Listener is not called any more.
const (
	Ended State = iota
	Reconnecting
	Back
	RecordingOn // also told of a recording that runs when the room is opened
	RecordingOff
	TranscriptionOn // likewise
	TranscriptionOff
	Encrypted // from end to end, from now on: the gateway has to leave
)

// EventKind says what the room asks of a phone.
type EventKind uint8

// What a room can ask of a phone.
const (
	Muted   EventKind = iota // a moderator, or the phone's user on a page, muted the phone
	Unmuted                  // ... and unmuted it
	Removed                  // the seat is lost; no event follows
	Digit                    // Text is to be dialled towards the phone
	Text                     // Text was written to the phone
	// Interrupted: the way from this seat to the room is lost, and the backend tries to get it back.
	// Frames written meanwhile are dropped. Resumed follows, or the end of the channel.
	Interrupted
	Resumed
	Lowered // a moderator lowered the phone's raised hand
)

// Event is what the room asks of a phone.
type Event struct {
	Kind EventKind
	Text string
	Held bool // with Muted: only a moderator may unmute the phone
}

// MessageKind says what a phone tells the room.
type MessageKind uint8

// What a phone can tell the room.
const (
	HandRaised MessageKind = iota
	HandLowered
	Digits // Text holds them
	Note   // Text holds it
)

// Message is what a phone tells the room.
type Message struct {
	Kind MessageKind
	Text string
}
