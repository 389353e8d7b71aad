package roomstest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"passerelle/rooms"
)

// endRules say how things end, and what may be done after.
func endRules() []rule {
	return []rule{
		{"removal ends the seat with one event", removalEnds},
		{"closing is idempotent", closingTwice},
		{"a closed seat takes no frames", closedSeat},
		{"a closed room gives no seats", closedRoom},
		{"the listener is not called after Close", silentAfterClose},
		{"a room can be left and opened again", openedAgain},
		{"who gave up waiting gets nothing", gaveUp},
		{"a room that may not be opened is no room", refused},
		{"frames cross with comings and goings", crossing},
	}
}

func removalEnds(t *testing.T, h Harness) {
	ada := h.Join(t, "board", "Ada")
	room, l := enter(t, h, "board")
	s := sit(t, room, "Phone")
	l.joined(s.ID())
	if err := ada.RemovePhone(s.ID()); err != nil {
		t.Fatalf("RemovePhone: %v", err)
	}
	if e := next(t, s); e.Kind != rooms.Removed {
		t.Errorf("event %v, want Removed", e.Kind)
	}
	select {
	case e, ok := <-s.Events():
		if ok {
			t.Errorf("event %v after Removed, want a closed channel", e.Kind)
		}
	case <-time.After(patience):
		t.Errorf("the channel of events is still open")
	}
	l.left(s.ID())
	stream := seatStream{seat: s}
	if err := stream.write(tone("phone")); !errors.Is(err, rooms.ErrRemoved) {
		t.Errorf("WriteFrame after the removal: %v, want %v", err, rooms.ErrRemoved)
	}
	eventually(t, "Ada sees the phone no more", func() bool { _, ok := find(ada, s.ID()); return !ok })
}

func closingTwice(t *testing.T, h Harness) {
	room, _ := enter(t, h, "board")
	s := sit(t, room, "Phone")
	for n := range 2 {
		if err := s.Close(); err != nil {
			t.Errorf("close seat, time %d: %v", n+1, err)
		}
	}
	if _, ok := <-s.Events(); ok {
		t.Errorf("an event after Close, want a closed channel")
	}
	for n := range 2 {
		if err := room.Close(); err != nil {
			t.Errorf("close room, time %d: %v", n+1, err)
		}
	}
}

func closedSeat(t *testing.T, h Harness) {
	room, l := enter(t, h, "board")
	s := sit(t, room, "Phone")
	if err := s.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
	l.left(s.ID())
	stream := seatStream{seat: s}
	if err := stream.write(tone("phone")); !errors.Is(err, rooms.ErrClosed) {
		t.Errorf("WriteFrame: %v, want %v", err, rooms.ErrClosed)
	}
	if err := s.SetMuted(true); !errors.Is(err, rooms.ErrClosed) {
		t.Errorf("SetMuted: %v, want %v", err, rooms.ErrClosed)
	}
	if err := s.Send(rooms.Message{Kind: rooms.HandRaised}); !errors.Is(err, rooms.ErrClosed) {
		t.Errorf("Send: %v, want %v", err, rooms.ErrClosed)
	}
}

func closedRoom(t *testing.T, h Harness) {
	room, _ := enter(t, h, "board")
	if err := room.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
	if _, err := room.Seat(t.Context(), rooms.Participant{Name: "Phone", Kind: rooms.Phone}); !errors.Is(err, rooms.ErrClosed) {
		t.Errorf("Seat: %v, want %v", err, rooms.ErrClosed)
	}
}

func silentAfterClose(t *testing.T, h Harness) {
	l := newRecorder(t)
	room, err := h.Backend.Open(t.Context(), "board", l)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	ada := h.Join(t, "board", "Ada")
	pace(t, "Ada heard", func(int) { _ = ada.Speak(tone("ada"), 30) }, func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.trackOf(ada.ID()) != nil
	})
	speaking := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-speaking:
				return
			case <-time.After(time.Millisecond):
				_ = ada.Speak(tone("ada"), 30)
			}
		}
	})
	if err := room.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	l.shut() // from here on the recorder fails the test when it is called
	bob := h.Join(t, "board", "Bob")
	_ = bob.SetMuted(true)
	_ = bob.Leave()
	close(speaking)
	wg.Wait()
}

func openedAgain(t *testing.T, h Harness) {
	for range 3 {
		l := newRecorder(t)
		room, err := h.Backend.Open(t.Context(), "board", l)
		if err != nil {
			t.Fatalf("Open: %v", err)
		}
		s, err := room.Seat(t.Context(), rooms.Participant{Name: "Phone", Kind: rooms.Phone})
		if err != nil {
			t.Fatalf("Seat: %v", err)
		}
		l.joined(s.ID())
		l.wait("one change in a new room: nobody of old is in it", func() bool { return len(l.changes) == 1 })
		if err := errors.Join(s.Close(), room.Close()); err != nil {
			t.Errorf("close: %v", err)
		}
	}
}

func gaveUp(t *testing.T, h Harness) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if room, err := h.Backend.Open(ctx, "board", newRecorder(t)); !errors.Is(err, context.Canceled) {
		t.Errorf("Open: %v, %v, want %v", room, err, context.Canceled)
	}
	room, _ := enter(t, h, "board")
	if seat, err := room.Seat(ctx, rooms.Participant{Name: "Phone"}); !errors.Is(err, context.Canceled) {
		t.Errorf("Seat: %v, %v, want %v", seat, err, context.Canceled)
	}
}

func refused(t *testing.T, h Harness) {
	if h.Refused == "" {
		t.Skip("this backend opens every room")
	}
	if _, err := h.Backend.Open(t.Context(), h.Refused, newRecorder(t)); !errors.Is(err, rooms.ErrNoRoom) {
		t.Errorf("Open(%q): %v, want %v", h.Refused, err, rooms.ErrNoRoom)
	}
}

// crossing lets everything happen at once; the race detector and the recorder are the judges.
func crossing(t *testing.T, h Harness) {
	room, _ := enter(t, h, "board")
	ada := h.Join(t, "board", "Ada")
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			for range 10 {
				s, err := room.Seat(t.Context(), rooms.Participant{Name: "Phone", Kind: rooms.Phone})
				if err != nil {
					t.Errorf("Seat: %v", err)
					return
				}
				stream := seatStream{seat: s}
				for n := range 5 {
					_ = stream.write(tone("phone"))
					_ = s.SetMuted(n%2 == 0)
					_ = s.Loss()
				}
				_ = s.Close()
				_ = stream.write(tone("phone"))
			}
		})
	}
	wg.Go(func() {
		for range 100 {
			_ = ada.Speak(tone("ada"), 30)
			for _, p := range ada.Roster() {
				_ = ada.MutePhone(p.ID, true)
			}
		}
	})
	wg.Wait()
}

// next returns the next event of a seat.
func next(t *testing.T, s rooms.Seat) rooms.Event {
	t.Helper()
	select {
	case e, ok := <-s.Events():
		if !ok {
			t.Fatal("the channel of events is closed")
		}
		return e
	case <-time.After(patience):
		t.Fatalf("no event within %v", patience)
	}
	return rooms.Event{}
}

// find returns somebody from a person's roster.
func find(p Person, id string) (rooms.Participant, bool) {
	for _, who := range p.Roster() {
		if who.ID == id {
			return who, true
		}
	}
	return rooms.Participant{}, false
}

// eventually asks again and again until ok, for what a Person learns and tells nobody about.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(spacing)
	defer tick.Stop()
	deadline := time.After(patience)
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("%s: not within %v", what, patience)
		}
	}
}
