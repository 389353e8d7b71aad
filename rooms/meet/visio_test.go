//go:build peers

package meet

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"passerelle/rooms"
	"passerelle/rooms/livekit/livekittest"
	"passerelle/rooms/meet/meettest"
)

// TestWithLiveKit plays a day of Meet with a real LiveKit and its Redis: rules come and go with the rooms.
func TestWithLiveKit(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	visio := meettest.Start(t, meettest.Config{RoomkitToken: token})
	server := livekittest.Start(t, livekittest.Options{Redis: livekittest.StartRedis(t), Webhooks: []string{visio.WebhookURL()}})
	visio.UseLiveKit(server.URL(), server.Key, server.Secret)
	visio.Add(meettest.Meeting{ID: board, PIN: pin})
	visio.Add(meettest.Meeting{ID: council, PIN: other})
	c := Config{LiveKit: server.URL(), Key: server.Key, Secret: server.Secret, Meet: visio.URL(), Lobby: true}
	deaf := New(c) // Meet is not asked about PINs
	c.RoomkitToken = token
	reception := New(c)
	defer deaf.Close()
	defer reception.Close()

	finds := func(act string, r *Reception, pin, want string) {
		t.Helper()
		if entry, err := r.Find(ctx, pin); entry.Room != want || (want == "") != errors.Is(err, rooms.ErrNoRoom) {
			t.Fatalf("%s: got %q, %v, want %q", act, entry.Room, err, want)
		}
	}
	if err := reception.Check(ctx); err != nil {
		t.Fatal(err)
	}
	finds("nobody has come yet", deaf, pin, "")
	if err := server.API().CreateRoom(ctx, board, ""); err != nil {
		t.Fatal(err)
	}
	if err := visio.Await(ctx, meettest.Event{Name: "room_started", Room: board}); err != nil {
		t.Fatal(err)
	}
	finds("the meeting has begun", deaf, pin[:5]+" "+pin[5:]+"#", board)
	finds("a telephone is the first", reception, other, council)
	if err := server.API().DeleteRoom(ctx, board); err != nil {
		t.Fatal(err)
	}
	if err := visio.Await(ctx, meettest.Event{Name: "room_finished", Room: board}); err != nil {
		t.Fatal(err)
	}
	time.Sleep(goodFor) // a list may be this old
	finds("the meeting is over", deaf, pin, "")
}

// TestWithoutRedis holds that an administrator is told of a LiveKit that has no SIP API, and of a wrong secret.
func TestWithoutRedis(t *testing.T) {
	server := livekittest.Start(t, livekittest.Options{})
	for _, test := range []struct{ rule, secret, says string }{
		{"no Redis", server.Secret, "Redis"},
		{"another secret", strings.Repeat("x", 32), "livekit.api_secret"},
	} {
		r := New(Config{LiveKit: server.URL(), Key: server.Key, Secret: test.secret})
		defer r.Close()
		err := r.Check(t.Context())
		if err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: got %v, want %q", test.rule, err, test.says)
		}
		t.Log(err)
	}
}
