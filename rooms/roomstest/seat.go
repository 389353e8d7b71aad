package roomstest

import (
	"errors"
	"slices"

	"passerelle/codec"
	"passerelle/rooms"
	"passerelle/rooms/internal/ready"
)

// eventRoom is how many events a seat keeps for its phone.
const eventRoom = 8

// Seat is a phone in a room in memory.
type Seat struct {
	g     *gateway
	voice *voice // for the listeners of other gateways

	// Guarded by Backend.mu.
	who      rooms.Participant
	held     bool  // muted, and a moderator alone may unmute it
	gone     error // why the seat is lost; nil while it is not
	loss     float64
	messages []rooms.Message

	events chan rooms.Event
}

// ID returns the participant's id.
func (s *Seat) ID() string { return s.who.ID }

// Events returns what the room asks of the phone.
func (s *Seat) Events() <-chan rooms.Event { return s.events }

// WriteFrame lets every browser, and the phones of other gateways, hear the frame.
func (s *Seat) WriteFrame(f *codec.Frame) error {
	s.g.b.mu.Lock()
	gone, muted := s.gone, s.who.Muted
	browsers := slices.Clone(s.g.room.browsers)
	s.g.b.mu.Unlock()
	if gone != nil {
		return gone
	}
	if muted {
		return nil
	}
	for _, br := range browsers {
		br.hear(s.who.ID, f)
	}
	s.voice.push(f)
	return nil
}

// SetMuted tells the room that the phone muted or unmuted itself.
func (s *Seat) SetMuted(muted bool) error {
	s.g.b.mu.Lock()
	defer s.g.b.mu.Unlock()
	if s.gone != nil {
		return s.gone
	}
	if s.held && !muted {
		return rooms.ErrHeld
	}
	s.mute(muted)
	return nil
}

// Arrived tells the room that who is called has come.
func (s *Seat) Arrived() error {
	s.g.b.mu.Lock()
	defer s.g.b.mu.Unlock()
	if s.gone != nil {
		return s.gone
	}
	if s.who.Calling {
		s.who.Calling = false
		s.g.room.tell(rooms.Changed, s.who)
	}
	return nil
}

// Send keeps the message for a test to see (see [Browser.Messages]).
func (s *Seat) Send(m rooms.Message) error {
	s.g.b.mu.Lock()
	defer s.g.b.mu.Unlock()
	if s.gone != nil {
		return s.gone
	}
	s.messages = append(s.messages, m)
	return nil
}

// Loss returns what a browser reported.
func (s *Seat) Loss() float64 {
	s.g.b.mu.Lock()
	defer s.g.b.mu.Unlock()
	return s.loss
}

// Close leaves the seat.
func (s *Seat) Close() error {
	s.g.b.mu.Lock()
	defer s.g.b.mu.Unlock()
	s.lose(rooms.ErrClosed)
	return nil
}

// mute changes the roster. Called with Backend.mu held.
func (s *Seat) mute(muted bool) {
	if s.who.Muted == muted {
		return
	}
	s.who.Muted = muted
	s.g.room.tell(rooms.Changed, s.who)
}

// notify queues an event; of those that speak of muting only the last stays. Called with Backend.mu held.
func (s *Seat) notify(e rooms.Event) {
	if s.gone != nil {
		return
	}
	ready.Queue(s.events, e)
}

// lose takes the seat away, once. Called with Backend.mu held.
func (s *Seat) lose(why error) {
	if s.gone != nil {
		return
	}
	if errors.Is(why, rooms.ErrRemoved) {
		s.notify(rooms.Event{Kind: rooms.Removed})
	}
	s.gone = why
	close(s.events)
	r := s.g.room
	r.seats = slices.DeleteFunc(r.seats, func(o *Seat) bool { return o == s })
	s.voice.remove()
	r.tell(rooms.Left, s.who)
	s.g.b.sweep(r)
}
