package livekit

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/livekit/protocol/livekit"
	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"
	"google.golang.org/protobuf/proto"

	"passerelle/codec"
	"passerelle/rooms"
	"passerelle/rooms/internal/ready"
)

// Limits of what a seat holds.
const (
	maxNote   = 1000 // bytes of a message's text
	maxDigits = 32   // in one data packet to the phone
)

// telephones is how the identities of telephones begin, those of LiveKit's own gateway too.
const telephones = "sip_"

// statusAttribute is where clients read how far a call has come; those of dialing and ringing have not come yet.
const (
	statusAttribute = "sip.callStatus"
	statusDialing   = "dialing"
	statusActive    = "active"
)

// handAttribute is where Meet, and whoever follows it, reads that a hand is raised: since when.
const handAttribute = "handRaisedAt"

// seat is one phone in a room. It is a participant that only publishes.
type seat struct {
	c     *Cluster
	link  *link
	who   rooms.Participant
	voice voice
	gone  atomic.Pointer[error] // why the seat is lost; nil while it is not
	left  func()                // tells the room

	open     chan struct{} // closed when the voice has a way for the first time
	openOnce sync.Once

	mu     sync.Mutex
	muted  bool
	untold bool   // the room does not know of muted yet
	comes  bool   // it is still being called
	hand   string // since when it is up; "" while it is not
	sid    string // of the track
	data   *webrtc.DataChannel
	events chan rooms.Event
	ended  bool // events is closed
}

var (
	_ rooms.Seat = (*seat)(nil)
	_ part       = (*seat)(nil)
)

// newSeat makes a phone a participant of a room.
func (c *Cluster) newSeat(ctx context.Context, room string, who rooms.Participant) (*seat, error) {
	if who.ID == "" {
		who.ID = c.identity()
	}
	who.Attributes = maps.Clone(who.Attributes)
	st := &seat{c: c, who: who, muted: who.Muted, comes: who.Calling, events: make(chan rooms.Event, ready.EventsKept), open: make(chan struct{})}
	st.voice.clock = c.cfg.Clock
	st.voice.muted.Store(who.Muted)
	st.link = c.newLink(room, who.ID, func() (string, error) { return c.cfg.seatToken(room, who.ID, st.asNow()) }, st)
	if err := st.link.join(ctx); err != nil {
		return nil, err
	}
	c.count.seats.Add(1)
	if err := st.awaitOpen(ctx); err != nil {
		st.lose(err, false)
		st.link.leave(err)
		return nil, err
	}
	return st, nil
}

