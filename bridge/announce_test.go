package bridge

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"passerelle/bridge/ivr"
	"passerelle/codec"
	"passerelle/codec/g711"
	"passerelle/codec/score"
	"passerelle/config"
	"passerelle/rooms"
)

// TestWhoIsAnnounced: others, in rooms that are not large, not all at once, and not those who were there before.
func TestWhoIsAnnounced(t *testing.T) {
	const in = time.Minute
	for _, tt := range []struct {
		rule string
		m    movement
		last time.Duration // since it was told; 0 is never
		at   time.Duration // since it came in
		want bool
	}{
		{"somebody comes", movement{who: "b", people: 2}, 0, 10 * time.Second, true},
		{"somebody leaves", movement{who: "b", left: true, people: 1}, 0, 10 * time.Second, true},
		{"itself", movement{who: "a", people: 2}, 0, 10 * time.Second, false},
		{"whoever was there before", movement{who: "b", people: 2}, 0, time.Second, false},
		{"soon after another", movement{who: "b", people: 3}, 2 * time.Second, 10 * time.Second, false},
		{"a while after another", movement{who: "b", people: 3}, 3 * time.Second, 10 * time.Second, true},
		{"the last of a small room", movement{who: "b", people: announceMost}, 0, 10 * time.Second, true},
		{"into a large room", movement{who: "b", people: announceMost + 1}, 0, 10 * time.Second, false},
	} {
		a := announcer{own: "a", since: in}
		if tt.last > 0 {
			a.last = in + tt.at - tt.last
		}
		before := a.last
		if got := a.tells(tt.m, in+tt.at); got != tt.want || got != (a.last != before) {
			t.Errorf("%s: %v, want %v, told at %v", tt.rule, got, tt.want, a.last)
		}
	}
}

// TestBoardTellsOfMovements: once each, recorders left out, to those who follow; whoever is slow is not waited for.
func TestBoardTellsOfMovements(t *testing.T) {
	var said callerNames
	said.keep("c1", []int16{1})
	b := newBoard(&said)
	change := func(kind rooms.ChangeKind, id, call string, part rooms.PartKind) {
		b.roster(rooms.Change{Kind: kind, Participant: rooms.Participant{ID: id, Kind: part, Attributes: map[string]string{nameKey: call}}})
	}
	change(rooms.Joined, "before", "", rooms.Browser)
	comings, stop := b.follow()
	change(rooms.Joined, "a", "c1", rooms.Phone)
	change(rooms.Changed, "a", "c1", rooms.Phone)
	change(rooms.Joined, "egress", "", rooms.Agent)
	said.keep("c1", nil) // the call is over
	change(rooms.Left, "a", "c1", rooms.Phone)
	change(rooms.Left, "a", "c1", rooms.Phone)
	for _, want := range []movement{{who: "a", people: 2, name: []int16{1}}, {who: "a", left: true, people: 2, name: []int16{1}}} {
		if got := <-comings; got.who != want.who || got.left != want.left || got.people != want.people || !slices.Equal(got.name, want.name) {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
	for i := range 100 {
		change(rooms.Joined, fmt.Sprint(i), "", rooms.Browser)
	}
	stop()
	change(rooms.Joined, "z", "", rooms.Browser)
	if n := len(comings); n != cap(comings) {
		t.Errorf("%d wait for who is slow, want %d", n, cap(comings))
	}
	if _, kept := b.present["a"]; kept || len(said.said) > 0 {
		t.Error("a name is kept")
	}
}

// TestBoardTellsWhoHasCome: who is called comes when answering, and does not go without having come.
func TestBoardTellsWhoHasCome(t *testing.T) {
	b := newBoard(nil)
	change := func(kind rooms.ChangeKind, id string, calling bool) {
		b.roster(rooms.Change{Kind: kind, Participant: rooms.Participant{ID: id, Kind: rooms.Phone, Calling: calling}})
	}
	comings, stop := b.follow()
	defer stop()
	change(rooms.Joined, "busy", true)
	change(rooms.Changed, "busy", true)
	change(rooms.Left, "busy", true)
	change(rooms.Joined, "answers", true)
	if len(comings) > 0 {
		t.Errorf("told of %+v, who is being called", <-comings)
	}
	change(rooms.Changed, "answers", false)
	change(rooms.Changed, "answers", false)
	change(rooms.Left, "answers", false)
	for _, left := range []bool{false, true} {
		if got := <-comings; got.who != "answers" || got.left != left {
			t.Errorf("got %+v", got)
		}
	}
	if len(comings) > 0 || len(b.called) > 0 {
		t.Error("something is left")
	}
}

// TestAnnounces: what a room says of itself goes before its engine.
func TestAnnounces(t *testing.T) {
	for _, tt := range []struct {
		rule         string
		engine, room config.Announce
		want         config.Announce
	}{
		{"the engine's", config.AnnounceTone, "", config.AnnounceTone},
		{"the room's", config.AnnounceTone, config.AnnounceNone, config.AnnounceNone},
		{"nobody's", "", "", ""},
	} {
		c := &call{
			to: destination{engine: "house", room: "board"}, gateway: &Gateway{Config: Config{Rooms: map[string]Rooms{"house": {Announce: tt.engine}}}},
			live: &config.Live{Rooms: []config.Room{{Name: "board", Engine: "lab", Announce: "other"}, {Name: "board", Engine: "house", Announce: tt.room}}},
		}
		if got := c.announces(); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.rule, got, tt.want)
		}
	}
}

