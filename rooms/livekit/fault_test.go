//go:build peers

package livekit_test

import (
	"os"
	"slices"
	"testing"
	"time"

	lk "github.com/livekit/protocol/livekit"

	"passerelle/rooms"
	"passerelle/rooms/livekit/livekittest"
)

// What is left of a fault when it is over: who is in the room, in which state, and what was told.

// soonBack is within what a phone is back after what had failed has returned.
const soonBack = 3 * time.Second

// present returns the session of everybody on a server by identity, the hidden included; nil where the server does
// not answer.
func present(t *testing.T, server *livekittest.Server, room string) map[string]*lk.ParticipantInfo {
	t.Helper()
	all, err := server.API().List(t.Context(), room)
	if err != nil {
		return nil
	}
	people := make(map[string]*lk.ParticipantInfo)
	for _, p := range all {
		if old := people[p.GetIdentity()]; old != nil {
			t.Errorf("%s is there twice, as %s and as %s", p.GetIdentity(), old.GetSid(), p.GetSid())
		}
		people[p.GetIdentity()] = p
	}
	return people
}

// interruptions checks what a phone was told: an interruption for every resumption, in turn, and nothing else.
func (o *outage) interruptions() {
	o.t.Helper()
	o.await("the phone is told that it is back", soonBack, func() bool {
		told := o.told()
		return len(told) > 0 && told[len(told)-1] == rooms.Resumed
	})
	for i, e := range o.told() {
		if want := []rooms.EventKind{rooms.Interrupted, rooms.Resumed}[i%2]; e != want {
			o.t.Errorf("the phone was told %v, want interruptions and resumptions in turn", o.told())
			return
		}
	}
}

func TestAServerThatWasKilledKnowsThePhoneAsItWas(t *testing.T) {
	t.Parallel()
	server := livekittest.Start(t, livekittest.Options{})
	o := newOutage(t, server)
	if err := o.seat.SetMuted(true); err != nil {
		t.Fatal(err)
	}
	if err := o.seat.Send(rooms.Message{Kind: rooms.HandRaised}); err != nil {
		t.Fatal(err)
	}
	id := o.seat.ID()
	o.await("the hand is up", waiting, func() bool { return present(t, server, t.Name())[id].GetAttributes()["handRaisedAt"] != "" })
	before := present(t, server, t.Name())[id].GetSid()
	server.Kill()
	after(2 * time.Second)
	server.Restart(t)
	o.await("the same phone is there in a new session, muted, its hand up", soonBack, func() bool {
		p := present(t, server, t.Name())[id]
		return p != nil && p.GetSid() != before && p.GetAttributes()["handRaisedAt"] != "" &&
			len(p.GetTracks()) == 1 && p.GetTracks()[0].GetMuted()
	})
	o.interruptions()
	if o.seat.ID() != id {
		t.Errorf("the seat is %q now, was %q", o.seat.ID(), id)
	}
	if err := o.seat.SetMuted(false); err != nil {
		t.Fatal(err)
	}
	o.flows("unmuted", waiting)
}

func TestNoGhostIsLeftOfACutNetwork(t *testing.T) {
	t.Parallel()
	server := livekittest.Start(t, livekittest.Options{Relay: true})
	o := newOutage(t, server)
	want := len(present(t, server, t.Name()))
	server.Relay.Cut()
	after(7 * time.Second) // media are given up meanwhile, and the session is not
	server.Relay.Mend()
	o.flows("after the cut", soonBack)
	o.interruptions()
	o.await("as many as before, each once", waiting, func() bool { return len(present(t, server, t.Name())) == want })
	o.await("the other gateway knows the phone", waiting, func() bool {
		o.far.mu.Lock()
		defer o.far.mu.Unlock()
		return o.far.people[o.seat.ID()]
	})
}

func TestASeatClosedWhileTheServerIsAwayIsGone(t *testing.T) {
	t.Parallel()
	server := livekittest.Start(t, livekittest.Options{Relay: true})
	o := newOutage(t, server)
	id := o.seat.ID()
	server.Relay.Cut()
	begin := time.Now()
	if err := o.seat.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	if took := time.Since(begin); took > soonBack {
		t.Errorf("Close took %v while the network is cut, want at most %v", took, soonBack)
	}
	server.Relay.Mend()
	deadline := 20 * time.Second // the server finds out by itself, if it was not told
	o.await("the phone has left", deadline, func() bool { return present(t, server, t.Name())[id] == nil })
}

