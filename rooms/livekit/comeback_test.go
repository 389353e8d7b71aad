package livekit

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/livekit/protocol/livekit"

	"passerelle/rooms"
)

func TestWayBack(t *testing.T) {
	broken := errors.New("broken pipe")
	for _, c := range []struct {
		rule string
		p    plight
		want way
	}{
		{"a WebSocket that breaks is replaced", plight{why: broken}, resume},
		{"media that are lost are looked for in the same session", plight{why: errMedia}, resume},
		{"media that never came are looked for in a new one", plight{why: errMedia, never: true}, rejoin},
		{"a WebSocket that breaks before media came is replaced", plight{why: broken, never: true}, resume},
		{"resumed in vain: a new session", plight{why: errMedia, tried: 1}, rejoin},
		{"the server asks to resume", plight{why: &moved{}}, resume},
		{"the server asks to join again", plight{why: &moved{again: true}, media: true}, rejoin},
		{"a session that was closed is not resumed", plight{why: broken, last: rejoin, tried: 3}, rejoin},
		{"while media flow the session is not given up, however long it takes", plight{why: broken, tried: 1000, media: true}, resume},
		{"a server that is away for a while is asked for the old session", plight{why: broken, tried: 5, gone: 14 * time.Second}, resume},
		{"... and then for a new one", plight{why: broken, tried: 9, gone: 15 * time.Second}, rejoin},
		{"after a minute without media it is over", plight{why: broken, last: rejoin, gone: time.Minute}, giveUp},
		{"who was removed stays away", plight{why: fmt.Errorf("x: %w", rooms.ErrRemoved), media: true}, giveUp},
		{"a room that was closed stays closed", plight{why: rooms.ErrClosed}, giveUp},
		{"a room that is not there", plight{why: rooms.ErrNoRoom, last: rejoin}, giveUp},
		{"a room that is full may be full of our own past", plight{why: rooms.ErrFull, last: rejoin}, rejoin},
	} {
		if got := wayBack(c.p); got != c.want {
			t.Errorf("%s: way %d, want %d", c.rule, got, c.want)
		}
	}
}

func TestPauses(t *testing.T) {
	want := []time.Duration{0, 200, 400, 800, 1500, 1500, 1500}
	for n, w := range want {
		if got := pauseBefore(n); got != w*time.Millisecond {
			t.Errorf("before attempt %d: %v, want %v", n, got, w*time.Millisecond)
		}
	}
}

func TestWhatALeaveRequestMeans(t *testing.T) {
	regions := &livekit.RegionSettings{Regions: []*livekit.RegionInfo{{Url: "wss://near.example"}, {Url: "wss://far.example"}}}
	for _, c := range []struct {
		rule  string
		m     *livekit.LeaveRequest
		is    error
		moved *moved
	}{
		{"resume", &livekit.LeaveRequest{Action: livekit.LeaveRequest_RESUME}, nil, &moved{}},
		{"reconnect", &livekit.LeaveRequest{Action: livekit.LeaveRequest_RECONNECT, Regions: regions}, nil, &moved{to: "wss://near.example", again: true}},
		{"reconnect, as older servers say it", &livekit.LeaveRequest{CanReconnect: true}, nil, &moved{again: true}},
		{"removed", &livekit.LeaveRequest{Reason: livekit.DisconnectReason_PARTICIPANT_REMOVED}, rooms.ErrRemoved, nil},
		{"the room is deleted", &livekit.LeaveRequest{Reason: livekit.DisconnectReason_ROOM_DELETED}, rooms.ErrClosed, nil},
		{"the room is closed", &livekit.LeaveRequest{Reason: livekit.DisconnectReason_ROOM_CLOSED}, rooms.ErrClosed, nil},
		{"an old attempt of ours came late", &livekit.LeaveRequest{Reason: livekit.DisconnectReason_DUPLICATE_IDENTITY}, nil, &moved{again: true}},
		{"no place at the door", &livekit.LeaveRequest{Reason: livekit.DisconnectReason_JOIN_FAILURE}, rooms.ErrFull, nil},
		{"the server goes away", &livekit.LeaveRequest{Reason: livekit.DisconnectReason_SERVER_SHUTDOWN}, nil, &moved{again: true}},
	} {
		got := left(c.m)
		var m *moved
		switch {
		case c.is != nil && !errors.Is(got, c.is):
			t.Errorf("%s: %v, want %v", c.rule, got, c.is)
		case c.moved != nil && (!errors.As(got, &m) || *m != *c.moved):
			t.Errorf("%s: %#v, want %#v", c.rule, got, c.moved)
		}
	}
}

// vain is a part whose server is not there.
type vain struct {
	resumes, begins        int
	interrupts, resumption int
	why                    error
}

func (v *vain) begin(context.Context, *session) error          { v.begins++; return v.why }
func (v *vain) resume(context.Context, *session) error         { v.resumes++; return v.why }
func (v *vain) handle(*session, *livekit.SignalResponse) error { return nil }
func (v *vain) ready(*session) bool                            { return true }
func (v *vain) interrupted()                                   { v.interrupts++ }
func (v *vain) resumed()                                       { v.resumption++ }
func (v *vain) over(error)                                     {}
func minted() (string, error)                                  { return "token", nil }
func (v *vain) link(t *testing.T) *link {
	return newTestCluster(t, "ws://127.0.0.1:1").newLink("board", "sip_1", minted, v)
}

func TestNobodyWaitsForEver(t *testing.T) {
	v := &vain{why: errors.New("connection refused")}
	l := v.link(t)
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		_, err := l.comeBack(newSession(l), errSilent)
		if took := time.Since(began); took < patience || took > patience+2*mostPause {
			t.Errorf("given up after %v, want %v", took, patience)
		}
		if !errors.Is(err, rooms.ErrClosed) || !errors.Is(err, errSilent) {
			t.Errorf("the end: %v, want %v, because of %v", err, rooms.ErrClosed, errSilent)
		}
	})
	if v.resumes < 10 || v.begins < 20 || v.resumes+v.begins > 60 {
		t.Errorf("%d times resumed and %d times joined, want some 13 and 30", v.resumes, v.begins)
	}
	if v.interrupts != 1 || v.resumption != 0 {
		t.Errorf("told %d times that it is interrupted and %d times that it is back, want 1 and 0", v.interrupts, v.resumption)
	}
}

func TestWhoLeavesDoesNotWait(t *testing.T) {
	v := &vain{why: errors.New("connection refused")}
	l := v.link(t)
	synctest.Test(t, func(t *testing.T) {
		time.AfterFunc(10*time.Second, func() { l.end(errShutdown) })
		began := time.Now()
		if _, err := l.comeBack(newSession(l), errSilent); !errors.Is(err, errShutdown) || time.Since(began) != 10*time.Second {
			t.Errorf("%v after %v, want %v after 10 s", err, time.Since(began), errShutdown)
		}
	})
}
