package livekit

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/livekit/protocol/livekit"
	"github.com/pion/webrtc/v4"

	"passerelle/rooms"
)

// room is one room as this gateway is in it: the hidden listener, through whose link all is known of the room.
type room struct {
	c    *Cluster
	name string
	link *link
	ear  ear

	mu     sync.Mutex // guards what follows, and the listener's methods: one at a time
	l      rooms.Listener
	closed bool
	roster roster
	state  state
	seats  map[*seat]struct{}
	news   chan struct{} // closed and replaced when the roster changes
}

var (
	_ rooms.Room = (*room)(nil)
	_ part       = (*room)(nil)
)

// Open joins the room as a hidden listener.
func (c *Cluster) Open(ctx context.Context, name string, l rooms.Listener) (rooms.Room, error) {
	r := &room{c: c, name: name, l: l, roster: newRoster(c.prefix), seats: make(map[*seat]struct{}), news: make(chan struct{})}
	r.ear.r = r
	identity := c.identity()
	r.link = c.newLink(name, identity, func() (string, error) { return c.cfg.listenerToken(name, identity) }, r)
	if err := r.link.join(ctx); err != nil {
		return nil, fmt.Errorf("open room: %w", err)
	}
	c.count.listeners.Add(1)
	return r, nil
}

// Seat makes a phone a participant.
func (r *room) Seat(ctx context.Context, who rooms.Participant) (rooms.Seat, error) {
	r.mu.Lock()
	closed := r.closed
	r.mu.Unlock()
	if closed {
		return nil, fmt.Errorf("take a seat: %w", rooms.ErrClosed)
	}
	st, err := r.c.newSeat(ctx, r.name, who)
	if err != nil {
		return nil, fmt.Errorf("take a seat: %w", err)
	}
	r.seen(ctx, st.who.ID)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		st.lose(rooms.ErrClosed, false)
		st.link.end(rooms.ErrClosed)
		return nil, fmt.Errorf("take a seat: %w", rooms.ErrClosed)
	}
	r.seats[st] = struct{}{}
	st.left = func() { r.forget(st) }
	return st, nil
}

// seenPatience is how long the room may take to show a voice that flows.
const seenPatience = 500 * time.Millisecond

// seen waits until the room shows somebody's voice to everybody: then a moderator can mute it. The call does not
// depend on it.
func (r *room) seen(ctx context.Context, identity string) {
	ctx, cancel := context.WithTimeout(ctx, seenPatience)
	defer cancel()
	for {
		r.mu.Lock()
		news, there := r.news, r.roster.published(identity)
		r.mu.Unlock()
		if there {
			return
		}
		select {
		case <-news:
		case <-r.link.done:
			return
		case <-ctx.Done():
			return
		}
	}
}

// wake wakes those who wait for the roster. Called with mu held.
func (r *room) wake() {
	close(r.news)
	r.news = make(chan struct{})
}

// forget takes a seat off the list of those that have to be closed with the room.
func (r *room) forget(st *seat) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.seats, st)
}

// Close leaves the room. Seats that were forgotten are closed.
func (r *room) Close() error {
	r.mu.Lock()
	if !r.closed {
		r.closed = true
		r.c.count.listeners.Add(-1)
	}
	var forgotten []*seat
	for st := range r.seats {
		forgotten = append(forgotten, st)
	}
	r.mu.Unlock()
	for _, st := range forgotten {
		_ = st.Close()
	}
	r.link.leave(rooms.ErrClosed)
	return nil
}

// begin dials a new session (part).
func (r *room) begin(ctx context.Context, s *session) error {
	token, err := r.link.token()
	if err != nil {
		return err
	}
	sig, err := dialTwo(ctx, r.link.server, nil, call{token: token})
	if err != nil {
		return err
	}
	s.plug(sig)
	s.answered = false
	return nil
}

// resume dials for a session that was lost (part).
func (r *room) resume(ctx context.Context, s *session) error {
	token, err := r.link.token()
	if err != nil {
		return err
	}
	sig, err := dialTwo(ctx, r.link.server, nil, call{token: token, resume: s.sid})
	if err != nil {
		return err
	}
	s.plug(sig)
	return nil
}

// ready: who has joined knows the roster; the voices come one by one.
func (r *room) ready(s *session) bool { return s.entered || s.back }

// handle takes one message of the server (part).
func (r *room) handle(s *session, m *livekit.SignalResponse) error {
	switch m := m.GetMessage().(type) {
	case *livekit.SignalResponse_Join:
		s.entered = true
		if err := r.known(m.Join.GetOtherParticipants()); err != nil {
			return err
		}
		r.room(m.Join.GetRoom())
		r.begun(m.Join.GetOtherParticipants())
		return r.subscribe(s, r.wanted(), true)
	case *livekit.SignalResponse_Reconnect:
		return r.sync(s)
	case *livekit.SignalResponse_Update:
		return r.update(s, m.Update.GetParticipants())
	case *livekit.SignalResponse_RoomUpdate:
		r.room(m.RoomUpdate.GetRoom())
	case *livekit.SignalResponse_Offer:
		return r.answer(s, m.Offer)
	case *livekit.SignalResponse_Trickle:
		if m.Trickle.GetTarget() == livekit.SignalTarget_SUBSCRIBER {
			s.trickle(m.Trickle)
		}
	}
	return nil
}

