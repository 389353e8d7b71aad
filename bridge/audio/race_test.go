package audio

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"passerelle/codec"
)

// TestEverythingAtOnce has phones and tracks come, talk, move and go on goroutines of their own while the
// shards run; the race detector watches.
func TestEverythingAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := plainEngineAt(16000, 3)
		began := time.Now()
		e.clock = func() time.Duration { return time.Since(began) }
		ctx, stop := context.WithCancel(t.Context())
		var all sync.WaitGroup
		all.Go(func() { e.Run(ctx) })
		mixes := []*Mix{e.NewMix("a"), e.NewMix("b"), e.NewMix("c"), e.NewMix("d")}
		var callers sync.WaitGroup
		for i := range 12 {
			callers.Go(func() { call(t, e, mixes, i) })
			callers.Go(func() { talk(mixes[i%len(mixes)], e.clock) })
		}
		callers.Wait()
		time.Sleep(100 * ms)
		if s := e.Stats(); s.Phones != 0 || s.Tracks != 0 || s.Mixes != 4 || s.Panics != 0 {
			t.Errorf("left behind: %+v", s)
		}
		for _, m := range mixes {
			m.Close()
			<-m.Done()
		}
		for i, s := range e.shards {
			if n := s.load.Load(); n != 0 {
				t.Errorf("shard %d has load %d", i, n)
			}
		}
		stop()
		all.Wait()
	})
}

// call is a phone's life: its line reader, and a caller who cannot decide.
func call(t *testing.T, e *Engine, mixes []*Mix, i int) {
	h := newHandset(t, e, []time.Duration{10 * ms, 20 * ms, 30 * ms, 60 * ms}[i%4])
	var reader sync.WaitGroup
	reader.Go(func() {
		for range 100 {
			h.now = e.clock()
			h.speak(20*ms, 1)
			time.Sleep(20 * ms)
		}
	})
	for n := range 20 {
		h.phone.Join(mixes[(i+n)%len(mixes)])
		h.phone.SetMuted(n%3 == 0)
		h.phone.Hold(n%5 == 0)
		h.phone.SetLoss(float64(n) / 20)
		h.phone.Play(Sound{PCM: tone(50 * ms)})
		if err := h.phone.Renegotiate([]codec.Kind{codec.PCMU, codec.G722, codec.PCMU, codec.Opus}[n%4], 20*ms, 0); err != nil {
			t.Error(err)
		}
		if n%4 == 0 {
			h.phone.Leave()
		}
		h.phone.Stats()
		e.Stats()
		time.Sleep(90 * ms)
	}
	reader.Wait()
	h.phone.Close()
}

// talk is a voice of the room.
func talk(m *Mix, clock func() time.Duration) {
	track := m.AddTrack("voice")
	defer track.Close()
	for i := range 80 {
		track.PushFrame(&codec.Frame{
			Arrival: clock(), Seq: uint16(i), Timestamp: uint32(i) * 960, Kind: codec.Opus, Payload: plainPayload(tone(20 * ms)),
		})
		track.Stats()
		time.Sleep(20 * ms)
	}
}
