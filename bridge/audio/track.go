package audio

import (
	"slices"
	"sync/atomic"
	"time"

	"passerelle/codec"
)

// Bounds of one track's packets that wait for the shard. An Opus frame has at most 1275 bytes (RFC 6716
// section 3.4), and a packet of 120 ms may have several; rooms send 20 ms in one to two hundred.
const (
	trackRing    = 64
	trackWindow  = 64
	trackPayload = 4096 // bytes
	dtxPayload   = 2    // bytes: a packet this short holds no sound
)

// Track is one voice of a room on its way into a mix.
type Track struct {
	id     string
	mix    *Mix
	clock  func() time.Duration
	ring   *ring
	closed atomic.Bool
	jitter *jitter // the shard's
}

var _ codec.Reader = (*Track)(nil)

// AddTrack adds a voice of the room, decoded once for all phones. It must be closed.
func (m *Mix) AddTrack(id string) *Track {
	e := m.shard.engine
	t := &Track{id: id, mix: m, clock: e.clock, ring: newRing(trackRing)}
	decoder, err := e.newDecoder(e.rate)
	if err != nil {
		e.log.Error("track cannot be decoded", "mix", m.name, "track", id, "error", err)
		t.closed.Store(true)
		return t
	}
	t.jitter = newJitter(t.ring, &trackVoice{decoder: decoder, rate: e.rate}, e.rate, trackWindow)
	m.shard.load.Add(1)
	m.shard.post(func(*shard) {
		if !m.ended {
			m.tracks = append(m.tracks, t)
		}
	})
	return t
}

// PushFrame takes one Opus packet, as the network delivered it. One goroutine at a time calls it; it
// never blocks. What does not fit is dropped and counted.
func (t *Track) PushFrame(f *codec.Frame) {
	if t.closed.Load() || len(f.Payload) == 0 || len(f.Payload) > trackPayload {
		return
	}
	p := t.ring.free()
	if p == nil {
		return
	}
	p.arrival = f.Arrival
	if p.arrival == 0 {
		p.arrival = t.clock()
	}
	p.seq, p.timestamp = f.Seq, f.Timestamp
	p.silence = len(f.Payload) <= dtxPayload
	p.payload = append(p.payload[:0], f.Payload...)
	t.ring.push()
}

// Close takes the voice out of the mix. Frames that are pushed later are ignored.
func (t *Track) Close() {
	if !t.closed.CompareAndSwap(false, true) {
		return
	}
	t.mix.shard.load.Add(-1)
	t.mix.shard.post(func(*shard) {
		if i := slices.Index(t.mix.tracks, t); i >= 0 {
			t.mix.tracks = slices.Delete(t.mix.tracks, i, i+1)
			t.release()
		}
	})
}

// release lets the decoder go. Called on the shard.
func (t *Track) release() {
	if err := t.jitter.voice.close(); err != nil {
		t.mix.shard.engine.log.Warn("track's decoder", "mix", t.mix.name, "track", t.id, "error", err)
	}
}

// Stats may be called from any goroutine.
func (t *Track) Stats() JitterStats {
	if t.jitter == nil {
		return JitterStats{}
	}
	return t.jitter.stats()
}
