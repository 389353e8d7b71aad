package peers

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

// Guest is a browser of ours on pion, for what Chromium does not tell: which packet came when.
type Guest struct {
	ID   string // in the room
	conn *websocket.Conn
	pc   *webrtc.PeerConnection
	mic  *webrtc.TrackLocalStaticRTP

	began   time.Time
	readers sync.WaitGroup
	up      chan struct{} // closed when the connection is up

	mu     sync.Mutex
	slots  [][]RoomPacket // what was received, slot by slot
	roster []Person
	levels map[string]int // -dBov, as last told
	ended  string         // why the room has ended, if it has
}

// RoomPacket is an Opus packet from the room.
type RoomPacket struct {
	At        time.Duration // since the guest was made
	Seq       uint16
	Timestamp uint32
	Marker    bool
	Payload   []byte
}

// Person is a line of the roster.
type Person struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	Kind  string `json:"kind"`
	Muted bool   `json:"muted"`
}

// roomMessage is anything that the room's WebSocket tells.
type roomMessage struct {
	Type   string         `json:"type"`
	ID     string         `json:"id"`
	Answer string         `json:"answer"`
	People []Person       `json:"people"`
	Levels map[string]int `json:"levels"`
	Reason string         `json:"reason"`
	Code   string         `json:"code"`
	Text   string         `json:"text"`
}

// slots is how many voices a guest listens to, as the page does.
const slots = 8

// Join joins a room, and returns when sound can flow.
func Join(ctx context.Context, g *Gateway, room, name, password string) (*Guest, error) {
	guest := &Guest{began: time.Now(), up: make(chan struct{}), slots: make([][]RoomPacket, slots), levels: map[string]int{}}
	if err := guest.connect(ctx, g, room, name, password); err != nil {
		guest.Close()
		return nil, fmt.Errorf("join %s as %s: %w", room, name, err)
	}
	return guest, nil
}

func (g *Guest) connect(ctx context.Context, gateway *Gateway, room, name, password string) (err error) {
	if err := g.prepare(); err != nil {
		return err
	}
	offer, err := g.pc.CreateOffer(nil)
	if err != nil {
		return err
	}
	if err := g.pc.SetLocalDescription(offer); err != nil {
		return err
	}
	url := fmt.Sprintf("ws://%s/-/ws?room=%s", gateway.HTTP, room)
	origin := http.Header{"Origin": {"http://" + gateway.HTTP.String()}}
	//nolint:bodyclose // the library's answer needs no closing
	if g.conn, _, err = websocket.Dial(ctx, url, &websocket.DialOptions{HTTPHeader: origin}); err != nil {
		return err
	}
	g.conn.SetReadLimit(1 << 20)
	join := map[string]string{"type": "join", "name": name, "password": password, "offer": offer.SDP}
	if err := wsjson.Write(ctx, g.conn, join); err != nil {
		return err
	}
	for g.ID == "" {
		var m roomMessage
		if err := wsjson.Read(ctx, g.conn, &m); err != nil {
			return err
		}
		switch m.Type {
		case "joined":
			g.ID = m.ID
			if err := g.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: m.Answer}); err != nil {
				return err
			}
		case "error":
			return fmt.Errorf("refused: %s: %s", m.Code, m.Text)
		default:
			g.take(m)
		}
	}
	g.readers.Go(g.listen)
	select {
	case <-g.up:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("the connection does not come up (%s): %w", g.pc.ConnectionState(), context.Cause(ctx))
	}
}

