package livekittest

import (
	"context"
	"fmt"

	"github.com/livekit/protocol/livekit"
)

// MutePhone mutes or unmutes a participant's microphone as a moderator does, by the API.
func (p *Person) MutePhone(id string, muted bool) error {
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	who, err := p.server.API().Get(ctx, p.room, id)
	if err != nil {
		return err
	}
	for _, t := range who.GetTracks() {
		if t.GetType() == livekit.TrackType_AUDIO {
			return p.server.API().MuteTrack(ctx, p.room, id, t.GetSid(), muted)
		}
	}
	return fmt.Errorf("%s has no voice to mute", id)
}

// RemovePhone takes a participant out of the room, by the API.
func (p *Person) RemovePhone(id string) error {
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	return p.server.API().Remove(ctx, p.room, id)
}