// subscribe asks for tracks.
func (r *room) subscribe(s *session, sids []string, yes bool) error {
	if len(sids) == 0 {
		return nil
	}
	m := &livekit.UpdateSubscription{TrackSids: sids, Subscribe: yes}
	return s.send(&livekit.SignalRequest{Message: &livekit.SignalRequest_Subscription{Subscription: m}})
}

// sync tells a server that took us back what we listen to; it offers anew.
func (r *room) sync(s *session) error {
	state := &livekit.SyncState{Subscription: &livekit.UpdateSubscription{TrackSids: r.wanted(), Subscribe: true}}
	if s.pc != nil {
		if d := s.pc.LocalDescription(); d != nil {
			state.Answer = &livekit.SessionDescription{Type: d.Type.String(), Sdp: d.SDP}
		}
		if d := s.pc.RemoteDescription(); d != nil {
			state.Offer = &livekit.SessionDescription{Type: d.Type.String(), Sdp: d.SDP}
		}
	}
	return s.send(&livekit.SignalRequest{Message: &livekit.SignalRequest_SyncState{SyncState: state}})
}

// answer answers the server's offer: the voices that we asked for.
func (r *room) answer(s *session, offer *livekit.SessionDescription) error {
	if s.pc == nil {
		if err := s.newPeer(); err != nil {
			return err
		}
		s.pc.OnDataChannel(s.ignoreData)
		s.pc.OnTrack(func(t *webrtc.TrackRemote, receiver *webrtc.RTPReceiver) { r.ear.track(s, t, receiver) })
	} else if !s.flows() {
		if err := s.relays(); err != nil {
			return err
		}
	}
	text, candidates := withoutCandidates(offer.GetSdp())
	s.unripe()
	if err := s.remote(webrtc.SDPTypeOffer, text); err != nil {
		return err
	}
	s.candidates(candidates...)
	a, err := s.pc.CreateAnswer(nil)
	if err != nil {
		return fmt.Errorf("answer LiveKit's offer: %w", err)
	}
	d, err := s.describe(a)
	if err != nil {
		return err
	}
	d.Id = offer.GetId()
	s.ripenSoon()
	return s.send(&livekit.SignalRequest{Message: &livekit.SignalRequest_Answer{Answer: d}})
}

// headStart is by how much our answer goes before our first packets. A server that hears from an address before it
// knows the address waits a second for a better one (pion's PrflxAcceptanceMinWait).
const headStart = 25 * time.Millisecond

// ripenSoon begins to use the server's candidates when our answer has had its head start.
func (s *session) ripenSoon() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	if s.head != nil {
		s.head.Stop()
	}
	s.head = time.AfterFunc(headStart, s.ripen)
}

// withoutCandidates takes the candidates out of a description.
func withoutCandidates(text string) (string, []webrtc.ICECandidateInit) {
	var kept strings.Builder
	var candidates []webrtc.ICECandidateInit
	mid, found := "0", make(map[string]bool)
	for line := range strings.SplitAfterSeq(text, "\n") {
		value := strings.TrimRight(line, "\r\n")
		if c, ok := strings.CutPrefix(value, "a=candidate:"); ok {
			if !found[c] { // each is in every media section
				found[c] = true
				candidates = append(candidates, webrtc.ICECandidateInit{Candidate: "candidate:" + c, SDPMid: &mid})
			}
			continue
		}
		if value != "a=end-of-candidates" {
			kept.WriteString(line)
		}
	}
	return kept.String(), candidates
}

// encrypted reports whether anybody's sound is encrypted from end to end.
func encrypted(all []*livekit.ParticipantInfo) bool {
	for _, p := range all {
		for _, t := range p.GetTracks() {
			if t.GetType() == livekit.TrackType_AUDIO && t.GetEncryption() != livekit.Encryption_NONE {
				return true
			}
		}
	}
	return false
}

// ours reports whether an identity is of this gateway.
func (r *room) ours(identity string) bool { return strings.HasPrefix(identity, r.c.prefix) }

func (r *room) interrupted() { r.tell(rooms.Reconnecting) }
func (r *room) resumed()     { r.tell(rooms.Back) }

// over is the end of the link: of the room, for whoever is still in it.
func (r *room) over(error) {
	r.ear.deafen()
	r.tell(rooms.Ended)
	r.mu.Lock()
	if !r.closed {
		r.closed = true
		r.c.count.listeners.Add(-1)
	}
	r.mu.Unlock()
}

// tell tells the listener what happens to the room.
func (r *room) tell(s rooms.State) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.closed {
		r.l.Room(s)
	}
}
