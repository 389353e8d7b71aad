package sfu

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"passerelle/rooms"
)

// guarded is a house with one room that has moderators and a waiting room.
func guarded(t *testing.T, change ...func(*Config)) *house {
	cfg := Config{Named: []Named{{Name: "board", Password: "sesame", Moderator: "gavel", WaitingRoom: true}}}
	for _, c := range change {
		c(&cfg)
	}
	return newHouse(t, cfg)
}

// host enters as a moderator.
func (h *house) host(t *testing.T, name string) *client {
	return h.enter(t, visitor{room: "board", name: name, moderator: "gavel"})
}

// act sends what a moderator may.
func (c *client) act(t *testing.T, act, id string) {
	t.Helper()
	if err := c.say(t.Context(), request{Type: sayModerate, Act: act, ID: id, Number: numberFor(act)}); err != nil {
		t.Fatalf("%s: %v", act, err)
	}
}

func numberFor(act string) string {
	if act == actCall {
		return "+33123456789"
	}
	return ""
}

// knocks waits until a moderator sees n knocks, and returns them.
func (c *client) knocks(t *testing.T, n int) []knockOnPage {
	t.Helper()
	var seen []knockOnPage
	c.wait(t, fmt.Sprintf("%s sees %d knocks", c.id, n), func() bool {
		seen = c.desk().Knocks
		return len(seen) == n
	})
	return seen
}

// desk is the last desk that was told. Called with mu held.
func (c *client) desk() said {
	for _, m := range slices.Backward(c.said) {
		if m.Type == "desk" {
			return m
		}
	}
	return said{Dial: true, Knocks: make([]knockOnPage, 1000), Calls: make([]callOnPage, 1000)}
}

// refusals is how often a code was said to the client.
func (c *client) refusals(code string) (n int) {
	for _, m := range c.said {
		if m.Type == "error" && m.Code == code {
			n++
		}
	}
	return n
}

// knocker is a browser at the door, until it is let in.
type knocker struct {
	*client
	in chan error // receives once: nil is in
}

// knockAs lets a browser knock.
func (h *house) knockAs(t *testing.T, name string) *knocker {
	k := &knocker{in: make(chan error, 1)}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	go func() {
		var err error
		k.client, err = h.join(ctx, visitor{room: "board", name: name, password: "sesame"})
		k.in <- err
	}()
	return k
}

// knockByPhone lets a phone knock.
func (h *house) knockByPhone(t *testing.T, name string) (verdict <-chan error, hangup context.CancelFunc) {
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	out := make(chan error, 1)
	told := 0
	go func() {
		_, err := h.Admit(ctx, rooms.Entry{Room: "Board"}, name, func() { told++ })
		if told != 1 {
			err = fmt.Errorf("told %d times that it waits: %w", told, err)
		}
		out <- err
	}()
	return out, cancel
}

func receive(t *testing.T, what string, from <-chan error) error {
	t.Helper()
	select {
	case err := <-from:
		return err
	case <-time.After(patience):
		t.Fatalf("%s: nothing within %v", what, patience)
		return nil
	}
}

