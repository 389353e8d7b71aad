package roomstest

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"passerelle/codec"
	"passerelle/rooms"
)

// patience is how long the contract waits for what must happen.
const patience = 10 * time.Second

// spacing is the time between packets when the contract speaks: four times as fast as people do, since
// nobody here plays them.
const spacing = 5 * time.Millisecond

// recorder is a rooms.Listener that writes everything down, and fails the test where the order in which
// it is called breaks the contract.
type recorder struct {
	t *testing.T

	calling atomic.Bool // in one of the Listener's methods

	mu      sync.Mutex // guards all below
	closed  bool       // the room was closed: nothing may come any more
	people  map[string]rooms.Participant
	changes []rooms.Change
	tracks  map[string]*recordedTrack
	added   []rooms.Participant // from of every TrackAdded
	removed []string
	states  []rooms.State
	changed chan struct{} // closed and replaced when anything happens
}

// recordedTrack is one voice.
type recordedTrack struct {
	r      *recorder
	id     string
	from   string
	gone   bool
	frames []codec.Frame
}

func newRecorder(t *testing.T) *recorder {
	return &recorder{t: t, people: make(map[string]rooms.Participant), tracks: make(map[string]*recordedTrack),
		changed: make(chan struct{})}
}

// call brackets every method of the Listener.
func (r *recorder) call(what string) func() {
	if r.calling.Swap(true) {
		r.t.Errorf("%s: called while another method runs; want one at a time", what)
	}
	r.mu.Lock()
	if r.closed {
		r.t.Errorf("%s: called after Close returned", what)
	}
	return func() {
		r.happened()
		r.mu.Unlock()
		r.calling.Store(false)
	}
}

// happened wakes whoever waits. Called with mu held.
func (r *recorder) happened() {
	close(r.changed)
	r.changed = make(chan struct{})
}

func (r *recorder) TrackAdded(id string, from rooms.Participant) codec.Reader {
	defer r.call("TrackAdded")()
	if old := r.tracks[id]; old != nil && !old.gone {
		r.t.Errorf("TrackAdded(%q): added twice", id)
	}
	if _, ok := r.people[from.ID]; !ok {
		r.t.Errorf("TrackAdded(%q): from %q, who has not joined", id, from.ID)
	}
	t := &recordedTrack{r: r, id: id, from: from.ID}
	r.tracks[id] = t
	r.added = append(r.added, from)
	return t
}

func (r *recorder) TrackRemoved(id string) {
	defer r.call("TrackRemoved")()
	t := r.tracks[id]
	if t == nil || t.gone {
		r.t.Errorf("TrackRemoved(%q): no such track", id)
		return
	}
	t.gone = true
	r.removed = append(r.removed, id)
}

func (r *recorder) Participant(c rooms.Change) {
	defer r.call("Participant")()
	_, known := r.people[c.Participant.ID]
	if (c.Kind == rooms.Joined) == known {
		r.t.Errorf("Participant(%v): known already: %v", c, known)
	}
	if c.Kind == rooms.Left {
		delete(r.people, c.Participant.ID)
	} else {
		r.people[c.Participant.ID] = c.Participant
	}
	r.changes = append(r.changes, c)
}

func (r *recorder) Room(s rooms.State) {
	defer r.call("Room")()
	r.states = append(r.states, s)
}

func (t *recordedTrack) PushFrame(f *codec.Frame) {
	t.r.mu.Lock()
	defer t.r.mu.Unlock()
	if t.gone {
		t.r.t.Errorf("PushFrame(%q): after TrackRemoved", t.id)
	}
	if t.r.closed {
		t.r.t.Errorf("PushFrame(%q): after Close returned", t.id)
	}
	kept := *f
	kept.Payload = bytes.Clone(f.Payload)
	t.frames = append(t.frames, kept)
	t.r.happened()
}

// wait waits until ok, which is asked with the recorder locked.
func (r *recorder) wait(what string, ok func() bool) {
	r.t.Helper()
	deadline := time.After(patience)
	for {
		r.mu.Lock()
		done, changed := ok(), r.changed
		r.mu.Unlock()
		if done {
			return
		}
		select {
		case <-changed:
		case <-deadline:
			r.t.Fatalf("%s: not within %v; %s", what, patience, r)
		}
	}
}

// String says what was recorded, for a test's last words.
func (r *recorder) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return fmt.Sprintf("the listener knows %v, tracks added %v, removed %v, states %v", r.people, r.added, r.removed, r.states)
}

// shut says that the room was closed.
func (r *recorder) shut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
}

// joined waits until somebody is known, and returns how.
func (r *recorder) joined(id string) (who rooms.Participant) {
	r.t.Helper()
	r.wait("participant "+id+" joined", func() (ok bool) { who, ok = r.people[id]; return ok })
	return who
}

// left waits until somebody is gone.
func (r *recorder) left(id string) {
	r.t.Helper()
	r.wait("participant "+id+" left", func() bool { _, ok := r.people[id]; return !ok })
}

// trackOf returns the live track from a participant, if there is one. Called with mu held.
func (r *recorder) trackOf(id string) *recordedTrack {
	for _, t := range r.tracks {
		if t.from == id && !t.gone {
			return t
		}
	}
	return nil
}

// enter opens a room for the test and takes care of its end.
func enter(t *testing.T, h Harness, name string) (rooms.Room, *recorder) {
	t.Helper()
	l := newRecorder(t)
	room, err := h.Backend.Open(t.Context(), name, l)
	if err != nil {
		t.Fatalf("Open(%q): %v", name, err)
	}
	t.Cleanup(func() {
		if err := room.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		l.shut()
	})
	return room, l
}

// sit takes a seat for the test and takes care of its end.
func sit(t *testing.T, room rooms.Room, name string) rooms.Seat {
	t.Helper()
	s, err := room.Seat(t.Context(), rooms.Participant{Name: name, Kind: rooms.Phone})
	if err != nil {
		t.Fatalf("Seat(%q): %v", name, err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close seat %q: %v", name, err)
		}
	})
	return s
}

// tone is a payload that can be told from others: a TOC of Opus (CELT, 20 ms, mono) and a name.
func tone(name string) []byte { return append([]byte{0xf8}, name...) }

// pace calls do, once for each packet, until stop says so; it fails the test when that takes too long.
func pace(t *testing.T, what string, do func(n int), stop func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(spacing)
	defer tick.Stop()
	for n := 0; ; n++ {
		do(n)
		if stop() {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("%s: not within %v", what, patience)
		}
	}
}

// seatStream is the frames that a phone would write.
type seatStream struct {
	seat rooms.Seat
	f    codec.Frame
}

func (s *seatStream) write(payload []byte) error {
	s.f.Seq++
	s.f.Timestamp += 960
	s.f.Kind, s.f.Level, s.f.Voice, s.f.Payload = codec.Opus, 20, true, payload
	return s.seat.WriteFrame(&s.f)
}

// hears takes what arrives until a payload comes; false when nothing is waiting any more.
func hears(p Person, payload []byte) bool {
	for {
		select {
		case f := <-p.Heard():
			if bytes.Equal(f.Payload, payload) {
				return true
			}
		default:
			return false
		}
	}
}
