package roomstest

import (
	"slices"
	"testing"

	"passerelle/rooms"
)

// rosterRules say who is told what about whom.
func rosterRules() []rule {
	return []rule{
		{"everybody is told in the roster, those before too", everybodyTold},
		{"the room sees a seat as a phone", seenAsPhone},
		{"listeners are told a seat's attributes", attributesAreTold},
		{"who is called is so until it has come", calledUntilArrived},
		{"ids are unique however people are called", idsUnique},
		{"a voice ends before its owner leaves", voiceEndsFirst},
		{"mute in step both ways", muteInStep},
		{"a browser's own mute is told", browserMutes},
		{"a muted phone is not heard", mutedNotHeard},
		{"a muted browser is not heard", mutedBrowserNotHeard},
		{"a mute and an unmute that nobody read become the last", muteCoalesces},
		{"messages are taken", messagesTaken},
	}
}

func everybodyTold(t *testing.T, h Harness) {
	ada := h.Join(t, "board", "Ada")
	room, l := enter(t, h, "board")
	if got := l.joined(ada.ID()); got.Name != "Ada" || got.Kind != rooms.Browser {
		t.Errorf("who was there before: %+v, want the browser Ada", got)
	}
	s := sit(t, room, "Phone")
	if got := l.joined(s.ID()); got.Name != "Phone" || got.Kind != rooms.Phone {
		t.Errorf("an own seat: %+v, want the phone Phone", got)
	}
	bob := h.Join(t, "board", "Bob")
	if got := l.joined(bob.ID()); got.Name != "Bob" {
		t.Errorf("who came later: %+v, want Bob", got)
	}
	if err := bob.Leave(); err != nil {
		t.Fatalf("Leave: %v", err)
	}
	l.left(bob.ID())
	if err := s.Close(); err != nil {
		t.Fatalf("close seat: %v", err)
	}
	l.left(s.ID())
	eventually(t, "Ada sees neither Bob nor the phone", func() bool { return len(ada.Roster()) == 1 })
}

func seenAsPhone(t *testing.T, h Harness) {
	ada := h.Join(t, "board", "Ada")
	room, _ := enter(t, h, "board")
	s, err := room.Seat(t.Context(), rooms.Participant{Name: "+33 1 •• •• •• 89", Kind: rooms.Phone, Muted: true})
	if err != nil {
		t.Fatalf("Seat: %v", err)
	}
	defer func() { _ = s.Close() }()
	eventually(t, "Ada sees the phone, muted", func() bool {
		p, ok := find(ada, s.ID())
		return ok && p.Kind == rooms.Phone && p.Name == "+33 1 •• •• •• 89" && p.Muted
	})
}

func attributesAreTold(t *testing.T, h Harness) {
	room, l := enter(t, h, "board")
	s, err := room.Seat(t.Context(), rooms.Participant{Name: "Bob", Kind: rooms.Phone, Attributes: map[string]string{"sip.callID": "42"}})
	if err != nil {
		t.Fatalf("Seat: %v", err)
	}
	defer func() { _ = s.Close() }()
	l.wait("the listener is told", func() bool { p, ok := l.people[s.ID()]; return ok && p.Attributes["sip.callID"] == "42" })
}

func calledUntilArrived(t *testing.T, h Harness) {
	ada := h.Join(t, "board", "Ada")
	room, l := enter(t, h, "board")
	s, err := room.Seat(t.Context(), rooms.Participant{Name: "Bob", Kind: rooms.Phone, Calling: true})
	if err != nil {
		t.Fatalf("Seat: %v", err)
	}
	defer func() { _ = s.Close() }()
	for _, calling := range []bool{true, false} {
		l.wait("the listener is told", func() bool { p, ok := l.people[s.ID()]; return ok && p.Calling == calling })
		eventually(t, "Ada is told", func() bool { p, ok := find(ada, s.ID()); return ok && p.Calling == calling })
		if err := s.Arrived(); err != nil {
			t.Fatalf("Arrived: %v", err)
		}
	}
}

func idsUnique(t *testing.T, h Harness) {
	room, l := enter(t, h, "board")
	ids := []string{sit(t, room, "Phone").ID(), sit(t, room, "Phone").ID(), h.Join(t, "board", "Phone").ID()}
	for _, id := range ids {
		if id == "" {
			t.Errorf("an id is empty: %q", ids)
			continue
		}
		l.joined(id)
	}
	slices.Sort(ids)
	if len(slices.Compact(ids)) != 3 {
		t.Errorf("ids %q, want three that differ", ids)
	}
}

func voiceEndsFirst(t *testing.T, h Harness) {
	room, l := enter(t, h, "board")
	sit(t, room, "Phone")
	ada := h.Join(t, "board", "Ada")
	id := ada.ID()
	pace(t, "Ada heard", func(int) { _ = ada.Speak(tone("ada"), 30) }, func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.trackOf(id) != nil
	})
	if err := ada.Leave(); err != nil {
		t.Fatalf("Leave: %v", err)
	}
	l.wait("Ada left", func() bool {
		_, there := l.people[id]
		if !there && l.trackOf(id) != nil {
			t.Errorf("Ada has left, and her track is still there")
			return true
		}
		return !there
	})
}

