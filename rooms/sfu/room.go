package sfu

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"passerelle/rooms"
)

// room is where people are. It opens with whoever comes first and closes with whoever goes last.
//
// Who is there is guarded by mu, under which listeners are called too: one method at a time, in the order
// in which things happen. Packets do not take mu; they find the browsers' ears in a copy of their own.
type room struct {
	s    *SFU
	key  string // in SFU.rooms
	name string

	ears atomic.Pointer[[]*ear] // replaced as a whole, with mu held

	mu       sync.Mutex
	closed   bool
	browsers []*browser
	seats    []*seat
	gateways []*gateway
	knocks   []*knock // at the door, longest first
	calls    []*outcall
	lastID   int
	lastHand int              // raised
	dirty    bool             // the roster changed since it was told
	restless bool             // what moderators see did
	levels   map[string]uint8 // as they were told
}

// hearing returns the ears of the browsers that are connected; not to be changed.
func (r *room) hearing() []*ear {
	if ears := r.ears.Load(); ears != nil {
		return *ears
	}
	return nil
}

// addEar lets a browser hear. Called with mu held.
func (r *room) addEar(e *ear) {
	ears := append(slices.Clone(r.hearing()), e)
	r.ears.Store(&ears)
}

// removeEar lets a browser hear no more. Called with mu held.
func (r *room) removeEar(e *ear) {
	ears := slices.DeleteFunc(slices.Clone(r.hearing()), func(o *ear) bool { return o == e })
	r.ears.Store(&ears)
}

// people returns everybody who is there. Called with mu held.
func (r *room) people() []rooms.Participant {
	all := make([]rooms.Participant, 0, len(r.browsers)+len(r.seats))
	for _, b := range r.browsers {
		all = append(all, b.participant())
	}
	for _, s := range r.seats {
		all = append(all, s.who)
	}
	return all
}

// full says whether nobody else may come in. Called with mu held.
func (r *room) full() bool { return len(r.browsers)+len(r.seats) >= r.s.cfg.MaxParticipants }

// newID returns an id that nobody has: the one wished for, if it is free. Called with mu held.
func (r *room) newID(wish, prefix string) string {
	id := wish
	for id == "" || slices.ContainsFunc(r.people(), func(p rooms.Participant) bool { return p.ID == id }) {
		r.lastID++
		id = fmt.Sprintf("%s%d", prefix, r.lastID)
	}
	return id
}

// tell tells the listeners at once and the browsers soon. Called with mu held.
func (r *room) tell(kind rooms.ChangeKind, who rooms.Participant) {
	for _, g := range r.gateways {
		g.listener.Participant(rooms.Change{Kind: kind, Participant: who})
	}
	if kind == rooms.Left {
		delete(r.levels, who.ID)
	}
	r.changed()
}

// changed has the roster told to the browsers soon. Called with mu held.
func (r *room) changed() { r.dirty = true }

// broadcast sends a message to every browser. Called with mu held.
func (r *room) broadcast(message []byte) {
	for _, b := range r.browsers {
		if b.socket != nil {
			b.socket.send(message)
		}
	}
}

// sweep closes the room if nobody is in it any more.
func (r *room) sweep() {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed || len(r.browsers)+len(r.seats)+len(r.gateways)+len(r.knocks)+len(r.calls) > 0 {
		return
	}
	r.closed = true
	delete(r.s.rooms, r.key)
	r.s.cfg.Log.Debug("room closed", "room", r.name)
}

// shut ends the room for everybody who is in it.
func (r *room) shut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	for _, k := range slices.Clone(r.knocks) {
		r.answer(k, rooms.ErrClosed)
	}
	for _, c := range r.calls {
		c.hangup()
	}
	for _, s := range slices.Clone(r.seats) {
		r.loseSeat(s, rooms.ErrClosed)
	}
	for _, b := range slices.Clone(r.browsers) {
		r.removeBrowser(b, endShutdown)
	}
	for _, g := range r.gateways {
		g.closed = true
		g.listener.Room(rooms.Ended)
	}
	r.gateways = nil
}

// mute mutes a participant or lets it be heard again, as a moderator does.
func (r *room) mute(id string, muted bool) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.muteOther(id, muted) {
		return fmt.Errorf("mute %q in %q: %w", id, r.name, ErrNobody)
	}
	return nil
}

// remove takes a participant out, as a moderator does.
func (r *room) remove(id string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.removeOther(id) {
		return fmt.Errorf("remove %q from %q: %w", id, r.name, ErrNobody)
	}
	return nil
}
