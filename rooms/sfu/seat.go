package sfu

import (
	"fmt"
	"sync/atomic"

	"passerelle/codec"
	"passerelle/rooms"
)

// Limits of what a seat holds.
const (
	maxNote = 1000 // bytes of a message's text
)

// seat is one phone in a room.
type seat struct {
	gateway *gateway
	voice   *voice
	id      string
	events  chan rooms.Event
	gone    atomic.Pointer[error] // why the seat is lost; nil while it is not

	// Guarded by room.mu.
	who  rooms.Participant
	held bool // muted by a moderator who alone may unmute it
	hand int  // raised: the lower, the earlier; 0 is not
}

var _ rooms.Seat = (*seat)(nil)

// ID returns the participant's id.
func (s *seat) ID() string { return s.id }

// Events returns what the room asks of the phone.
func (s *seat) Events() <-chan rooms.Event { return s.events }

// WriteFrame takes one packet straight to everybody in the room, in the caller's goroutine.
func (s *seat) WriteFrame(f *codec.Frame) error {
	if gone := s.gone.Load(); gone != nil {
		return *gone
	}
	s.voice.forward(f, s.gateway.room.s.cfg.Clock())
	return nil
}

// Loss returns what the browser that loses most of this seat's packets loses of them, as the mean of its
// last reports with the newest counting half; 0 if none has reported for 15 s.
func (s *seat) Loss() float64 { return s.voice.loss.worst(s.gateway.room.s.cfg.Clock()) }

// SetMuted tells the room that the phone muted or unmuted itself.
func (s *seat) SetMuted(muted bool) error {
	held := false
	err := s.do("mute", func(r *room) {
		if held = s.held && !muted; !held {
			r.setSeatMuted(s, muted)
		}
	})
	if err == nil && held {
		return fmt.Errorf("unmute: %w", rooms.ErrHeld)
	}
	return err
}

// Arrived tells the room that who is called has come.
func (s *seat) Arrived() error {
	return s.do("arrive", func(r *room) {
		if s.who.Calling {
			s.who.Calling = false
			r.tell(rooms.Changed, s.who)
		}
	})
}

// Send sends a message to everybody in the room.
func (s *seat) Send(m rooms.Message) error {
	if len(m.Text) > maxNote {
		return fmt.Errorf("send a message to the room: %d bytes, more than %d", len(m.Text), maxNote)
	}
	return s.do("send a message", func(r *room) {
		switch m.Kind {
		case rooms.HandRaised, rooms.HandLowered:
			r.raise(&s.hand, m.Kind == rooms.HandRaised)
		case rooms.Digits:
			r.broadcast(encode(noteMessage{Type: "message", From: s.id, Kind: "digits", Text: m.Text}))
		case rooms.Note:
			r.broadcast(encode(noteMessage{Type: "message", From: s.id, Kind: "text", Text: m.Text}))
		}
	})
}

// Close leaves the seat.
func (s *seat) Close() error {
	r := s.gateway.room
	r.mu.Lock()
	r.loseSeat(s, rooms.ErrClosed)
	r.mu.Unlock()
	r.sweep()
	return nil
}

// do does something to the room, unless the seat is lost.
func (s *seat) do(what string, act func(*room)) error {
	r := s.gateway.room
	r.mu.Lock()
	defer r.mu.Unlock()
	if gone := s.gone.Load(); gone != nil {
		return fmt.Errorf("%s: %w", what, *gone)
	}
	act(r)
	return nil
}
