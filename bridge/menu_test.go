package bridge

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"passerelle/bridge/guess"
	"passerelle/bridge/ivr"
	"passerelle/codec"
	"passerelle/codec/g711"
	"passerelle/codec/score"
	"passerelle/config"
	"passerelle/rooms"
	"passerelle/sip"
	"passerelle/sip/sdp"
)

// reception is a rooms.Reception of the tests: PINs by room, and a door that a test opens.
type reception struct {
	pins      map[string]string
	moderator string     // one of them
	waiting   string     // a room that keeps callers waiting who dial it
	door      chan error // what Admit returns, and until then the caller waits; nil lets everybody in at once

	mu    sync.Mutex
	asked []string
	knock []string // names
}

func (r *reception) Find(_ context.Context, pin string) (rooms.Entry, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked = append(r.asked, pin)
	if room, ok := r.pins[pin]; ok {
		return rooms.Entry{Room: room, Moderator: pin == r.moderator}, nil
	}
	return rooms.Entry{}, rooms.ErrNoRoom
}

func (r *reception) Knocks(room string) bool { return room == r.waiting }

func (r *reception) Admit(ctx context.Context, _ rooms.Entry, name string, waiting func()) (map[string]string, error) {
	r.mu.Lock()
	r.knock = append(r.knock, name)
	r.mu.Unlock()
	if r.door == nil {
		return map[string]string{"color": "red"}, nil
	}
	waiting()
	select {
	case err := <-r.door:
		return map[string]string{"color": "red"}, err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// withMenu adds a menu at the number 100, and at pin-N with the PIN N.
func withMenu(l *config.Live) {
	l.Menus = []config.Menu{{Name: "visio", Engine: "memory", Languages: []string{"fr", "en"}, Digits: 4, Tries: 3, WaitForHost: true}}
	l.Routes = append(l.Routes,
		config.Route{To: "100", Menu: "visio", Engine: "memory"},
		config.Route{ToMatch: regexp.MustCompile(`^(?:pin-(.*))$`), Menu: "visio", PIN: config.NewSecret("$1"), Engine: "memory"})
}

// says waits until the phone has heard prompts, in one breath, since it was told to forget.
func (p *telephone) says(language string, prompts ...ivr.Prompt) {
	p.t.Helper()
	voices, err := ivr.Load(g711.Rate)
	if err != nil {
		p.t.Fatal(err)
	}
	listener, from := score.NewPhrase(voices.Say(language, prompts...), g711.Rate).Listen(), 0
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); <-time.After(20 * time.Millisecond) {
		p.mu.Lock()
		pcm := slices.Clone(p.heard[min(from, len(p.heard)):])
		p.mu.Unlock()
		from += len(pcm)
		if listener.Hear(pcm) {
			return
		}
	}
	p.t.Fatalf("the phone does not hear %q in %q: %.0f%% of it in %v", prompts, language, 100*listener.Best(), time.Duration(from)*time.Second/g711.Rate)
}

// dials presses keys.
func (p *telephone) dials(keys string) {
	p.t.Helper()
	if err := p.line.SendDigits(p.t.Context(), keys); err != nil {
		p.t.Fatal(err)
	}
}

func newMenuRig(t *testing.T, r *reception, more ...func(*Rooms)) *rig {
	rig := newRig(t, withMenu)
	place := rig.gateway.Rooms["memory"]
	place.Reception = r
	for _, change := range more {
		change(&place)
	}
	rig.gateway.Rooms["memory"] = place
	return rig
}

func TestAPINLeadsToItsRoom(t *testing.T) {
	t.Parallel()
	desk := &reception{pins: map[string]string{"0042": "f00d-cafe"}}
	r := newMenuRig(t, desk)
	p, err := r.call("100", codec.PCMA)
	must(t, p, err)
	p.says("fr", ivr.EnterPIN)
	p.dials("1234")
	p.says("fr", ivr.WrongPIN)
	p.dials("0042")
	p.says("fr", ivr.FirstHere) // and music
	host := r.backend.Join("f00d-cafe", "host")
	eventually(t, "the phone in the roster", func() bool { return len(host.Roster()) == 2 })
	for _, someone := range host.Roster() {
		if someone.Kind != rooms.Phone {
			continue
		}
		want := map[string]string{"color": "red", "is_authenticated": "false", "sip.phoneNumber": "01 •• •• •• 89", "sip.trunkID": "loopback", "sip.callStatus": "active"}
		for key, value := range want {
			if got := someone.Attributes[key]; got != value {
				t.Errorf("attribute %s is %q, want %q", key, got, value)
			}
		}
	}
	p.hears(0) // the music has ended
	p.hangup()
	eventually(t, "everything given back", func() bool {
		s := r.gateway.Stats()
		return s.Calls == 0 && s.Rooms == 0 && s.PortsInUse == 0
	})
}

// TestAModeratorsPINMakesAModerator holds that the seat says so, and not of whoever has the other PIN.
func TestAModeratorsPINMakesAModerator(t *testing.T) {
	t.Parallel()
	for pin, want := range map[string]bool{"0042": false, "9942": true} {
		t.Run(pin, func(t *testing.T) {
			t.Parallel()
			r := newMenuRig(t, &reception{pins: map[string]string{"0042": "board", "9942": "board"}, moderator: "9942"})
			host := r.backend.Join("board", "host")
			p, err := r.call("pin-"+pin, codec.PCMA)
			must(t, p, err)
			eventually(t, "the phone in the roster", func() bool { return len(host.Roster()) == 2 })
			for _, who := range host.Roster() {
				if who.Kind == rooms.Phone && who.Moderator != want {
					t.Errorf("a moderator: %v, want %v", who.Moderator, want)
				}
			}
		})
	}
}

// book is guess.Counters that keep what was added.
type book struct {
	guess.Memory
	mu    sync.Mutex
	added []string
}

func (b *book) Add(name string, n int, life time.Duration) int {
	b.mu.Lock()
	b.added = append(b.added, fmt.Sprint(strings.Fields(name)[0], " ", n))
	b.mu.Unlock()
	return b.Memory.Add(name, n, life)
}

// TestWhoGuessesIsCounted holds that a wrong PIN counts, that a right one is given back, and that whoever is trusted is not
// counted.
func TestWhoGuessesIsCounted(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		rule, pin string
		trusted   bool
		want      string
	}{
		{"a wrong PIN", "1234", false, "all 1, from 1, wrong 1"},
		{"the right PIN", "0042", false, "all 1, all -1"},
		{"a trusted trunk, whose numbers are not", "1234", true, "all 1, from 1"},
	} {
		t.Run(test.rule, func(t *testing.T) {
			t.Parallel()
			var counted book
			r := newMenuRig(t, &reception{pins: map[string]string{"0042": "board"}})
			r.change(func(l *config.Live) { l.Trunks[0].Trusted = test.trusted })
			r.change(func(l *config.Live) { l.Routes[len(l.Routes)-1].From = []string{"loopback"} })
			r.gateway.Guesses = guess.New(guess.Config{Counters: &counted})
			p, err := r.call("pin-"+test.pin, codec.PCMA)
			must(t, p, err)
			if test.pin == "0042" {
				eventually(t, "the room open", func() bool { return len(r.backend.Rooms()) == 1 })
			} else {
				p.says("fr", ivr.WrongPIN)
			}
			counted.mu.Lock()
			defer counted.mu.Unlock()
			if got := strings.Join(counted.added, ", "); got != test.want {
				t.Errorf("counted is %q, want %q", got, test.want)
			}
		})
	}
}