func TestAModeratorAdmitsWhoKnocks(t *testing.T) {
	t.Parallel()
	h := guarded(t)
	bob := h.knockAs(t, "Bob")
	phone, _ := h.knockByPhone(t, "+33 1 •• 89")
	h.wait(t, "both wait though nobody is there", func() bool {
		r, err := h.find("board")
		return err == nil && len(r.waiting()) == 2
	})
	if _, err := h.Admit(t.Context(), rooms.Entry{Room: "board", Moderator: true}, "Boss", func() { t.Error("a moderator waits") }); err != nil {
		t.Errorf("a moderator: %v", err)
	}
	ada := h.host(t, "Ada") // sees those who were there before
	seen := ada.knocks(t, 2)
	for _, k := range seen {
		switch k.Kind {
		case "phone":
			if k.Name != "+33 1 •• 89" {
				t.Errorf("the phone is called %q", k.Name)
			}
			ada.act(t, actAdmit, k.ID)
		default:
			if k.Name != "Bob" {
				t.Errorf("the browser is called %q", k.Name)
			}
			ada.act(t, actDecline, k.ID)
		}
	}
	if err := receive(t, "the phone", phone); err != nil {
		t.Errorf("the phone: %v", err)
	}
	var refused *refusedError
	if err := receive(t, "Bob", bob.in); !errors.As(err, &refused) || refused.Code != refuseDeclined {
		t.Errorf("Bob: %v, want to be declined", err)
	}
	again := h.knockAs(t, "Bob")
	ada.knocks(t, 1)
	ada.act(t, actAdmit, "")
	if err := receive(t, "Bob again", again.in); err != nil {
		t.Fatalf("Bob again: %v", err)
	}
	defer again.close()
	ada.knocks(t, 0)
	ada.wait(t, "Bob is there, and no moderator", func() bool {
		return len(ada.roster) == 2 && ada.roster[0].Moderator && !ada.roster[1].Moderator && ada.roster[1].Name == "Bob"
	})
}

func TestWhoGoesAwayKnocksNoMore(t *testing.T) {
	t.Parallel()
	h := guarded(t)
	ada := h.host(t, "Ada")
	phone, hangup := h.knockByPhone(t, "Phone")
	ctx, leave := context.WithTimeout(t.Context(), patience)
	defer leave()
	ws, _, err := h.dial(ctx, "board")
	if err != nil {
		t.Fatal(err)
	}
	if err := ws.Write(ctx, websocket.MessageText, encode(request{Type: sayJoin, Name: "Bob", Password: "sesame", Offer: "v=0"})); err != nil {
		t.Fatal(err)
	}
	ada.knocks(t, 2)
	hangup()
	if err := receive(t, "the phone", phone); !errors.Is(err, context.Canceled) {
		t.Errorf("the phone: %v", err)
	}
	ada.knocks(t, 1)
	_ = ws.CloseNow()
	ada.knocks(t, 0)
}

func TestAKnockIsUnansweredAfterAWhile(t *testing.T) {
	t.Parallel()
	h := guarded(t, func(c *Config) { c.Named[0].WaitingTimeout = time.Nanosecond })
	phone, _ := h.knockByPhone(t, "Phone")
	if err := receive(t, "the phone", phone); !errors.Is(err, rooms.ErrUnanswered) {
		t.Errorf("the phone: %v, want %v", err, rooms.ErrUnanswered)
	}
	var refused *refusedError
	if err := receive(t, "Bob", h.knockAs(t, "Bob").in); !errors.As(err, &refused) || refused.Code != refuseUnanswered {
		t.Errorf("Bob: %v, want it unanswered", err)
	}
	h.wait(t, "the room is closed", func() bool { return h.Stats().Rooms == 0 })
}

func TestARoomWithoutAWaitingRoomAnyMoreLetsAllIn(t *testing.T) {
	t.Parallel()
	h := guarded(t)
	phone, _ := h.knockByPhone(t, "Phone")
	bob := h.knockAs(t, "Bob")
	h.wait(t, "both wait", func() bool {
		r, err := h.find("board")
		return err == nil && len(r.waiting()) == 2
	})
	h.Rename([]Named{{Name: "board", Password: "sesame", Moderator: "gavel"}}, false)
	if err := receive(t, "the phone", phone); err != nil {
		t.Errorf("the phone: %v", err)
	}
	if err := receive(t, "Bob", bob.in); err != nil {
		t.Fatalf("Bob: %v", err)
	}
	bob.close()
}

