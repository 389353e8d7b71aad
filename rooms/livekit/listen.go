package livekit

import (
	"context"
	"fmt"

	"github.com/livekit/protocol/livekit"
	"github.com/pion/webrtc/v4"
)

// How the listener hears a room. It joins by /rtc, where the server offers what was subscribed to: what is new comes
// without being asked for media sections first. It publishes nothing, so that one peer connection is all it has.

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
	s.ripenSoon(headStart)
	return s.send(&livekit.SignalRequest{Message: &livekit.SignalRequest_Answer{Answer: d}})
}
