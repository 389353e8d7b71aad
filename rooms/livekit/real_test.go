//go:build peers

package livekit_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"passerelle/codec"
	"passerelle/rooms"
	"passerelle/rooms/livekit"
	"passerelle/rooms/livekit/livekittest"
)

type quiet struct{ t *testing.T }

func (q quiet) TrackAdded(id string, from rooms.Participant) codec.Reader {
	q.t.Logf("track %s of %s", id, from.ID)
	return nil
}
func (q quiet) TrackRemoved(id string)     { q.t.Logf("track removed %s", id) }
func (q quiet) Participant(c rooms.Change) { q.t.Logf("change %d %+v", c.Kind, c.Participant) }
func (q quiet) Room(s rooms.State)         { q.t.Logf("state %d", s) }

func TestReal(t *testing.T) {
	server := livekittest.Start(t, livekittest.Options{})
	u := server.URL()
	mk := func() *livekit.Cluster {
		c, err := livekit.New(livekit.Config{URL: u, Key: server.Key, Secret: server.Secret, Log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	a, b := mk(), mk()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	began := time.Now()
	ra, err := a.Open(ctx, "board", quiet{t})
	if err != nil {
		t.Fatal(err)
	}
	t.Log("opened", time.Since(began))
	rb, err := b.Open(ctx, "board", quiet{t})
	if err != nil {
		t.Fatal(err)
	}
	began = time.Now()
	sa, err := ra.Seat(ctx, rooms.Participant{Name: "Ada", Kind: rooms.Phone})
	if err != nil {
		t.Fatal(err)
	}
	t.Log("seated", time.Since(began))
	began = time.Now()
	sa2, err := ra.Seat(ctx, rooms.Participant{Name: "Ben", Kind: rooms.Phone})
	if err != nil {
		t.Fatal(err)
	}
	t.Log("seated", time.Since(began))
	tick := time.NewTicker(20 * time.Millisecond)
	for n := range 100 {
		<-tick.C
		f := codec.Frame{Seq: uint16(n), Timestamp: uint32(n) * 960, Kind: codec.Opus, Level: 20, Voice: true, Payload: []byte{0x48, 1, 2, 3}}
		sa.WriteFrame(&f)
	}
	t.Log(sa.SetMuted(true), sa.Send(rooms.Message{Kind: rooms.Digits, Text: "12#"}), sa.Send(rooms.Message{Kind: rooms.HandRaised}))
	<-time.After(300 * time.Millisecond)
	sa2.Close()
	sa.Close()
	<-time.After(300 * time.Millisecond)
	ra.Close()
	rb.Close()
}
