package bridge

import (
	"errors"
	"testing"

	"passerelle/bridge/ivr"
	"passerelle/codec"
	"passerelle/rooms"
)

// TestWhoDialsARoomWithAWaitingRoomKnocks: it is answered, told, and waits; a room beside it is entered at once.
func TestWhoDialsARoomWithAWaitingRoomKnocks(t *testing.T) {
	t.Parallel()
	desk := &reception{waiting: "board", door: make(chan error)}
	r := newMenuRig(t, desk)
	host := r.backend.Join("board", "host")
	p, err := r.call("board", codec.PCMA)
	must(t, p, err)
	p.says("fr", ivr.Waiting)
	if n := len(host.Roster()); n != 1 {
		t.Errorf("%d are in the room while the phone waits", n)
	}
	desk.door <- nil
	eventually(t, "the phone in the room", func() bool { return len(host.Roster()) == 2 })
	p.hangup()

	other := r.backend.Join("open", "host")
	q, err := r.call("open", codec.PCMA)
	must(t, q, err)
	eventually(t, "the phone in the other room", func() bool { return len(other.Roster()) == 2 })
	q.hangup()
	if n := len(desk.knock); n != 1 {
		t.Errorf("%d knocks, want one", n)
	}
}

func TestWhoIsNotLetInIsTold(t *testing.T) {
	t.Parallel()
	for why, words := range map[error]ivr.Prompt{rooms.ErrDenied: ivr.Denied, rooms.ErrUnanswered: ivr.Unanswered, rooms.ErrFull: ivr.RoomFull} {
		t.Run(why.Error(), func(t *testing.T) {
			t.Parallel()
			desk := &reception{waiting: "board", door: make(chan error)}
			r := newMenuRig(t, desk)
			p, err := r.call("board", codec.PCMA)
			must(t, p, err)
			desk.door <- errors.Join(why)
			p.says("fr", words)
			p.says("fr", ivr.Goodbye)
		})
	}
}

// TestWhoHangsUpWhileItWaitsLeavesNothing: the knock ends with the call.
func TestWhoHangsUpWhileItWaitsLeavesNothing(t *testing.T) {
	t.Parallel()
	r := newMenuRig(t, &reception{waiting: "board", door: make(chan error)})
	p, err := r.call("board", codec.PCMA)
	must(t, p, err)
	p.says("fr", ivr.Waiting)
	p.hangup()
	eventually(t, "everything given back", func() bool {
		s := r.gateway.Stats()
		return s.Calls == 0 && s.Rooms == 0 && s.PortsInUse == 0
	})
}

// TestWhoIsKeptMutedIsToldHowToAsk: its own key says so too, and changes nothing.
func TestWhoIsKeptMutedIsToldHowToAsk(t *testing.T) {
	t.Parallel()
	r := newMenuRig(t, &reception{})
	host := r.backend.Join("board", "host")
	p, err := r.call("board", codec.PCMA)
	must(t, p, err)
	phone := func() (who rooms.Participant) {
		for _, someone := range host.Roster() {
			if someone.Kind == rooms.Phone {
				who = someone
			}
		}
		return who
	}
	eventually(t, "the phone in the room", func() bool { return phone().ID != "" })
	held := []ivr.Prompt{ivr.MutedByModerator, ivr.HelpHand, "key-star", "key-9"}
	if err := host.KeepPhoneMuted(phone().ID); err != nil {
		t.Fatal(err)
	}
	p.says("fr", held...)
	p.forget()
	p.dials("*6")
	p.says("fr", held...)
	if !phone().Muted {
		t.Error("the phone has unmuted itself")
	}
	p.dials("*9")
	p.says("fr", ivr.HandRaised)
	if err := host.LowerHand(phone().ID); err != nil {
		t.Fatal(err)
	}
	p.says("fr", ivr.HandLowered)
	p.forget()
	p.dials("*9") // it is raised again, and not lowered once more
	p.says("fr", ivr.HandRaised)
	if err := host.MutePhone(phone().ID, false); err != nil {
		t.Fatal(err)
	}
	p.says("fr", ivr.UnmutedByModerator)
	p.dials("*6")
	p.says("fr", ivr.Muted)
}
