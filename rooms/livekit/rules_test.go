//go:build peers

package livekit_test

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	lk "github.com/livekit/protocol/livekit"

	"passerelle/codec"
	"passerelle/rooms"
	"passerelle/rooms/livekit"
	"passerelle/rooms/livekit/livekittest"
)

// What LiveKit's rooms promise beyond the contract of package rooms.

// waiting is how long these tests wait for what must happen.
const waiting = 10 * time.Second

// witness is a listener that remembers.
type witness struct {
	mu     sync.Mutex
	people map[string]rooms.Participant
	heard  map[string]int // frames, by who said them
	states []rooms.State
}

func newWitness() *witness {
	return &witness{people: make(map[string]rooms.Participant), heard: make(map[string]int)}
}

// voiceOf is somebody's voice as a witness hears it.
type voiceOf struct {
	w  *witness
	id string
}

func (v voiceOf) PushFrame(f *codec.Frame) {
	if livekittest.Filler(f.Payload) {
		return
	}
	v.w.mu.Lock()
	defer v.w.mu.Unlock()
	v.w.heard[v.id]++
}

func (w *witness) TrackAdded(_ string, from rooms.Participant) codec.Reader {
	return voiceOf{w, from.ID}
}
func (w *witness) TrackRemoved(string) {}
func (w *witness) Participant(c rooms.Change) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if c.Kind == rooms.Left {
		delete(w.people, c.Participant.ID)
		return
	}
	w.people[c.Participant.ID] = c.Participant
}

func (w *witness) Room(s rooms.State) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.states = append(w.states, s)
}

// frames returns how many frames of somebody were heard.
func (w *witness) frames(id string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.heard[id]
}

// told returns what was said of the room as a whole.
func (w *witness) told() []rooms.State {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.states)
}

// soon asks again and again until ok.
func soon(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(waiting)
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("%s: not within %v", what, waiting)
		}
	}
}

// open opens a room for the test.
func open(t *testing.T, c *livekit.Cluster, name string) (rooms.Room, *witness) {
	t.Helper()
	w := newWitness()
	room, err := c.Open(t.Context(), name, w)
	if err != nil {
		t.Fatalf("Open(%q): %v", name, err)
	}
	t.Cleanup(func() { _ = room.Close() })
	return room, w
}