func TestWhoGuesses(t *testing.T) {
	trunk := &config.Trunk{Name: "operator"}
	for _, test := range []struct {
		rule, caller string
		to           destination
		want         guess.Caller
	}{
		{"a number", "+33199000123", destination{trunk: trunk}, guess.Caller{Trunk: "operator", Number: "+33199000123"}},
		{"none is shown", "", destination{trunk: trunk}, guess.Caller{Trunk: "operator"}},
		{"a name is nobody's own", "alice", destination{trunk: trunk}, guess.Caller{Trunk: "operator"}},
		{"a phone of ours", "2001", destination{trunk: trunk, phone: new(config.Phone)}, guess.Caller{Trunk: "operator", Number: "2001", Trusted: true}},
		{"a trusted trunk", "2001", destination{trunk: &config.Trunk{Name: "pbx", Trusted: true}}, guess.Caller{Trunk: "pbx", Number: "2001", Trusted: true}},
	} {
		test.to.caller = test.caller
		if got := (&call{to: test.to}).guesser(); got != test.want {
			t.Errorf("%s: got %+v, want %+v", test.rule, got, test.want)
		}
	}
}

func TestAPINThatComesWithTheCallIsTriedFirst(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ rule, dialled string }{
		{"as it is", "pin-0042"},
		{"with a pound key", "pin-0042%23"},
		{"with blanks", "pin-00%2042"},
	} {
		t.Run(test.rule, func(t *testing.T) {
			desk := &reception{pins: map[string]string{"0042": "board"}}
			r := newMenuRig(t, desk)
			p, err := r.call(test.dialled, codec.PCMA)
			must(t, p, err)
			eventually(t, "the room open", func() bool { return len(r.backend.Rooms()) == 1 })
			if got := strings.Join(desk.asked, " "); got != "0042" {
				t.Errorf("asked for %q", got)
			}
		})
	}
}