func TestAWaitingRoomIsBounded(t *testing.T) {
	h := guarded(t)
	named := h.describe("board")
	add := func(from string) error {
		k := &knock{told: func(error) {}}
		if from != "" {
			k.from = address(from)
		}
		_, err := h.knock(named, k)
		return err
	}
	for range knocksPerAddress {
		if err := add("192.0.2.1:1"); err != nil {
			t.Fatalf("within the limit: %v", err)
		}
	}
	if err := add("192.0.2.1:1"); !errors.Is(err, rooms.ErrFull) {
		t.Errorf("one more from there: %v", err)
	}
	for range maxKnocks - knocksPerAddress {
		if err := add(""); err != nil {
			t.Fatalf("phones beside them: %v", err)
		}
	}
	if err := add(""); !errors.Is(err, rooms.ErrFull) {
		t.Errorf("one more phone: %v", err)
	}
}

func TestPasswordsMakeModerators(t *testing.T) {
	t.Parallel()
	h := newHouse(t, Config{AnyRoom: true, Named: []Named{{Name: "board", Password: "sesame", Moderator: "gavel", WaitingRoom: true}, {Name: "plain", Password: "sesame"}}})
	for _, test := range []struct {
		rule string
		visitor
		code string // "" is let in
	}{
		{"the moderator's password opens the room", visitor{room: "board", moderator: "gavel"}, ""},
		{"the room's password is no moderator's", visitor{room: "board", moderator: "sesame"}, refuseModerator},
		{"the moderator's password is not the room's", visitor{room: "board", password: "gavel"}, refusePassword},
		{"a wrong one is refused, though the other is right", visitor{room: "board", password: "sesame", moderator: "x"}, refuseModerator},
		{"a room without moderators has none", visitor{room: "plain", password: "sesame", moderator: "x"}, refuseModerator},
		{"nor has a room without a name of its own", visitor{room: "elsewhere", moderator: "x"}, refuseModerator},
		{"five wrong ones are enough", visitor{room: "board", moderator: "gavel"}, refuseTries},
	} {
		test.name = "Ada"
		c, err := h.join(t.Context(), test.visitor)
		var refused *refusedError
		switch {
		case err == nil:
			if c.wait(t, "the roster", func() bool { return len(c.roster) == 1 }); test.code != "" || !c.roster[0].Moderator {
				t.Errorf("%s: is in, as %+v", test.rule, c.roster)
			}
			c.close()
		case !errors.As(err, &refused) || refused.Code != test.code:
			t.Errorf("%s: %v, want %q", test.rule, err, test.code)
		}
	}
}

// TestOnlyModeratorsModerate: whatever a plain browser sends, it is refused and changes nothing.
func TestOnlyModeratorsModerate(t *testing.T) {
	t.Parallel()
	dialled := 0
	h := newHouse(t, Config{
		Named: []Named{{Name: "board", Moderator: "gavel"}}, MayDial: func() bool { return true },
		Dial: func(context.Context, string, string, func(DialState)) error { dialled++; return nil },
	})
	ada, eve := h.host(t, "Ada"), h.enter(t, visitor{room: "board", name: "Eve"})
	phone := sit(t, h, "board", "Phone")
	must(t, phone.Send(rooms.Message{Kind: rooms.HandRaised}))
	k := &knock{told: func(err error) { t.Errorf("the knock was answered with %v", err) }}
	if _, err := h.knock(h.describe("board"), k); err != nil {
		t.Fatal(err)
	}
	tried := 0
	for _, who := range []string{phone.ID(), ada.id, k.id, eve.id} {
		for _, act := range []string{actAdmit, actDecline, actMute, actUnmute} {
			eve.act(t, act, who)
			tried++
		}
	}
	eve.wait(t, "all are refused", func() bool { return eve.refusals(refuseRole) == tried })
	for range 4 {
		time.Sleep(time.Second / messageRate) // more would be too many messages
		eve.act(t, []string{actRemove, actLower, actCall, actHangup}[tried%4], phone.ID())
		tried++
	}
	eve.wait(t, "those too", func() bool { return eve.refusals(refuseRole) == tried })
	r, _ := h.find("board")
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.knocks) != 1 || len(r.seats) != 1 || len(r.browsers) != 2 || r.seats[0].hand == 0 || len(r.calls) != 0 || dialled != 0 {
		t.Errorf("something has changed: %d knocks, %d phones, %d browsers, %d calls", len(r.knocks), len(r.seats), len(r.browsers), len(r.calls))
	}
	for _, who := range r.people() {
		if who.Muted {
			t.Errorf("%s is muted", who.Name)
		}
	}
	for _, m := range eve.said {
		if m.Type == "desk" {
			t.Errorf("Eve was told who knocks")
		}
	}
	r.knocks = nil // it is answered when the house closes
}

