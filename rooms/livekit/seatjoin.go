package livekit

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/livekit/protocol/livekit"
	"github.com/pion/webrtc/v4"
	"google.golang.org/protobuf/proto"

	"passerelle/rooms"
	"passerelle/rooms/internal/ready"
)

// The labels of the data channels, as LiveKit knows them: one loses nothing, of the other nothing comes twice.
// It sends nothing that has a sequence number before both are open.
const (
	reliable = "_reliable"
	lossy    = "_lossy"
)

// How a phone publishes. With /rtc/v1 the track and the offer go with the join, and the answer comes with its
// reply: one round trip. Servers that know only /rtc are asked step by step.

// begin dials a new session (part).
func (st *seat) begin(ctx context.Context, s *session) error {
	st.mu.Lock()
	st.sid = ""
	st.mu.Unlock()
	token, err := st.link.token()
	if err != nil {
		return err
	}
	offer, err := st.prepare(s)
	if err != nil {
		return err
	}
	c := call{token: token, offer: offer, track: st.track()}
	server := st.link.server
	if !st.c.plain.Load() {
		sig, err := dialOne(ctx, server, nil, c)
		if err == nil {
			s.plug(sig)
			return nil
		}
		if !errors.Is(err, errOldServer) {
			return err
		}
	}
	sig, err := dialTwo(ctx, server, nil, c)
	if err != nil {
		return err
	}
	st.c.plain.Store(true)
	s.plug(sig)
	s.steps = offer
	return nil
}

