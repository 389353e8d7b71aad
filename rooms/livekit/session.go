package livekit

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/livekit/protocol/livekit"
	"github.com/pion/webrtc/v4"
)

// Reasons why a session is lost.
var (
	errMedia  = errors.New("no way for media to LiveKit")
	errSilent = errors.New("LiveKit says nothing any more")
	errClosed = errors.New("the session is closed")
	// errRelay: the server lets media through its TURN servers only, which the present peer connection does not use.
	errRelay = errors.New("LiveKit wants media to be relayed")
)

// How often the server is asked whether it is there, where it does not say.
const (
	pingInterval = 5 * time.Second
	pingTimeout  = 15 * time.Second
)

// mediaPatience is how long media may take to flow, from the end of the signalling's part.
const mediaPatience = 3 * time.Second

// session is one stay of a participant: a WebSocket and a peer connection. The WebSocket may be replaced
// (reset); the peer connection is the session's.
type session struct {
	link   *link
	socket atomic.Pointer[socket]
	pc     *webrtc.PeerConnection
	sid    string // of the participant

	steps    *livekit.SessionDescription // the offer, where it waits for the track to be known
	entered  bool                        // the server has let us in
	answered bool                        // our offer was
	back     bool                        // the server has taken us back
	unsure   bool                        // whether the phone is muted is to be read from the roster

	flowed   atomic.Bool // there has been a way for media
	began    time.Time
	heard    atomic.Int64 // when, since began
	interval time.Duration
	timeout  time.Duration

	mu     sync.Mutex
	closed bool
	ripe   bool                      // the server's candidates can be used
	early  []webrtc.ICECandidateInit // those that came before
	pinger *time.Timer
	waiter *time.Timer    // of mediaPatience
	head   *time.Timer    // of headStart
	media  sync.WaitGroup // goroutines that read the peer connection
}

func newSession(l *link) *session {
	s := &session{link: l, began: time.Now(), interval: pingInterval, timeout: pingTimeout}
	s.plug(nil)
	return s
}

// socket is one WebSocket of a session, and its life.
type socket struct {
	signal *signal         // nil until there is one
	ctx    context.Context //nolint:containedctx // the WebSocket's life
	fail   context.CancelCauseFunc
}

// plug gives the session its next WebSocket.
func (s *session) plug(sig *signal) {
	n := &socket{signal: sig}
	n.ctx, n.fail = context.WithCancelCause(context.Background())
	if old := s.socket.Swap(n); old != nil {
		old.fail(errClosed)
	}
}

// fail loses the present WebSocket, and with it the session. It may be called from any goroutine.
func (s *session) fail(why error) { s.socket.Load().fail(why) }

// receive returns the server's next message.
func (s *session) receive(ctx context.Context) (*livekit.SignalResponse, error) {
	now := s.socket.Load()
	defer context.AfterFunc(now.ctx, now.signal.close)()
	m, err := now.signal.receive(ctx)
	if cause := context.Cause(now.ctx); err != nil && cause != nil {
		return nil, cause
	}
	return m, err
}

// joined notes what the server says at the door.
func (s *session) joined(m *livekit.JoinResponse) {
	s.sid = m.GetParticipant().GetSid()
	s.link.servers = iceServers(m.GetIceServers())
	if n := m.GetPingInterval(); n > 0 {
		s.interval = time.Duration(n) * time.Second
	}
	if n := m.GetPingTimeout(); n > 0 {
		s.timeout = time.Duration(n) * time.Second
	}
}

func iceServers(all []*livekit.ICEServer) []webrtc.ICEServer {
	var servers []webrtc.ICEServer
	for _, s := range all {
		if s.GetUsername() == "" { // STUN: the server sees where our checks come from
			continue
		}
		servers = append(servers, webrtc.ICEServer{URLs: s.GetUrls(), Username: s.GetUsername(), Credential: s.GetCredential()})
	}
	return servers
}

// watch begins to ask, at intervals, whether the server is there.
func (s *session) watch() {
	s.heard.Store(int64(time.Since(s.began)))
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	now := s.socket.Load()
	s.pinger = time.AfterFunc(s.interval, func() { s.ping(now) })
	s.waiter = time.AfterFunc(mediaPatience, func() {
		if !s.flows() {
			now.fail(errMedia)
		}
	})
}

// flows reports whether there is a way for media.
func (s *session) flows() bool {
	return s.pc != nil && s.pc.ConnectionState() == webrtc.PeerConnectionStateConnected
}

