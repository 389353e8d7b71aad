package livekit

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/livekit/protocol/livekit"
	"google.golang.org/protobuf/proto"

	"passerelle/codec"
	"passerelle/rooms"
)

func newTestCluster(t testing.TB, at string) *Cluster {
	t.Helper()
	u, err := url.Parse(at)
	if err != nil {
		t.Fatal(err)
	}
	c, err := New(Config{URL: u, Key: "key", Secret: "a-secret-of-tests-that-is-long-enough"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// fake is a signalling server that does what a test wants.
type fake struct {
	t     *testing.T
	http  *httptest.Server
	calls chan *visit
}

// visit is one WebSocket at a fake.
type visit struct {
	t    *testing.T
	at   *url.URL
	ws   *websocket.Conn
	done chan struct{}
}

func newFake(t *testing.T) *fake {
	f := &fake{t: t, calls: make(chan *visit, 16)}
	f.http = httptest.NewServer(http.HandlerFunc(f.serve))
	t.Cleanup(f.http.Close)
	return f
}

func (f *fake) serve(w http.ResponseWriter, r *http.Request) {
	ws, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	defer ws.CloseNow()
	v := &visit{t: f.t, at: r.URL, ws: ws, done: make(chan struct{})}
	f.calls <- v
	<-v.done
}

// next returns the next call of the client.
func (f *fake) next() *visit {
	f.t.Helper()
	select {
	case v := <-f.calls:
		f.t.Cleanup(v.hang)
		return v
	case <-time.After(5 * time.Second):
		f.t.Fatal("nobody calls")
		return nil
	}
}

func (v *visit) hang() {
	select {
	case <-v.done:
	default:
		close(v.done)
	}
}

func (v *visit) say(m *livekit.SignalResponse) {
	v.t.Helper()
	data, err := proto.Marshal(m)
	if err != nil {
		v.t.Fatal(err)
	}
	v.raw(data)
}

func (v *visit) raw(data []byte) {
	v.t.Helper()
	if err := v.ws.Write(v.t.Context(), websocket.MessageBinary, data); err != nil {
		v.t.Fatal(err)
	}
}

// hear returns the client's next message.
func (v *visit) hear() *livekit.SignalRequest {
	v.t.Helper()
	ctx, cancel := context.WithTimeout(v.t.Context(), 5*time.Second)
	defer cancel()
	_, data, err := v.ws.Read(ctx)
	if err != nil {
		v.t.Fatal(err)
	}
	m := &livekit.SignalRequest{}
	if err := proto.Unmarshal(data, m); err != nil {
		v.t.Fatal(err)
	}
	return m
}

func (v *visit) let(others ...*livekit.ParticipantInfo) {
	v.say(&livekit.SignalResponse{Message: &livekit.SignalResponse_Join{Join: &livekit.JoinResponse{
		Participant: &livekit.ParticipantInfo{Sid: "PA_me"}, Room: &livekit.Room{Name: "board"}, OtherParticipants: others,
		PingInterval: 1, PingTimeout: 2,
	}}})
}

func (v *visit) leave(m *livekit.LeaveRequest) {
	v.say(&livekit.SignalResponse{Message: &livekit.SignalResponse_Leave{Leave: m}})
}

// listener notes what it is told, and checks the order.
type listener struct {
	t  testing.TB
	mu sync.Mutex

	people map[string]rooms.Participant
	states []rooms.State
	news   chan struct{}
}

func newListener(t testing.TB) *listener {
	return &listener{t: t, people: make(map[string]rooms.Participant), news: make(chan struct{}, 100)}
}

func (l *listener) TrackAdded(string, rooms.Participant) codec.Reader { return nil }
func (l *listener) TrackRemoved(string)                               {}
func (l *listener) Participant(c rooms.Change) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, known := l.people[c.Participant.ID]; known == (c.Kind == rooms.Joined) {
		l.t.Errorf("told %v of %q, known: %v", c.Kind, c.Participant.ID, known)
	}
	if l.people[c.Participant.ID] = c.Participant; c.Kind == rooms.Left {
		delete(l.people, c.Participant.ID)
	}
	l.happened()
}

func (l *listener) Room(s rooms.State) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.states = append(l.states, s)
	l.happened()
}

func (l *listener) happened() {
	select {
	case l.news <- struct{}{}:
	default:
	}
}

func (l *listener) wait(what string, ok func() bool) {
	l.t.Helper()
	deadline := time.After(5 * time.Second)
	for {
		l.mu.Lock()
		done := ok()
		l.mu.Unlock()
		if done {
			return
		}
		select {
		case <-l.news:
		case <-deadline:
			l.t.Fatalf("%s: not within 5 s; states %v, people %v", what, l.states, l.people)
		}
	}
}

func (l *listener) has(s rooms.State) func() bool {
	return func() bool {
		for _, had := range l.states {
			if had == s {
				return true
			}
		}
		return false
	}
}

// enter opens a room at a fake that lets it in.
func (f *fake) enter(others ...*livekit.ParticipantInfo) (*visit, *listener) {
	f.t.Helper()
	c := newTestCluster(f.t, f.http.URL)
	l := newListener(f.t)
	opened := make(chan error, 1)
	var room rooms.Room
	go func() {
		r, err := c.Open(f.t.Context(), "board", l)
		room = r
		opened <- err
	}()
	v := f.next()
	v.let(others...)
	if err := <-opened; err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { v.hang(); _ = room.Close() })
	return v, l
}

