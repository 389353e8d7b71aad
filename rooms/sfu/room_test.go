package sfu

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/coder/websocket"

	"passerelle/codec"
	"passerelle/rooms"
)

// listener is a gateway that only counts. Its voices are read after the room was closed.
type listener struct{ voices map[string]*counter }

// counter counts the packets of one voice.
type counter struct{ frames int }

func (c *counter) PushFrame(*codec.Frame) { c.frames++ }

func (l *listener) TrackAdded(id string, _ rooms.Participant) codec.Reader {
	c := &counter{}
	l.voices[id] = c
	return c
}
func (*listener) TrackRemoved(string)      {}
func (*listener) Participant(rooms.Change) {}
func (*listener) Room(rooms.State)         {}

// sit seats a phone in a room.
func sit(t testing.TB, h *house, room, name string) rooms.Seat {
	t.Helper()
	g, err := h.Open(context.Background(), room, &listener{make(map[string]*counter)})
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	s, err := g.Seat(context.Background(), rooms.Participant{Name: name, Kind: rooms.Phone})
	if err != nil {
		t.Fatalf("Seat: %v", err)
	}
	t.Cleanup(func() { _ = errors.Join(s.Close(), g.Close()) })
	return s
}

// talk speaks, faster than people do, until stop says so.
func talk(t *testing.T, speak func(n int), stop func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(patience)
	for n := 0; ; n++ {
		speak(n)
		if stop() {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("talked for %v", patience)
		}
	}
}

// hearing counts what a client hears, by payload.
func hearing(c *client, counts map[string]int) {
	for {
		select {
		case f := <-c.heard:
			counts[string(f.Payload)]++
		default:
			return
		}
	}
}

func TestTwoBrowsersAndAPhoneHearEachOther(t *testing.T) {
	t.Parallel()
	h := newHouse(t, Config{})
	ada, bob := h.enter(t, visitor{room: "board", name: "Ada"}), h.enter(t, visitor{room: "board", name: "Bob"})
	phone := sit(t, h, "board", "Phone")
	f := codec.Frame{Kind: codec.Opus, Level: 20, Voice: true, Payload: []byte("\xf8phone")}
	byAda, byBob := make(map[string]int), make(map[string]int)
	talk(t, func(int) {
		_, _ = ada.Speak([]byte("\xf8ada"), 20), bob.Speak([]byte("\xf8bob"), 20)
		f.Seq++
		f.Timestamp += frameTime
		_ = phone.WriteFrame(&f)
	}, func() bool {
		hearing(ada, byAda)
		hearing(bob, byBob)
		return byAda["\xf8bob"] > 20 && byAda["\xf8phone"] > 20 && byBob["\xf8ada"] > 20 && byBob["\xf8phone"] > 20
	})
	if n := byAda["\xf8ada"] + byBob["\xf8bob"]; n != 0 {
		t.Errorf("%d packets came back to who sent them", n)
	}
	ada.wait(t, "Ada sees both speak", func() bool {
		return ada.levels[bob.id] < speaking && ada.levels[phone.ID()] < speaking && len(ada.levels) >= 2
	})
}