// ping asks once, and arranges for the next.
func (s *session) ping(now *socket) {
	defer s.link.c.recovered("a ping to LiveKit", now.fail)
	if silent := time.Since(s.began) - time.Duration(s.heard.Load()); silent > s.timeout {
		now.fail(errSilent)
		return
	}
	ping := &livekit.Ping{Timestamp: time.Now().UnixMilli()}
	err := now.signal.send(now.ctx, &livekit.SignalRequest{Message: &livekit.SignalRequest_PingReq{PingReq: ping}})
	if err != nil {
		now.fail(err)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed && now.ctx.Err() == nil {
		s.pinger.Reset(s.interval)
	}
}

// send writes one message to the server. It may be called from any goroutine.
func (s *session) send(m *livekit.SignalRequest) error {
	now := s.socket.Load()
	if now.signal == nil {
		return errClosed
	}
	return now.signal.send(now.ctx, m)
}

// newPeer gives the session its peer connection.
func (s *session) newPeer() error {
	l := s.link
	var servers []webrtc.ICEServer
	if l.byRelay || l.walled {
		servers = l.servers
	}
	pc, err := l.c.media.newPeer(servers, l.byRelay && len(servers) > 0)
	if err != nil {
		return err
	}
	pc.OnConnectionStateChange(func(state webrtc.PeerConnectionState) {
		switch state {
		case webrtc.PeerConnectionStateConnected:
			s.flowed.Store(true)
			l.flows()
		case webrtc.PeerConnectionStateDisconnected, webrtc.PeerConnectionStateFailed:
			s.fail(errMedia)
		}
	})
	s.pc = pc
	return nil
}

// relays lets the next search for a way use the server's TURN servers beside all others.
func (s *session) relays() error {
	c := s.pc.GetConfiguration()
	c.ICEServers = s.link.servers
	if err := s.pc.SetConfiguration(c); err != nil {
		return fmt.Errorf("use TURN: %w", err)
	}
	return nil
}

// gatherPatience is what is waited for our candidates, which is for TURN servers: one that is away costs nobody the
// ways that there are.
const gatherPatience = 1500 * time.Millisecond

// offer makes an offer that holds all our candidates.
func (s *session) offer(restart bool) (*livekit.SessionDescription, error) {
	o, err := s.pc.CreateOffer(&webrtc.OfferOptions{ICERestart: restart})
	if err != nil {
		return nil, fmt.Errorf("offer: %w", err)
	}
	return s.describe(o)
}

// describe sets our description, and returns it as the server reads it, with all our candidates.
func (s *session) describe(d webrtc.SessionDescription) (*livekit.SessionDescription, error) {
	gathered := webrtc.GatheringCompletePromise(s.pc)
	if err := s.pc.SetLocalDescription(d); err != nil {
		return nil, fmt.Errorf("%s: %w", d.Type, err)
	}
	patience := time.NewTimer(gatherPatience)
	defer patience.Stop()
	select {
	case <-gathered:
	case <-patience.C:
	case <-s.link.ctx.Done():
		return nil, context.Cause(s.link.ctx)
	}
	local := s.pc.LocalDescription()
	return &livekit.SessionDescription{Type: local.Type.String(), Sdp: local.SDP}, nil
}

// remote takes the server's description.
func (s *session) remote(kind webrtc.SDPType, text string) error {
	if s.pc == nil {
		return fmt.Errorf("LiveKit's %s: %w", kind, errMessage)
	}
	if err := s.pc.SetRemoteDescription(webrtc.SessionDescription{Type: kind, SDP: text}); err != nil {
		return fmt.Errorf("LiveKit's %s: %w", kind, err)
	}
	return nil
}

// reads announces a goroutine that reads the peer connection, and calls media.Done; false if it must not begin.
func (s *session) reads() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.media.Add(1)
	return true
}

// hang closes the WebSocket, and keeps the peer connection.
func (s *session) hang() {
	s.mu.Lock()
	for _, t := range []*time.Timer{s.pinger, s.waiter, s.head} {
		if t != nil {
			t.Stop()
		}
	}
	s.mu.Unlock()
	now := s.socket.Load()
	now.fail(errClosed)
	if now.signal != nil {
		now.signal.close()
	}
}

// goodbye tells the server that the participant leaves; one that is not told believes for a while that it is there.
func (s *session) goodbye() {
	now := s.socket.Load()
	if now.signal == nil {
		return
	}
	ctx, cancel := context.WithTimeout(now.ctx, goodbyeTimeout)
	defer cancel()
	_ = now.signal.send(ctx, &livekit.SignalRequest{Message: &livekit.SignalRequest_Leave{Leave: &livekit.LeaveRequest{
		Reason: livekit.DisconnectReason_CLIENT_INITIATED, Action: livekit.LeaveRequest_DISCONNECT,
	}}})
}

// close closes everything, and waits until nobody reads the peer connection.
func (s *session) close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.hang()
	if s.pc != nil {
		if err := s.pc.Close(); err != nil {
			s.link.log.Debug("a peer connection did not close in order", "error", err)
		}
	}
	s.media.Wait()
}
