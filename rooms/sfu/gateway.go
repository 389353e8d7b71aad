package sfu

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"passerelle/rooms"
	"passerelle/rooms/internal/ready"
)

// gateway is a room as a gateway is in it: one silent listener and its phones.
type gateway struct {
	room     *room
	listener rooms.Listener
	closed   bool // guarded by room.mu
}

var _ rooms.Room = (*gateway)(nil)

// Seat makes a phone a participant.
func (g *gateway) Seat(ctx context.Context, who rooms.Participant) (rooms.Seat, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("take a seat in %q: %w", g.room.name, err)
	}
	s, err := g.room.addSeat(g, who)
	if err != nil {
		return nil, fmt.Errorf("take a seat in %q: %w", g.room.name, err)
	}
	return s, nil
}

// Close leaves the room. Seats that were forgotten are closed with it.
func (g *gateway) Close() error {
	g.room.removeGateway(g)
	g.room.sweep()
	return nil
}

// addGateway lets a gateway listen: it is told of everybody who is there, and of every voice but its own.
func (r *room) addGateway(l rooms.Listener) (*gateway, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, rooms.ErrClosed
	}
	g := &gateway{room: r, listener: l}
	r.gateways = append(r.gateways, g)
	for _, who := range r.people() {
		l.Participant(rooms.Change{Kind: rooms.Joined, Participant: who})
	}
	for _, b := range r.browsers {
		if b.voice != nil {
			b.voice.tell(g, b.participant())
		}
	}
	for _, s := range r.seats {
		s.voice.tell(g, s.who)
	}
	return g, nil
}

func (r *room) removeGateway(g *gateway) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if g.closed {
		return
	}
	g.closed = true
	r.gateways = slices.DeleteFunc(r.gateways, func(o *gateway) bool { return o == g })
	for _, b := range r.browsers {
		if b.voice != nil {
			b.voice.forget(g)
		}
	}
	for _, s := range slices.Clone(r.seats) {
		s.voice.forget(g)
		if s.gateway == g {
			r.loseSeat(s, rooms.ErrClosed)
		}
	}
}

// addSeat gives a phone its place.
func (r *room) addSeat(g *gateway, who rooms.Participant) (*seat, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if g.closed || r.closed {
		return nil, rooms.ErrClosed
	}
	if r.full() {
		return nil, rooms.ErrFull
	}
	who.ID = r.newID(who.ID, "p")
	s := &seat{gateway: g, id: who.ID, who: who, events: make(chan rooms.Event, ready.EventsKept)}
	s.voice = &voice{id: who.ID, from: g, room: r}
	s.voice.muted.Store(who.Muted)
	r.seats = append(r.seats, s)
	r.tell(rooms.Joined, who)
	for _, other := range r.gateways {
		if other != g {
			s.voice.tell(other, who)
		}
	}
	return s, nil
}

// loseSeat takes a seat away, once. Called with mu held.
func (r *room) loseSeat(s *seat, why error) {
	if s.gone.Load() != nil {
		return
	}
	s.gone.Store(&why)
	if errors.Is(why, rooms.ErrRemoved) {
		ready.Queue(s.events, rooms.Event{Kind: rooms.Removed})
	}
	close(s.events)
	r.seats = slices.DeleteFunc(r.seats, func(o *seat) bool { return o == s })
	s.voice.end()
	r.tell(rooms.Left, s.who)
}

// setSeatMuted mutes or unmutes a phone for everybody. Called with mu held.
func (r *room) setSeatMuted(s *seat, muted bool) {
	if s.who.Muted == muted {
		return
	}
	s.who.Muted = muted
	s.voice.setMuted(muted)
	r.tell(rooms.Changed, s.who)
}
