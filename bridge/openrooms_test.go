package bridge

import (
	"context"
	"errors"
	"sync"
	"testing"

	"passerelle/codec"
	"passerelle/rooms"
	"passerelle/rooms/roomstest"
	"passerelle/sip"
)

func TestARoomThatPanickedOpensForTheNext(t *testing.T) {
	var once sync.Once
	r := newRigOver(t, nil, func(b *roomstest.Backend) rooms.Backend {
		b.Refuse = func(string) error { once.Do(func() { panic("on fire") }); return nil }
		return b
	})
	if _, err := r.call("lobby", codec.PCMA); err == nil {
		t.Fatal("a room was entered that did not open")
	}
	must(t, nil, second(r.call("lobby", codec.PCMA)))
}

// seatless is a backend whose first seat panics.
type seatless struct {
	rooms.Backend
	once sync.Once
}

func (s *seatless) Open(ctx context.Context, name string, l rooms.Listener) (rooms.Room, error) {
	room, err := s.Backend.Open(ctx, name, l)
	return &seatlessRoom{room, s}, err
}

type seatlessRoom struct {
	rooms.Room
	of *seatless
}

func (r *seatlessRoom) Seat(ctx context.Context, who rooms.Participant) (rooms.Seat, error) {
	r.of.once.Do(func() { panic("on fire") })
	return r.Room.Seat(ctx, who)
}

func TestARoomWhoseSeatPanickedIsLeft(t *testing.T) {
	r := newRigOver(t, nil, func(b *roomstest.Backend) rooms.Backend { return &seatless{Backend: b} })
	if _, err := r.call("lobby", codec.PCMA); err == nil {
		t.Fatal("a seat was taken that is none")
	}
	eventually(t, "the room closed", func() bool { return r.gateway.Stats().Rooms == 0 && len(r.backend.Rooms()) == 0 })
	must(t, nil, second(r.call("lobby", codec.PCMA)))
}

// slow is a backend that opens a room when it is told to.
type slow struct {
	rooms.Backend
	opening chan struct{} // closed when Open is called
	goOn    chan error    // what it then fails with; nil opens
	once    sync.Once
}

func newSlow(b rooms.Backend) *slow {
	return &slow{Backend: b, opening: make(chan struct{}), goOn: make(chan error, 1)}
}

func (s *slow) Open(ctx context.Context, name string, l rooms.Listener) (rooms.Room, error) {
	s.once.Do(func() { close(s.opening) })
	if err := <-s.goOn; err != nil {
		return nil, err
	}
	return s.Backend.Open(ctx, name, l)
}

func TestThoseWhoWaitForARoom(t *testing.T) {
	to := destination{engine: "memory", room: "lobby"}
	enter := func(o *openRooms, ctx context.Context) chan error {
		result := make(chan error, 1)
		go func() {
			room, err := o.enter(ctx, to)
			if err == nil {
				defer o.leave(room)
			}
			result <- err
		}()
		return result
	}
	t.Run("all of them fail together, and the next tries anew", func(t *testing.T) {
		var backend *slow
		r := newRigOver(t, nil, func(b *roomstest.Backend) rooms.Backend { backend = newSlow(b); return backend })
		o := &r.gateway.open
		first := enter(o, t.Context())
		<-backend.opening
		other := enter(o, t.Context())
		eventually(t, "the other waits", func() bool {
			o.mu.Lock()
			defer o.mu.Unlock()
			return o.open[destinationKey{"memory", "lobby"}].users == 2
		})
		backend.goOn <- rooms.ErrFull
		for _, result := range []chan error{first, other} {
			if err := <-result; !errors.Is(err, rooms.ErrFull) {
				t.Errorf("entered with %v, want %v", err, rooms.ErrFull)
			}
		}
		backend.goOn <- nil
		if err := <-enter(o, t.Context()); err != nil {
			t.Errorf("the next: %v", err)
		}
		if got := o.count(); got != 0 {
			t.Errorf("%d rooms are left open", got)
		}
	})
	t.Run("one who gives up takes nobody along", func(t *testing.T) {
		var backend *slow
		r := newRigOver(t, nil, func(b *roomstest.Backend) rooms.Backend { backend = newSlow(b); return backend })
		o := &r.gateway.open
		first := enter(o, t.Context())
		<-backend.opening
		ctx, giveUp := context.WithCancelCause(t.Context())
		giveUp(sip.ErrCancelled)
		if err := <-enter(o, ctx); !errors.Is(err, sip.ErrCancelled) {
			t.Errorf("who gave up was told %v", err)
		}
		backend.goOn <- nil
		if err := <-first; err != nil {
			t.Errorf("who stayed was told %v", err)
		}
	})
}

// oneName is a backend for which all names mean one room.
type oneName struct{ rooms.Backend }

func (oneName) RoomName(string) string { return "lobby" }

func TestTwoNamesOfOneRoom(t *testing.T) {
	r := newRigOver(t, nil, func(b *roomstest.Backend) rooms.Backend { return oneName{b} })
	ada, err := r.call("lobby", codec.PCMA)
	must(t, ada, err)
	ben, err := r.call("vestibule", codec.PCMA)
	must(t, ben, err)
	ada.whistle(440)
	ben.hears(440)
}