func TestPhonesOfTwoGatewaysHearEachOther(t *testing.T) {
	t.Parallel()
	h := newHouse(t, Config{})
	var ends []func() error
	var ears [2]listener
	var phones [2]rooms.Seat
	for i := range 2 {
		ears[i].voices = make(map[string]*counter)
		g, err := h.Open(t.Context(), "board", &ears[i])
		if err != nil {
			t.Fatalf("Open: %v", err)
		}
		if phones[i], err = g.Seat(t.Context(), rooms.Participant{Name: "Phone", Kind: rooms.Phone}); err != nil {
			t.Fatalf("Seat: %v", err)
		}
		ends = append(ends, g.Close)
	}
	for n := range 5 {
		f := codec.Frame{Kind: codec.Opus, Seq: uint16(n), Timestamp: uint32(n) * frameTime, Payload: []byte{8}}
		_, _ = phones[0].WriteFrame(&f), phones[1].WriteFrame(&f)
	}
	for _, end := range ends {
		if err := end(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
	for i := range 2 {
		other := ears[i].voices[phones[1-i].ID()]
		if len(ears[i].voices) != 1 || other == nil || other.frames != 5 {
			t.Errorf("gateway %d heard %v, want 5 packets of the other's phone and nobody else", i, ears[i].voices)
		}
	}
}

func TestBrowserWithTCPOnly(t *testing.T) {
	t.Parallel()
	h := newHouse(t, Config{TCP: netip.MustParseAddrPort("127.0.0.1:0")})
	ada := h.enter(t, visitor{room: "board", name: "Ada", tcp: true})
	bob := h.enter(t, visitor{room: "board", name: "Bob"})
	byAda, byBob := make(map[string]int), make(map[string]int)
	talk(t, func(int) {
		_, _ = ada.Speak([]byte("\xf8ada"), 20), bob.Speak([]byte("\xf8bob"), 20)
	}, func() bool {
		hearing(ada, byAda)
		hearing(bob, byBob)
		return byAda["\xf8bob"] > 20 && byBob["\xf8ada"] > 20
	})
	pair, err := ada.pc.SCTP().Transport().ICETransport().GetSelectedCandidatePair()
	if err != nil || pair.Local.Protocol.String() != "tcp" {
		t.Errorf("Ada's connection goes over %v (%v), want TCP", pair, err)
	}
}

func TestPassword(t *testing.T) {
	t.Parallel()
	h := newHouse(t, Config{Named: []Named{{Name: "Board", Password: "sesame"}}})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if _, err := h.join(ctx, visitor{room: "board", name: "Ada", password: "sesam"}); code(err) != refusePassword {
		t.Errorf("wrong password: %v, want %q", err, refusePassword)
	}
	if _, err := h.join(ctx, visitor{room: "kitchen", name: "Ada"}); code(err) != refuseRoom {
		t.Errorf("a room that nobody named: %v, want %q", err, refuseRoom)
	}
	if _, err := h.Open(ctx, "kitchen", &listener{}); !errors.Is(err, rooms.ErrNoRoom) {
		t.Errorf("Open of it: %v, want %v", err, rooms.ErrNoRoom)
	}
	h.enter(t, visitor{room: "board", name: "Ada", password: "sesame"})
	for range passwordTries - 1 {
		_, _ = h.join(ctx, visitor{room: "board", name: "Eve", password: "1234"})
	}
	if _, err := h.join(ctx, visitor{room: "board", name: "Eve", password: "sesame"}); code(err) != refuseTries {
		t.Errorf("after %d wrong passwords: %v, want %q", passwordTries, err, refuseTries)
	}
}

// code returns why a join was refused.
func code(err error) string {
	if refused := (*refusedError)(nil); errors.As(err, &refused) {
		return refused.Code
	}
	return ""
}

func TestFullRoom(t *testing.T) {
	t.Parallel()
	h := newHouse(t, Config{MaxParticipants: 2, MaxRooms: 1})
	phone := sit(t, h, "board", "Phone")
	h.enter(t, visitor{room: "board", name: "Ada"})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if _, err := h.join(ctx, visitor{room: "board", name: "Bob"}); code(err) != refuseFull {
		t.Errorf("a third: %v, want %q", err, refuseFull)
	}
	if _, err := h.Open(ctx, "kitchen", &listener{}); !errors.Is(err, rooms.ErrFull) {
		t.Errorf("a second room: %v, want %v", err, rooms.ErrFull)
	}
	if err := phone.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	h.enter(t, visitor{room: "board", name: "Bob"})
}

func TestResume(t *testing.T) {
	t.Parallel()
	h := newHouse(t, Config{Named: []Named{{Name: "board", Password: "sesame"}}})
	ada := h.enter(t, visitor{room: "board", name: "Ada", password: "sesame"})
	bob := h.enter(t, visitor{room: "board", name: "Bob", password: "sesame"})
	_ = ada.ws.CloseNow() // the network is gone
	bob.wait(t, "Ada is lost", func() bool { return len(bob.roster) == 2 && bob.roster[0].Lost })
	again := h.enter(t, visitor{room: "board", name: "Ada", password: "sesame", resume: ada.resume})
	if again.id != ada.id {
		t.Errorf("id after coming back: %q, want %q", again.id, ada.id)
	}
	bob.wait(t, "Ada is back", func() bool { return len(bob.roster) == 2 && !bob.roster[0].Lost })
	counts := make(map[string]int)
	talk(t, func(int) { _ = again.Speak([]byte("\xf8ada"), 20) }, func() bool {
		hearing(bob, counts)
		return counts["\xf8ada"] > 10
	})
	h.enter(t, visitor{room: "board", name: "Ada", password: "sesame", resume: again.resume})
	again.wait(t, "the WebSocket before is told", func() bool { return again.ended() == endReplaced })
}

// ended returns the reason of the last ended message. Called with mu held.
func (c *client) ended() string {
	for _, m := range c.said {
		if m.Type == "ended" {
			return m.Reason
		}
	}
	return ""
}

func TestPlaceOfTheLostIsKeptForAWhile(t *testing.T) {
	t.Parallel()
	h := newHouse(t, Config{})
	ada := h.enter(t, visitor{room: "board", name: "Ada"})
	r, err := h.find("board")
	if err != nil {
		t.Fatal(err)
	}
	_ = ada.ws.CloseNow()
	h.wait(t, "Ada is lost", func() bool { r.mu.Lock(); defer r.mu.Unlock(); return r.browsers[0].lost != 0 })
	r.mu.Lock()
	r.expire(r.browsers[0].lost + keepLost - 1)
	there := len(r.browsers)
	r.expire(r.browsers[0].lost + keepLost)
	then := len(r.browsers)
	r.mu.Unlock()
	if there != 1 || then != 0 {
		t.Errorf("before the time is up %d browsers, then %d, want 1, 0", there, then)
	}
	r.sweep()
	if n := h.Stats(); n != (Stats{}) {
		t.Errorf("Stats = %+v, want nobody and no room", n)
	}
}

func TestRemovedBrowserIsTold(t *testing.T) {
	t.Parallel()
	h := newHouse(t, Config{})
	ada := h.enter(t, visitor{room: "board", name: "Ada"})
	if err := h.Mute("board", ada.id, true); err != nil {
		t.Fatalf("Mute: %v", err)
	}
	ada.wait(t, "Ada is told that she is muted", func() bool {
		return len(ada.said) > 0 && ada.said[len(ada.said)-1].Muted || len(ada.roster) > 0 && ada.roster[0].Muted
	})
	if err := h.Remove("board", ada.id); err != nil {
		t.Fatalf("Remove: %v", err)
	}
	ada.wait(t, "Ada is told", func() bool { return ada.ended() == endRemoved })
	if err := h.Remove("board", ada.id); err == nil {
		t.Errorf("Remove of nobody: no error")
	}
	h.wait(t, "the room closes", func() bool { return h.Stats() == Stats{} })
}

func TestShutdownIsTold(t *testing.T) {
	t.Parallel()
	h := newHouse(t, Config{})
	ada := h.enter(t, visitor{room: "board", name: "Ada"})
	phone := sit(t, h, "board", "Phone")
	if err := h.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	ada.wait(t, "Ada is told", func() bool { return ada.ended() == endShutdown })
	if _, ok := <-phone.Events(); ok {
		t.Errorf("an event after the end, want a closed channel")
	}
	if _, err := h.Open(t.Context(), "board", &listener{}); !errors.Is(err, rooms.ErrClosed) {
		t.Errorf("Open: %v, want %v", err, rooms.ErrClosed)
	}
}

func TestFloodOfStreamsEndsTheConnection(t *testing.T) {
	t.Parallel()
	h := newHouse(t, Config{})
	eve := h.enter(t, visitor{room: "board", name: "Eve", forges: true})
	for range 2 * maxStreams {
		if err := eve.Speak([]byte("\xf8eve"), 20); err != nil {
			t.Fatalf("Speak: %v", err)
		}
	}
	eve.wait(t, "Eve's connection is closed", func() bool { return len(eve.roster) == 1 && eve.roster[0].Lost })
}

func TestFloodOfMessagesEndsTheWebSocket(t *testing.T) {
	t.Parallel()
	h := newHouse(t, Config{})
	ada := h.enter(t, visitor{room: "board", name: "Ada"})
	for range 2 * messageBurst {
		if ada.SetMuted(true) != nil {
			break
		}
	}
	ada.wait(t, "Ada is told", func() bool {
		return len(ada.said) > 0 && ada.said[len(ada.said)-1].Code == refuseMessage
	})
}

func TestMessagesThatAreRefused(t *testing.T) {
	t.Parallel()
	h := newHouse(t, Config{})
	for name, text := range map[string]string{
		"not JSON":             "hello",
		"mute before join":     `{"type":"mute","muted":true}`,
		"offer that is no SDP": `{"type":"join","name":"Ada","offer":"v=1"}`,
		"too long":             `{"type":"join","name":"` + string(bytes.Repeat([]byte("a"), maxMessage)) + `"}`,
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			ws, _, err := h.dial(ctx, "board")
			if err != nil {
				t.Fatalf("dial: %v", err)
			}
			defer func() { _ = ws.CloseNow() }()
			if err := ws.Write(ctx, websocket.MessageText, []byte(text)); err != nil {
				t.Fatalf("write: %v", err)
			}
			for err == nil {
				_, _, err = ws.Read(ctx)
			}
			if code := websocket.CloseStatus(err); code != websocket.StatusPolicyViolation && code != websocket.StatusMessageTooBig {
				t.Errorf("closed with %v (%v), want a policy violation", code, err)
			}
		})
	}
	if n := h.Stats(); n != (Stats{}) {
		t.Errorf("Stats = %+v, want nobody and no room", n)
	}
}