// prepare makes the peer connection: a microphone, and the slots.
func (g *Guest) prepare() (err error) {
	var media webrtc.MediaEngine
	opus := webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2, SDPFmtpLine: "minptime=10;useinbandfec=1;usedtx=1"}
	if err := media.RegisterCodec(webrtc.RTPCodecParameters{RTPCodecCapability: opus, PayloadType: 111}, webrtc.RTPCodecTypeAudio); err != nil {
		return err
	}
	if err := media.RegisterHeaderExtension(webrtc.RTPHeaderExtensionCapability{URI: "urn:ietf:params:rtp-hdrext:ssrc-audio-level"}, webrtc.RTPCodecTypeAudio); err != nil {
		return err
	}
	var settings webrtc.SettingEngine
	settings.SetIncludeLoopbackCandidate(true)
	settings.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	api := webrtc.NewAPI(webrtc.WithMediaEngine(&media), webrtc.WithSettingEngine(settings))
	if g.pc, err = api.NewPeerConnection(webrtc.Configuration{}); err != nil {
		return err
	}
	if g.mic, err = webrtc.NewTrackLocalStaticRTP(opus, "microphone", "guest"); err != nil {
		return err
	}
	if _, err := g.pc.AddTransceiverFromTrack(g.mic, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly}); err != nil {
		return err
	}
	for range slots {
		if _, err := g.pc.AddTransceiverFromKind(webrtc.RTPCodecTypeAudio, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly}); err != nil {
			return err
		}
	}
	g.pc.OnTrack(func(track *webrtc.TrackRemote, receiver *webrtc.RTPReceiver) { g.hear(track, receiver) })
	var once sync.Once
	g.pc.OnConnectionStateChange(func(state webrtc.PeerConnectionState) {
		if state == webrtc.PeerConnectionStateConnected {
			once.Do(func() { close(g.up) })
		}
	})
	return nil
}

// hear reads one slot until the connection is closed. It runs on a goroutine of pion's.
func (g *Guest) hear(track *webrtc.TrackRemote, receiver *webrtc.RTPReceiver) {
	slot := -1
	for i, t := range g.pc.GetTransceivers() {
		if t.Receiver() == receiver {
			slot = i - 1 // the microphone comes first
		}
	}
	if slot < 0 || slot >= slots {
		return
	}
	buffer := make([]byte, 1500)
	var p rtp.Packet
	for {
		n, _, err := track.Read(buffer)
		if err != nil {
			return
		}
		at := g.Now()
		if p.Unmarshal(buffer[:n]) != nil {
			continue
		}
		g.mu.Lock()
		g.slots[slot] = append(g.slots[slot], RoomPacket{
			At: at, Seq: p.SequenceNumber, Timestamp: p.Timestamp, Marker: p.Marker, Payload: append([]byte(nil), p.Payload...),
		})
		g.mu.Unlock()
	}
}

// listen is the goroutine of connect; Close waits for it.
func (g *Guest) listen() {
	for {
		_, text, err := g.conn.Read(context.Background())
		if err != nil {
			return
		}
		var m roomMessage
		if json.Unmarshal(text, &m) == nil {
			g.take(m)
		}
	}
}

func (g *Guest) take(m roomMessage) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch m.Type {
	case "roster":
		g.roster = m.People
	case "levels":
		for id, level := range m.Levels {
			g.levels[id] = level
		}
	case "ended":
		g.ended = m.Reason
	}
}

// Now returns the time since the guest was made.
func (g *Guest) Now() time.Duration { return time.Since(g.began) }

// Say sends one Opus packet to the room.
func (g *Guest) Say(seq uint16, timestamp uint32, marker bool, payload []byte) error {
	return g.mic.WriteRTP(&rtp.Packet{
		Header:  rtp.Header{Version: 2, Marker: marker, SequenceNumber: seq, Timestamp: timestamp},
		Payload: payload,
	})
}

// Heard returns what came in, slot by slot.
func (g *Guest) Heard() [][]RoomPacket {
	g.mu.Lock()
	defer g.mu.Unlock()
	all := make([][]RoomPacket, len(g.slots))
	for i, s := range g.slots {
		all[i] = append([]RoomPacket(nil), s...)
	}
	return all
}

// Roster returns who is in the room, and Level how loud somebody is, in -dBov; 127 for silence.
func (g *Guest) Roster() []Person {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]Person(nil), g.roster...)
}

// Level returns how loud somebody was when the room last said so, in -dBov.
func (g *Guest) Level(id string) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	if level, ok := g.levels[id]; ok {
		return level
	}
	return 127
}

// Close leaves the room.
func (g *Guest) Close() {
	if g.conn != nil {
		_ = g.conn.Close(websocket.StatusNormalClosure, "")
		_ = g.conn.CloseNow()
	}
	g.readers.Wait()
	if g.pc != nil {
		_ = g.pc.GracefulClose()
	}
}
