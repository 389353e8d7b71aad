package peers

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/livekit/protocol/livekit"

	"passerelle/rooms/livekit/livekittest"
	"passerelle/rooms/meet/meettest"
)

// Hall is a LiveKit server with the Redis that its SIP API wants: where rooms are that no gateway keeps.
type Hall struct {
	*livekittest.Server
	Redis *livekittest.Redis
	Meet  *meettest.Meet // nil unless it is a Visio's
}

// roomkitToken is what a Meet of the tests asks of gateways.
const roomkitToken = "roomkit-of-tests-only"

// OpenHall starts both until the test ends. Webhooks are told what happens in the rooms.
func OpenHall(t testing.TB, webhooks ...string) *Hall {
	t.Helper()
	redis := livekittest.StartRedis(t)
	return &Hall{Redis: redis, Server: livekittest.Start(t, livekittest.Options{Redis: redis, Webhooks: webhooks})}
}

// OpenVisio starts a hall whose meetings a Meet keeps.
func OpenVisio(t testing.TB) *Hall {
	t.Helper()
	meet := meettest.Start(t, meettest.Config{RoomkitToken: roomkitToken})
	h := OpenHall(t, meet.WebhookURL())
	at := h.URL()
	at.Scheme = "http"
	meet.UseLiveKit(at, h.Key, h.Secret)
	h.Meet = meet
	return h
}

// Engines returns what a gateway's configuration says of the hall.
func (h *Hall) Engines() *LiveKit {
	engines := &LiveKit{URL: h.URL().String(), Key: h.Key, Secret: h.Secret}
	if h.Meet != nil {
		engines.Meet, engines.RoomkitToken = h.Meet.URL().String(), roomkitToken
	}
	return engines
}

// AddMeeting plans a meeting and returns the name of its room, a UUID.
func (h *Hall) AddMeeting(pin string, access meettest.Access) (room string) {
	id := randomID() + randomID()
	room = fmt.Sprintf("%s-%s-%s-%s-%s", id[:8], id[8:12], id[12:16], id[16:20], id[20:])
	h.Meet.Add(meettest.Meeting{ID: room, PIN: pin, Access: access})
	return room
}

// AwaitKnock waits until somebody waits to be let into a meeting, and returns who.
func (h *Hall) AwaitKnock(t testing.TB, room string, within time.Duration) meettest.Guest {
	t.Helper()
	for deadline := time.Now().Add(within); ; {
		if waiting := h.Meet.Waiting(room); len(waiting) > 0 {
			return waiting[0]
		}
		if time.Now().After(deadline) {
			t.Fatalf("nobody knocks at %s within %v", room, within)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// Entry returns how a visitor comes into a room.
func (h *Hall) Entry(room string) Entry {
	return Entry{URL: h.URL().String(), Key: h.Key, Secret: h.Secret, Room: room}
}

// Members returns who is in a room as the server tells it; hidden listeners are not among them. A room that
// is not open has none.
func (h *Hall) Members(t testing.TB, room string) []*livekit.ParticipantInfo {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	all, err := h.API().List(ctx, room)
	if err != nil {
		return nil
	}
	var shown []*livekit.ParticipantInfo
	for _, p := range all {
		if !p.GetPermission().GetHidden() {
			shown = append(shown, p)
		}
	}
	return shown
}

// AwaitMembers waits until a room has that many members, each with its microphone published, and returns them.
func (h *Hall) AwaitMembers(t testing.TB, room string, n int, within time.Duration) []*livekit.ParticipantInfo {
	t.Helper()
	began, patience := time.Now(), time.Second
	for {
		members := h.Members(t, room)
		var silent []*livekit.ParticipantInfo
		for _, p := range members {
			if len(p.GetTracks()) == 0 {
				silent = append(silent, p)
			}
		}
		switch waited := time.Since(began); {
		case len(members) == n && len(silent) == 0:
			return members
		case waited > within:
			t.Fatalf("%d in room %s after %v, %d of them without a track; want %d: %v", len(members), room, within, len(silent), n, members)
		case waited > patience:
			patience += time.Second
			h.storeAnew(t, room, silent)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// storeAnew asks the server for what it knows of members, where it may not have written that down.
func (h *Hall) storeAnew(t testing.TB, room string, members []*livekit.ParticipantInfo) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	for _, p := range members {
		if err := h.API().StoreAnew(ctx, room, p.GetIdentity()); err != nil {
			t.Logf("%v", err) // it may have left meanwhile
		}
	}
}

// AwaitClosed waits until nothing is left of a room, hidden listeners included.
func (h *Hall) AwaitClosed(t testing.TB, room string, within time.Duration) {
	t.Helper()
	for deadline := time.Now().Add(within); ; {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		open, err := h.API().Rooms(ctx)
		cancel()
		if err != nil {
			t.Fatal(err)
		}
		var left *livekit.Room
		for _, r := range open {
			if r.GetName() == room {
				left = r
			}
		}
		if left == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("room %s is still open after %v, with %d participants: %v", room, within, left.GetNumParticipants(), h.Members(t, room))
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// Mute mutes or unmutes a member's microphone, as a moderator does.
func (h *Hall) Mute(t testing.TB, room string, member *livekit.ParticipantInfo, muted bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := h.API().MuteTrack(ctx, room, member.GetIdentity(), member.GetTracks()[0].GetSid(), muted); err != nil {
		t.Fatal(err)
	}
}

// AwaitMuted waits until the server knows a member's microphone as muted, or not.
func (h *Hall) AwaitMuted(t testing.TB, room, identity string, muted bool, within time.Duration) {
	t.Helper()
	for deadline := time.Now().Add(within); ; {
		for _, p := range h.Members(t, room) {
			if p.GetIdentity() == identity && len(p.GetTracks()) > 0 && p.GetTracks()[0].GetMuted() == muted {
				return
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s in room %s is not known as muted: %v after %v: %v", identity, room, muted, within, h.Members(t, room))
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// Remove sends a member away, as a moderator does.
func (h *Hall) Remove(t testing.TB, room, identity string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := h.API().Remove(ctx, room, identity); err != nil {
		t.Fatal(err)
	}
}

// Delete closes a room.
func (h *Hall) Delete(t testing.TB, room string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := h.API().DeleteRoom(ctx, room); err != nil {
		t.Fatal(err)
	}
}

// SetMetadata replaces a room's metadata.
func (h *Hall) SetMetadata(t testing.TB, room, metadata string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := h.API().UpdateRoomMetadata(ctx, room, metadata); err != nil {
		t.Fatal(err)
	}
}

// calledPhones returns the members that are phones.
func calledPhones(members []*livekit.ParticipantInfo) (phones []*livekit.ParticipantInfo) {
	for _, p := range members {
		if p.GetKind() == livekit.ParticipantInfo_SIP && strings.HasPrefix(p.GetIdentity(), "sip_") {
			phones = append(phones, p)
		}
	}
	return phones
}
