package bridge

import (
	"sync"

	"passerelle/rooms"
)

// news is what is known of a room at one instant.
type news struct {
	people       int // everybody who is shown, phones of this gateway included
	recording    bool
	transcribing bool
	reconnecting bool
	encrypted    bool
	ended        bool
}

// board is a room's noticeboard: the listener writes on it, and each call in the room reads it when it has
// changed. A reader that is slow misses what came and went, and nothing that lasts. Its methods may be
// called from any goroutine and do not wait.
type board struct {
	mu      sync.Mutex
	now     news
	called  map[string]bool    // by id, of those of present who are still being called
	present map[string][]int16 // by id; what it said that its name is, nil if nobody asked
	readers map[chan struct{}]struct{}

	names     *callerNames // of callers to come
	followers map[chan movement]struct{}
}

func newBoard(n *callerNames) *board {
	return &board{
		names:  n,
		called: make(map[string]bool), present: make(map[string][]int16), readers: make(map[chan struct{}]struct{}),
		followers: make(map[chan movement]struct{}),
	}
}

// read returns what is known, and a channel that receives when that has changed; stop gives it back.
func (b *board) read() (changed <-chan struct{}, stop func()) {
	c := make(chan struct{}, 1)
	c <- struct{}{} // what is there already is new to the reader
	b.mu.Lock()
	b.readers[c] = struct{}{}
	b.mu.Unlock()
	return c, func() {
		b.mu.Lock()
		delete(b.readers, c)
		b.mu.Unlock()
	}
}

// latest returns what is known.
func (b *board) latest() news {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.now
}

// others reports whether anybody but the participant of that id is in the room.
func (b *board) others(id string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	_, present := b.present[id]
	return len(b.present) > 1 || len(b.present) == 1 && !present
}

// write changes what is known, and tells the readers if that made a difference.
func (b *board) write(change func(*news)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	before := b.now
	change(&b.now)
	if b.now == before {
		return
	}
	for c := range b.readers {
		select {
		case c <- struct{}{}:
		default: // it has not looked yet
		}
	}
}

// roster notes who comes and goes.
func (b *board) roster(c rooms.Change) {
	b.write(func(n *news) {
		b.moved(c)
		n.people = len(b.present)
	})
}

// room notes what happens to the room as a whole.
func (b *board) room(s rooms.State) {
	b.write(func(n *news) {
		switch s {
		case rooms.Reconnecting, rooms.Back:
			n.reconnecting = s == rooms.Reconnecting
		case rooms.RecordingOn, rooms.RecordingOff:
			n.recording = s == rooms.RecordingOn
		case rooms.TranscriptionOn, rooms.TranscriptionOff:
			n.transcribing = s == rooms.TranscriptionOn
		case rooms.Encrypted:
			n.encrypted = true
		case rooms.Ended:
			n.ended = true
		}
	})
}
