package bridge

import (
	"context"
	"errors"
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
	engine  *audio.Engine
	engines map[string]Rooms
	names   callerNames

	mu   sync.Mutex
	open map[destinationKey]*openRoom
}

// errPanicked is why a room did not open when its backend never returned.
var errPanicked = errors.New("the backend panicked")

// destinationKey names a room in the whole gateway.
type destinationKey struct{ engine, room string }

// openRoom is one of them. The fields below ready are set when it is closed.
type openRoom struct {
	key      destinationKey
	mix      *audio.Mix
	board    *board
	listener *listener
	users    int // guarded by openRooms.mu

	ready chan struct{}
	room  rooms.Room
	err   error
}

// enter returns the room, opened if need be. The caller must leave it.
func (o *openRooms) enter(ctx context.Context, to destination) (*openRoom, error) {
	backend := o.engines[to.engine].Backend
	if backend == nil {
		return nil, fmt.Errorf("open room %s: no such engine", to)
	}
	key := destinationKey{to.engine, to.room}
	if names, ok := backend.(rooms.Namer); ok {
		key.room = names.RoomName(key.room)
	}
	r, first := o.find(key)
	entered := false
	defer func() {
		if !entered {
			o.leave(r)
		}
	}()
	if first {
		r.connect(ctx, backend)
	}
	select {
	case <-r.ready:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	if r.err != nil {
		return nil, fmt.Errorf("open room %s: %w", to, r.err)
	}
	entered = true
	return r, nil
}

// forget lets the next caller open a room of that name anew.
func (o *openRooms) forget(r *openRoom) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.open[r.key] == r {
		delete(o.open, r.key)
	}
}

// find counts the caller in; first is true for whoever has to connect the room.
func (o *openRooms) find(key destinationKey) (r *openRoom, first bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if r, ok := o.open[key]; ok {
		r.users++
		return r, false
	}
	mix := o.engine.NewMix(masked(key.room))
	board := newBoard(&o.names)
	r = &openRoom{
		key: key, users: 1, mix: mix, board: board, listener: newListener(mix, board), ready: make(chan struct{}),
	}
	o.open[key] = r
	return r, true
}

// connect joins the room as its listener. The first phone waits for it; should that phone hang up
// meanwhile, the others still get their room.
func (r *openRoom) connect(ctx context.Context, backend rooms.Backend) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), openTimeout)
	defer cancel()
	defer close(r.ready)
	r.err = errPanicked // unless Open returns
	r.room, r.err = backend.Open(ctx, r.key.room, r.listener)
}

// leave counts the caller out, and closes the room behind the last.
func (o *openRooms) leave(r *openRoom) {
	o.mu.Lock()
	r.users--
	last := r.users == 0
	// A room that has ended is forgotten, and may have a successor by now.
	if last && o.open[r.key] == r {
		delete(o.open, r.key)
	}
	o.mu.Unlock()
	if !last {
		return
	}
	<-r.ready
	if r.room != nil {
		r.room.Close() // from here on the listener is not called
	}
	r.listener.close()
	r.mix.Close()
}

// count returns how many rooms are open.
func (o *openRooms) count() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.open)
}