func TestEndsAreSaidInWords(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		rule  string
		place func(*Rooms)
		door  error // what a knock gets; nil lets the caller in
		act   func(*rig)
		words ivr.Prompt
	}{
		{rule: "denied in the waiting room", door: rooms.ErrDenied, words: ivr.Denied},
		{rule: "nobody answers in the waiting room", door: rooms.ErrUnanswered, words: ivr.Unanswered},
		{rule: "the reception fails", door: errors.New("on fire"), words: ivr.Failed},
		{rule: "the room is encrypted", act: func(r *rig) { r.backend.Tell("board", rooms.Encrypted) }, words: ivr.Encrypted},
		{rule: "the room is closed", act: func(r *rig) { r.backend.End("board") }, words: ivr.RoomClosed},
		{rule: "alone for too long", place: func(p *Rooms) { p.AloneTimeout = 100 * time.Millisecond }, words: ivr.StayedAlone},
		{rule: "our ear in the room is gone", act: func(r *rig) { r.backend.Tell("board", rooms.Ended) }, words: ivr.RoomClosed},
		{rule: "no way back to the room", act: func(r *rig) {
			r.backend.Tell("board", rooms.Reconnecting)
			r.backend.End("board")
		}, words: ivr.Failed},
		{rule: "talked for too long", place: func(p *Rooms) { p.MaxCall = 500 * time.Millisecond }, words: ivr.TimeUp},
	} {
		t.Run(test.rule, func(t *testing.T) {
			t.Parallel()
			desk := &reception{pins: map[string]string{"0042": "board"}, door: make(chan error, 1)}
			desk.door <- test.door
			change := test.place
			if change == nil {
				change = func(*Rooms) {}
			}
			r := newMenuRig(t, desk, change)
			p, err := r.call("pin-0042", codec.PCMA)
			must(t, p, err)
			if test.act != nil {
				p.says("fr", ivr.FirstHere)
				test.act(r)
			}
			p.says("fr", test.words)
			ends(t, p, sip.ErrBye)
		})
	}
}

