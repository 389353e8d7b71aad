package roomstest

import (
	"bytes"
	"fmt"
	"slices"

	"passerelle/codec"
	"passerelle/rooms"
)

// heardRoom is how many frames a Browser keeps for its test; more push out the oldest.
const heardRoom = 4096

// Browser is somebody with a browser in a room in memory, played by a test. It is a [Person].
type Browser struct {
	b     *Backend
	room  *room
	voice *voice
	heard chan codec.Frame

	// Guarded by Backend.mu.
	who    rooms.Participant
	gone   bool
	listen func(from string, f *codec.Frame)

	// The stream that Speak continues; one goroutine at a time.
	seq       uint16
	timestamp uint32
}

var _ Person = (*Browser)(nil)

// Join brings a browser into a room.
func (b *Backend) Join(name, as string) *Browser {
	b.mu.Lock()
	defer b.mu.Unlock()
	r := b.open(name)
	br := &Browser{
		b: b, room: r, heard: make(chan codec.Frame, heardRoom),
		who: rooms.Participant{ID: b.id(r, "", "b"), Name: as, Kind: rooms.Browser},
	}
	br.voice = newVoice(br.who.ID)
	r.browsers = append(r.browsers, br)
	r.tell(rooms.Joined, br.who)
	for _, g := range r.listeners {
		br.voice.addAs(g, br.who)
	}
	return br
}

// ID returns the participant's id.
func (br *Browser) ID() string { return br.who.ID }

// Speak sends one packet of 20 ms, after the one before.
func (br *Browser) Speak(payload []byte, level uint8) error {
	br.seq++
	br.timestamp += 960
	return br.SpeakFrame(&codec.Frame{
		Seq: br.seq, Timestamp: br.timestamp, Kind: codec.Opus,
		Level: level, Voice: level < codec.Silence, Payload: payload,
	})
}

// SpeakFrame sends a frame as it is, but for its Arrival, which is now.
func (br *Browser) SpeakFrame(f *codec.Frame) error {
	br.b.mu.Lock()
	gone, muted := br.gone, br.who.Muted
	others := slices.Clone(br.room.browsers)
	br.b.mu.Unlock()
	if gone {
		return rooms.ErrClosed
	}
	if muted {
		return nil
	}
	sent := *f
	sent.Arrival = br.b.Clock()
	for _, o := range others {
		if o != br {
			o.hear(br.who.ID, &sent)
		}
	}
	br.voice.push(&sent)
	return nil
}

// Heard returns what was heard, from whomever.
func (br *Browser) Heard() <-chan codec.Frame { return br.heard }

// Listen lets hear have every frame from now on instead of Heard, in the speaker's goroutine; the frame
// is valid during the call.
func (br *Browser) Listen(hear func(from string, f *codec.Frame)) {
	br.b.mu.Lock()
	defer br.b.mu.Unlock()
	br.listen = hear
}

// hear is called without Backend.mu, so that Listen's function may speak.
func (br *Browser) hear(from string, f *codec.Frame) {
	br.b.mu.Lock()
	listen := br.listen
	br.b.mu.Unlock()
	if listen != nil {
		listen(from, f)
		return
	}
	kept := *f
	kept.Payload = bytes.Clone(f.Payload)
	for {
		select {
		case br.heard <- kept:
			return
		default:
		}
		select {
		case <-br.heard:
		default:
		}
	}
}

// SetMuted mutes the browser itself.
func (br *Browser) SetMuted(muted bool) error {
	br.b.mu.Lock()
	defer br.b.mu.Unlock()
	if br.who.Muted != muted {
		br.who.Muted = muted
		br.room.tell(rooms.Changed, br.who)
	}
	return nil
}

// MutePhone mutes or unmutes a phone, as a moderator can.
func (br *Browser) MutePhone(id string, muted bool) error {
	return br.seat(id, func(s *Seat) {
		kind := rooms.Unmuted
		if muted {
			kind = rooms.Muted
		}
		s.mute(muted)
		s.held = false
		s.notify(rooms.Event{Kind: kind})
	})
}

// KeepPhoneMuted mutes a phone, which cannot unmute itself until a moderator has.
func (br *Browser) KeepPhoneMuted(id string) error {
	return br.seat(id, func(s *Seat) {
		s.mute(true)
		s.held = true
		s.notify(rooms.Event{Kind: rooms.Muted, Held: true})
	})
}

// LowerHand lowers the hand of a phone, as a moderator can.
func (br *Browser) LowerHand(id string) error {
	return br.seat(id, func(s *Seat) { s.notify(rooms.Event{Kind: rooms.Lowered}) })
}

// RemovePhone takes a phone out of the room.
func (br *Browser) RemovePhone(id string) error {
	return br.seat(id, func(s *Seat) { s.lose(rooms.ErrRemoved) })
}

// SendPhone sends an event to a phone: digits to dial, text.
func (br *Browser) SendPhone(id string, e rooms.Event) error {
	return br.seat(id, func(s *Seat) { s.notify(e) })
}

// Report tells the room that a fraction, 0 to 1, of what was sent to this browser got lost.
func (br *Browser) Report(lost float64) error {
	br.b.mu.Lock()
	defer br.b.mu.Unlock()
	for _, s := range br.room.seats {
		s.loss = lost
	}
	return nil
}

// Messages returns what a phone has sent to the room with Send.
func (br *Browser) Messages(id string) (all []rooms.Message) {
	_ = br.seat(id, func(s *Seat) { all = slices.Clone(s.messages) })
	return all
}

// Roster returns everybody in the room, this browser included.
func (br *Browser) Roster() []rooms.Participant {
	br.b.mu.Lock()
	defer br.b.mu.Unlock()
	return br.room.people()
}

// Leave leaves the room.
func (br *Browser) Leave() error {
	br.b.mu.Lock()
	defer br.b.mu.Unlock()
	br.leave()
	return nil
}

// leave is Leave with Backend.mu held.
func (br *Browser) leave() {
	if br.gone {
		return
	}
	br.gone = true
	r := br.room
	r.browsers = slices.DeleteFunc(r.browsers, func(o *Browser) bool { return o == br })
	br.voice.remove()
	r.tell(rooms.Left, br.who)
	br.b.sweep(r)
}

func (br *Browser) seat(id string, do func(*Seat)) error {
	br.b.mu.Lock()
	defer br.b.mu.Unlock()
	for _, s := range br.room.seats {
		if s.who.ID == id {
			do(s)
			return nil
		}
	}
	return fmt.Errorf("no phone %q in %q", id, br.room.name)
}
