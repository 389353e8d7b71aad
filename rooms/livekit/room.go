package livekit

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/livekit/protocol/livekit"

	"passerelle/rooms"
)

// room is one room as this gateway is in it: the hidden listener, through whose link all is known of the room.
type room struct {
	c    *Cluster
	name string
	link *link
	ear  ear

	mu     sync.Mutex // guards what follows, and the listener's methods: one at a time
	l      rooms.Listener
	closed bool
	roster roster
	state  state
	seats  map[*seat]struct{}
	news   chan struct{} // closed and replaced when the roster changes
}

var (
	_ rooms.Room = (*room)(nil)
	_ part       = (*room)(nil)
)

// Open joins the room as a hidden listener.
func (c *Cluster) Open(ctx context.Context, name string, l rooms.Listener) (rooms.Room, error) {
	r := &room{c: c, name: name, l: l, roster: newRoster(c.prefix), seats: make(map[*seat]struct{}), news: make(chan struct{})}
	r.ear.r = r
	identity := c.identity()
	r.link = c.newLink(name, identity, func() (string, error) { return c.cfg.listenerToken(name, identity) }, r)
	if err := r.link.join(ctx); err != nil {
		return nil, fmt.Errorf("open room: %w", err)
	}
	c.count.listeners.Add(1)
	return r, nil
}

// Seat makes a phone a participant.
func (r *room) Seat(ctx context.Context, who rooms.Participant) (rooms.Seat, error) {
	r.mu.Lock()
	closed := r.closed
	r.mu.Unlock()
	if closed {
		return nil, fmt.Errorf("take a seat: %w", rooms.ErrClosed)
	}
	st, err := r.c.newSeat(ctx, r.name, who)
	if err != nil {
		return nil, fmt.Errorf("take a seat: %w", err)
	}
	r.seen(ctx, st.who.ID)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		st.lose(rooms.ErrClosed, false)
		st.link.end(rooms.ErrClosed)
		return nil, fmt.Errorf("take a seat: %w", rooms.ErrClosed)
	}
	r.seats[st] = struct{}{}
	st.left = func() { r.forget(st) }
	return st, nil
}

// seenPatience is how long the room may take to show a voice that flows.
const seenPatience = 500 * time.Millisecond

// seen waits until the room shows somebody's voice to everybody: then a moderator can mute it. The call does not
// depend on it.
func (r *room) seen(ctx context.Context, identity string) {
	ctx, cancel := context.WithTimeout(ctx, seenPatience)
	defer cancel()
	for {
		r.mu.Lock()
		news, there := r.news, r.roster.published(identity)
		r.mu.Unlock()
		if there {
			return
		}
		select {
		case <-news:
		case <-r.link.done:
			return
		case <-ctx.Done():
			return
		}
	}
}

// wake wakes those who wait for the roster. Called with mu held.
func (r *room) wake() {
	close(r.news)
	r.news = make(chan struct{})
}

// forget takes a seat off the list of those that have to be closed with the room.
func (r *room) forget(st *seat) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.seats, st)
}

// Close leaves the room. Seats that were forgotten are closed.
func (r *room) Close() error {
	r.mu.Lock()
	if !r.closed {
		r.closed = true
		r.c.count.listeners.Add(-1)
	}
	var forgotten []*seat
	for st := range r.seats {
		forgotten = append(forgotten, st)
	}
	r.mu.Unlock()
	for _, st := range forgotten {
		_ = st.Close()
	}
	r.link.leave(rooms.ErrClosed)
	return nil
}

// encrypted reports whether anybody's sound is encrypted from end to end.
func encrypted(all []*livekit.ParticipantInfo) bool {
	for _, p := range all {
		for _, t := range p.GetTracks() {
			if t.GetType() == livekit.TrackType_AUDIO && t.GetEncryption() != livekit.Encryption_NONE {
				return true
			}
		}
	}
	return false
}

// ours reports whether an identity is of this gateway.
func (r *room) ours(identity string) bool { return strings.HasPrefix(identity, r.c.prefix) }

func (r *room) interrupted() { r.tell(rooms.Reconnecting) }
func (r *room) resumed()     { r.tell(rooms.Back) }

// over is the end of the link: of the room, for whoever is still in it.
func (r *room) over(error) {
	r.ear.deafen()
	r.tell(rooms.Ended)
	r.mu.Lock()
	if !r.closed {
		r.closed = true
		r.c.count.listeners.Add(-1)
	}
	r.mu.Unlock()
}

// tell tells the listener what happens to the room.
func (r *room) tell(s rooms.State) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.closed {
		r.l.Room(s)
	}
}