func TestForeignOriginIsRefused(t *testing.T) {
	t.Parallel()
	h := newHouse(t, Config{})
	for _, origin := range []string{"https://evil.example", "", "null"} {
		_, answer, err := websocket.Dial(t.Context(), h.web.URL+"/-/ws?room=board",
			&websocket.DialOptions{HTTPHeader: http.Header{"Origin": {origin}}})
		if err == nil || answer.StatusCode != http.StatusForbidden {
			t.Errorf("Origin %q: %v, want 403", origin, err)
		}
	}
}

func TestConnectionsOfOneAddressAreBounded(t *testing.T) {
	t.Parallel()
	h := newHouse(t, Config{})
	for n := range socketsPerAddress {
		ws, _, err := h.dial(t.Context(), "board")
		if err != nil {
			t.Fatalf("WebSocket %d: %v", n+1, err)
		}
		defer func() { _ = ws.CloseNow() }()
	}
	if _, _, err := h.dial(t.Context(), "board"); err == nil {
		t.Errorf("WebSocket %d was accepted", socketsPerAddress+1)
	}
}

func TestClosedWhileItConnects(t *testing.T) {
	t.Parallel()
	h := newHouse(t, Config{})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	// Browsers that take the answer and never send a check; goleak sees whether anything stays behind.
	for n := range 5 {
		ws, _, err := h.dial(ctx, "board")
		if err != nil {
			t.Fatalf("dial: %v", err)
		}
		c := &client{h: h, ws: ws, up: make(chan struct{})}
		offer, err := c.prepare(visitor{}, 3)
		if err != nil {
			t.Fatalf("prepare: %v", err)
		}
		defer func() { _ = c.pc.GracefulClose() }()
		if err := c.say(ctx, request{Type: sayJoin, Name: fmt.Sprint("Ada ", n), Offer: offer}); err != nil {
			t.Fatalf("say: %v", err)
		}
		if m, err := c.next(ctx); err != nil || m.Type != "joined" {
			t.Fatalf("join: %+v, %v", m, err)
		}
		if n%2 == 0 {
			_ = ws.CloseNow()
		} else {
			defer func() { _ = ws.CloseNow() }()
		}
	}
	if err := h.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
}

