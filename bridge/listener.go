package bridge

import (
	"passerelle/bridge/audio"
	"passerelle/codec"
	"passerelle/rooms"
)

// listener is the gateway's ear in one room: it plugs the room's voices into the mix, and writes on the
// board what happens. The backend calls one method at a time.
type listener struct {
	mix    *audio.Mix
	board  *board
	tracks map[string]*audio.Track
}

var _ rooms.Listener = (*listener)(nil)

func newListener(mix *audio.Mix, b *board) *listener {
	return &listener{mix: mix, board: b, tracks: make(map[string]*audio.Track)}
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

// Participant notes who comes and goes.
func (l *listener) Participant(c rooms.Change) { l.board.roster(c) }

// Room notes what happens to the room as a whole.
func (l *listener) Room(s rooms.State) { l.board.room(s) }

// close takes away the voices that are left, once the backend calls no more.
func (l *listener) close() {
	for _, track := range l.tracks {
		track.Close()
	}
}