func TestLossOnTheWayIsReported(t *testing.T) {
	t.Parallel()
	server := livekittest.Start(t, livekittest.Options{Relay: true})
	o := newOutage(t, server)
	server.Relay.Lose(4)
	o.await("a loss of about a quarter", waiting, func() bool { l := o.seat.Loss(); return l > 0.1 && l < 0.5 })
	server.Relay.Lose(0)
	o.await("no loss any more", 2*waiting, func() bool { return o.seat.Loss() < 0.05 })
}

func TestRedisIsKilledAndStartedAgain(t *testing.T) {
	t.Parallel()
	redis := livekittest.StartRedis(t)
	server := livekittest.Start(t, livekittest.Options{Redis: redis})
	o := newOutage(t, server)
	redisAway(t, o, redis, 4*time.Second)
}

// redisAway takes Redis away for a while: who talks goes on, and soon after its return new phones come in.
func redisAway(t *testing.T, o *outage, redis *livekittest.Redis, while time.Duration) {
	t.Helper()
	begin, heard := time.Now(), o.far.heard.Load()
	redis.Kill()
	after(while)
	redis.Restart(t)
	o.flows("after Redis is back", soonBack)
	// A frame every 20 ms; what a busy machine delays is not lost.
	if n, want := o.far.heard.Load()-heard, time.Since(begin).Milliseconds()/20; n < want*8/10 && while < 10*time.Second {
		t.Errorf("%d frames were heard while Redis was away, want about %d: the room itself was not", n, want)
	}
	back := time.Now()
	var room rooms.Room
	o.await("the server takes phones again", soonBack, func() bool { // it has to find its own node in Redis first
		var err error
		room, err = o.here.Open(t.Context(), t.Name(), newWitness())
		return err == nil
	})
	t.Cleanup(func() { _ = room.Close() })
	seat(t, room, phone())
	t.Logf("a new phone is in %v after Redis was back; %+v; told %v", time.Since(back), o.here.Stats(), o.told())
	if n := o.here.Stats().Failed; n > 0 {
		t.Errorf("%d links were given up", n)
	}
}

func TestProofRedisIsAwayForHalfAMinute(t *testing.T) {
	proof(t)
	redis := livekittest.StartRedis(t)
	server := livekittest.Start(t, livekittest.Options{Redis: redis})
	redisAway(t, newOutage(t, server), redis, 30*time.Second)
}

func TestProofTheServerIsAwayForHalfAMinute(t *testing.T) {
	proof(t)
	server := livekittest.Start(t, livekittest.Options{})
	o := newOutage(t, server)
	server.Kill()
	after(30 * time.Second)
	server.Restart(t)
	t.Logf("heard again after %v", o.flows("after half a minute", soonBack))
	o.interruptions()
	if n := o.here.Stats().Failed; n > 0 {
		t.Errorf("%d links were given up", n)
	}
}

func TestProofAServerThatStaysAwayLosesTheSeat(t *testing.T) {
	proof(t)
	server := livekittest.Start(t, livekittest.Options{})
	room, w := open(t, cluster(t, server), t.Name())
	s := seat(t, room, phone())
	server.Kill()
	begin := time.Now()
	deadline := time.After(80 * time.Second)
	var told []rooms.EventKind
	for lost := false; !lost; {
		select {
		case e, ok := <-s.Events():
			if lost = !ok; ok {
				told = append(told, e.Kind)
			}
		case <-deadline:
			t.Fatal("the seat is not lost after 80 s")
		}
	}
	if took := time.Since(begin); took < 55*time.Second {
		t.Errorf("the seat was given up after %v, want a minute", took)
	}
	if want := []rooms.EventKind{rooms.Interrupted}; !slices.Equal(told, want) {
		t.Errorf("the phone was told %v, want %v and the end", told, want)
	}
	soon(t, "the room has ended", func() bool { return slices.Contains(w.told(), rooms.Ended) })
}

func TestProofANodeIsKilled(t *testing.T) {
	proof(t)
	redis := livekittest.StartRedis(t)
	nodes := livekittest.Cluster(t, 2, livekittest.Options{Redis: redis})
	o := newOutage(t, nodes[0])
	// The room is on either node. The one that is not asked by our gateways may go, and the room with it.
	nodes[1].Kill()
	t.Logf("heard again after %v; told %v", o.flows("with one node left", 30*time.Second), o.told())
}

// proof skips what takes longer than a test may.
func proof(t *testing.T) {
	t.Helper()
	if os.Getenv("PASSERELLE_PROOF") == "" {
		t.Skip("a long one: make faults runs it")
	}
}