func TestAModeratorMutesAndRemoves(t *testing.T) {
	t.Parallel()
	h := newHouse(t, Config{Named: []Named{{Name: "board", Moderator: "gavel"}}})
	ada, bob := h.host(t, "Ada"), h.enter(t, visitor{room: "board", name: "Bob"})
	phone, other := sit(t, h, "board", "Phone"), sit(t, h, "board", "Other")
	muted := func(want ...string) func() bool {
		return func() bool {
			var is []string
			for _, p := range ada.roster {
				if p.Muted {
					is = append(is, p.Name)
				}
			}
			return len(ada.roster) == 4 && slices.Equal(is, want)
		}
	}
	ada.act(t, actMute, phone.ID())
	ada.wait(t, "the phone is muted", muted("Phone"))
	if e := <-phone.Events(); e.Kind != rooms.Muted {
		t.Errorf("the phone is told %v", e)
	}
	ada.act(t, actMute, "")
	ada.wait(t, "all but the moderator are", muted("Bob", "Phone", "Other"))
	bob.wait(t, "Bob is told so, and may change it", func() bool {
		return slices.ContainsFunc(bob.said, func(m said) bool { return m.Type == "muted" && m.Muted && !m.Held })
	})
	must(t, phone.SetMuted(false))
	must(t, bob.SetMuted(false))
	ada.wait(t, "both unmute themselves", muted("Other"))
	ada.act(t, actRemove, other.ID())
	ada.act(t, actRemove, bob.id)
	ada.act(t, actRemove, ada.id) // means nothing
	ada.act(t, actRemove, "nobody")
	bob.wait(t, "Bob is told", func() bool {
		return slices.ContainsFunc(bob.said, func(m said) bool { return m.Type == "ended" && m.Reason == endRemoved })
	})
	ada.wait(t, "they have gone", func() bool { return len(ada.roster) == 2 && ada.roster[0].ID == ada.id })
	for e := range other.Events() {
		if e.Kind == rooms.Removed {
			return
		}
	}
	t.Error("the phone that was removed is not told so")
}

func TestWhoIsKeptMutedAsksToSpeak(t *testing.T) {
	t.Parallel()
	h := newHouse(t, Config{Named: []Named{{Name: "board", Moderator: "gavel", KeepMuted: true}}})
	ada, bob := h.host(t, "Ada"), h.enter(t, visitor{room: "board", name: "Bob"})
	phone := sit(t, h, "board", "Phone")
	ada.act(t, actMute, "")
	ada.wait(t, "both are muted", func() bool { return len(ada.roster) == 3 && ada.roster[1].Muted && ada.roster[2].Muted })
	if err := phone.SetMuted(false); !errors.Is(err, rooms.ErrHeld) {
		t.Errorf("the phone unmutes itself: %v, want %v", err, rooms.ErrHeld)
	}
	must(t, phone.SetMuted(true)) // nothing is wrong with that
	must(t, bob.SetMuted(false))
	bob.wait(t, "Bob is told again", func() bool {
		return len(slices.DeleteFunc(slices.Clone(bob.said), func(m said) bool { return m.Type != "muted" || !m.Held })) == 2
	})
	must(t, bob.say(t.Context(), request{Type: sayHand, Raised: true}))
	ada.wait(t, "Bob's hand", func() bool { return ada.roster[1].Hand == 1 })
	must(t, phone.Send(rooms.Message{Kind: rooms.HandRaised}))
	ada.wait(t, "the phone's after it", func() bool { return ada.roster[1].Hand == 1 && ada.roster[2].Hand == 2 })
	ada.act(t, actLower, bob.id)
	ada.wait(t, "the phone's is the first", func() bool { return ada.roster[1].Hand == 0 && ada.roster[2].Hand == 1 })
	ada.act(t, actLower, phone.ID())
	ada.act(t, actUnmute, phone.ID())
	ada.wait(t, "the phone may speak", func() bool { return ada.roster[2].Hand == 0 && !ada.roster[2].Muted && ada.roster[1].Muted })
	var told []rooms.EventKind // of mutes only the last
	for len(phone.Events()) > 0 {
		told = append(told, (<-phone.Events()).Kind)
	}
	if !slices.Equal(told, []rooms.EventKind{rooms.Lowered, rooms.Unmuted}) {
		t.Errorf("the phone is told %v", told)
	}
	must(t, phone.SetMuted(true))
	must(t, phone.SetMuted(false))
}

