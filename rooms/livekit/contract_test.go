//go:build peers

package livekit_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"passerelle/codec"
	"passerelle/rooms"
	"passerelle/rooms/livekit"
	"passerelle/rooms/livekit/livekittest"
	"passerelle/rooms/roomstest"
)

// shared is the one server of this package's tests that need none of their own.
var shared *livekittest.Server

func TestMain(m *testing.M) {
	var err error
	shared, err = livekittest.Open(livekittest.Options{})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	shared.Close()
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// cluster is a gateway's side of a server.
func cluster(t testing.TB, server *livekittest.Server) *livekit.Cluster {
	t.Helper()
	c, err := livekit.New(livekit.Config{
		URL: server.URL(), Key: server.Key, Secret: server.Secret,
		Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// floor is a backend with rooms of its own on the shared server, for the rules of one test.
type floor struct {
	rooms.Backend
	number string
}

func (f floor) Open(ctx context.Context, name string, l rooms.Listener) (rooms.Room, error) {
	return f.Backend.Open(ctx, f.number+name, unfilled{l})
}

// unfilled is a listener without the silence that LiveKit itself puts where a voice begins or is muted: nobody has
// said it, and the contract asks who says what.
type unfilled struct{ rooms.Listener }

func (l unfilled) TrackAdded(id string, from rooms.Participant) codec.Reader {
	r := l.Listener.TrackAdded(id, from)
	if r == nil {
		return nil
	}
	return said{r}
}

// said is a voice without that silence.
type said struct{ codec.Reader }

func (v said) PushFrame(f *codec.Frame) {
	if !livekittest.Filler(f.Payload) {
		v.Reader.PushFrame(f)
	}
}

func TestTheContract(t *testing.T) {
	var floors atomic.Int64
	roomstest.Run(t, func(t *testing.T) roomstest.Harness {
		number := fmt.Sprintf("floor-%d-", floors.Add(1))
		return roomstest.Harness{
			Backend:  floor{cluster(t, shared), number},
			NoLevels: true, // LiveKit keeps them to itself, for its list of who speaks
			NoLoss:   true, // 1.11 drops the reports of those who listen, enable_loss_proxying or not
			Join: func(t *testing.T, room, name string) roomstest.Person {
				return livekittest.Join(t, shared, number+room, name, livekittest.JoinOptions{})
			},
		}
	})
}
