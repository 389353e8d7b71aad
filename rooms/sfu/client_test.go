package sfu

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/pion/ice/v4"
	"github.com/pion/interceptor"
	"github.com/pion/logging"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"

	"passerelle/codec"
	"passerelle/rooms"
	"passerelle/rooms/roomstest"
)

// patience is how long tests wait for what must happen: it keeps them from hanging, and judges nothing.
const patience = time.Minute

// house is an SFU on loopback with its web server.
type house struct {
	*SFU
	web *httptest.Server
}

// newHouse opens an SFU for a test. What cfg leaves open is loopback, and any room.
func newHouse(t testing.TB, cfg Config) *house {
	t.Helper()
	if !cfg.UDP.IsValid() {
		cfg.UDP = netip.MustParseAddrPort("127.0.0.1:0")
	}
	cfg.AnyRoom = cfg.AnyRoom || cfg.Named == nil
	s, err := New(cfg)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	web := httptest.NewServer(s.Handler())
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		web.Close()
	})
	return &house{s, web}
}

// dial opens a WebSocket to a room, and returns what the room asks for.
func (h *house) dial(ctx context.Context, room string) (*websocket.Conn, roomMessage, error) {
	var hello roomMessage
	ws, _, err := websocket.Dial(ctx, h.web.URL+"/-/ws?room="+room,
		&websocket.DialOptions{HTTPHeader: http.Header{"Origin": {h.web.URL}}})
	if err != nil {
		return nil, hello, err
	}
	ws.SetReadLimit(1 << 20)
	_, text, err := ws.Read(ctx)
	if err != nil {
		return nil, hello, err
	}
	return ws, hello, json.Unmarshal(text, &hello)
}

// said is any message of the server.
type said struct {
	Type     string           `json:"type"`
	ID       string           `json:"id"`
	Answer   string           `json:"answer"`
	Resume   string           `json:"resume"`
	Code     string           `json:"code"`
	Reason   string           `json:"reason"`
	Text     string           `json:"text"`
	Kind     string           `json:"kind"`
	Muted    bool             `json:"muted"`
	Held     bool             `json:"held"`
	Dial     any              `json:"dial"`
	Knocks   []knockOnPage    `json:"knocks"`
	Calls    []callOnPage     `json:"calls"`
	Password bool             `json:"password"`
	People   []personOnPage   `json:"people"`
	Levels   map[string]uint8 `json:"levels"`
}

// visitor says how a client comes.
type visitor struct {
	room, name, password, resume string
	moderator                    string
	tcp                          bool // only
	forges                       bool // every packet has an SSRC of its own
}

// client is a browser made of pion: WebSocket, connection, microphone and slots.
type client struct {
	h    *house
	room string
	ways any // how telephones come there, as the server said when it joined
	ws   *websocket.Conn
	pc   *webrtc.PeerConnection
	mic  *webrtc.TrackLocalStaticRTP

	id, resume string
	level      uint8 // id of the header extension
	heard      chan codec.Frame
	up         chan struct{} // closed: sound can flow
	work       sync.WaitGroup
	cancel     context.CancelFunc

	mu      sync.Mutex
	roster  []personOnPage
	levels  map[string]uint8
	ssrcs   map[uint32]uint32 // of the slots heard, with their newest sequence number
	said    []said            // everything
	news    chan struct{}     // closed and replaced with every message
	closing websocket.StatusCode

	// The stream that Speak continues.
	seq       uint16
	timestamp uint32
}

var _ roomstest.Person = (*client)(nil)

// quiet is a pion that logs nothing.
type quiet struct{}

func (quiet) NewLogger(string) logging.LeveledLogger {
	return logging.NewDefaultLeveledLoggerForScope("", logging.LogLevelDisabled, io.Discard)
}

// browserAPI is a pion that behaves like a browser on this machine.
func browserAPI(v visitor) (*webrtc.API, error) {
	media := &webrtc.MediaEngine{}
	if err := media.RegisterDefaultCodecs(); err != nil {
		return nil, err
	}
	if err := media.RegisterHeaderExtension(webrtc.RTPHeaderExtensionCapability{URI: sdp.AudioLevelURI}, webrtc.RTPCodecTypeAudio); err != nil {
		return nil, err
	}
	set := webrtc.SettingEngine{LoggerFactory: quiet{}}
	set.SetIncludeLoopbackCandidate(true)
	set.SetIPFilter(func(ip net.IP) bool { return ip.IsLoopback() })
	set.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	set.SetHostAcceptanceMinWait(0)
	set.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	if v.tcp {
		set.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeTCP4})
	}
	if v.forges {
		chain := &interceptor.Registry{}
		chain.Add(&forger{})
		return webrtc.NewAPI(webrtc.WithMediaEngine(media), webrtc.WithSettingEngine(set), webrtc.WithInterceptorRegistry(chain)), nil
	}
	return webrtc.NewAPI(webrtc.WithMediaEngine(media), webrtc.WithSettingEngine(set)), nil
}