func muteInStep(t *testing.T, h Harness) {
	ada := h.Join(t, "board", "Ada")
	room, l := enter(t, h, "board")
	s := sit(t, room, "Phone")
	for _, muted := range []bool{true, false} {
		if err := ada.MutePhone(s.ID(), muted); err != nil {
			t.Fatalf("MutePhone(%v): %v", muted, err)
		}
		want := rooms.Unmuted
		if muted {
			want = rooms.Muted
		}
		if e := next(t, s); e.Kind != want {
			t.Errorf("after MutePhone(%v): event %v, want %v", muted, e.Kind, want)
		}
		l.wait("the listener is told", func() bool { return l.people[s.ID()].Muted == muted })
	}
	for _, muted := range []bool{true, false} {
		if err := s.SetMuted(muted); err != nil {
			t.Fatalf("SetMuted(%v): %v", muted, err)
		}
		l.wait("the listener is told", func() bool { return l.people[s.ID()].Muted == muted })
		eventually(t, "Ada is told", func() bool { p, ok := find(ada, s.ID()); return ok && p.Muted == muted })
	}
	select {
	case e := <-s.Events():
		t.Errorf("the phone's own mute came back to it as event %v", e.Kind)
	default:
	}
}

func browserMutes(t *testing.T, h Harness) {
	room, l := enter(t, h, "board")
	sit(t, room, "Phone")
	ada := h.Join(t, "board", "Ada")
	for _, muted := range []bool{true, false} {
		if err := ada.SetMuted(muted); err != nil {
			t.Fatalf("SetMuted(%v): %v", muted, err)
		}
		l.wait("the listener is told", func() bool { return l.people[ada.ID()].Muted == muted })
	}
}

func mutedNotHeard(t *testing.T, h Harness) {
	ada := h.Join(t, "board", "Ada")
	room, _ := enter(t, h, "board")
	one, two := seatStream{seat: sit(t, room, "One")}, seatStream{seat: sit(t, room, "Two")}
	if err := ada.MutePhone(one.seat.ID(), true); err != nil {
		t.Fatalf("MutePhone: %v", err)
	}
	if e := next(t, one.seat); e.Kind != rooms.Muted {
		t.Fatalf("event %v, want Muted", e.Kind)
	}
	pace(t, "the other phone heard", func(int) {
		_ = one.write(tone("one"))
		_ = two.write(tone("two"))
	}, func() func() bool {
		heard := 0
		return func() bool {
			for {
				select {
				case f := <-ada.Heard():
					if string(f.Payload[1:]) == "one" {
						t.Fatal("the muted phone is heard")
					}
					heard++
				default:
					return heard > 20
				}
			}
		}
	}())
}

func mutedBrowserNotHeard(t *testing.T, h Harness) {
	room, l := enter(t, h, "board")
	sit(t, room, "Phone")
	ada, bob := h.Join(t, "board", "Ada"), h.Join(t, "board", "Bob")
	heard := func(p Person) int {
		l.mu.Lock()
		defer l.mu.Unlock()
		if track := l.trackOf(p.ID()); track != nil {
			return len(track.frames)
		}
		return 0
	}
	pace(t, "Ada heard", func(int) { _ = ada.Speak(tone("ada"), 30) }, func() bool { return heard(ada) > 5 })
	if err := ada.SetMuted(true); err != nil {
		t.Fatalf("SetMuted: %v", err)
	}
	l.wait("the listener is told", func() bool { return l.people[ada.ID()].Muted })
	pace(t, "Bob heard", func(int) { _ = bob.Speak(tone("bob"), 30) }, func() bool { return heard(bob) > 5 })
	before := heard(ada) // what was under way when she muted has arrived
	bobs := heard(bob)
	pace(t, "Bob heard", func(int) {
		_ = ada.Speak(tone("ada"), 30)
		_ = bob.Speak(tone("bob"), 30)
	}, func() bool { return heard(bob) > bobs+20 })
	if after := heard(ada); after != before {
		t.Errorf("%d frames of Ada were heard while she was muted", after-before)
	}
}

func muteCoalesces(t *testing.T, h Harness) {
	ada := h.Join(t, "board", "Ada")
	room, l := enter(t, h, "board")
	s := sit(t, room, "Phone")
	for n := range 21 {
		if err := ada.MutePhone(s.ID(), n%2 == 0); err != nil {
			t.Fatalf("MutePhone: %v", err)
		}
		l.wait("the listener is told", func() bool { return l.people[s.ID()].Muted == (n%2 == 0) })
	}
	e := next(t, s)
	if e.Kind == rooms.Unmuted { // the listener was told of the last sooner than the phone
		e = next(t, s)
	}
	if e.Kind != rooms.Muted {
		t.Errorf("event %v, want Muted, the last of 21", e.Kind)
	}
	select {
	case e := <-s.Events():
		t.Errorf("one more event: %v", e.Kind)
	default:
	}
}

func messagesTaken(t *testing.T, h Harness) {
	room, _ := enter(t, h, "board")
	s := sit(t, room, "Phone")
	for _, m := range []rooms.Message{{Kind: rooms.HandRaised}, {Kind: rooms.HandLowered}, {Kind: rooms.Digits, Text: "12#"},
		{Kind: rooms.Note, Text: "hello"}} {
		if err := s.Send(m); err != nil {
			t.Errorf("Send(%v): %v", m, err)
		}
	}
}
