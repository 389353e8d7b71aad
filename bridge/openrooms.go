package bridge

import (
	"context"
	"fmt"
	"sync"
	"time"

	"passerelle/bridge/audio"
	"passerelle/rooms"
)

// openTimeout bounds how long a backend may take to open a room.
const openTimeout = 15 * time.Second

// openRooms are the rooms in which this gateway has phones: one listener and one mix each, shared by all of
// them. A room opens with its first phone and closes with its last.
type openRooms struct {
	engine   *audio.Engine
	backends map[string]rooms.Backend

	mu   sync.Mutex
	open map[destinationKey]*openRoom
}

// destinationKey names a room in the whole gateway.
type destinationKey struct{ engine, room string }

// openRoom is one of them. The fields below ready are set when it is closed.
type openRoom struct {
	key   destinationKey
	mix   *audio.Mix
	users int // guarded by openRooms.mu

	ready chan struct{}
	room  rooms.Room
	err   error
}

// enter returns the room, opened if need be. The caller must leave it.
func (o *openRooms) enter(ctx context.Context, to destination) (*openRoom, error) {
	backend, ok := o.backends[to.engine]
	if !ok {
		return nil, fmt.Errorf("open room %s: no engine %q", to.room, to.engine)
	}
	r, first := o.find(destinationKey{to.engine, to.room})
	if first {
		r.connect(ctx, backend)
	}
	select {
	case <-r.ready:
	case <-ctx.Done():
		o.leave(r)
		return nil, context.Cause(ctx)
	}
	if r.err != nil {
		o.leave(r)
		return nil, fmt.Errorf("open room %s: %w", to.room, r.err)
	}
	return r, nil
}

// find counts the caller in; first is true for whoever has to connect the room.
func (o *openRooms) find(key destinationKey) (r *openRoom, first bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if r, ok := o.open[key]; ok {
		r.users++
		return r, false
	}
	r = &openRoom{key: key, users: 1, mix: o.engine.NewMix(key.room), ready: make(chan struct{})}
	o.open[key] = r
	return r, true
}

// connect joins the room as its listener. The first phone waits for it; should that phone hang up
// meanwhile, the others still get their room.
func (r *openRoom) connect(ctx context.Context, backend rooms.Backend) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), openTimeout)
	defer cancel()
	defer close(r.ready)
	r.room, r.err = backend.Open(ctx, r.key.room, newListener(r.mix))
}

// leave counts the caller out, and closes the room behind the last.
func (o *openRooms) leave(r *openRoom) {
	o.mu.Lock()
	r.users--
	last := r.users == 0
	// A room that could not be opened, or has closed, may have a successor by now.
	if last && o.open[r.key] == r {
		delete(o.open, r.key)
	}
	o.mu.Unlock()
	if !last {
		return
	}
	<-r.ready
	if r.room != nil {
		r.room.Close()
	}
	r.mix.Close()
}

// count returns how many rooms are open.
func (o *openRooms) count() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.open)
}