// forger gives every packet an SSRC of its own.
type forger struct{ interceptor.NoOp }

func (f *forger) NewInterceptor(string) (interceptor.Interceptor, error) { return f, nil }

func (*forger) BindLocalStream(_ *interceptor.StreamInfo, w interceptor.RTPWriter) interceptor.RTPWriter {
	return interceptor.RTPWriterFunc(func(h *rtp.Header, payload []byte, a interceptor.Attributes) (int, error) {
		h.SSRC += uint32(h.SequenceNumber)
		return w.Write(h, payload, a)
	})
}

// prepare makes a connection with a microphone and slots, and the offer for it.
func (c *client) prepare(v visitor, slots int) (offer string, err error) {
	api, err := browserAPI(v)
	if err != nil {
		return "", err
	}
	if c.pc, err = api.NewPeerConnection(webrtc.Configuration{}); err != nil {
		return "", err
	}
	c.mic, err = webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{
		MimeType: webrtc.MimeTypeOpus, ClockRate: clockRate, Channels: 2}, "mic", "mic")
	if err != nil {
		return "", err
	}
	if _, err := c.pc.AddTransceiverFromTrack(c.mic); err != nil {
		return "", err
	}
	for range slots {
		if _, err := c.pc.AddTransceiverFromKind(webrtc.RTPCodecTypeAudio,
			webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly}); err != nil {
			return "", err
		}
	}
	c.pc.OnConnectionStateChange(func(state webrtc.PeerConnectionState) {
		if state == webrtc.PeerConnectionStateConnected {
			close(c.up)
		}
	})
	c.pc.OnTrack(func(t *webrtc.TrackRemote, _ *webrtc.RTPReceiver) { c.listen(t) })
	description, err := c.pc.CreateOffer(nil)
	if err != nil {
		return "", err
	}
	gathered := webrtc.GatheringCompletePromise(c.pc)
	if err := c.pc.SetLocalDescription(description); err != nil {
		return "", err
	}
	<-gathered
	return c.pc.LocalDescription().SDP, nil
}

// join brings a client into a room, until sound can flow.
func (h *house) join(ctx context.Context, v visitor) (*client, error) {
	c := &client{
		h: h, room: v.room, heard: make(chan codec.Frame, 4096), up: make(chan struct{}),
		ssrcs: make(map[uint32]uint32), levels: make(map[string]uint8), news: make(chan struct{}), closing: -1,
	}
	ws, _, err := h.dial(ctx, v.room)
	if err != nil {
		return nil, err
	}
	c.ws = ws
	offer, err := c.prepare(v, 8)
	if err != nil {
		return nil, err
	}
	ask := request{Type: sayJoin, Name: v.name, Password: v.password, Moderator: v.moderator, Resume: v.resume, Offer: offer}
	var answer said
	for again := true; again; again = answer.Type == "admitted" {
		if err := c.say(ctx, ask); err != nil {
			return nil, err
		}
		if answer, err = c.next(ctx); err == nil && answer.Type == "waiting" {
			answer, err = c.next(ctx)
		}
		if err != nil {
			return nil, err
		}
	}
	if answer.Type != "joined" {
		_ = c.pc.GracefulClose()
		_ = ws.CloseNow()
		return nil, &refusedError{answer}
	}
	c.id, c.resume, c.ways = answer.ID, answer.Resume, answer.Dial
	if err := c.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer.Answer}); err != nil {
		return nil, fmt.Errorf("%w in %s", err, answer.Answer)
	}
	for _, e := range c.pc.GetSenders()[0].GetParameters().HeaderExtensions {
		if e.URI == sdp.AudioLevelURI {
			c.level = uint8(e.ID)
		}
	}
	life, cancel := context.WithCancel(context.WithoutCancel(ctx))
	c.cancel = cancel
	c.work.Go(func() { c.follow(life) })
	select {
	case <-c.up:
		return c, nil
	case <-ctx.Done():
		c.close()
		return nil, fmt.Errorf("connect: %w", ctx.Err())
	}
}

// refusedError is a join that was refused.
type refusedError struct{ said }

func (e *refusedError) Error() string { return "refused: " + e.Code + ": " + e.Text }

// enter is join for a test that needs it to work.
func (h *house) enter(t testing.TB, v visitor) *client {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, err := h.join(ctx, v)
	if err != nil {
		t.Fatalf("join %q as %q: %v", v.room, v.name, err)
	}
	t.Cleanup(c.close)
	h.wait(t, c.id+" hears", func() bool { return h.hears(v.room, c.id) })
	return c
}