// prepare makes the peer connection with its voice, and the offer.
func (st *seat) prepare(s *session) (*livekit.SessionDescription, error) {
	if err := s.newPeer(); err != nil {
		return nil, err
	}
	t, err := s.pc.AddTransceiverFromTrack(&st.voice, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
	if err != nil {
		return nil, fmt.Errorf("add a voice: %w", err)
	}
	ordered := true
	data, err := s.pc.CreateDataChannel(reliable, &webrtc.DataChannelInit{Ordered: &ordered})
	if err != nil {
		return nil, fmt.Errorf("add a data channel: %w", err)
	}
	unordered, once := false, uint16(0)
	other, err := s.pc.CreateDataChannel(lossy, &webrtc.DataChannelInit{Ordered: &unordered, MaxRetransmits: &once})
	if err != nil {
		return nil, fmt.Errorf("add a data channel: %w", err)
	}
	data.OnOpen(func() {
		st.openOnce.Do(func() { close(st.open) })
		s.readData(data, st.heardData)
	})
	other.OnOpen(func() { s.readData(other, st.heardData) })
	st.voice.pc.Store(s.pc)
	st.mu.Lock()
	st.data = data
	st.mu.Unlock()
	offer, err := s.offer(false)
	if err != nil {
		return nil, err
	}
	if !s.reads() {
		return nil, errClosed
	}
	go st.readReports(s, t.Sender()) // ends with the peer connection; session.close waits
	return offer, nil
}

// track is what is asked for.
func (st *seat) track() *livekit.AddTrackRequest {
	st.mu.Lock()
	defer st.mu.Unlock()
	return &livekit.AddTrackRequest{
		Cid: trackID, Name: "phone", Type: livekit.TrackType_AUDIO, Source: livekit.TrackSource_MICROPHONE,
		Muted: st.muted, DisableRed: true, Stream: "phone",
	}
}

// resume dials for a session that was lost (part).
func (st *seat) resume(ctx context.Context, s *session) error {
	token, err := st.link.token()
	if err != nil {
		return err
	}
	c := call{token: token, resume: s.sid}
	dial := dialOne
	if st.c.plain.Load() {
		dial = dialTwo
	}
	sig, err := dial(ctx, st.link.server, nil, c)
	if err != nil {
		return err
	}
	s.plug(sig)
	return nil
}

// ready reports whether the voice is published.
func (st *seat) ready(s *session) bool {
	st.mu.Lock()
	defer st.mu.Unlock()
	return s.answered && st.sid != ""
}

// handle takes one message of the server (part).
func (st *seat) handle(s *session, m *livekit.SignalResponse) error {
	switch m := m.GetMessage().(type) {
	case *livekit.SignalResponse_Join:
		if encrypted(m.Join.GetOtherParticipants()) {
			return rooms.ErrEncrypted
		}
		if s.steps != nil {
			return s.send(&livekit.SignalRequest{Message: &livekit.SignalRequest_AddTrack{AddTrack: st.track()}})
		}
	case *livekit.SignalResponse_TrackPublished:
		return st.published(s, m.TrackPublished)
	case *livekit.SignalResponse_Answer:
		s.answered = true
		if err := s.remote(webrtc.SDPTypeAnswer, m.Answer.GetSdp()); err != nil {
			return err
		}
		s.ripenSoon(seatHeadStart)
	case *livekit.SignalResponse_Trickle:
		if m.Trickle.GetTarget() == livekit.SignalTarget_PUBLISHER {
			s.trickle(m.Trickle)
		}
	case *livekit.SignalResponse_Reconnect:
		return st.restart(s)
	case *livekit.SignalResponse_Update:
		st.reconcile(s, m.Update.GetParticipants())
	case *livekit.SignalResponse_Mute:
		st.mutedByRoom(m.Mute)
	}
	return nil
}

// published notes the server's name of the track, and goes on with the offer where that comes next.
func (st *seat) published(s *session, m *livekit.TrackPublishedResponse) error {
	if m.GetCid() != trackID {
		return nil
	}
	st.mu.Lock()
	st.sid = m.GetTrack().GetSid()
	st.mu.Unlock()
	if s.steps == nil {
		return nil
	}
	offer := s.steps
	s.steps = nil
	return s.send(&livekit.SignalRequest{Message: &livekit.SignalRequest_Offer{Offer: offer}})
}

// restart tells a server that took us back what we have published, and looks for a way for media anew.
func (st *seat) restart(s *session) error {
	st.mu.Lock()
	sid, muted, untold := st.sid, st.muted, st.untold
	st.untold = false
	st.mu.Unlock()
	s.unsure = !untold // a moderator may have muted the phone meanwhile: the roster tells
	state := &livekit.SyncState{Subscription: &livekit.UpdateSubscription{}, PublishTracks: []*livekit.TrackPublishedResponse{{
		Cid: trackID, Track: &livekit.TrackInfo{Sid: sid, Type: livekit.TrackType_AUDIO, Name: "phone", Muted: muted, Source: livekit.TrackSource_MICROPHONE},
	}}}
	if err := s.send(&livekit.SignalRequest{Message: &livekit.SignalRequest_SyncState{SyncState: state}}); err != nil {
		return err
	}
	if untold {
		if err := s.send(muteRequest(sid, muted)); err != nil {
			return err
		}
	}
	if s.flows() {
		s.answered = true // nothing has to be asked: only the WebSocket was lost
		return nil
	}
	if err := s.relays(); err != nil {
		return err
	}
	offer, err := s.offer(true)
	if err != nil {
		return err
	}
	return s.send(&livekit.SignalRequest{Message: &livekit.SignalRequest_Offer{Offer: offer}})
}

// reconcile takes what the roster says of the phone itself, once after a resume.
func (st *seat) reconcile(s *session, all []*livekit.ParticipantInfo) {
	for _, p := range all {
		if !s.unsure || p.GetIdentity() != st.who.ID {
			continue
		}
		s.unsure = false
		for _, t := range p.GetTracks() {
			st.mutedByRoom(&livekit.MuteTrackRequest{Sid: t.GetSid(), Muted: t.GetMuted()})
		}
	}
}

// mutedByRoom takes a moderator's mute.
func (st *seat) mutedByRoom(m *livekit.MuteTrackRequest) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if m.GetSid() != st.sid || st.muted == m.GetMuted() || st.ended {
		return
	}
	st.setMuted(m.GetMuted())
	kind := rooms.Unmuted
	if st.muted {
		kind = rooms.Muted
	}
	ready.Queue(st.events, rooms.Event{Kind: kind})
}

// publish sends a data packet to everybody in the room.
func (st *seat) publish(p *livekit.DataPacket) error {
	payload, err := proto.Marshal(p)
	if err != nil {
		return fmt.Errorf("send to the room: %w", err)
	}
	st.mu.Lock()
	data := st.data
	st.mu.Unlock()
	if err := data.Send(payload); err != nil {
		return fmt.Errorf("send to the room: %w", err)
	}
	return nil
}

// keys are the telephone's, in the order of their event codes (RFC 4733 section 3.2).
const keys = "0123456789*#ABCD"

func isKeys(s string) bool {
	return s != "" && len(s) <= maxDigits && strings.Trim(s, keys) == ""
}

// digitPacket is a key as LiveKit's telephones send it.
func digitPacket(key rune) *livekit.DataPacket {
	code := max(0, strings.IndexRune(keys, key))
	return &livekit.DataPacket{Value: &livekit.DataPacket_SipDtmf{SipDtmf: &livekit.SipDTMF{Code: uint32(code), Digit: string(key)}}}
}
