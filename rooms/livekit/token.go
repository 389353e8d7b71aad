package livekit

import (
	"fmt"
	"time"

	"github.com/livekit/protocol/auth"
	"github.com/livekit/protocol/livekit"

	"passerelle/rooms"
)

// tokenLife is how long a token opens the room. The server renews it while the participant stays.
const tokenLife = 10 * time.Minute

// seatToken lets one phone into one room: it may publish a microphone and data, and hears nothing.
func (c *Config) seatToken(room, identity string, who rooms.Participant) (string, error) {
	grant := &auth.VideoGrant{RoomJoin: true, Room: room}
	grant.SetCanPublish(true)
	grant.SetCanPublishSources([]livekit.TrackSource{livekit.TrackSource_MICROPHONE})
	grant.SetCanPublishData(true)
	grant.SetCanSubscribe(false)
	grant.SetCanUpdateOwnMetadata(true)
	token, err := auth.NewAccessToken(c.Key, c.Secret).
		SetIdentity(identity).SetName(who.Name).SetKind(livekit.ParticipantInfo_SIP).
		SetAttributes(who.Attributes).SetValidFor(tokenLife).SetVideoGrant(grant).ToJWT()
	if err != nil {
		return "", fmt.Errorf("sign the token of %s: %w", identity, err)
	}
	return token, nil
}

// listenerToken lets the gateway into one room as its listener, whom nobody sees.
func (c *Config) listenerToken(room, identity string) (string, error) {
	grant := &auth.VideoGrant{RoomJoin: true, Room: room, Hidden: true}
	grant.SetCanPublish(false)
	grant.SetCanPublishData(false)
	grant.SetCanSubscribe(true)
	token, err := auth.NewAccessToken(c.Key, c.Secret).
		SetIdentity(identity).SetValidFor(tokenLife).SetVideoGrant(grant).ToJWT()
	if err != nil {
		return "", fmt.Errorf("sign the listener's token: %w", err)
	}
	return token, nil
}
