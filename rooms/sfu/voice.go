package sfu

import (
	"sync"
	"sync/atomic"
	"time"

	"passerelle/codec"
	"passerelle/rooms"
)

// lookBack is how many packets of a voice are kept, for the listener who gives it a slot only when it
// begins to speak: an onset begins before it is loud.
const (
	lookBack    = 2
	lookBackAge = 100 * time.Millisecond
	maxPacket   = 1500 // bytes
)

// voice is one track of a room: a browser's microphone or a phone.
//
//	forward: 1. measure  2. to the phones  3. to each browser's slots, but never back to where it came from
//
// forward is called by one goroutine at a time; it takes no lock that another voice waits for longer than
// one packet's sending, and allocates nothing.
type voice struct {
	id    string   // of the track
	owner *browser // nil for a phone
	from  *gateway // whose phone it is; nil for a browser
	room  *room

	muted, gone atomic.Bool
	meter       meter
	loss        lossMeter

	mu    sync.Mutex // held while a reader is called, so that none is called after TrackRemoved
	sinks []sink

	recent [lookBack]kept // by whoever calls forward
	newest int
}

// sink is where one gateway wants the voice; reader is nil where it does not.
type sink struct {
	gateway *gateway
	reader  codec.Reader
}

// kept is a packet that was forwarded already.
type kept struct {
	seq       uint16
	timestamp uint32
	at        time.Duration
	length    int
	marker    bool
	payload   [maxPacket]byte
}

// forward takes one packet to everybody who hears the voice.
func (v *voice) forward(f *codec.Frame, now time.Duration) {
	if v.muted.Load() || v.gone.Load() {
		return
	}
	v.meter.note(f.Level, f.Voice, now)
	v.push(f)
	for _, e := range v.room.hearing() {
		if e.owner != v.owner {
			e.play(v, f, now)
		}
	}
	v.keep(f, now)
}

// push takes one packet to the phones.
func (v *voice) push(f *codec.Frame) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, s := range v.sinks {
		if s.reader != nil {
			s.reader.PushFrame(f)
		}
	}
}

// keep remembers a packet for a slot that the voice may get with the next.
func (v *voice) keep(f *codec.Frame, now time.Duration) {
	if len(f.Payload) > maxPacket {
		return
	}
	v.newest = (v.newest + 1) % lookBack
	k := &v.recent[v.newest]
	k.seq, k.timestamp, k.at, k.marker = f.Seq, f.Timestamp, now, f.Marker
	k.length = copy(k.payload[:], f.Payload)
}

// before returns the nth packet before f, counted from 1, if it was kept and is not old.
func (v *voice) before(f *codec.Frame, n int, now time.Duration) *kept {
	for i := range v.recent {
		k := &v.recent[i]
		if k.length > 0 && k.seq == f.Seq-uint16(n) && now-k.at < lookBackAge {
			return k
		}
	}
	return nil
}

// tell announces the voice to a gateway. Called with room.mu held.
func (v *voice) tell(g *gateway, who rooms.Participant) {
	reader := g.listener.TrackAdded(v.id, who)
	v.mu.Lock()
	defer v.mu.Unlock()
	v.sinks = append(v.sinks, sink{g, reader})
}

// forget stops the voice for a gateway that has left. Called with room.mu held.
func (v *voice) forget(g *gateway) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for i, s := range v.sinks {
		if s.gateway == g {
			v.sinks = append(v.sinks[:i:i], v.sinks[i+1:]...)
			return
		}
	}
}

// end takes the voice away from everybody. Called with room.mu held.
func (v *voice) end() {
	if v.gone.Swap(true) {
		return
	}
	v.hush()
	v.mu.Lock()
	sinks := v.sinks
	v.sinks = nil
	v.mu.Unlock()
	for _, s := range sinks {
		s.gateway.listener.TrackRemoved(v.id)
	}
}

// setMuted silences the voice for everybody, or lets it be heard again. Called with room.mu held.
func (v *voice) setMuted(muted bool) {
	v.muted.Store(muted)
	if muted {
		v.hush()
		v.meter.peak.Store(0)
	}
}

// hush frees the voice's slots: what follows is not a gap but a new piece.
func (v *voice) hush() {
	for _, e := range v.room.hearing() {
		e.drop(v)
	}
}