// hears says whether the server sends sound to a browser.
func (h *house) hears(room, id string) bool {
	r, err := h.find(room)
	if err != nil {
		return false
	}
	for _, e := range r.hearing() {
		if e.owner.id == id {
			return true
		}
	}
	return false
}

// wait asks again and again until ok.
func (h *house) wait(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %v", what, patience)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

func (c *client) say(ctx context.Context, ask request) error {
	text, err := json.Marshal(ask)
	if err != nil {
		return err
	}
	return c.ws.Write(ctx, websocket.MessageText, text)
}

func (c *client) next(ctx context.Context) (said, error) {
	var m said
	_, text, err := c.ws.Read(ctx)
	if err != nil {
		return m, err
	}
	return m, json.Unmarshal(text, &m)
}

// follow reads the WebSocket until it ends.
func (c *client) follow(ctx context.Context) {
	for {
		m, err := c.next(ctx)
		c.mu.Lock()
		if err != nil {
			c.closing = websocket.CloseStatus(err)
			close(c.news)
			c.news = nil
			c.mu.Unlock()
			return
		}
		switch m.Type {
		case "roster":
			c.roster = m.People
		case "levels":
			for id, level := range m.Levels {
				c.levels[id] = level
			}
		}
		c.said = append(c.said, m)
		close(c.news)
		c.news = make(chan struct{})
		c.mu.Unlock()
	}
}

// wait waits until ok, which is asked with mu held, or until the WebSocket ends.
func (c *client) wait(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(patience)
	for {
		c.mu.Lock()
		done, news := ok(), c.news
		c.mu.Unlock()
		if done {
			return
		}
		if news == nil {
			t.Fatalf("%s: the WebSocket has ended; it said %+v", what, c.said)
		}
		select {
		case <-news:
		case <-deadline:
			t.Fatalf("%s: not within %v; it said %+v", what, patience, c.said)
		}
	}
}

// listen reads one slot.
func (c *client) listen(t *webrtc.TrackRemote) {
	for {
		p, _, err := t.ReadRTP()
		if err != nil {
			return
		}
		c.mu.Lock()
		c.ssrcs[p.SSRC] = uint32(p.SequenceNumber)
		c.mu.Unlock()
		f := codec.Frame{Seq: p.SequenceNumber, Timestamp: p.Timestamp, Marker: p.Marker, Kind: codec.Opus, Payload: p.Payload}
		select {
		case c.heard <- f:
		default:
		}
	}
}

func (c *client) ID() string                { return c.id }
func (c *client) Heard() <-chan codec.Frame { return c.heard }

func (c *client) Speak(payload []byte, level uint8) error {
	c.seq++
	c.timestamp += frameTime
	p := &rtp.Packet{Header: rtp.Header{Version: 2, SequenceNumber: c.seq, Timestamp: c.timestamp}, Payload: payload}
	b, err := (&rtp.AudioLevelExtension{Level: level, Voice: level < codec.Silence}).Marshal()
	if err != nil {
		return err
	}
	if err := p.SetExtension(c.level, b); err != nil {
		return err
	}
	return c.mic.WriteRTP(p)
}

func (c *client) SetMuted(muted bool) error {
	return c.say(context.Background(), request{Type: sayMute, Muted: muted})
}

func (c *client) MutePhone(id string, muted bool) error { return c.h.Mute(c.room, id, muted) }
func (c *client) RemovePhone(id string) error           { return c.h.Remove(c.room, id) }

func (c *client) Roster() []rooms.Participant {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []rooms.Participant
	for _, p := range c.roster {
		kind := rooms.Browser
		if p.Kind == "phone" {
			kind = rooms.Phone
		}
		all = append(all, rooms.Participant{ID: p.ID, Name: p.Name, Kind: kind, Muted: p.Muted, Calling: p.Calling})
	}
	return all
}

func (c *client) Report(lost float64) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var reports []rtcp.ReceptionReport
	for ssrc, seq := range c.ssrcs {
		reports = append(reports, rtcp.ReceptionReport{SSRC: ssrc, FractionLost: uint8(lost * 256), LastSequenceNumber: seq})
	}
	return c.pc.WriteRTCP([]rtcp.Packet{&rtcp.ReceiverReport{SSRC: 1, Reports: reports}})
}

func (c *client) Leave() error {
	if err := c.say(context.Background(), request{Type: sayLeave}); err != nil {
		return err
	}
	c.close()
	return nil
}

// close ends everything of the client; it may be called more than once.
func (c *client) close() {
	_ = c.ws.Close(websocket.StatusGoingAway, "")
	c.cancel()
	_ = c.pc.GracefulClose()
	c.work.Wait()
}
