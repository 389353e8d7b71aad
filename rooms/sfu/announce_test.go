package sfu

import (
	"context"
	"fmt"
	"testing"
	"time"

	"passerelle/codec"
	"passerelle/rooms"
)

// onPageOf joins somebody with a socket that nobody reads, so that a test can look into the outbox.
func (s *stage) onPageOf(name string, v *voice) *browser {
	sock, _ := newSocket(context.Background(), nil)
	b := &browser{room: s.room, id: name, name: name, socket: sock, voice: v, stale: true}
	s.room.browsers = append(s.room.browsers, b)
	return b
}

// told empties a browser's outbox.
func told(b *browser) (all []string) {
	for len(b.socket.outbox) > 0 {
		all = append(all, string(<-b.socket.outbox))
	}
	return all
}

func TestAnnouncements(t *testing.T) {
	s := newStage(0, 0, nil)
	one := s.actor("one")
	ada := s.onPageOf("ada", one.voice)
	step := func(what string, b *browser, want ...string) {
		t.Helper()
		s.now += announceInterval
		s.room.announce(s.now)
		if got := told(b); fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
			t.Errorf("%s: told\n%q\nwant\n%q", what, got, want)
		}
	}
	step("nothing happened", ada)
	s.room.changed()
	s.room.changed()
	step("the roster changed twice", ada, `{"type":"roster","people":[{"id":"ada","name":"ada","kind":"browser","muted":false}]}`)
	one.say(s, 40)
	one.say(s, 30)
	step("Ada speaks", ada, `{"type":"levels","levels":{"ada":30}}`)
	one.say(s, 31)
	step("as loud as before", ada)
	step("a packet is late", ada)
	one.say(s, 20)
	step("louder", ada, `{"type":"levels","levels":{"ada":20}}`)

	two := s.actor("two")
	bob := s.onPageOf("bob", two.voice)
	two.say(s, 50)
	one.say(s, 20)
	step("whoever comes learns all levels", bob, `{"type":"levels","levels":{"ada":20,"bob":50}}`)
	told(ada)
	for !ada.socket.lags() {
		ada.socket.send([]byte("x"))
	}
	two.say(s, 20)
	s.now += announceInterval
	s.room.announce(s.now)
	for _, m := range told(ada) {
		if m != "x" {
			t.Errorf("told %s while she lags", m)
		}
	}
	told(bob)
	one.say(s, codec.Silence)
	two.say(s, 20)
	step("who lagged learns what was missed", ada, `{"type":"levels","levels":{"ada":127,"bob":20}}`)
	bob.lost = s.now
	s.now += keepLost
	bob.socket = nil
	if s.room.announce(s.now); len(s.room.browsers) != 1 {
		t.Errorf("%d browsers after the time of one was up, want 1", len(s.room.browsers))
	}
}

func TestAnnouncementsOfPhones(t *testing.T) {
	s := newStage(0, 0, nil)
	ada := s.onPageOf("ada", nil)
	g := &gateway{room: s.room, listener: &listener{}}
	phone, err := s.room.addSeat(g, rooms.Participant{Name: "+33 1 •• 89", Kind: rooms.Phone})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range []rooms.Message{{Kind: rooms.HandRaised}, {Kind: rooms.Digits, Text: "1"}, {Kind: rooms.Note, Text: "<hi>"}} {
		if err := phone.Send(m); err != nil {
			t.Errorf("Send: %v", err)
		}
	}
	if err := phone.Send(rooms.Message{Kind: rooms.Note, Text: string(make([]byte, maxNote+1))}); err == nil {
		t.Errorf("Send of too much: no error")
	}
	s.room.announce(time.Hour)
	want := []string{
		`{"type":"message","from":"p1","kind":"digits","text":"1"}`,
		`{"type":"message","from":"p1","kind":"text","text":"\u003chi\u003e"}`,
		`{"type":"roster","people":[{"id":"ada","name":"ada","kind":"browser","muted":false},` +
			`{"id":"p1","name":"+33 1 •• 89","kind":"phone","muted":false,"hand":1}]}`,
	}
	if got := told(ada); fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
		t.Errorf("told\n%q\nwant\n%q", got, want)
	}
}
