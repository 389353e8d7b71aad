package livekit

import (
	"strings"
	"testing"

	"github.com/livekit/protocol/livekit"
	"google.golang.org/protobuf/proto"

	"passerelle/rooms"
	"passerelle/rooms/internal/ready"
)

func messages() []*livekit.SignalResponse {
	ada := &livekit.ParticipantInfo{Identity: "ada", Sid: "PA_1", Version: 2, Tracks: []*livekit.TrackInfo{
		{Sid: "TR_1", Type: livekit.TrackType_AUDIO, Source: livekit.TrackSource_MICROPHONE, Muted: true},
	}}
	update := func(all ...*livekit.ParticipantInfo) *livekit.SignalResponse {
		return &livekit.SignalResponse{Message: &livekit.SignalResponse_Update{Update: &livekit.ParticipantUpdate{Participants: all}}}
	}
	return []*livekit.SignalResponse{
		{},
		{Message: &livekit.SignalResponse_Join{}},
		{Message: &livekit.SignalResponse_Join{Join: &livekit.JoinResponse{OtherParticipants: []*livekit.ParticipantInfo{ada}}}},
		update(ada, nil),
		update(&livekit.ParticipantInfo{Identity: "ada", Sid: "PA_1", State: livekit.ParticipantInfo_DISCONNECTED}),
		{Message: &livekit.SignalResponse_Leave{Leave: &livekit.LeaveRequest{Action: livekit.LeaveRequest_RESUME}}},
		{Message: &livekit.SignalResponse_Mute{Mute: &livekit.MuteTrackRequest{Sid: "TR_9", Muted: true}}},
		{Message: &livekit.SignalResponse_TrackPublished{TrackPublished: &livekit.TrackPublishedResponse{Cid: "voice", Track: &livekit.TrackInfo{Sid: "TR_9"}}}},
		{Message: &livekit.SignalResponse_Answer{Answer: &livekit.SessionDescription{Sdp: "v=0"}}},
		{Message: &livekit.SignalResponse_Trickle{Trickle: &livekit.TrickleRequest{CandidateInit: `{"candidate":"candidate:1"}`}}},
		{Message: &livekit.SignalResponse_RoomUpdate{RoomUpdate: &livekit.RoomUpdate{Room: &livekit.Room{Metadata: `{"recording_status":1}`}}}},
	}
}

// FuzzMessage lets a server say anything to a listener and to a phone. The listener's roster stays in order, as
// the test's listener checks, and nothing panics.
func FuzzMessage(f *testing.F) {
	for _, m := range messages() {
		data, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	c := newTestCluster(f, "ws://127.0.0.1:1")
	f.Fuzz(func(t *testing.T, data []byte) {
		m := &livekit.SignalResponse{}
		if proto.Unmarshal(data, m) != nil || m.GetOffer() != nil { // an offer is pion's to read
			return
		}
		r := &room{c: c, name: "board", l: newListener(t), roster: newRoster(c.prefix), seats: make(map[*seat]struct{}), news: make(chan struct{})}
		r.ear.r = r
		r.link = c.newLink("board", "sip_1", minted, r)
		st := &seat{c: c, who: rooms.Participant{ID: "sip_2"}, events: make(chan rooms.Event, ready.EventsKept)}
		st.link = c.newLink("board", "sip_2", minted, st)
		for _, l := range []*link{r.link, st.link} {
			s := newSession(l)
			for range 2 {
				_ = l.take(s, m)
			}
			s.hang()
			l.end(errClosed)
		}
		for _, sid := range r.wanted() {
			if who, ok := r.roster.owner(sid); !ok || strings.HasPrefix(who.ID, c.prefix) {
				t.Errorf("track %q is wanted, of %q", sid, who.ID)
			}
		}
	})
}

// FuzzData lets the room say anything to a phone: only keys of a telephone and bounded text reach it.
func FuzzData(f *testing.F) {
	for _, p := range []*livekit.DataPacket{
		digitPacket('5'), digitPacket('#'),
		{Value: &livekit.DataPacket_SipDtmf{SipDtmf: &livekit.SipDTMF{Digit: "12x"}}},
		{Value: &livekit.DataPacket_ChatMessage{ChatMessage: &livekit.ChatMessage{Message: "hello"}}},
		{Value: &livekit.DataPacket_User{}}, {},
	} {
		data, err := proto.Marshal(p)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		st := &seat{who: rooms.Participant{ID: "sip_2"}, events: make(chan rooms.Event, ready.EventsKept)}
		st.heardData(data)
		for len(st.events) > 0 {
			switch e := <-st.events; e.Kind {
			case rooms.Digit:
				if !isKeys(e.Text) {
					t.Errorf("the phone is to dial %q", e.Text)
				}
			case rooms.Text:
				if e.Text == "" || len(e.Text) > maxNote {
					t.Errorf("the phone is told %d bytes", len(e.Text))
				}
			default:
				t.Errorf("event %d", e.Kind)
			}
		}
	})
}

// FuzzCandidates: what is taken out of a description is candidates, and all else stays.
func FuzzCandidates(f *testing.F) {
	f.Add("v=0\r\na=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\nm=audio 9\r\na=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\na=end-of-candidates\r\n")
	f.Add("a=candidate:")
	f.Fuzz(func(t *testing.T, text string) {
		kept, candidates := withoutCandidates(text)
		again, none := withoutCandidates(kept)
		if again != kept || len(none) > 0 {
			t.Errorf("a second time: %q and %d candidates, want %q and none", again, len(none), kept)
		}
		if len(candidates) == 0 && !strings.Contains(text, "a=end-of-candidates") && kept != text {
			t.Errorf("%q became %q", text, kept)
		}
	})
}