func TestTheServerAsksToResume(t *testing.T) {
	f := newFake(t)
	v, l := f.enter()
	v.leave(&livekit.LeaveRequest{Action: livekit.LeaveRequest_RESUME})
	again := f.next()
	if q := again.at.Query(); q.Get("reconnect") != "1" || q.Get("sid") != "PA_me" {
		t.Errorf("came back with %v, want reconnect=1 and the sid", q)
	}
	again.say(&livekit.SignalResponse{Message: &livekit.SignalResponse_Reconnect{Reconnect: &livekit.ReconnectResponse{}}})
	if s := again.hear().GetSyncState(); s.GetSubscription() == nil {
		t.Errorf("synced %v, want a subscription in it: a server cannot do without", s)
	}
	l.wait("interrupted: no media", l.has(rooms.Reconnecting))
}

func TestTheServerAsksToJoinAgainElsewhere(t *testing.T) {
	f, region := newFake(t), newFake(t)
	v, _ := f.enter()
	v.leave(&livekit.LeaveRequest{Action: livekit.LeaveRequest_RECONNECT, Regions: &livekit.RegionSettings{
		Regions: []*livekit.RegionInfo{{Url: strings.Replace(region.http.URL, "http", "ws", 1)}},
	}})
	again := region.next()
	if again.at.Query().Has("reconnect") {
		t.Errorf("resumed, want a new session")
	}
	again.hang() // of no use: back to where it came from
	f.next().let()
}

func TestWhoLeftMeanwhileIsToldOf(t *testing.T) {
	f := newFake(t)
	v, l := f.enter(&livekit.ParticipantInfo{Identity: "ada", Sid: "PA_1"}, &livekit.ParticipantInfo{Identity: "bob", Sid: "PA_2"})
	l.wait("both are here", func() bool { return len(l.people) == 2 })
	v.leave(&livekit.LeaveRequest{Action: livekit.LeaveRequest_RECONNECT})
	f.next().let(&livekit.ParticipantInfo{Identity: "ada", Sid: "PA_3"}, &livekit.ParticipantInfo{Identity: "eve", Sid: "PA_4"})
	l.wait("Bob has left and Eve has come", func() bool {
		_, bob := l.people["bob"]
		_, eve := l.people["eve"]
		return !bob && eve && len(l.people) == 2
	})
}

func TestARoomThatIsDeletedEnds(t *testing.T) {
	v, l := newFake(t).enter()
	v.leave(&livekit.LeaveRequest{Reason: livekit.DisconnectReason_ROOM_DELETED})
	l.wait("ended", l.has(rooms.Ended))
	if l.has(rooms.Reconnecting)() {
		t.Errorf("tried to come back to a room that is gone")
	}
}

func TestASilentServerIsLost(t *testing.T) {
	f := newFake(t)
	v, l := f.enter()
	if ping := v.hear().GetPingReq(); ping == nil {
		t.Errorf("no ping, want one each second, as the server says")
	}
	l.wait("interrupted", l.has(rooms.Reconnecting))
	f.next()
}

func TestGarbageIsTheEndOfASession(t *testing.T) {
	f := newFake(t)
	v, _ := f.enter()
	v.raw([]byte{0xff, 0xff, 0xff})
	f.next()
}

func TestARoomIsRefused(t *testing.T) {
	for _, c := range []struct {
		rule   string
		answer func(*visit)
		want   error
	}{
		{"no place", func(v *visit) { v.leave(&livekit.LeaveRequest{Reason: livekit.DisconnectReason_JOIN_FAILURE}) }, rooms.ErrFull},
		{"encrypted from end to end", func(v *visit) {
			v.let(&livekit.ParticipantInfo{Identity: "ada", Tracks: []*livekit.TrackInfo{
				{Sid: "TR_1", Type: livekit.TrackType_AUDIO, Encryption: livekit.Encryption_GCM},
			}})
		}, rooms.ErrEncrypted},
	} {
		f := newFake(t)
		cl := newTestCluster(t, f.http.URL)
		opened := make(chan error, 1)
		go func() { _, err := cl.Open(t.Context(), "board", newListener(t)); opened <- err }()
		c.answer(f.next())
		if err := <-opened; !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.rule, err, c.want)
		}
	}
}

func TestAnswersOfTheDoor(t *testing.T) {
	for _, c := range []struct {
		status int
		want   error
	}{{http.StatusNotFound, rooms.ErrNoRoom}, {http.StatusTooManyRequests, rooms.ErrFull}, {http.StatusUnauthorized, nil}, {500, nil}} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(c.status) }))
		_, err := newTestCluster(t, s.URL).Open(t.Context(), "board", newListener(t))
		if err == nil || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%d: %v, want %v", c.status, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), "127.0.0.1") {
			t.Errorf("%d: %q holds the URL, and with it all of the join", c.status, err)
		}
		s.Close()
	}
}

func TestRecordingAndTranscription(t *testing.T) {
	for _, c := range []struct {
		rule string
		room *livekit.Room
		want state
	}{
		{"nothing", &livekit.Room{}, state{}},
		{"LiveKit's own egress", &livekit.Room{ActiveRecording: true}, state{recording: true}},
		{"Meet starts to record", &livekit.Room{Metadata: `{"recording_status":"starting","recording_mode":"screen_recording"}`}, state{recording: true}},
		{"Meet saves: it has ended", &livekit.Room{Metadata: `{"recording_status":"saving","recording_mode":"screen_recording"}`}, state{}},
		{"Meet transcribes, by an egress", &livekit.Room{ActiveRecording: true, Metadata: `{"recording_status":"started","recording_mode":"transcript"}`}, state{transcribing: true}},
		{"metadata of somebody else", &livekit.Room{Metadata: "\x00[1,2"}, state{}},
	} {
		if got := stateOf(c.room); got != c.want {
			t.Errorf("%s: %+v, want %+v", c.rule, got, c.want)
		}
	}
}
