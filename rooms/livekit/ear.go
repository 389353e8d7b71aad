package livekit

import (
	"slices"

	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"

	"passerelle/codec"
	"passerelle/rooms/internal/ready"
)

// ear hears the voices of a room: a goroutine for each track, which ends with the peer connection or when the
// track is taken away.
type ear struct {
	r     *room
	heard map[string]struct{} // ids of the tracks that the listener knows; guarded by room.mu
}

// track begins to listen. Called by pion, on a goroutine of its own for each track.
func (e *ear) track(s *session, t *webrtc.TrackRemote, receiver *webrtc.RTPReceiver) {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return
	}
	s.media.Add(1)
	s.mu.Unlock()
	defer s.media.Done()
	defer e.r.c.recovered("a voice of LiveKit", s.fail)
	reader, ok := e.add(t.ID())
	if !ok {
		return
	}
	defer e.remove(t.ID())
	e.listen(t, receiver, reader)
}

// listen reads a track until it ends.
func (e *ear) listen(t *webrtc.TrackRemote, receiver *webrtc.RTPReceiver, reader codec.Reader) {
	clock := e.r.c.cfg.Clock
	parse := ready.Parser{Level: levelExtension(receiver)}
	buf := make([]byte, maxPacket)
	for {
		n, _, err := t.Read(buf)
		if err != nil {
			return
		}
		f, ok := parse.Frame(buf[:n])
		if !ok || len(f.Payload) == 0 || reader == nil {
			continue // padding, to probe the network
		}
		f.Arrival = clock()
		reader.PushFrame(f)
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

// add announces a voice; false if nobody is to hear it.
func (e *ear) add(id string) (codec.Reader, bool) {
	e.r.mu.Lock()
	defer e.r.mu.Unlock()
	from, ok := e.r.roster.owner(id)
	if !ok || e.r.closed || e.r.ours(from.ID) {
		return nil, false
	}
	if e.heard == nil {
		e.heard = make(map[string]struct{})
	}
	if _, twice := e.heard[id]; twice { // a new session has it before the old one has let go
		e.r.l.TrackRemoved(id)
	}
	e.heard[id] = struct{}{}
	return e.r.l.TrackAdded(id, from), true
}

// remove takes a voice away.
func (e *ear) remove(id string) {
	e.r.mu.Lock()
	defer e.r.mu.Unlock()
	if _, ok := e.heard[id]; ok && !e.r.closed {
		delete(e.heard, id)
		e.r.l.TrackRemoved(id)
	}
}

// deafen takes all voices away that are left.
func (e *ear) deafen() {
	e.r.mu.Lock()
	defer e.r.mu.Unlock()
	for id := range e.heard {
		delete(e.heard, id)
		if !e.r.closed {
			e.r.l.TrackRemoved(id)
		}
	}
}