func TestACallerWhoHangsUpInTheMenuIsNoTrouble(t *testing.T) {
	t.Parallel()
	r := newMenuRig(t, &reception{})
	p, err := r.call("100", codec.PCMA)
	must(t, p, err)
	p.hangup()
	eventually(t, "the end", func() bool { return strings.Contains(r.logged.String(), "call ended") })
	log := r.logged.String()
	warnings := strings.Count(log, "level=WARN") - strings.Count(log, `msg="one-way audio"`) // this telephone says nothing
	if warnings > 0 || !strings.Contains(log, sip.ErrBye.Error()) {
		t.Errorf("the log:\n%s", log)
	}
}

// waitingRig has a caller in the waiting room of the room "board", whose host is there.
func waitingRig(t *testing.T, change func(*Rooms)) (r *rig, desk *reception, p *telephone) {
	desk = &reception{pins: map[string]string{"0042": "board"}, door: make(chan error, 1)}
	r = newMenuRig(t, desk, change)
	p, err := r.call("pin-0042", codec.PCMA)
	must(t, p, err)
	eventually(t, "the knock", func() bool {
		desk.mu.Lock()
		defer desk.mu.Unlock()
		return len(desk.knock) > 0
	})
	return r, desk, p
}

func TestEndsInTheWaitingRoom(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		rule  string
		place func(*Rooms)
		act   func(*rig, *telephone)
		why   error
	}{
		{rule: "the caller hangs up", act: func(_ *rig, p *telephone) { p.hangup() }, why: sip.ErrBye},
		{rule: "the gateway closes", act: func(r *rig, _ *telephone) {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			r.gateway.Drain(ctx)
		}, why: errDrained},
		{rule: "it took too long", place: func(p *Rooms) { p.MaxCall = time.Second }, why: errTimeUp},
	} {
		t.Run(test.rule, func(t *testing.T) {
			t.Parallel()
			change := test.place
			if change == nil {
				change = func(*Rooms) {}
			}
			r, _, p := waitingRig(t, change)
			defer p.whistle(440)() // or else its sound would go one way
			if test.act != nil {
				test.act(r, p)
			}
			eventually(t, "the end", func() bool { return strings.Contains(r.logged.String(), "call ended") })
			log := r.logged.String()
			warnings := strings.Count(log, "level=WARN") - strings.Count(log, `msg="one-way audio"`) // this telephone says nothing
			if warnings > 0 || !strings.Contains(log, test.why.Error()) {
				t.Errorf("want %q in the log:\n%s", test.why, log)
			}
		})
	}
}

func TestKeysOfTheWaitingRoomAreNotForTheRoom(t *testing.T) {
	t.Parallel()
	r, desk, p := waitingRig(t, func(*Rooms) {})
	host := r.backend.Join("board", "host")
	p.dials("0042#*6")
	desk.door <- nil
	eventually(t, "the phone in the roster", func() bool { return len(host.Roster()) == 2 })
	p.dials("7")
	var who rooms.Participant
	for _, someone := range host.Roster() {
		if someone.Kind == rooms.Phone {
			who = someone
		}
	}
	eventually(t, "a digit for the room", func() bool { return len(host.Messages(who.ID)) > 0 })
	if sent := host.Messages(who.ID); sent[0].Text != "7" || who.Muted {
		t.Errorf("the room was sent %q, muted: %v", sent[0].Text, who.Muted)
	}
}

func TestAMenuEndsForAPhoneOnHold(t *testing.T) {
	t.Parallel()
	r := newMenuRig(t, &reception{}, func(*Rooms) {})
	r.change(func(l *config.Live) { l.Menus[0].Tries = 1 })
	if _, err := r.callTo("pin-0042", codec.PCMA, sdp.Inactive); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(3 * patience)
	for r.gateway.Stats().Calls > 0 {
		if time.Now().After(deadline) {
			t.Fatal("the menu goes on")
		}
		<-time.After(100 * time.Millisecond)
	}
}

