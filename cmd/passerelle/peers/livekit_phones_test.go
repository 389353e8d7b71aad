//go:build peers

package peers

import (
	"testing"
	"time"

	"passerelle/bridge/ivr"
)

// phonesOfTwoGateways has two phones of one gateway and one of another in a room: each hears the others once,
// and not itself.
func phonesOfTwoGateways(t *testing.T, hall *Hall, one, two *Gateway) {
	t.Parallel()
	dir, room := Folder(t), "lk-two"
	man, woman := Part(t, dir, Man, 5), Part(t, dir, Woman, 5)
	late := man.After(t, 3)
	ada := StartPhone(t, dir, PhoneConfig{Name: "ada", Microphone: late.WAV(8000)})
	ada.Dial(t, one.URI(room, "udp"))
	ada.AwaitTalking(t, 5*time.Second)
	began := time.Now()
	bob := Call(t, dir, one, Dialling{Name: "bob", Number: room})
	cleo := Call(t, dir, two, Dialling{Name: "cleo", Number: room})
	if phones := calledPhones(hall.AwaitMembers(t, room, 3, 5*time.Second)); len(phones) != 3 {
		t.Errorf("%d phones are in the room, want 3: %v", len(phones), phones)
	}
	time.Sleep(time.Until(began.Add(late.Length(t) + 500*time.Millisecond)))
	cleo.Say(t, woman)
	time.Sleep(500 * time.Millisecond)
	ada.Hangup(t)
	ada.Quit(t)
	bob.Heard(t).HearsOnce(t, man, AmongMany())
	bob.Heard(t).HearsOnce(t, woman, AmongMany())
	cleo.Heard(t).HearsOnce(t, man, AmongMany())
	cleo.Heard(t).HearsNot(t, woman)
	atAda := Listen(t, "ada", ada.Heard(t))
	atAda.HearsOnce(t, woman, AmongMany())
	atAda.HearsNot(t, man)
	bob.Hangup(t)
	cleo.Hangup(t)
	hall.AwaitClosed(t, room, 15*time.Second)
}

// muteInStep has a phone mute and be muted while it speaks: nobody hears it, of its own gateway or of
// another; and heard it is again, whoever unmutes it.
func muteInStep(t *testing.T, hall *Hall, one, two *Gateway) {
	t.Parallel()
	dir, room := Folder(t), "lk-mute"
	man := Part(t, dir, Man, 2)
	abe := Call(t, dir, one, Dialling{Name: "abe", Number: room})
	member := calledPhones(hall.AwaitMembers(t, room, 1, 5*time.Second))[0]
	bea := Call(t, dir, one, Dialling{Name: "bea", Number: room})
	cleo := Call(t, dir, two, Dialling{Name: "cleo", Number: room})
	hall.AwaitMembers(t, room, 3, 5*time.Second)
	en := Speaks(t, "en")
	steps := []struct {
		name  string
		do    func()
		muted bool
		words ivr.Prompt
	}{
		{"the moderator mutes", func() { hall.Mute(t, room, member, true) }, true, ivr.MutedByModerator},
		{"*6 unmutes", func() { abe.Press(t, "*6") }, false, ivr.Unmuted},
		{"*6 mutes", func() { abe.Press(t, "*6") }, true, ivr.Muted},
		{"the moderator unmutes", func() { hall.Mute(t, room, member, false) }, false, ivr.UnmutedByModerator},
	}
	told := time.Duration(0)
	for _, step := range steps {
		step.do()
		hall.AwaitMuted(t, room, member.GetIdentity(), step.muted, 3*time.Second)
		told = abe.AwaitWords(t, en, step.words, told, 8*time.Second)
		atBea, atCleo := bea.Lasts(), cleo.Lasts()
		abe.Say(t, man)
		time.Sleep(600 * time.Millisecond)
		for ear, since := range map[*Caller]time.Duration{bea: atBea, cleo: atCleo} {
			heard := ear.Heard(t).From(since)
			if step.muted {
				heard.Silent(t, "when "+step.name)
			} else {
				heard.Hears(t, man, AmongMany())
			}
		}
	}
	for _, c := range []*Caller{abe, bea, cleo} {
		c.Stays(t)
		c.Hangup(t)
	}
}

