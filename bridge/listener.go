package bridge

import (
	"passerelle/bridge/audio"
	"passerelle/codec"
	"passerelle/rooms"
)

// listener is the gateway's ear in one room: it plugs the room's voices into the mix. The backend calls
// one method at a time.
type listener struct {
	mix    *audio.Mix
	tracks map[string]*audio.Track
}

var _ rooms.Listener = (*listener)(nil)

func newListener(mix *audio.Mix) *listener {
	return &listener{mix: mix, tracks: make(map[string]*audio.Track)}
}

// TrackAdded gives a voice its place in the mix.
func (l *listener) TrackAdded(id string, _ rooms.Participant) codec.Reader {
	track := l.mix.AddTrack(id)
	l.tracks[id] = track
	return track
}

// TrackRemoved takes it away.
func (l *listener) TrackRemoved(id string) {
	if track, ok := l.tracks[id]; ok {
		track.Close()
		delete(l.tracks, id)
	}
}

// Participant is for whoever tells the phones about the roster; nobody does yet.
func (l *listener) Participant(rooms.Change) {}

// Room is for whoever tells the phones what happens to the room. That it ended each seat says by itself.
func (l *listener) Room(rooms.State) {}

// close takes away the voices that are left, once the backend calls no more.
func (l *listener) close() {
	for _, track := range l.tracks {
		track.Close()
	}
}
