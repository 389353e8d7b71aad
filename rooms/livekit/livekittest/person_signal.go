package livekittest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/coder/websocket"
	"github.com/livekit/protocol/livekit"
	"github.com/pion/webrtc/v4"
	"google.golang.org/protobuf/proto"
)

// dial opens the WebSocket.
func (p *Person) dial(ctx context.Context, at, token string) error {
	header := http.Header{"Authorization": {"Bearer " + token}}
	ws, _, err := websocket.Dial(ctx, at, &websocket.DialOptions{HTTPHeader: header}) //nolint:bodyclose // the library's
	if err != nil {
		return fmt.Errorf("call LiveKit: %w", err)
	}
	ws.SetReadLimit(4 << 20)
	p.ws = ws
	return nil
}

// listen takes the server's messages until the WebSocket ends.
func (p *Person) listen() {
	for {
		_, b, err := p.ws.Read(p.ctx)
		if err != nil {
			return
		}
		m := &livekit.SignalResponse{}
		if err := proto.Unmarshal(b, m); err != nil {
			return
		}
		if err := p.handle(m); err != nil {
			p.mu.Lock()
			p.left = err.Error()
			p.mu.Unlock()
			return
		}
	}
}

func (p *Person) handle(m *livekit.SignalResponse) error {
	switch m := m.GetMessage().(type) {
	case *livekit.SignalResponse_Join:
		p.note(append(m.Join.GetOtherParticipants(), m.Join.GetParticipant()))
	case *livekit.SignalResponse_Update:
		p.note(m.Update.GetParticipants())
	case *livekit.SignalResponse_TrackPublished:
		p.mu.Lock()
		p.track = m.TrackPublished.GetTrack().GetSid()
		p.mu.Unlock()
		return p.offer()
	case *livekit.SignalResponse_Answer:
		return p.remote(p.pub, livekit.SignalTarget_PUBLISHER, webrtc.SDPTypeAnswer, m.Answer.GetSdp())
	case *livekit.SignalResponse_Offer:
		return p.answer(m.Offer)
	case *livekit.SignalResponse_Trickle:
		p.trickle(m.Trickle)
	case *livekit.SignalResponse_Leave:
		return fmt.Errorf("sent away: %s", m.Leave.GetReason())
	}
	return nil
}

// note keeps the roster.
func (p *Person) note(all []*livekit.ParticipantInfo) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, who := range all {
		old := p.people[who.GetIdentity()]
		switch {
		case who.GetState() == livekit.ParticipantInfo_DISCONNECTED:
			if old != nil && old.GetSid() == who.GetSid() {
				delete(p.people, who.GetIdentity())
			}
		case old == nil || old.GetSid() != who.GetSid() || who.GetVersion() >= old.GetVersion():
			p.people[who.GetIdentity()] = who
		}
	}
}

func (p *Person) offer() error {
	o, err := p.pub.CreateOffer(nil)
	if err != nil {
		return err
	}
	d, err := describe(p.pub, o)
	if err != nil {
		return err
	}
	return p.send(&livekit.SignalRequest{Message: &livekit.SignalRequest_Offer{Offer: d}})
}

func (p *Person) answer(m *livekit.SessionDescription) error {
	if err := p.remote(p.sub, livekit.SignalTarget_SUBSCRIBER, webrtc.SDPTypeOffer, m.GetSdp()); err != nil {
		return err
	}
	a, err := p.sub.CreateAnswer(nil)
	if err != nil {
		return err
	}
	d, err := describe(p.sub, a)
	if err != nil {
		return err
	}
	d.Id = m.GetId()
	return p.send(&livekit.SignalRequest{Message: &livekit.SignalRequest_Answer{Answer: d}})
}

func describe(pc *webrtc.PeerConnection, d webrtc.SessionDescription) (*livekit.SessionDescription, error) {
	gathered := webrtc.GatheringCompletePromise(pc)
	if err := pc.SetLocalDescription(d); err != nil {
		return nil, err
	}
	<-gathered
	return &livekit.SessionDescription{Type: d.Type.String(), Sdp: pc.LocalDescription().SDP}, nil
}

func (p *Person) remote(pc *webrtc.PeerConnection, target livekit.SignalTarget, kind webrtc.SDPType, sdp string) error {
	if err := pc.SetRemoteDescription(webrtc.SessionDescription{Type: kind, SDP: sdp}); err != nil {
		return err
	}
	for _, c := range p.early[target] {
		_ = pc.AddICECandidate(c)
	}
	delete(p.early, target)
	return nil
}

func (p *Person) trickle(m *livekit.TrickleRequest) {
	var c webrtc.ICECandidateInit
	if json.Unmarshal([]byte(m.GetCandidateInit()), &c) != nil || c.Candidate == "" {
		return
	}
	pc := p.pub
	if m.GetTarget() == livekit.SignalTarget_SUBSCRIBER {
		pc = p.sub
	}
	if pc.RemoteDescription() == nil {
		p.early[m.GetTarget()] = append(p.early[m.GetTarget()], c)
		return
	}
	_ = pc.AddICECandidate(c)
}

func (p *Person) send(m *livekit.SignalRequest) error {
	b, err := proto.Marshal(m)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	return p.ws.Write(ctx, websocket.MessageBinary, b)
}