// notesHeard returns how much louder than all else a note was at its loudest in the last three seconds, in dB.
func (p *telephone) notesHeard(hertz float64) float64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	best := -99.0
	for at := max(len(p.heard)-3*g711.Rate, 0); at+g711.Rate/10 <= len(p.heard); at += g711.Rate / 50 {
		part := p.heard[at : at+g711.Rate/10]
		var re, im, all float64
		for i, s := range part {
			sin, cos := math.Sincos(2 * math.Pi * hertz * float64(i) / g711.Rate)
			re, im, all = re+float64(s)*cos, im+float64(s)*sin, all+float64(s)*float64(s)
		}
		if score.Level(part) > -45 {
			best = max(best, 10*math.Log10(2*(re*re+im*im)/float64(len(part))/(all+1)))
		}
	}
	return best
}

// TestATonePerComing: two notes when somebody comes and when somebody leaves, where the room wants that.
func TestATonePerComing(t *testing.T) {
	t.Parallel()
	for _, how := range []config.Announce{config.AnnounceTone, config.AnnounceNone} {
		t.Run(string(how), func(t *testing.T) {
			t.Parallel()
			r := newRig(t, nil)
			place := r.gateway.Rooms["memory"]
			place.Announce = how
			r.gateway.Rooms["memory"] = place
			r.backend.Join("lobby", "host")
			p, err := r.call("lobby", codec.PCMA)
			must(t, p, err)
			<-time.After(announceSettle + 200*time.Millisecond)
			p.forget()
			guest := r.backend.Join("lobby", "guest")
			if how == config.AnnounceNone {
				<-time.After(time.Second)
				if heard := p.notesHeard(880); heard > -10 {
					t.Errorf("a note is heard, %.1f dB of all", heard)
				}
				return
			}
			eventually(t, "the notes of who comes", func() bool { return p.notesHeard(659.3) > -3 && p.notesHeard(880) > -3 })
			<-time.After(announceApart)
			p.forget()
			if err := guest.Leave(); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the notes of who leaves", func() bool { return p.notesHeard(659.3) > -3 && p.notesHeard(880) > -3 })
		})
	}
}

// TestNames: a caller of a menu says its name, and the phones that are there hear it when it comes and when it goes.
func TestNames(t *testing.T) {
	t.Parallel()
	desk := &reception{pins: map[string]string{"0042": "board"}}
	r := newMenuRig(t, desk, func(place *Rooms) { place.Announce = config.AnnounceName })
	host := r.backend.Join("board", "host")
	first, err := r.call("pin-0042", codec.PCMA)
	must(t, first, err)
	eventually(t, "the menu done", func() bool {
		desk.mu.Lock()
		defer desk.mu.Unlock()
		return len(desk.knock) == 1
	})
	first.dials("#1") // the pound key is the PIN's; with the other it has no name
	eventually(t, "the first in the roster", func() bool { return len(host.Roster()) == 2 })
	<-time.After(announceSettle)

	second, err := r.call("pin-0042", codec.PCMA)
	must(t, second, err)
	voice, err := score.ReadFile("../testdata/speech/rms.wav")
	must(t, nil, err)
	name := voice[:g711.Rate]
	quiet := second.sounds(func(at int) int16 { // again and again, so that it is said whole in any three seconds
		if at %= len(name) + len(name)/2; at < len(name) {
			return name[at]
		}
		return 0
	})
	defer quiet()
	second.says("fr", ivr.SayName)
	eventually(t, "the tone after which it is to be said", func() bool { return second.notesHeard(nameTone) > -2 })
	<-time.After(nameMost)
	second.dials("1")
	eventually(t, "the second in the roster", func() bool { return len(host.Roster()) == 3 })
	first.says("fr", ivr.HasJoined)
	first.mu.Lock()
	heard := slices.Clone(first.heard)
	first.mu.Unlock()
	if m := score.Find(name, heard, g711.Rate); m.Median < 0.7 {
		t.Errorf("the name is not heard: %v", m)
	}
	<-time.After(announceApart)
	first.forget()
	second.hangup()
	first.says("fr", ivr.HasLeft)
	eventually(t, "the name forgotten", func() bool {
		r.gateway.open.names.mu.Lock()
		defer r.gateway.open.names.mu.Unlock()
		return len(r.gateway.open.names.said) == 0
	})
}
