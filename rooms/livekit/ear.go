package livekit

import (
	"slices"
	"sync"

	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"

	"passerelle/codec"
	"passerelle/rooms/internal/ready"
)

// ear hears the voices of a room: a goroutine for each track, which ends with the peer connection or when the
// track is taken away.
type ear struct {
	r     *room
	heard map[string]*heard // by id of the track: those that the listener knows; guarded by room.mu
}

// heard is one voice on its way to the listener.
type heard struct {
	mu     sync.Mutex // held for every frame: who takes a voice away waits for the last
	muted  bool
	reader codec.Reader
}

// push hands on one frame, while the voice is there and wanted. LiveKit makes up frames of silence when a voice is
// muted.
func (h *heard) push(f *codec.Frame) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.reader != nil && !h.muted {
		h.reader.PushFrame(f)
	}
}

// mute says whether the voice's owner has muted it.
func (h *heard) mute(muted bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.muted = muted
}

// silence hands on no more.
func (h *heard) silence() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.reader = nil
}

// track begins to listen. Called by pion, on a goroutine of its own for each track.
func (e *ear) track(s *session, t *webrtc.TrackRemote, receiver *webrtc.RTPReceiver) {
	if !s.reads() {
		return
	}
	defer s.media.Done()
	defer e.r.c.recovered("a voice of LiveKit", s.fail)
	h := e.add(t.ID())
	if h == nil {
		return
	}
	defer e.drop(t.ID(), h)
	e.listen(t, receiver, h)
}

// listen reads a track until it ends.
func (e *ear) listen(t *webrtc.TrackRemote, receiver *webrtc.RTPReceiver, h *heard) {
	clock := e.r.c.cfg.Clock
	parse := ready.Parser{Level: levelExtension(receiver)}
	buf := make([]byte, maxPacket)
	for {
		n, _, err := t.Read(buf)
		if err != nil {
			return
		}
		f, ok := parse.Frame(buf[:n])
		if !ok || len(f.Payload) == 0 {
			continue // padding, to probe the network
		}
		f.Arrival = clock()
		h.push(f)
	}
}

// levelExtension returns the id that was agreed on for the audio level of RFC 6464; 0 for none.
func levelExtension(receiver *webrtc.RTPReceiver) uint8 {
	i := slices.IndexFunc(receiver.GetParameters().HeaderExtensions, func(e webrtc.RTPHeaderExtensionParameter) bool {
		return e.URI == sdp.AudioLevelURI
	})
	if i < 0 {
		return 0
	}
	return uint8(receiver.GetParameters().HeaderExtensions[i].ID)
}

// add announces a voice; nil if nobody is to hear it.
func (e *ear) add(id string) *heard {
	e.r.mu.Lock()
	defer e.r.mu.Unlock()
	from, ok := e.r.roster.owner(id)
	if !ok || e.r.closed || e.r.ours(from.ID) {
		return nil
	}
	if e.heard == nil {
		e.heard = make(map[string]*heard)
	}
	e.remove(id) // a new session has it before the old one has let go
	h := &heard{muted: e.r.roster.muted(id)}
	e.heard[id] = h
	h.reader = e.r.l.TrackAdded(id, from)
	return h
}

// drop takes a voice away that has ended.
func (e *ear) drop(id string, h *heard) {
	e.r.mu.Lock()
	defer e.r.mu.Unlock()
	if e.heard[id] == h {
		e.remove(id)
	}
}

// refresh takes the voices away whose owners are not in the roster any more, or have no such track, and mutes those
// who are muted there. Called with room.mu held.
func (e *ear) refresh() {
	for id, h := range e.heard {
		if _, ok := e.r.roster.owner(id); !ok {
			e.remove(id)
			continue
		}
		h.mute(e.r.roster.muted(id))
	}
}

// remove takes a voice away, if it is there. Called with room.mu held.
func (e *ear) remove(id string) {
	h := e.heard[id]
	if h == nil {
		return
	}
	delete(e.heard, id)
	h.silence()
	if !e.r.closed {
		e.r.l.TrackRemoved(id)
	}
}

// deafen takes all voices away that are left.
func (e *ear) deafen() {
	e.r.mu.Lock()
	defer e.r.mu.Unlock()
	for id := range e.heard {
		e.remove(id)
	}
}