func TestEveryAddress(t *testing.T) {
	t.Parallel()
	h := newHouse(t, Config{UDP: netip.MustParseAddrPort("0.0.0.0:0"), TCP: netip.MustParseAddrPort("0.0.0.0:0")})
	if here, _ := h.ports.udp.here(); !slices.ContainsFunc(here, netip.Addr.IsLoopback) {
		t.Errorf("listens at %v, want loopback too", here)
	}
	h.enter(t, visitor{room: "board", name: "Ada"})
	h.enter(t, visitor{room: "board", name: "Bob", tcp: true})
}

func TestPortTaken(t *testing.T) {
	t.Parallel()
	h := newHouse(t, Config{})
	udp, _ := h.Addrs()
	_, err := New(Config{UDP: udp})
	if taken := (*ListenError)(nil); !errors.As(err, &taken) || taken.Setting != "udp" || taken.Addr != udp {
		t.Errorf("New: %v, want a *ListenError of udp %v", err, udp)
	}
}

func TestAddressThatComesLater(t *testing.T) {
	t.Parallel()
	h := newHouse(t, Config{UDP: netip.MustParseAddrPort("127.0.0.1:0")})
	p := h.ports.udp
	one, two := netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("127.0.0.2")
	p.asked = netip.MustParseAddrPort("0.0.0.0:0")
	for _, c := range [][]netip.Addr{{two, one}, {two}, {one}} {
		p.addresses = func() ([]netip.Addr, error) { return c, nil }
		p.looked = time.Time{}
		p.look()
		if here, _ := p.here(); !slices.Contains(here, c[0]) || len(here) != len(c) {
			t.Errorf("listens at %v, want %v", here, c)
		}
	}
	if n := len(p.sockets); n != 2 {
		t.Errorf("%d sockets, want 2: the address may come back", n)
	}
	p.looked = time.Time{}
	p.sockets[1].seen = time.Now().Add(-2 * forgetAfter)
	p.look()
	if n := len(p.sockets); n != 1 {
		t.Errorf("%d sockets, want 1: the address went long ago", n)
	}
	h.enter(t, visitor{room: "board", name: "Ada"})
}