// awaitOpen waits until the phone can be heard.
func (st *seat) awaitOpen(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, joinTimeout, errMedia)
	defer cancel()
	select {
	case <-st.open:
		return nil
	case <-st.link.done:
		return *st.gone.Load()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// asNow returns the participant as a token of now describes it: with its hand up, if it is, and being called.
func (st *seat) asNow() rooms.Participant {
	st.mu.Lock()
	defer st.mu.Unlock()
	who := st.who
	if st.hand == "" && !st.comes {
		return who
	}
	who.Attributes = maps.Clone(who.Attributes)
	if who.Attributes == nil {
		who.Attributes = make(map[string]string)
	}
	if st.hand != "" {
		who.Attributes[handAttribute] = st.hand
	}
	if st.comes {
		who.Attributes[statusAttribute] = statusDialing
	}
	return who
}

// ID returns the participant's identity.
func (st *seat) ID() string { return st.who.ID }

// Events returns what the room asks of the phone.
func (st *seat) Events() <-chan rooms.Event { return st.events }

// WriteFrame sends one packet to the server, in the caller's goroutine. While the way is lost it drops it.
func (st *seat) WriteFrame(f *codec.Frame) error {
	if gone := st.gone.Load(); gone != nil {
		return *gone
	}
	st.voice.frame(f)
	return nil
}

// Loss returns what the server says it lost of the phone's packets lately.
func (st *seat) Loss() float64 { return st.voice.loss.now(st.c.cfg.Clock()) }

// SetMuted tells the room that the phone muted or unmuted itself.
func (st *seat) SetMuted(muted bool) error {
	if gone := st.gone.Load(); gone != nil {
		return fmt.Errorf("mute: %w", *gone)
	}
	st.mu.Lock()
	st.setMuted(muted)
	sid := st.sid
	st.mu.Unlock()
	if err := st.link.session().send(muteRequest(sid, muted)); err != nil {
		st.mu.Lock()
		st.untold = true // whatever session comes next begins with it
		st.mu.Unlock()
		return fmt.Errorf("mute: %w", err)
	}
	return nil
}

// setMuted is called with mu held.
func (st *seat) setMuted(muted bool) {
	st.muted = muted
	st.voice.muted.Store(muted)
}

func muteRequest(sid string, muted bool) *livekit.SignalRequest {
	return &livekit.SignalRequest{Message: &livekit.SignalRequest_Mute{Mute: &livekit.MuteTrackRequest{Sid: sid, Muted: muted}}}
}

// Send sends a message to everybody in the room.
func (st *seat) Send(m rooms.Message) error {
	if gone := st.gone.Load(); gone != nil {
		return fmt.Errorf("send a message: %w", *gone)
	}
	if len(m.Text) > maxNote {
		return fmt.Errorf("send a message to the room: %d bytes, more than %d", len(m.Text), maxNote)
	}
	switch m.Kind {
	case rooms.HandRaised:
		return st.raise(time.Now().UTC().Format(time.RFC3339))
	case rooms.HandLowered:
		return st.raise("")
	case rooms.Digits:
		for _, key := range m.Text {
			if err := st.publish(digitPacket(key)); err != nil {
				return err
			}
		}
	case rooms.Note:
		return st.publish(&livekit.DataPacket{Value: &livekit.DataPacket_ChatMessage{ChatMessage: &livekit.ChatMessage{
			Id: fmt.Sprintf("%s-%d", st.who.ID, time.Now().UnixNano()), Timestamp: time.Now().UnixMilli(), Message: m.Text,
		}}})
	}
	return nil
}

// raise raises the phone's hand, or with "" lowers it.
func (st *seat) raise(since string) error {
	st.mu.Lock()
	st.hand = since
	st.mu.Unlock()
	if err := st.show(handAttribute, since); err != nil {
		return fmt.Errorf("raise a hand: %w", err)
	}
	return nil
}

// Arrived tells the room that who is called has come.
func (st *seat) Arrived() error {
	if gone := st.gone.Load(); gone != nil {
		return fmt.Errorf("arrive: %w", *gone)
	}
	st.mu.Lock()
	was := st.comes
	st.comes = false
	st.mu.Unlock()
	if !was {
		return nil
	}
	if err := st.show(statusAttribute, statusActive); err != nil {
		return fmt.Errorf("arrive: %w", err)
	}
	return nil
}

// show changes an attribute of the phone.
func (st *seat) show(key, value string) error {
	m := &livekit.UpdateParticipantMetadata{Attributes: map[string]string{key: value}}
	return st.link.session().send(&livekit.SignalRequest{Message: &livekit.SignalRequest_UpdateMetadata{UpdateMetadata: m}})
}

// Close leaves the seat, and waits until nothing of it runs. It may be called more than once.
func (st *seat) Close() error {
	st.lose(rooms.ErrClosed, false)
	st.link.leave(rooms.ErrClosed)
	st.left()
	return nil
}

// lose takes the seat away, once.
func (st *seat) lose(why error, tell bool) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.ended {
		return
	}
	if tell {
		ready.Queue(st.events, rooms.Event{Kind: rooms.Removed})
	}
	st.ended = true
	st.gone.Store(&why)
	st.c.count.seats.Add(-1)
	close(st.events)
}

// event queues what the room asks.
func (st *seat) event(e rooms.Event) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if !st.ended {
		ready.Queue(st.events, e)
	}
}

func (st *seat) interrupted() { st.event(rooms.Event{Kind: rooms.Interrupted}) }
func (st *seat) resumed()     { st.event(rooms.Event{Kind: rooms.Resumed}) }
func (st *seat) over(why error) {
	st.lose(why, errors.Is(why, rooms.ErrRemoved))
}

// readReports reads what the server says of the voice, until the peer connection closes.
func (st *seat) readReports(s *session, sender *webrtc.RTPSender) {
	defer s.media.Done()
	defer st.c.recovered("a seat's reports", s.fail)
	buf := make([]byte, maxPacket)
	for {
		n, _, err := sender.Read(buf)
		if err != nil {
			return
		}
		packets, err := rtcp.Unmarshal(buf[:n])
		if err != nil {
			continue
		}
		for _, p := range packets {
			report, ok := p.(*rtcp.ReceiverReport)
			if !ok {
				continue
			}
			for _, r := range report.Reports {
				st.voice.loss.add(float64(r.FractionLost)/256, st.c.cfg.Clock())
			}
		}
	}
}

// heardData takes one data packet of the room.
func (st *seat) heardData(payload []byte) {
	var p livekit.DataPacket
	if err := proto.Unmarshal(payload, &p); err != nil || p.GetParticipantIdentity() == st.who.ID {
		return
	}
	switch v := p.GetValue().(type) {
	case *livekit.DataPacket_SipDtmf:
		// What another telephone dials is for everybody who reads it, and is not dialled on here.
		others := len(p.GetDestinationIdentities()) == 0 && strings.HasPrefix(p.GetParticipantIdentity(), telephones)
		if key := v.SipDtmf.GetDigit(); isKeys(key) && !others {
			st.event(rooms.Event{Kind: rooms.Digit, Text: key})
		}
	case *livekit.DataPacket_ChatMessage:
		if text := v.ChatMessage.GetMessage(); text != "" && len(text) <= maxNote {
			st.event(rooms.Event{Kind: rooms.Text, Text: text})
		}
	}
}
