//go:build peers

package livekit_test

import (
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"passerelle/codec"
	"passerelle/rooms"
	"passerelle/rooms/livekit"
	"passerelle/rooms/livekit/livekittest"
)

// far is a listener of another gateway: it counts the frames that it hears.
type far struct {
	heard atomic.Int64

	mu     sync.Mutex
	states []rooms.State
	people map[string]bool
}

func (f *far) TrackAdded(string, rooms.Participant) codec.Reader { return f }
func (f *far) TrackRemoved(string)                               {}
func (f *far) PushFrame(*codec.Frame)                            { f.heard.Add(1) }
func (f *far) Room(s rooms.State) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.states = append(f.states, s)
}
func (f *far) Participant(c rooms.Change) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.people == nil {
		f.people = make(map[string]bool)
	}
	if f.people[c.Participant.ID] = true; c.Kind == rooms.Left {
		delete(f.people, c.Participant.ID)
	}
}

// outage is a phone of one gateway that speaks, and another gateway that listens.
type outage struct {
	t      *testing.T
	here   *livekit.Cluster
	seat   rooms.Seat
	far    *far
	events []rooms.EventKind
	mu     sync.Mutex
}

func newOutage(t *testing.T, server *livekittest.Server) *outage {
	t.Helper()
	return newOutageOf(t, cluster(t, server), cluster(t, server))
}

func newOutageOf(t *testing.T, here, there *livekit.Cluster) *outage {
	t.Helper()
	o := &outage{t: t, here: here, far: &far{}}
	listening, err := there.Open(t.Context(), t.Name(), o.far)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listening.Close() })
	room, err := o.here.Open(t.Context(), t.Name(), &far{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = room.Close() })
	if o.seat, err = room.Seat(t.Context(), rooms.Participant{Name: "Phone", Kind: rooms.Phone}); err != nil {
		t.Fatal(err)
	}
	var work sync.WaitGroup
	stop := make(chan struct{})
	work.Go(func() { o.speak(stop) })
	work.Go(func() {
		for e := range o.seat.Events() {
			o.mu.Lock()
			o.events = append(o.events, e.Kind)
			o.mu.Unlock()
		}
	})
	t.Cleanup(func() { close(stop); _ = o.seat.Close(); work.Wait() })
	o.flows("at first", 5*time.Second)
	return o
}

func (o *outage) speak(stop chan struct{}) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	f := codec.Frame{Kind: codec.Opus, Level: 20, Voice: true, Payload: []byte{0xf8, 'a'}}
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
			f.Seq++
			f.Timestamp += 960
			_ = o.seat.WriteFrame(&f)
		}
	}
}

// flows waits until ten more frames are heard, and returns how long that took.
func (o *outage) flows(when string, within time.Duration) time.Duration {
	o.t.Helper()
	begin, want := time.Now(), o.far.heard.Load()+10
	o.await(when+": ten frames", within, func() bool { return o.far.heard.Load() >= want })
	return time.Since(begin)
}

func (o *outage) await(what string, within time.Duration, ok func() bool) {
	o.t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(within)
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			o.t.Fatalf("%s: not within %v", what, within)
		}
	}
}

// told says what the phone was told.
func (o *outage) told() []rooms.EventKind {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]rooms.EventKind(nil), o.events...)
}

// logOf writes to the test's log.
func logOf(t testing.TB) *slog.Logger { return slog.New(slog.NewTextHandler(t.Output(), nil)) }

// after waits for a while in which something is to happen by itself.
func after(d time.Duration) { <-time.After(d) }

func TestTheServerIsKilledAndStartedAgain(t *testing.T) {
	server := livekittest.Start(t, livekittest.Options{})
	o := newOutage(t, server)
	server.Kill()
	after(8 * time.Second)
	server.Restart(t)
	took := o.flows("after the restart", 10*time.Second)
	t.Logf("heard %v after the restart; %+v; told %v", took, o.here.Stats(), o.told())
	if took > 3*time.Second {
		t.Errorf("heard again %v after the server was back, want 3 s", took)
	}
}

func TestTheNetworkIsCut(t *testing.T) { cuts(t, 2*time.Second, 8*time.Second) }

// TestProofTheNetworkIsCutForLong is a cut that outlasts what a server keeps of a session.
func TestProofTheNetworkIsCutForLong(t *testing.T) {
	proof(t)
	cuts(t, 30*time.Second)
}

// cuts cuts the network for each of those times, and wants the sound back within 3 s.
func cuts(t *testing.T, lengths ...time.Duration) {
	t.Helper()
	server := livekittest.Start(t, livekittest.Options{Relay: true})
	o := newOutage(t, server)
	for _, d := range lengths {
		server.Relay.Cut()
		after(d)
		server.Relay.Mend()
		took := o.flows("after the cut", 10*time.Second)
		t.Logf("heard %v after a cut of %v; %+v; told %v", took, d, o.here.Stats(), o.told())
		if took > 3*time.Second {
			t.Errorf("heard again %v after a cut of %v, want 3 s", took, d)
		}
	}
}

func TestTheSignallingIsBroken(t *testing.T) {
	server := livekittest.Start(t, livekittest.Options{Relay: true})
	o := newOutage(t, server)
	before := o.far.heard.Load()
	server.Relay.Break()
	o.await("resumed", 10*time.Second, func() bool { return o.here.Stats().Resumed >= 2 })
	took := o.flows("after the break", 5*time.Second)
	t.Logf("heard %d frames; then ten in %v; %+v; told %v", o.far.heard.Load()-before, took, o.here.Stats(), o.told())
	if told := o.told(); len(told) > 0 {
		t.Errorf("the phone was told %v, want nothing: media flowed", told)
	}
	if s := o.here.Stats(); s.Rejoined > 0 {
		t.Errorf("%d links joined again, want them to resume", s.Rejoined)
	}
}
