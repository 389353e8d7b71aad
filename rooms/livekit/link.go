package livekit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"sync"
	"time"

	"github.com/livekit/protocol/livekit"

	"passerelle/rooms"
)

// joinTimeout bounds one attempt to join.
const joinTimeout = 10 * time.Second

// link is one participant of ours in a room of the cluster. It outlives its sessions: when one is lost, the
// same participant comes back in the same session, or in a new one, until it is told to go.
//
//  1. join opens the first session, in the caller's goroutine.
//  2. run listens to the session until it is lost (stay), then finds the way back (comeBack).
//  3. end makes run leave; done is closed when nothing of the link runs.
type link struct {
	c        *Cluster
	room     string
	identity string
	log      *slog.Logger
	part     part

	ctx  context.Context //nolint:containedctx // the link's own life
	end  context.CancelCauseFunc
	done chan struct{}

	mu      sync.Mutex
	now     *session // nil until the first is open
	lastly  string   // the token as the server renewed it
	mint    func() (string, error)
	server  *url.URL
	byRelay bool // host candidates have failed, or are forbidden
}

// part is what a participant is there for: to be a phone's voice, or to hear the room. Its methods are called by
// one goroutine at a time.
type part interface {
	// begin dials a new session; resume dials for one that was lost, and keeps its peer connection.
	begin(ctx context.Context, s *session) error
	resume(ctx context.Context, s *session) error
	// handle takes one message of the server.
	handle(s *session, m *livekit.SignalResponse) error
	// ready reports whether the session has all it needs.
	ready(s *session) bool
	// interrupted and resumed frame every loss; over is the last call.
	interrupted()
	resumed()
	over(why error)
}

func (c *Cluster) newLink(room, identity string, mint func() (string, error), p part) *link {
	l := &link{
		c: c, room: room, identity: identity, log: c.log.With("participant", identity), part: p,
		mint: mint, server: c.cfg.URL, done: make(chan struct{}),
	}
	l.ctx, l.end = context.WithCancelCause(context.Background())
	return l
}

// join opens the first session, and starts run. After an error nothing is left.
func (l *link) join(ctx context.Context) error {
	if !l.c.add(l) {
		return errShutdown
	}
	s, err := l.open(ctx)
	if err != nil {
		l.c.remove(l)
		l.end(err)
		close(l.done)
		return err
	}
	go l.run(s)
	return nil
}

// open opens a new session.
func (l *link) open(ctx context.Context) (*session, error) {
	ctx, cancel := context.WithTimeout(ctx, joinTimeout)
	defer cancel()
	defer context.AfterFunc(l.ctx, cancel)()
	s := newSession(l)
	if err := l.part.begin(ctx, s); err != nil {
		s.close()
		return nil, err
	}
	if err := l.settle(ctx, s); err != nil {
		s.close()
		return nil, err
	}
	l.mu.Lock()
	l.now = s
	l.mu.Unlock()
	s.watch()
	return s, nil
}

// settle takes messages until the session has all it needs.
func (l *link) settle(ctx context.Context, s *session) error {
	for !l.part.ready(s) {
		m, err := s.receive(ctx)
		if err == nil {
			err = l.take(s, m)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// run is the link's goroutine.
func (l *link) run(s *session) {
	var why error
	defer close(l.done)
	defer l.c.remove(l)
	defer func() { l.end(why); l.part.over(why) }()
	defer l.c.recovered("a link to LiveKit", func(err error) { why = err })
	for {
		why = l.stay(s)
		if l.ctx.Err() != nil {
			why = context.Cause(l.ctx)
			s.leave()
			return
		}
		l.log.Info("the link to LiveKit is lost", "room", l.room, "error", why)
		next, err := l.comeBack(s, why)
		if err != nil {
			why = err
			l.c.count.failed.Add(1)
			s.close()
			return
		}
		s = next
	}
}

// stay takes messages until the session is lost, and says why.
func (l *link) stay(s *session) error {
	for {
		m, err := s.receive(context.WithoutCancel(l.ctx))
		if err != nil {
			return err
		}
		s.heard.Store(int64(time.Since(s.began)))
		if err := l.take(s, m); err != nil {
			return err
		}
	}
}

// take does what every participant does with a message, and hands it on.
func (l *link) take(s *session, m *livekit.SignalResponse) error {
	switch m := m.GetMessage().(type) {
	case *livekit.SignalResponse_Join:
		if at := m.Join.GetAlternativeUrl(); at != "" {
			return &moved{to: at, again: true}
		}
		s.joined(m.Join)
	case *livekit.SignalResponse_Reconnect:
		s.back = true
	case *livekit.SignalResponse_RefreshToken:
		l.mu.Lock()
		l.lastly = m.RefreshToken
		l.mu.Unlock()
	case *livekit.SignalResponse_Leave:
		return left(m.Leave)
	}
	return l.part.handle(s, m)
}

// moved is the server's wish that the participant comes back.
type moved struct {
	to    string // URL of another server; "" for the same
	again bool   // ... in a new session
}

func (m *moved) Error() string {
	if m.again {
		return "the server asks to join again"
	}
	return "the server asks to resume"
}

// left is what a LeaveRequest means.
func left(m *livekit.LeaveRequest) error {
	to := ""
	if regions := m.GetRegions().GetRegions(); len(regions) > 0 {
		to = regions[0].GetUrl()
	}
	switch {
	case m.GetAction() == livekit.LeaveRequest_RESUME:
		return &moved{to: to}
	case m.GetAction() == livekit.LeaveRequest_RECONNECT, m.GetCanReconnect():
		return &moved{to: to, again: true}
	}
	switch m.GetReason() {
	case livekit.DisconnectReason_PARTICIPANT_REMOVED:
		return rooms.ErrRemoved
	case livekit.DisconnectReason_ROOM_DELETED, livekit.DisconnectReason_ROOM_CLOSED:
		return rooms.ErrClosed
	case livekit.DisconnectReason_DUPLICATE_IDENTITY, livekit.DisconnectReason_CLIENT_INITIATED:
		return fmt.Errorf("%w: LiveKit says %s", rooms.ErrClosed, m.GetReason())
	}
	return &moved{to: to, again: true} // a server that goes away, and all that is only known to it
}

// final reports whether a session's end is the participant's.
func final(err error) bool {
	for _, end := range []error{rooms.ErrRemoved, rooms.ErrClosed, rooms.ErrNoRoom, rooms.ErrEncrypted, rooms.ErrFull} {
		if errors.Is(err, end) {
			return true
		}
	}
	return false
}

// token returns what opens the door: the token that the server renewed, or a new one.
func (l *link) token() (string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lastly != "" {
		return l.lastly, nil
	}
	return l.mint()
}

// forget makes the next token a new one.
func (l *link) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lastly = ""
}

// go to another server from now on, if its URL can be read.
func (l *link) goTo(at string) {
	u, err := url.Parse(at)
	if err != nil || u.Host == "" {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.server = u
}

// session returns the one that is open.
func (l *link) session() *session {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.now
}

// leave ends the link and waits until nothing of it runs.
func (l *link) leave(why error) {
	l.end(why)
	if s := l.session(); s != nil {
		s.fail(why)
	}
	<-l.done
}