// dialler is a telephone network that does what the test says.
type dialler struct {
	mu       sync.Mutex
	allowed  bool
	progress func(DialState)
	verdict  chan error
	hungUp   int
}

func (d *dialler) may() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.allowed
}

func (d *dialler) dial(ctx context.Context, _, _ string, progress func(DialState)) error {
	d.mu.Lock()
	d.progress = progress
	d.mu.Unlock()
	select {
	case err := <-d.verdict:
		return err
	case <-ctx.Done():
		d.mu.Lock()
		defer d.mu.Unlock()
		d.hungUp++
		return ctx.Err()
	}
}

func TestAModeratorCallsOut(t *testing.T) {
	t.Parallel()
	d := &dialler{allowed: true, verdict: make(chan error)}
	h := newHouse(t, Config{Named: []Named{{Name: "board", Moderator: "gavel"}}, Dial: d.dial, MayDial: d.may})
	ada := h.host(t, "Ada")
	state := func(want ...DialState) {
		t.Helper()
		ada.wait(t, fmt.Sprint("calls that are ", want), func() bool {
			calls := ada.desk().Calls
			return slices.EqualFunc(calls, want, func(c callOnPage, s DialState) bool { return c.State == string(s) && c.Number == "+33123456789" })
		})
	}
	state()
	ada.act(t, actCall, "")
	state(Calling)
	d.progress(Ringing)
	state(Ringing)
	d.verdict <- &DialFailure{Busy, errors.New("486")}
	state(Busy)
	ada.act(t, actHangup, ada.desk().Calls[0].ID) // takes the word away
	state()
	ada.act(t, actCall, "")
	state(Calling)
	d.progress(Answered)
	state() // it has a seat now
	ada.act(t, actCall, "")
	state(Calling)
	ada.act(t, actHangup, ada.desk().Calls[0].ID)
	state()
	d.mu.Lock()
	d.allowed = false
	d.mu.Unlock()
	ada.act(t, actCall, "")
	ada.wait(t, "it is refused", func() bool { return ada.refusals(refuseCalls) == 1 })
	must(t, ada.Leave())
	d.verdict <- nil // the call that was answered goes on until now
	h.wait(t, "the room is closed", func() bool { return h.Stats().Rooms == 0 })
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.hungUp != 1 {
		t.Errorf("%d calls were hung up, want the one", d.hungUp)
	}
}

func TestCallsOutAreBounded(t *testing.T) {
	t.Parallel()
	d := &dialler{allowed: true, verdict: make(chan error)}
	h := newHouse(t, Config{Named: []Named{{Name: "board", Moderator: "gavel"}}, Dial: d.dial, MayDial: d.may})
	ada := h.host(t, "Ada")
	for range maxRinging + 1 {
		ada.act(t, actCall, "")
	}
	ada.wait(t, "one too many", func() bool { return ada.refusals(refuseCalls) == 1 && len(ada.desk().Calls) == maxRinging })
	must(t, ada.Leave()) // with nobody to answer for them they end
	h.wait(t, "the room is closed", func() bool { return h.Stats().Rooms == 0 })
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// waiting returns who knocks.
func (r *room) waiting() []*knock {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.knocks)
}