// removed has the moderator send a phone away: it is told so and hung up on, and the others stay.
func removed(t *testing.T, hall *Hall, gateway *Gateway) {
	t.Parallel()
	dir, room := Folder(t), "lk-removed"
	abe := Call(t, dir, gateway, Dialling{Name: "abe", Number: room})
	member := hall.AwaitMembers(t, room, 1, 5*time.Second)[0]
	bea := Call(t, dir, gateway, Dialling{Name: "bea", Number: room})
	hall.Remove(t, room, member.GetIdentity())
	abe.AwaitBye(t, 15*time.Second)
	abe.Heard(t).HearsWords(t, Speaks(t, "en"), ivr.Removed, ivr.Goodbye)
	hall.AwaitMembers(t, room, 1, 3*time.Second)
	bea.Stays(t)
	bea.Hangup(t)
	bea.Heard(t).HearsNotWords(t, Speaks(t, "en"), ivr.Removed)
}

// roomClosed has the room deleted under two phones, and somebody call again.
func roomClosed(t *testing.T, hall *Hall, gateway *Gateway) {
	t.Parallel()
	dir, room := Folder(t), "lk-closed"
	abe := Call(t, dir, gateway, Dialling{Name: "abe", Number: room})
	bea := Call(t, dir, gateway, Dialling{Name: "bea", Number: room})
	hall.AwaitMembers(t, room, 2, 5*time.Second)
	hall.Delete(t, room)
	for _, c := range []*Caller{abe, bea} {
		c.AwaitBye(t, 15*time.Second)
		c.Heard(t).HearsWords(t, Speaks(t, "en"), ivr.RoomClosed, ivr.Goodbye)
	}
	again := Call(t, dir, gateway, Dialling{Name: "again", Number: room})
	hall.AwaitMembers(t, room, 1, 5*time.Second)
	again.Hangup(t)
	hall.AwaitClosed(t, room, 15*time.Second)
}

// staysAlone has a phone alone for as long as engine "brief" allows.
func staysAlone(t *testing.T, hall *Hall, gateway *Gateway) {
	t.Parallel()
	dir, room := Folder(t), "brief-alone"
	abe := Call(t, dir, gateway, Dialling{Name: "abe", Number: room})
	abe.AwaitBye(t, BriefAlone+10*time.Second)
	heard := abe.Heard(t)
	end := heard.HearsWords(t, Speaks(t, "en"), ivr.StayedAlone, ivr.Goodbye)
	if end < BriefAlone {
		t.Errorf("a phone that is alone is told so before %v are over: it ends at %v", BriefAlone, end)
	}
	heard.Until(BriefAlone-200*time.Millisecond).Silent(t, "before the time is over")
	hall.AwaitClosed(t, room, 15*time.Second)
}

// timeIsUp has two phones talk for longer than engine "brief" allows.
func timeIsUp(t *testing.T, gateway *Gateway) {
	t.Parallel()
	dir, room := Folder(t), "brief-long"
	man := Says(t, dir, Man, 0, 0)
	abe := Call(t, dir, gateway, Dialling{Name: "abe", Number: room})
	bea := Call(t, dir, gateway, Dialling{Name: "bea", Number: room})
	abe.Say(t, man)
	for _, c := range []*Caller{abe, bea} {
		c.AwaitBye(t, BriefCall+10*time.Second)
		if end := c.Heard(t).HearsWords(t, Speaks(t, "en"), ivr.TimeUp, ivr.Goodbye); end < BriefCall {
			t.Errorf("%s is told that time is up before %v are over: it ends at %v", c.Name, BriefCall, end)
		}
	}
}

// recordingTold has the room recorded and written down, as Meet tells it in the room's metadata.
func recordingTold(t *testing.T, hall *Hall, gateway *Gateway) {
	t.Parallel()
	dir, room := Folder(t), "lk-recorded"
	en := Speaks(t, "en")
	abe := Call(t, dir, gateway, Dialling{Name: "abe", Number: room})
	hall.AwaitMembers(t, room, 1, 5*time.Second)
	for _, step := range []struct {
		metadata string
		words    ivr.Prompt
	}{
		{`{"recording_status":"started","recording_mode":"screen_recording"}`, ivr.RecordingStarted},
		{`{"recording_status":"saving","recording_mode":"screen_recording"}`, ivr.RecordingStopped},
		{`{"recording_status":"started","recording_mode":"transcript"}`, ivr.TranscriptionStarted},
	} {
		from := abe.Heard(t).Length()
		hall.SetMetadata(t, room, step.metadata)
		abe.AwaitWords(t, en, step.words, from-time.Second, 8*time.Second)
	}
	late := Call(t, dir, gateway, Dialling{Name: "late", Number: room})
	late.AwaitWords(t, en, ivr.TranscriptionRuns, 0, 8*time.Second)
	from := abe.Heard(t).Length()
	hall.SetMetadata(t, room, `{"recording_status":"aborted","recording_mode":"transcript"}`)
	abe.AwaitWords(t, en, ivr.TranscriptionStopped, from-time.Second, 8*time.Second)
	abe.Hangup(t)
	late.Hangup(t)
}
