package livekittest

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/livekit/protocol/auth"
	"github.com/livekit/protocol/livekit"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
	"google.golang.org/protobuf/proto"

	"passerelle/codec"
	"passerelle/rooms"
	"passerelle/rooms/roomstest"
)

const (
	patience = 20 * time.Second
	heardMax = 4096 // frames that nobody took yet; more push out the oldest
)

// JoinOptions says who joins; the zero value is somebody with a microphone and ears.
type JoinOptions struct {
	Identity   string // "person-" and the name if empty
	Encrypted  bool   // says that its sound is encrypted from end to end
	Attributes map[string]string
}

// Person is a foreign participant: two peer connections by /rtc, as LiveKit's older clients have, on pion. It is a
// [roomstest.Person], with the server's API for what a moderator does.
type Person struct {
	t        testing.TB
	server   *Server
	room, id string
	ws       *websocket.Conn
	pub, sub *webrtc.PeerConnection
	voice    *webrtc.TrackLocalStaticRTP
	level    uint8 // id of the audio level extension
	heard    chan codec.Frame
	data     chan *livekit.DataPacket
	channel  *webrtc.DataChannel
	cancel   context.CancelFunc
	ctx      context.Context //nolint:containedctx // the person's stay
	work     sync.WaitGroup

	mu        sync.Mutex
	track     string // sid
	people    map[string]*livekit.ParticipantInfo
	ssrcs     map[uint32]struct{} // heard
	early     map[livekit.SignalTarget][]webrtc.ICECandidateInit
	left      string // why the server sent it away
	published chan struct{}
	once      sync.Once

	muted atomic.Bool

	// The stream that Speak continues; one goroutine at a time.
	seq       uint16
	timestamp uint32
}

var _ roomstest.Person = (*Person)(nil)

// Join brings somebody into a room until the test ends, with the sound flowing when it returns.
func Join(t testing.TB, server *Server, room, name string, o JoinOptions) *Person {
	t.Helper()
	if o.Identity == "" {
		o.Identity = "person-" + name
	}
	p := &Person{
		t: t, server: server, room: room, id: o.Identity,
		heard: make(chan codec.Frame, heardMax), data: make(chan *livekit.DataPacket, 64),
		people: make(map[string]*livekit.ParticipantInfo), ssrcs: make(map[uint32]struct{}),
		early: make(map[livekit.SignalTarget][]webrtc.ICECandidateInit), published: make(chan struct{}),
	}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	t.Cleanup(func() { _ = p.Leave() })
	if err := p.join(name, o); err != nil {
		t.Fatalf("%s joins %s: %v", name, room, err)
	}
	return p
}

func (p *Person) join(name string, o JoinOptions) error {
	grant := &auth.VideoGrant{RoomJoin: true, Room: p.room}
	grant.SetCanUpdateOwnMetadata(true)
	token, err := auth.NewAccessToken(p.server.Key, p.server.Secret).SetIdentity(p.id).SetName(name).
		SetAttributes(o.Attributes).SetVideoGrant(grant).SetValidFor(time.Hour).ToJWT()
	if err != nil {
		return err
	}
	at := *p.server.URL()
	at.Scheme = strings.Replace(at.Scheme, "http", "ws", 1)
	at.Path += "/rtc"
	at.RawQuery = url.Values{"protocol": {"15"}, "sdk": {"go"}, "auto_subscribe": {"1"}}.Encode()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	if err := p.dial(ctx, at.String(), token); err != nil {
		return err
	}
	if err := p.prepare(); err != nil {
		return err
	}
	p.work.Go(p.listen) // ends with the WebSocket
	request := &livekit.AddTrackRequest{Cid: p.voice.ID(), Name: "microphone", Type: livekit.TrackType_AUDIO, Source: livekit.TrackSource_MICROPHONE, DisableRed: true}
	if o.Encrypted {
		request.Encryption = livekit.Encryption_GCM
	}
	if err := p.send(&livekit.SignalRequest{Message: &livekit.SignalRequest_AddTrack{AddTrack: request}}); err != nil {
		return err
	}
	select {
	case <-p.published:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("its voice is not published within %v", patience)
	}
}

