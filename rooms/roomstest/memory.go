// Package roomstest holds what tests of rooms need: rooms kept in memory, with browsers that a test
// drives by hand, and the contract that every backend of package rooms passes. It does not know any
// network or codec.
package roomstest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"passerelle/codec"
	"passerelle/rooms"
)

// Backend keeps rooms in memory. Rooms open with whoever comes first. All delivery happens in the
// caller's goroutine: when Speak returns, everybody has heard it.
type Backend struct {
	// Clock gives the frames of browsers their Arrival; nil means the time since New.
	Clock func() time.Duration
	// Refuse, where it is set, is asked before a room is opened for a gateway; its error is Open's.
	Refuse func(name string) error

	mu    sync.Mutex // guards all below, and the state of all rooms
	rooms map[string]*room
	last  int // number in the latest id
}

// New returns a Backend without rooms.
func New() *Backend {
	begin := time.Now()
	return &Backend{
		Clock: func() time.Duration { return time.Since(begin) },
		rooms: make(map[string]*room),
	}
}

// room is one room. Guarded by Backend.mu.
type room struct {
	name      string
	listeners []*gateway
	browsers  []*Browser
	seats     []*Seat
}

// gateway is one rooms.Room: a listener with its seats.
type gateway struct {
	b      *Backend
	room   *room
	l      rooms.Listener
	closed bool
}

// Open joins the room as a listener.
func (b *Backend) Open(ctx context.Context, name string, l rooms.Listener) (rooms.Room, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("open room %q: %w", name, err)
	}
	if b.Refuse != nil {
		if err := b.Refuse(name); err != nil {
			return nil, fmt.Errorf("open room %q: %w", name, err)
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	r := b.open(name)
	g := &gateway{b: b, room: r, l: l}
	for _, br := range r.browsers {
		l.Participant(rooms.Change{Kind: rooms.Joined, Participant: br.who})
		br.voice.addAs(g, br.who)
	}
	for _, s := range r.seats {
		l.Participant(rooms.Change{Kind: rooms.Joined, Participant: s.who})
		s.voice.addAs(g, s.who)
	}
	r.listeners = append(r.listeners, g)
	return g, nil
}

// Rooms returns the names of the rooms that are open, sorted.
func (b *Backend) Rooms() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var names []string
	for name := range b.rooms {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// End ends a room as its operator would: seats are lost, listeners are told, browsers leave.
func (b *Backend) End(name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	r := b.rooms[name]
	if r == nil {
		return
	}
	for _, s := range slices.Clone(r.seats) {
		s.lose(rooms.ErrClosed)
	}
	for _, br := range slices.Clone(r.browsers) {
		br.leave()
	}
	for _, g := range r.listeners {
		g.closed = true
		g.l.Room(rooms.Ended)
	}
	r.listeners = nil
	delete(b.rooms, name)
}

// Tell tells the listeners of a room what happened to it: reconnecting, back, recording.
func (b *Backend) Tell(name string, s rooms.State) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if r := b.rooms[name]; r != nil {
		for _, g := range r.listeners {
			g.l.Room(s)
		}
	}
}

// open returns the room, which may be new. Called with mu held.
func (b *Backend) open(name string) *room {
	r := b.rooms[name]
	if r == nil {
		r = &room{name: name}
		b.rooms[name] = r
	}
	return r
}

// sweep forgets the room if nobody is in it. Called with mu held.
func (b *Backend) sweep(r *room) {
	if len(r.listeners)+len(r.browsers)+len(r.seats) == 0 && b.rooms[r.name] == r {
		delete(b.rooms, r.name)
	}
}

// id returns an id that nobody in r has: the one wished for, if it is free.
func (b *Backend) id(r *room, wish, prefix string) string {
	id := wish
	for id == "" || slices.ContainsFunc(r.people(), func(p rooms.Participant) bool { return p.ID == id }) {
		b.last++
		id = fmt.Sprintf("%s%d", prefix, b.last)
	}
	return id
}

func (r *room) people() []rooms.Participant {
	var all []rooms.Participant
	for _, br := range r.browsers {
		all = append(all, br.who)
	}
	for _, s := range r.seats {
		all = append(all, s.who)
	}
	return all
}

// tell tells all listeners. Called with Backend.mu held.
func (r *room) tell(kind rooms.ChangeKind, who rooms.Participant) {
	for _, g := range r.listeners {
		g.l.Participant(rooms.Change{Kind: kind, Participant: who})
	}
}

// Seat makes a phone a participant.
func (g *gateway) Seat(ctx context.Context, who rooms.Participant) (rooms.Seat, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("take a seat in %q: %w", g.room.name, err)
	}
	g.b.mu.Lock()
	defer g.b.mu.Unlock()
	if g.closed {
		return nil, fmt.Errorf("take a seat in %q: %w", g.room.name, rooms.ErrClosed)
	}
	who.ID = g.b.id(g.room, who.ID, "p")
	s := &Seat{g: g, who: who, events: make(chan rooms.Event, eventRoom)}
	s.voice = newVoice(s.who.ID)
	g.room.seats = append(g.room.seats, s)
	g.room.tell(rooms.Joined, who)
	for _, other := range g.room.listeners {
		if other != g { // nobody is told of tracks of its own
			s.voice.addAs(other, who)
		}
	}
	return s, nil
}

// Close leaves the room. Seats that were forgotten are closed.
func (g *gateway) Close() error {
	g.b.mu.Lock()
	defer g.b.mu.Unlock()
	if g.closed {
		return nil
	}
	g.closed = true
	r := g.room
	r.listeners = slices.DeleteFunc(r.listeners, func(o *gateway) bool { return o == g })
	for _, br := range r.browsers {
		br.voice.drop(g)
	}
	for _, s := range slices.Clone(r.seats) {
		if s.g == g {
			s.lose(rooms.ErrClosed)
		} else {
			s.voice.drop(g)
		}
	}
	g.b.sweep(r)
	return nil
}

// voice is a track: the readers that listeners gave for it.
type voice struct {
	id    string
	mu    sync.Mutex // held while a reader is called, so that none is called after TrackRemoved
	sinks map[*gateway]codec.Reader
}

func newVoice(id string) *voice { return &voice{id: id, sinks: make(map[*gateway]codec.Reader)} }

// addAs announces the track to g.
func (v *voice) addAs(g *gateway, who rooms.Participant) {
	reader := g.l.TrackAdded(v.id, who)
	v.mu.Lock()
	v.sinks[g] = reader
	v.mu.Unlock()
}

// drop stops g's reader without telling, since g is closed.
func (v *voice) drop(g *gateway) {
	v.mu.Lock()
	delete(v.sinks, g)
	v.mu.Unlock()
}

// remove takes the track away from everybody.
func (v *voice) remove() {
	v.mu.Lock()
	sinks := v.sinks
	v.sinks = make(map[*gateway]codec.Reader)
	v.mu.Unlock()
	for g := range sinks {
		g.l.TrackRemoved(v.id)
	}
}

func (v *voice) push(f *codec.Frame) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, reader := range v.sinks {
		if reader != nil {
			reader.PushFrame(f)
		}
	}
}
