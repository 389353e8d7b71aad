package livekit

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"sync"
	"time"

	"github.com/livekit/protocol/livekit"
	"github.com/pion/webrtc/v4"
)

// How long the server may take to let us in, and to let us go.
const (
	joinTimeout    = 10 * time.Second
	goodbyeTimeout = time.Second
)

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

	mu  sync.Mutex
	now *session // nil until the first is open; guarded by mu

	// Of the goroutine that joins, and then of run.
	mint      func() (string, error)
	renewed   string // the token as the server renewed it
	renewedAt time.Time
	server    *url.URL
	servers   []webrtc.ICEServer // TURN servers, as the server named them last
	byRelay   bool               // media go through them only
	walled    bool               // a session found no direct way: new ones look for one through them, too
	attempts  int                // to come back, since a session lasted

	gapMu sync.Mutex // guards what follows, and part.interrupted and resumed
	gap   time.Time  // since when no media flow; zero while they do
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
	// interrupted and resumed frame every time without media; over is the last call.
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

// open opens a new session; a second one where the first shows that the server wants media to be relayed.
func (l *link) open(ctx context.Context) (*session, error) {
	s, err := l.openOnce(ctx)
	if errors.Is(err, errRelay) {
		s, err = l.openOnce(ctx)
	}
	return s, err
}

func (l *link) openOnce(ctx context.Context) (*session, error) {
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
		began := time.Now()
		why = l.stay(s)
		if time.Since(began) >= steady {
			l.attempts = 0
		}
		if l.ctx.Err() != nil {
			why = context.Cause(l.ctx)
			s.close()
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
	lost := make(chan struct{})
	defer close(lost)
	defer context.AfterFunc(l.ctx, func() { // the server closes the WebSocket when it has let us go
		s.goodbye()
		t := time.NewTimer(goodbyeTimeout)
		defer t.Stop()
		select {
		case <-lost:
		case <-t.C:
			s.fail(context.Cause(l.ctx))
		}
	})()
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
		if m.Join.GetClientConfiguration().GetForceRelay() == livekit.ClientConfigSetting_ENABLED && !l.byRelay && len(l.servers) > 0 {
			l.byRelay = true
			return errRelay
		}
	case *livekit.SignalResponse_Reconnect:
		s.back = true
	case *livekit.SignalResponse_RefreshToken:
		l.renewed, l.renewedAt = m.RefreshToken, time.Now()
	case *livekit.SignalResponse_Leave:
		return left(m.Leave)
	}
	return l.part.handle(s, m)
}

// renewedLife is for how long a token that the server renewed is believed to open the door.
const renewedLife = 5 * time.Minute

// token returns what opens the door: the token that the server renewed, with what moderators have changed, or a
// new one.
func (l *link) token() (string, error) {
	if l.renewed != "" && time.Since(l.renewedAt) < renewedLife {
		return l.renewed, nil
	}
	return l.mint()
}

// forget makes the next token a new one.
func (l *link) forget() { l.renewed = "" }

// goTo goes where the server has sent the participant; where that was of no use, back to the cluster's own URL.
func (l *link) goTo(why error) {
	var m *moved
	if !errors.As(why, &m) {
		l.server = l.c.cfg.URL
		return
	}
	if u, err := url.Parse(m.to); err == nil && u.Host != "" {
		l.server = u
	}
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
	<-l.done
}

// flows notes that media flow, and broken that they do not. They may be called from any goroutine, and twice.
func (l *link) flows() {
	l.gapMu.Lock()
	defer l.gapMu.Unlock()
	if !l.gap.IsZero() {
		l.log.Info("back in LiveKit", "room", l.room, "after", time.Since(l.gap).Round(time.Millisecond))
		l.gap = time.Time{}
		l.part.resumed()
	}
}

func (l *link) broken() {
	l.gapMu.Lock()
	defer l.gapMu.Unlock()
	if l.gap.IsZero() {
		l.gap = time.Now()
		l.part.interrupted()
	}
}

// gone returns for how long no media have been flowing.
func (l *link) gone() time.Duration {
	l.gapMu.Lock()
	defer l.gapMu.Unlock()
	if l.gap.IsZero() {
		return 0
	}
	return time.Since(l.gap)
}
