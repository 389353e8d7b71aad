package meet

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestManyCallers holds that callers share what is asked of LiveKit.
func TestManyCallers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, nil)
		s.livekit.AddDirect(board, pin)
		s.livekit.Slow(func() { time.Sleep(50 * time.Millisecond) })
		var wrong atomic.Int64
		var callers sync.WaitGroup
		for range 200 {
			callers.Go(func() {
				if room, err := s.room(t.Context(), pin); room != board || err != nil {
					wrong.Add(1)
				}
			})
		}
		callers.Wait()
		if wrong.Load() != 0 || s.livekit.Lists() != 1 {
			t.Errorf("%d of 200 callers did not get in; the rules were asked for %d times, want once", wrong.Load(), s.livekit.Lists())
		}
	})
}

// TestReaderHangsUp holds that those who wait for a list are not let down by the one who asked for it.
func TestReaderHangsUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, nil)
		s.livekit.AddDirect(board, pin)
		s.livekit.Slow(func() { time.Sleep(time.Second) })
		first, hangUp := context.WithCancel(t.Context())
		var callers sync.WaitGroup
		callers.Go(func() {
			if _, err := s.Find(first, pin); !errors.Is(err, context.Canceled) {
				t.Errorf("who hung up got %v", err)
			}
		})
		synctest.Wait()
		callers.Go(func() {
			if room, err := s.room(t.Context(), pin); room != board {
				t.Errorf("who waited got %q, %v", room, err)
			}
		})
		synctest.Wait()
		hangUp()
		callers.Wait()
	})
}

// TestMissLooksAgain holds that a PIN is not called wrong by a list older than the meeting.
func TestMissLooksAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, func(c *Config) { c.RoomkitToken = "" })
		if err := s.Check(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.livekit.AddDirect(board, pin)
		time.Sleep(time.Nanosecond)
		if room, err := s.room(t.Context(), pin); room != board {
			t.Errorf("got %q, %v, want the room", room, err)
		}
	})
}

// TestGuessesDoNotFloodLiveKit holds that wrong PINs cost it four lists a second, and no more.
func TestGuessesDoNotFloodLiveKit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, func(c *Config) { c.RoomkitToken = "" })
		ctx, stop := context.WithTimeout(t.Context(), 10*time.Second)
		defer stop()
		var callers sync.WaitGroup
		for i := range 50 { // one after the other, all the time
			callers.Go(func() {
				time.Sleep(time.Duration(i) * 19 * time.Millisecond)
				for ctx.Err() == nil {
					_, _ = s.Find(ctx, pin)
					time.Sleep(50 * time.Millisecond)
				}
			})
		}
		callers.Wait()
		if n := s.livekit.Lists(); n > 42 {
			t.Errorf("the rules were asked for %d times in 10 s, want 4 a second", n)
		}
	})
}