// seat takes a seat for the test.
func seat(t *testing.T, room rooms.Room, who rooms.Participant) rooms.Seat {
	t.Helper()
	s, err := room.Seat(t.Context(), who)
	if err != nil {
		t.Fatalf("Seat: %v", err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// phone is who sits there where it does not matter.
func phone() rooms.Participant { return rooms.Participant{Name: "Phone", Kind: rooms.Phone} }

// next returns a seat's next event.
func next(t *testing.T, s rooms.Seat) rooms.Event {
	t.Helper()
	select {
	case e, ok := <-s.Events():
		if !ok {
			t.Fatal("the seat is lost")
		}
		return e
	case <-time.After(waiting):
		t.Fatalf("no event within %v", waiting)
	}
	return rooms.Event{}
}

// packet returns the next data packet of a kind.
func packet[T any](t *testing.T, p *livekittest.Person) (T, *lk.DataPacket) {
	t.Helper()
	deadline := time.After(waiting)
	for {
		select {
		case m := <-p.Data():
			if v, ok := m.GetValue().(any).(T); ok {
				return v, m
			}
		case <-deadline:
			t.Fatalf("no such data packet within %v", waiting)
		}
	}
}

// identities returns who the server itself says is in a room, hidden participants included.
func identities(t *testing.T, room string) []string {
	t.Helper()
	all, err := shared.API().List(t.Context(), room)
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, p := range all {
		ids = append(ids, p.GetIdentity())
	}
	return ids
}

func TestNobodySeesTheListener(t *testing.T) {
	t.Parallel()
	ada := livekittest.Join(t, shared, t.Name(), "Ada", livekittest.JoinOptions{})
	room, w := open(t, cluster(t, shared), t.Name())
	s := seat(t, room, phone())
	soon(t, "Ada sees the phone", func() bool { return len(ada.Roster()) == 2 })
	if n := len(identities(t, t.Name())); n != 3 {
		t.Errorf("%d participants on the server, want Ada, the phone and the listener", n)
	}
	for _, who := range ada.Roster() {
		if who.ID != ada.ID() && who.ID != s.ID() {
			t.Errorf("Ada sees %q", who.ID)
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.people) != 2 {
		t.Errorf("the listener knows %v, want Ada and the phone, not itself", w.people)
	}
}

func TestNothingIsLeftOfARoom(t *testing.T) {
	t.Parallel()
	ada := livekittest.Join(t, shared, t.Name(), "Ada", livekittest.JoinOptions{})
	room, _ := open(t, cluster(t, shared), t.Name())
	s := seat(t, room, phone())
	if err := errors.Join(s.Close(), room.Close()); err != nil {
		t.Fatalf("close: %v", err)
	}
	soon(t, "only Ada is left", func() bool { return slices.Equal(identities(t, t.Name()), []string{ada.ID()}) })
	if err := ada.Leave(); err != nil {
		t.Fatal(err)
	}
	soon(t, "the server closes the room: nobody of ours keeps it open", func() bool {
		all, err := shared.API().Rooms(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return !slices.ContainsFunc(all, func(r *lk.Room) bool { return r.GetName() == t.Name() })
	})
}

func TestPhonesOfAnotherGatewayAreHeardAndOursAreNot(t *testing.T) {
	t.Parallel()
	var ears [2]*witness
	var phones [2]rooms.Seat
	for i := range phones {
		room, w := open(t, cluster(t, shared), t.Name())
		ears[i], phones[i] = w, seat(t, room, phone())
	}
	f := codec.Frame{Kind: codec.Opus, Level: 20, Voice: true, Payload: []byte("\xf8phone")}
	soon(t, "each gateway hears the other's phone", func() bool {
		f.Seq++
		f.Timestamp += 960
		_, _ = phones[0].WriteFrame(&f), phones[1].WriteFrame(&f)
		return ears[0].frames(phones[1].ID()) > 20 && ears[1].frames(phones[0].ID()) > 20
	})
	for i := range phones {
		if n := ears[i].frames(phones[i].ID()); n > 0 {
			t.Errorf("gateway %d hears %d frames of its own phone", i, n)
		}
	}
}

func TestAPhoneAsTheServerKnowsIt(t *testing.T) {
	t.Parallel()
	room, _ := open(t, cluster(t, shared), t.Name())
	attributes := map[string]string{"sip.callID": "call-1", "sip.phoneNumber": "+33 1 •• •• •• 89", "color": "#4a9"}
	s := seat(t, room, rooms.Participant{Name: "+33 1 •• •• •• 89", Kind: rooms.Phone, Attributes: attributes})
	if err := shared.API().StoreAnew(t.Context(), t.Name(), s.ID()); err != nil {
		t.Fatal(err)
	}
	var p *lk.ParticipantInfo
	soon(t, "the server has written the phone down", func() bool {
		var err error
		p, err = shared.API().Get(t.Context(), t.Name(), s.ID())
		return err == nil && len(p.GetTracks()) > 0
	})
	if p.GetKind() != lk.ParticipantInfo_SIP || p.GetName() != "+33 1 •• •• •• 89" || !strings.HasPrefix(p.GetIdentity(), "sip_") {
		t.Errorf("the server knows a %v %q (%q), want a SIP participant by its name", p.GetKind(), p.GetName(), p.GetIdentity())
	}
	for key, want := range attributes {
		if got := p.GetAttributes()[key]; got != want {
			t.Errorf("attribute %s is %q, want %q", key, got, want)
		}
	}
	if may := p.GetPermission(); may.GetCanSubscribe() || !may.GetCanPublish() || !may.GetCanPublishData() || may.GetHidden() {
		t.Errorf("it may %v, want to publish sound and data, and to be seen", may)
	}
	if tracks := p.GetTracks(); len(tracks) != 1 || tracks[0].GetSource() != lk.TrackSource_MICROPHONE || !tracks[0].GetDisableRed() ||
		!strings.EqualFold(tracks[0].GetMimeType(), "audio/opus") {
		t.Errorf("it publishes %v, want one microphone in Opus without RED", tracks)
	}
}

func TestAPhonesOwnMuteIsTheServers(t *testing.T) {
	t.Parallel()
	room, _ := open(t, cluster(t, shared), t.Name())
	s := seat(t, room, phone())
	for _, muted := range []bool{true, false} {
		if err := s.SetMuted(muted); err != nil {
			t.Fatal(err)
		}
		soon(t, "the server is told", func() bool {
			p, err := shared.API().Get(t.Context(), t.Name(), s.ID())
			return err == nil && len(p.GetTracks()) == 1 && p.GetTracks()[0].GetMuted() == muted
		})
	}
}

func TestDigitsToAndFromTheRoom(t *testing.T) {
	t.Parallel()
	ada := livekittest.Join(t, shared, t.Name(), "Ada", livekittest.JoinOptions{})
	room, _ := open(t, cluster(t, shared), t.Name())
	one, two := seat(t, room, phone()), seat(t, room, phone())
	soon(t, "Ada sees both phones", func() bool { return len(ada.Roster()) == 3 })

	if err := one.Send(rooms.Message{Kind: rooms.Digits, Text: "5#"}); err != nil {
		t.Fatalf("Send: %v", err)
	}
	for _, want := range []*lk.SipDTMF{{Code: 5, Digit: "5"}, {Code: 11, Digit: "#"}} {
		got, m := packet[*lk.DataPacket_SipDtmf](t, ada)
		if got.SipDtmf.GetDigit() != want.GetDigit() || got.SipDtmf.GetCode() != want.GetCode() || m.GetParticipantIdentity() != one.ID() {
			t.Errorf("Ada gets %v from %q, want %v from %q", got.SipDtmf, m.GetParticipantIdentity(), want, one.ID())
		}
	}

	key := &lk.DataPacket{Value: &lk.DataPacket_SipDtmf{SipDtmf: &lk.SipDTMF{Code: 10, Digit: "*"}}}
	if err := ada.SendData(key, one.ID()); err != nil {
		t.Fatal(err)
	}
	if e := next(t, one); e != (rooms.Event{Kind: rooms.Digit, Text: "*"}) {
		t.Errorf("the phone gets %+v, want to dial *", e)
	}
	if err := ada.SendData(key); err != nil { // to whom it may concern: both phones
		t.Fatal(err)
	}
	if e := next(t, two); e != (rooms.Event{Kind: rooms.Digit, Text: "*"}) {
		t.Errorf("the first thing that the other phone is told is %+v, want Ada's *", e)
	}
}

func TestTextToAndFromTheRoom(t *testing.T) {
	t.Parallel()
	ada := livekittest.Join(t, shared, t.Name(), "Ada", livekittest.JoinOptions{})
	room, _ := open(t, cluster(t, shared), t.Name())
	s := seat(t, room, phone())
	soon(t, "Ada sees the phone", func() bool { return len(ada.Roster()) == 2 })
	if err := s.Send(rooms.Message{Kind: rooms.Note, Text: "bonjour"}); err != nil {
		t.Fatalf("Send: %v", err)
	}
	if got, _ := packet[*lk.DataPacket_ChatMessage](t, ada); got.ChatMessage.GetMessage() != "bonjour" {
		t.Errorf("Ada reads %q", got.ChatMessage.GetMessage())
	}
	if err := ada.SendData(&lk.DataPacket{Value: &lk.DataPacket_ChatMessage{ChatMessage: &lk.ChatMessage{Id: "1", Message: "salut"}}}); err != nil {
		t.Fatal(err)
	}
	if e := next(t, s); e != (rooms.Event{Kind: rooms.Text, Text: "salut"}) {
		t.Errorf("the phone gets %+v, want the text salut", e)
	}
}

func TestARaisedHandIsAnAttribute(t *testing.T) {
	t.Parallel()
	ada := livekittest.Join(t, shared, t.Name(), "Ada", livekittest.JoinOptions{})
	room, _ := open(t, cluster(t, shared), t.Name())
	s := seat(t, room, phone())
	up := func() bool {
		return slices.ContainsFunc(ada.Roster(), func(p rooms.Participant) bool { return p.ID == s.ID() && p.Attributes["handRaisedAt"] != "" })
	}
	for _, raised := range []bool{true, false} {
		kind := rooms.HandLowered
		if raised {
			kind = rooms.HandRaised
		}
		if err := s.Send(rooms.Message{Kind: kind}); err != nil {
			t.Fatalf("Send: %v", err)
		}
		soon(t, "Ada is told of the hand", func() bool { return up() == raised })
	}
}

func TestADeletedRoomEndsForPhonesAndListener(t *testing.T) {
	t.Parallel()
	room, w := open(t, cluster(t, shared), t.Name())
	s := seat(t, room, phone())
	if err := shared.API().DeleteRoom(t.Context(), t.Name()); err != nil {
		t.Fatal(err)
	}
	select {
	case e, ok := <-s.Events():
		if ok {
			t.Errorf("event %+v, want the end: nobody removed this phone", e)
		}
	case <-time.After(waiting):
		t.Fatalf("the seat is still there after %v", waiting)
	}
	soon(t, "the listener is told", func() bool { return slices.Equal(w.told(), []rooms.State{rooms.Ended}) })
	if err := s.WriteFrame(&codec.Frame{Kind: codec.Opus, Payload: []byte{8}}); !errors.Is(err, rooms.ErrClosed) {
		t.Errorf("WriteFrame: %v, want %v", err, rooms.ErrClosed)
	}
	if _, err := room.Seat(t.Context(), phone()); !errors.Is(err, rooms.ErrClosed) {
		t.Errorf("Seat: %v, want %v", err, rooms.ErrClosed)
	}
}

func TestEncryptedRoomsAreRefused(t *testing.T) {
	t.Parallel()
	livekittest.Join(t, shared, t.Name(), "Ada", livekittest.JoinOptions{Encrypted: true})
	c := cluster(t, shared)
	soon(t, "the room is refused once Ada's voice is there", func() bool {
		room, err := c.Open(t.Context(), t.Name(), newWitness())
		if err == nil {
			_ = room.Close()
		}
		return errors.Is(err, rooms.ErrEncrypted)
	})
}

func TestARoomThatBecomesEncryptedIsTold(t *testing.T) {
	t.Parallel()
	_, w := open(t, cluster(t, shared), t.Name())
	livekittest.Join(t, shared, t.Name(), "Ada", livekittest.JoinOptions{Encrypted: true})
	soon(t, "the listener is told", func() bool { return slices.Contains(w.told(), rooms.Encrypted) })
}

func TestWhatRunsIsTold(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, before, after string // metadata of the room
		want                []rooms.State
	}{
		{"a recording begins", `{}`, `{"recording_status": "started", "recording_mode": "screen_recording"}`, []rooms.State{rooms.RecordingOn}},
		{"a recording runs at entry, and ends", `{"recording_status": "started", "recording_mode": "screen_recording"}`,
			`{"recording_status": "saving", "recording_mode": "screen_recording"}`, []rooms.State{rooms.RecordingOn, rooms.RecordingOff}},
		{"a transcription begins", ``, `{"recording_status": "starting", "recording_mode": "transcript"}`, []rooms.State{rooms.TranscriptionOn}},
		{"a recording is broken off", `{"recording_status": "starting", "recording_mode": "screen_recording"}`,
			`{"recording_status": "aborted", "recording_mode": "screen_recording"}`, []rooms.State{rooms.RecordingOn, rooms.RecordingOff}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if err := shared.API().CreateRoom(t.Context(), t.Name(), c.before); err != nil {
				t.Fatal(err)
			}
			_, w := open(t, cluster(t, shared), t.Name())
			if err := shared.API().UpdateRoomMetadata(t.Context(), t.Name(), c.after); err != nil {
				t.Fatal(err)
			}
			soon(t, "all is told", func() bool { return len(w.told()) >= len(c.want) })
			if got := w.told(); !slices.Equal(got, c.want) {
				t.Errorf("the listener is told %v, want %v", got, c.want)
			}
		})
	}
}

func TestTheWrongSecretOpensNothing(t *testing.T) {
	t.Parallel()
	const secret = "the-wrong-secret-but-as-long-as-a-right-one"
	c, err := livekit.New(livekit.Config{URL: shared.URL(), Key: shared.Key, Secret: secret})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	_, err = c.Open(t.Context(), t.Name(), newWitness())
	if err == nil || errors.Is(err, rooms.ErrNoRoom) {
		t.Errorf("Open: %v, want an error that is no missing room", err)
	}
	if err != nil && (strings.Contains(err.Error(), secret) || strings.Contains(err.Error(), "eyJ")) {
		t.Errorf("the error holds a secret or a token: %v", err)
	}
}