func TestAPhoneThatWasOnHoldIsToldWhatItMissed(t *testing.T) {
	t.Parallel()
	r := newMenuRig(t, &reception{pins: map[string]string{"0042": "board"}})
	host := r.backend.Join("board", "host")
	p, err := r.call("pin-0042", codec.PCMA)
	must(t, p, err)
	eventually(t, "the phone in the roster", func() bool { return len(host.Roster()) == 2 })
	p.reoffer(r, sdp.SendOnly)
	r.backend.Tell("board", rooms.RecordingOn)
	phone := host.Roster()[slices.IndexFunc(host.Roster(), func(w rooms.Participant) bool { return w.Kind == rooms.Phone })]
	if err := host.MutePhone(phone.ID, true); err != nil {
		t.Fatal(err)
	}
	<-time.After(500 * time.Millisecond) // it is said to nobody
	p.reoffer(r, sdp.SendRecv)
	p.says("fr", ivr.RecordingRuns)
	p.says("fr", ivr.MutedByModerator, ivr.SpeakAgain, "key-star", "key-6")
}

func TestNoMixIsLeftBehindTheMenu(t *testing.T) {
	t.Parallel()
	r := newMenuRig(t, &reception{pins: map[string]string{"0042": "board"}})
	host := r.backend.Join("board", "host")
	p, err := r.call("pin-0042", codec.PCMA)
	must(t, p, err)
	eventually(t, "the phone in the roster", func() bool { return len(host.Roster()) == 2 })
	eventually(t, "the room's mix alone", func() bool { return r.gateway.Engine.Stats().Mixes == 1 })
	p.hangup()
	eventually(t, "none", func() bool { return r.gateway.Engine.Stats().Mixes == 0 })
}

func TestTheRoomsNewsAreSaid(t *testing.T) {
	t.Parallel()
	r := newMenuRig(t, &reception{pins: map[string]string{"0042": "board"}})
	host := r.backend.Join("board", "host")
	p, err := r.call("pin-0042", codec.PCMA)
	must(t, p, err)
	eventually(t, "the phone in the roster", func() bool { return len(host.Roster()) == 2 })
	for _, step := range []struct {
		state rooms.State
		words ivr.Prompt
	}{
		{rooms.RecordingOn, ivr.RecordingStarted}, {rooms.RecordingOff, ivr.RecordingStopped},
		{rooms.TranscriptionOn, ivr.TranscriptionStarted}, {rooms.TranscriptionOff, ivr.TranscriptionStopped},
		{rooms.Reconnecting, ivr.Reconnecting}, {rooms.Back, ivr.ReconnectedBack},
	} {
		p.forget()
		r.backend.Tell("board", step.state)
		p.says("fr", step.words)
	}
}

func TestKeysInTheRoom(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	host := r.backend.Join("lobby", "host")
	p, err := r.call("lobby", codec.PCMA)
	must(t, p, err)
	muted := func() bool {
		for _, someone := range host.Roster() {
			if someone.Kind == rooms.Phone {
				return someone.Muted
			}
		}
		return false
	}
	p.dials("*6")
	eventually(t, "muted by the phone's own key", muted)
	p.says("en", ivr.Muted)
	p.dials("*6")
	eventually(t, "unmuted again", func() bool { return !muted() })
	p.says("en", ivr.Unmuted)
}

func TestNoPINIsEverLogged(t *testing.T) {
	t.Parallel()
	const pin = "0042117733"
	desk := &reception{pins: map[string]string{pin: "board"}}
	r := newMenuRig(t, desk)
	r.change(func(l *config.Live) { l.Menus[0].Digits = len(pin) })
	p, err := r.call("pin-"+pin, codec.PCMA)
	must(t, p, err)
	eventually(t, "the room open", func() bool { return len(r.backend.Rooms()) == 1 })
	p.hangup()
	eventually(t, "the end", func() bool { return r.gateway.Stats().Calls == 0 })
	if log := r.logged.String(); strings.Contains(log, pin) || !strings.Contains(log, "call ended") {
		t.Errorf("the log holds a PIN, or nothing:\n%s", log)
	}
}
