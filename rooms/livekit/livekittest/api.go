package livekittest

import (
	"context"
	"fmt"
	"net/http"

	"github.com/livekit/protocol/auth"
	"github.com/livekit/protocol/livekit"
)

// API is what a moderator's application asks of the server, over Twirp. Its methods may be called from any
// goroutine.
type API struct {
	s    *Server
	http *http.Client
}

// API returns the server's API.
func (s *Server) API() *API { return s.api }

// Do carries a request of Twirp with a token that allows everything in one room.
func (c *admin) Do(r *http.Request) (*http.Response, error) {
	token, err := c.api.s.Token(func(t *auth.AccessToken) {
		t.SetIdentity("admin").SetSIPGrant(&auth.SIPGrant{Admin: true, Call: true}).
			SetVideoGrant(&auth.VideoGrant{RoomCreate: true, RoomList: true, RoomAdmin: true, Room: c.room})
	})
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", "Bearer "+token)
	return c.api.http.Do(r)
}

// admin is the HTTP client of the one who may do everything in a room.
type admin struct {
	api  *API
	room string
}

// Service returns the whole room service, for one room.
func (a *API) Service(room string) livekit.RoomService {
	return livekit.NewRoomServiceProtobufClient(a.s.direct(), &admin{a, room})
}

// SIP returns the whole SIP service; it answers where the server has Redis.
func (a *API) SIP() livekit.SIP {
	return livekit.NewSIPProtobufClient(a.s.direct(), &admin{api: a})
}

// Rooms returns the rooms that are open.
func (a *API) Rooms(ctx context.Context) ([]*livekit.Room, error) {
	r, err := a.Service("").ListRooms(ctx, &livekit.ListRoomsRequest{})
	if err != nil {
		return nil, fmt.Errorf("list rooms: %w", err)
	}
	return r.GetRooms(), nil
}

// CreateRoom opens a room.
func (a *API) CreateRoom(ctx context.Context, room, metadata string) error {
	_, err := a.Service(room).CreateRoom(ctx, &livekit.CreateRoomRequest{Name: room, Metadata: metadata})
	return named(err, "create room %q", room)
}

// DeleteRoom closes a room and sends everybody away.
func (a *API) DeleteRoom(ctx context.Context, room string) error {
	_, err := a.Service(room).DeleteRoom(ctx, &livekit.DeleteRoomRequest{Room: room})
	return named(err, "delete room %q", room)
}

// UpdateRoomMetadata replaces a room's metadata.
func (a *API) UpdateRoomMetadata(ctx context.Context, room, metadata string) error {
	_, err := a.Service(room).UpdateRoomMetadata(ctx, &livekit.UpdateRoomMetadataRequest{Room: room, Metadata: metadata})
	return named(err, "update room %q", room)
}

// List returns who is in a room, hidden participants included.
func (a *API) List(ctx context.Context, room string) ([]*livekit.ParticipantInfo, error) {
	r, err := a.Service(room).ListParticipants(ctx, &livekit.ListParticipantsRequest{Room: room})
	if err != nil {
		return nil, fmt.Errorf("list participants of %q: %w", room, err)
	}
	return r.GetParticipants(), nil
}

// Get returns one participant.
func (a *API) Get(ctx context.Context, room, identity string) (*livekit.ParticipantInfo, error) {
	p, err := a.Service(room).GetParticipant(ctx, &livekit.RoomParticipantIdentity{Room: room, Identity: identity})
	return p, named(err, "get participant %q", identity)
}

// Remove sends a participant away.
func (a *API) Remove(ctx context.Context, room, identity string) error {
	_, err := a.Service(room).RemoveParticipant(ctx, &livekit.RoomParticipantIdentity{Room: room, Identity: identity})
	return named(err, "remove participant %q", identity)
}

// MuteTrack mutes or unmutes a track of a participant.
func (a *API) MuteTrack(ctx context.Context, room, identity, track string, muted bool) error {
	_, err := a.Service(room).MutePublishedTrack(ctx,
		&livekit.MuteRoomTrackRequest{Room: room, Identity: identity, TrackSid: track, Muted: muted})
	return named(err, "mute track %q", track)
}

// Update changes a participant's name, attributes, metadata or permission, as its message says.
func (a *API) Update(ctx context.Context, change *livekit.UpdateParticipantRequest) error {
	_, err := a.Service(change.GetRoom()).UpdateParticipant(ctx, change)
	return named(err, "update participant %q", change.GetIdentity())
}

// StoreAnew has a participant changed a little, so that the server writes down anew what it knows of it. It writes
// each change on its own, and a phone that joins and publishes at once may be listed for ever as it was before it
// published: who is in the room sees it rightly.
func (a *API) StoreAnew(ctx context.Context, room, identity string) error {
	return a.Update(ctx, &livekit.UpdateParticipantRequest{Room: room, Identity: identity, Attributes: map[string]string{"stored": "anew"}})
}

// SendData sends user data to participants, to all of them where none is named.
func (a *API) SendData(ctx context.Context, room, topic string, data []byte, to ...string) error {
	_, err := a.Service(room).SendData(ctx, &livekit.SendDataRequest{
		Room: room, Topic: &topic, Data: data, Kind: livekit.DataPacket_RELIABLE, DestinationIdentities: to,
	})
	return named(err, "send data to %q", room)
}

// CreateDispatchRule lets callers with a PIN into a room, as Meet does when a meeting begins, and returns the
// rule's id.
func (a *API) CreateDispatchRule(ctx context.Context, room, pin string) (string, error) {
	r, err := a.SIP().CreateSIPDispatchRule(ctx, &livekit.CreateSIPDispatchRuleRequest{
		DispatchRule: &livekit.SIPDispatchRuleInfo{
			Name: "SIP_" + room,
			Rule: &livekit.SIPDispatchRule{Rule: &livekit.SIPDispatchRule_DispatchRuleDirect{
				DispatchRuleDirect: &livekit.SIPDispatchRuleDirect{RoomName: room, Pin: pin},
			}},
		},
	})
	return r.GetSipDispatchRuleId(), named(err, "create the dispatch rule of %q", room)
}

// DispatchRules returns all dispatch rules.
func (a *API) DispatchRules(ctx context.Context) ([]*livekit.SIPDispatchRuleInfo, error) {
	r, err := a.SIP().ListSIPDispatchRule(ctx, &livekit.ListSIPDispatchRuleRequest{})
	return r.GetItems(), named(err, "list dispatch rules")
}

// DeleteDispatchRule takes a rule away.
func (a *API) DeleteDispatchRule(ctx context.Context, id string) error {
	_, err := a.SIP().DeleteSIPDispatchRule(ctx, &livekit.DeleteSIPDispatchRuleRequest{SipDispatchRuleId: id})
	return named(err, "delete dispatch rule %q", id)
}

// named says what was being done when err came.
func named(err error, act string, args ...any) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf(act+": %w", append(args, err)...)
}
