package livekittest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
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
	p.ws, _, err = websocket.Dial(ctx, at.String(), &websocket.DialOptions{HTTPHeader: http.Header{"Authorization": {"Bearer " + token}}})
	if err != nil {
		return err
	}
	p.ws.SetReadLimit(4 << 20)
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

// prepare makes both peer connections.
func (p *Person) prepare() error {
	media := &webrtc.MediaEngine{}
	if err := media.RegisterCodec(webrtc.RTPCodecParameters{RTPCodecCapability: webrtc.RTPCodecCapability{
		MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2, SDPFmtpLine: "minptime=10;useinbandfec=1",
	}, PayloadType: 111}, webrtc.RTPCodecTypeAudio); err != nil {
		return err
	}
	for _, uri := range []string{audioLevel, "urn:ietf:params:rtp-hdrext:sdes:mid"} {
		if err := media.RegisterHeaderExtension(webrtc.RTPHeaderExtensionCapability{URI: uri}, webrtc.RTPCodecTypeAudio); err != nil {
			return err
		}
	}
	set := webrtc.SettingEngine{}
	set.SetIncludeLoopbackCandidate(true)
	set.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	set.SetIPFilter(func(ip net.IP) bool { return ip.IsLoopback() })
	api := webrtc.NewAPI(webrtc.WithMediaEngine(media), webrtc.WithSettingEngine(set))
	var err error
	if p.pub, err = api.NewPeerConnection(webrtc.Configuration{}); err != nil {
		return err
	}
	if p.sub, err = api.NewPeerConnection(webrtc.Configuration{}); err != nil {
		return err
	}
	if p.voice, err = webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus}, "mic", "person"); err != nil {
		return err
	}
	sender, err := p.pub.AddTrack(p.voice)
	if err != nil {
		return err
	}
	if p.channel, err = p.pub.CreateDataChannel("_reliable", nil); err != nil {
		return err
	}
	p.pub.OnConnectionStateChange(func(s webrtc.PeerConnectionState) {
		if s == webrtc.PeerConnectionStateConnected {
			p.once.Do(func() {
				p.level = levelID(sender.GetParameters().HeaderExtensions)
				close(p.published)
			})
		}
	})
	p.sub.OnTrack(func(t *webrtc.TrackRemote, r *webrtc.RTPReceiver) {
		p.hear(t, levelID(r.GetParameters().HeaderExtensions))
	})
	p.sub.OnDataChannel(func(d *webrtc.DataChannel) {
		d.OnMessage(func(m webrtc.DataChannelMessage) { p.told(m.Data) })
	})
	return nil
}

// audioLevel is the extension of RFC 6464.
const audioLevel = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"

// levelID returns the id that was agreed on for the audio level; 0 for none.
func levelID(all []webrtc.RTPHeaderExtensionParameter) uint8 {
	for _, e := range all {
		if e.URI == audioLevel {
			return uint8(e.ID)
		}
	}
	return 0
}

// hear passes a track's packets on until it ends. Called by pion on a goroutine of its own.
func (p *Person) hear(t *webrtc.TrackRemote, level uint8) {
	p.mu.Lock()
	p.ssrcs[uint32(t.SSRC())] = struct{}{}
	p.mu.Unlock()
	buf := make([]byte, 1500)
	for {
		n, _, err := t.Read(buf)
		if err != nil {
			return
		}
		var packet rtp.Packet
		if err := packet.Unmarshal(buf[:n]); err != nil || len(packet.Payload) == 0 || Filler(packet.Payload) {
			continue
		}
		f := codec.Frame{
			Seq: packet.SequenceNumber, Timestamp: packet.Timestamp, Marker: packet.Marker, Kind: codec.Opus,
			Level: codec.Silence, Payload: append([]byte(nil), packet.Payload...),
		}
		if e := packet.GetExtension(level); level != 0 && len(e) > 0 {
			f.Level, f.Voice = e[0]&0x7f, e[0]&0x80 != 0
		}
		select {
		case p.heard <- f:
		default:
			select {
			case <-p.heard:
			default:
			}
		}
	}
}

// Filler reports whether a payload is the silence that LiveKit itself sends where a track begins or is muted.
func Filler(payload []byte) bool {
	return len(payload) > 3 && bytes.HasPrefix(payload, []byte{0xf8, 0xff, 0xfe}) && len(bytes.Trim(payload[3:], "\x00")) == 0
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

// MutePhone mutes or unmutes a participant's microphone as a moderator does, by the API.
func (p *Person) MutePhone(id string, muted bool) error {
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	who, err := p.server.API().Get(ctx, p.room, id)
	if err != nil {
		return err
	}
	for _, t := range who.GetTracks() {
		if t.GetType() == livekit.TrackType_AUDIO {
			return p.server.API().MuteTrack(ctx, p.room, id, t.GetSid(), muted)
		}
	}
	return fmt.Errorf("%s has no voice to mute", id)
}

// RemovePhone takes a participant out of the room, by the API.
func (p *Person) RemovePhone(id string) error {
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	return p.server.API().Remove(ctx, p.room, id)
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