// told keeps a data packet.
func (p *Person) told(b []byte) {
	m := &livekit.DataPacket{}
	if proto.Unmarshal(b, m) == nil {
		select {
		case p.data <- m:
		default:
		}
	}
}

// Data returns the data packets that come.
func (p *Person) Data() <-chan *livekit.DataPacket { return p.data }

// SendData sends a data packet to the participants named, or to all.
func (p *Person) SendData(m *livekit.DataPacket, to ...string) error {
	m.DestinationIdentities = to
	b, err := proto.Marshal(m)
	if err != nil {
		return err
	}
	return p.channel.Send(b)
}

// ID returns the identity.
func (p *Person) ID() string { return p.id }

// SentAway returns why the server ended the stay; empty if it did not.
func (p *Person) SentAway() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.left
}

// Speak sends one packet of 20 ms, the next of one stream.
func (p *Person) Speak(payload []byte, level uint8) error {
	p.seq++
	p.timestamp += 960
	if p.muted.Load() {
		return nil // a browser sends nothing then
	}
	packet := &rtp.Packet{Header: rtp.Header{Version: 2, SequenceNumber: p.seq, Timestamp: p.timestamp}, Payload: payload}
	if p.level != 0 {
		value := level & 0x7f
		if level < 127 {
			value |= 0x80
		}
		if err := packet.SetExtension(p.level, []byte{value}); err != nil {
			return err
		}
	}
	return p.voice.WriteRTP(packet)
}

// Heard returns what arrives.
func (p *Person) Heard() <-chan codec.Frame { return p.heard }

// SetMuted mutes the person itself.
func (p *Person) SetMuted(muted bool) error {
	p.mu.Lock()
	sid := p.track
	p.mu.Unlock()
	p.muted.Store(muted)
	return p.send(&livekit.SignalRequest{Message: &livekit.SignalRequest_Mute{Mute: &livekit.MuteTrackRequest{Sid: sid, Muted: muted}}})
}

// Info returns everybody in the room as LiveKit tells it, the person itself included.
func (p *Person) Info() []*livekit.ParticipantInfo {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []*livekit.ParticipantInfo
	for _, who := range p.people {
		all = append(all, who)
	}
	return all
}

// Roster returns everybody in the room, the person itself included.
func (p *Person) Roster() []rooms.Participant {
	var all []rooms.Participant
	for _, who := range p.Info() {
		one := rooms.Participant{ID: who.GetIdentity(), Name: who.GetName(), Attributes: who.GetAttributes()}
		switch who.GetKind() {
		case livekit.ParticipantInfo_SIP:
			one.Kind = rooms.Phone
		case livekit.ParticipantInfo_AGENT:
			one.Kind = rooms.Agent
		}
		one.Calling = one.Attributes["sip.callStatus"] == "dialing"
		for _, t := range who.GetTracks() {
			if t.GetType() == livekit.TrackType_AUDIO {
				one.Muted = t.GetMuted()
			}
		}
		all = append(all, one)
	}
	return all
}

// Report tells the server that a fraction of what was heard lately got lost on the way.
func (p *Person) Report(lost float64) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	report := &rtcp.ReceiverReport{SSRC: 1}
	for ssrc := range p.ssrcs {
		report.Reports = append(report.Reports, rtcp.ReceptionReport{SSRC: ssrc, FractionLost: uint8(min(lost*256, 255))})
	}
	return p.sub.WriteRTCP([]rtcp.Packet{report})
}

// Leave leaves the room. It may be called more than once.
func (p *Person) Leave() error {
	if p.ws != nil && p.ctx.Err() == nil {
		_ = p.send(&livekit.SignalRequest{Message: &livekit.SignalRequest_Leave{Leave: &livekit.LeaveRequest{Reason: livekit.DisconnectReason_CLIENT_INITIATED}}})
	}
	p.cancel()
	if p.ws != nil {
		_ = p.ws.CloseNow()
	}
	p.work.Wait()
	for _, pc := range []*webrtc.PeerConnection{p.pub, p.sub} {
		if pc != nil {
			_ = pc.GracefulClose()
		}
	}
	return nil
}
