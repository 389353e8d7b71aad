//go:build peers

package peers

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestPhones has every phone that there is talk to one gateway, in rooms of their own.
func TestPhones(t *testing.T) {
	dir := Folder(t)
	gateway := StartGateway(t, dir, GatewayConfig{})
	before := gateway.Counters(t)
	t.Cleanup(func() { gateway.AwaitBaseline(t, before, 40*time.Second) })

	t.Run("sipp over udp is heard", func(t *testing.T) { sippIsHeard(t, gateway, "uac_talk", "udp") })
	t.Run("sipp over tcp is heard", func(t *testing.T) { sippIsHeard(t, gateway, "uac_talk", "tcp") })
	t.Run("sipp in a-law is heard", func(t *testing.T) { sippIsHeard(t, gateway, "uac_talk_pcma", "udp") })
	t.Run("sipp with video offered is heard", func(t *testing.T) { sippIsHeard(t, gateway, "uac_lines", "tcp") })
	t.Run("two phones hear each other", func(t *testing.T) { twoPhones(t, gateway) })
	t.Run("linphone is heard, and hears", func(t *testing.T) { linphoneTalks(t, gateway) })
	t.Run("hold and resume", func(t *testing.T) { holdAndResume(t, gateway) })
	t.Run("hold longer than the RTP time-out", func(t *testing.T) {
		talk(t, gateway, Scenario{Name: "uac_hold", Number: "room-hold", Talk: 2 * time.Second, Within: 70 * time.Second})
	})
	t.Run("hold the old way", func(t *testing.T) {
		talk(t, gateway, Scenario{Name: "uac_hold_zero", Number: "room-zero", Talk: 2 * time.Second})
	})
	t.Run("blind transfer", func(t *testing.T) { blindTransfer(t, gateway) })
	t.Run("digits are not heard", func(t *testing.T) { digits(t, gateway) })
	t.Run("info, options and update in the call", func(t *testing.T) {
		talk(t, gateway, Scenario{Name: "uac_info", Number: "room-info", Talk: time.Second})
	})
	t.Run("options", func(t *testing.T) {
		talk(t, gateway, Scenario{Name: "options", Number: "room-options"})
	})
	t.Run("options over tcp", func(t *testing.T) {
		talk(t, gateway, Scenario{Name: "options", Number: "room-options", Transport: "tcp"})
	})
	t.Run("dialogs", func(t *testing.T) { dialogs(t, gateway) })
	t.Run("keys in INFO", func(t *testing.T) { infoMutes(t, gateway) })
	t.Run("a phone that dies", func(t *testing.T) { phoneDies(t, gateway) })
	t.Run("no ack", func(t *testing.T) {
		talk(t, gateway, Scenario{Name: "uac_no_ack", Number: "room-silent", Within: 60 * time.Second})
	})
}

// talk runs a scenario that judges itself.
func talk(t *testing.T, gateway *Gateway, s Scenario) {
	t.Parallel()
	runTalk(t, Folder(t), gateway, s)
}

func runTalk(t *testing.T, dir string, gateway *Gateway, s Scenario) {
	t.Helper()
	man := Says(t, dir, Man, 0, 1)
	s.Target, s.Files = gateway.SIP, []string{man.Raw("ulaw"), man.Raw("alaw")}
	RunSipp(t, dir, "sipp "+s.Name+s.Transport, s)
}

// sippIsHeard has a sipp speak to a baresip that speaks too.
func sippIsHeard(t *testing.T, gateway *Gateway, scenario, transport string) {
	t.Parallel()
	dir := Folder(t)
	room := "room-" + strings.ReplaceAll(scenario, "_", "") + transport
	man, woman := Says(t, dir, Man, 0.5, 1.5), Says(t, dir, Woman, 0, 0)
	phone := StartPhone(t, dir, PhoneConfig{Name: "bob", Microphone: woman.WAV(8000)})
	phone.Dial(t, gateway.URI(room, "udp"))
	phone.AwaitTalking(t, 5*time.Second)
	began := time.Now()
	RunSipp(t, dir, "sipp", Scenario{
		Name: scenario, Target: gateway.SIP, Number: room, Transport: transport,
		Talk: man.Length(t), Files: []string{man.Raw("ulaw"), man.Raw("alaw")},
	})
	time.Sleep(500 * time.Millisecond)
	phone.Hangup(t)
	lasted := time.Since(began)
	phone.Quit(t)

	heard := Listen(t, "the phone", phone.Heard(t))
	m := heard.Hears(t, man, OverG711())
	heard.HearsNot(t, woman)
	heard.Until(m.Delay).Silent(t, "before the speech")
	heard.From(m.Delay+man.Length(t)-time.Second).Silent(t, "after the speech")
	lastsAsLong(t, heard, lasted)
}

// lastsAsLong fails the test where packets were missing: the gateway sends all the time, and a phone
// records what comes.
func lastsAsLong(t *testing.T, heard Recording, lasted time.Duration) {
	t.Helper()
	if missing := lasted - heard.Length(); missing > 300*time.Millisecond || missing < -300*time.Millisecond {
		t.Errorf("%s recorded %v of a call that lasted %v", heard.Who, heard.Length(), lasted)
	}
}

// twoPhones has two phones speak at the same time, over UDP in mu-law and over TCP in A-law, and a third
// in a room of its own.
func twoPhones(t *testing.T, gateway *Gateway) {
	t.Parallel()
	dir := Folder(t)
	man, woman := Says(t, dir, Man, 2, 0), Says(t, dir, Woman, 2, 0)
	ada := StartPhone(t, dir, PhoneConfig{Name: "ada", Microphone: woman.WAV(8000), Codec: "PCMA", Transport: "tcp"})
	bob := StartPhone(t, dir, PhoneConfig{Name: "bob", Microphone: man.WAV(8000), Codec: "PCMU", Mux: true})
	eve := StartPhone(t, dir, PhoneConfig{Name: "eve", Microphone: woman.WAV(8000)})
	eve.Dial(t, gateway.URI("room-other", "udp"))
	ada.Dial(t, gateway.URI("room-two", "tcp"))
	bob.Dial(t, gateway.URI("room-two", "udp"))
	for _, phone := range []*Phone{ada, bob, eve} {
		phone.AwaitTalking(t, 5*time.Second)
	}
	began := time.Now()
	time.Sleep(max(man.Length(t), woman.Length(t)) + 2*time.Second)
	lasted := time.Since(began)
	for _, phone := range []*Phone{ada, bob, eve} {
		phone.Hangup(t)
	}
	for _, phone := range []*Phone{ada, bob, eve} {
		phone.Quit(t)
	}

	for _, c := range []struct {
		phone    *Phone
		own, far Speech
	}{{ada, woman, man}, {bob, man, woman}} {
		heard := Listen(t, c.phone.Name, c.phone.Heard(t))
		m := heard.Hears(t, c.far, OverG711())
		heard.HearsNot(t, c.own)
		heard.Until(m.Delay+1500*time.Millisecond).Silent(t, "before the speech")
		heard.From(m.Delay+c.far.Length(t)).Silent(t, "after the speech")
		lastsAsLong(t, heard, lasted)
	}
	Listen(t, "eve", eve.Heard(t)).Silent(t, "alone in a room")
}

// holdAndResume has one phone hold twice while it goes on speaking: nothing comes to it meanwhile, what it
// says later is heard, and both calls live.
func holdAndResume(t *testing.T, gateway *Gateway) {
	t.Parallel()
	dir := Folder(t)
	man, woman := Says(t, dir, Man, 0, 0), Says(t, dir, Woman, 7, 0)
	ada := StartPhone(t, dir, PhoneConfig{Name: "ada", Microphone: woman.WAV(8000)})
	bob := StartPhone(t, dir, PhoneConfig{Name: "bob", Microphone: man.WAV(8000), Transport: "tcp"})
	bob.Dial(t, gateway.URI("room-holding", "tcp"))
	bob.AwaitTalking(t, 5*time.Second)
	ada.Dial(t, gateway.URI("room-holding", "udp"))
	ada.AwaitTalking(t, 5*time.Second)
	began := time.Now()
	var held time.Duration
	for range 2 {
		ada.Hold(t)
		since := time.Now()
		time.Sleep(2 * time.Second)
		ada.Resume(t)
		held += time.Since(since)
		time.Sleep(time.Second)
	}
	time.Sleep(time.Until(began.Add(woman.Length(t) + time.Second)))
	if ada.Closed() || bob.Closed() {
		t.Error("a hold has ended a call")
	}
	ada.Hangup(t)
	talked := time.Since(began) - held
	bob.Hangup(t)
	// After a hold this baresip records no more, but counts.
	_, received := ada.Packets(t)
	if want := int(talked / (20 * time.Millisecond)); received < want-25 || received > want+25 {
		t.Errorf("the phone received %d packets in %v that it was not on hold, want about %d", received, talked, want)
	}
	bob.Quit(t)
	Listen(t, "bob", bob.Heard(t)).Hears(t, woman, OverG711())
}

// blindTransfer has a phone send the room to another phone, which is heard in its place.
func blindTransfer(t *testing.T, gateway *Gateway) {
	t.Parallel()
	dir := Folder(t)
	man, woman := Says(t, dir, Man, 0.5, 0), Says(t, dir, Woman, 60, 0)
	quiet := Says(t, Sub(t, dir, "quiet"), Man, 60, 0)
	ada := StartPhone(t, dir, PhoneConfig{Name: "ada", Microphone: woman.WAV(8000)})
	bob := StartPhone(t, dir, PhoneConfig{Name: "bob", Microphone: quiet.WAV(8000)})
	carol := StartPhone(t, dir, PhoneConfig{Name: "carol", Microphone: man.WAV(8000), AutoAnswer: true})
	for _, p := range []*Phone{bob, ada} {
		p.Dial(t, gateway.URI("room-given", "udp"))
		p.AwaitTalking(t, 5*time.Second)
	}
	ada.Transfer(t, carol.URI())
	ada.AwaitClosed(t, 5*time.Second)
	carol.AwaitTalking(t, 5*time.Second)
	time.Sleep(man.Length(t) + time.Second)
	for _, p := range []*Phone{carol, bob} {
		p.Hangup(t)
		p.Quit(t)
	}
	ada.Quit(t)
	Listen(t, "bob", bob.Heard(t)).Hears(t, man, OverG711())
}

// digits has a sipp press keys before it speaks, and a baresip too (RFC 4733): nobody hears them, and
// nothing else is lost.
func digits(t *testing.T, gateway *Gateway) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("sipp plays packets from a file only as root")
	}
	dir := Folder(t)
	man, woman := Says(t, dir, Man, 4, 0.5), Says(t, dir, Woman, 0, 0)
	ulaw, err := os.ReadFile(man.Raw("ulaw"))
	if err != nil {
		t.Fatal(err)
	}
	packets := DigitsPCAP(t, dir, ulaw, "1234#", 2*time.Second)
	phone := StartPhone(t, dir, PhoneConfig{Name: "bob", Microphone: woman.WAV(8000)})
	eve := StartPhone(t, dir, PhoneConfig{Name: "eve", Microphone: Says(t, Sub(t, dir, "quiet"), Woman, 60, 0).WAV(8000)})
	for _, p := range []*Phone{phone, eve} {
		p.Dial(t, gateway.URI("room-digits", "udp"))
		p.AwaitTalking(t, 5*time.Second)
	}
	sipp := StartSipp(t, dir, "sipp", Scenario{Name: "uac_dtmf", Target: gateway.SIP, Number: "room-digits", Talk: man.Length(t), Files: []string{packets}})
	eve.Press(t, "42#")
	sipp.Wait(t)
	if eve.Closed() {
		t.Error("pressing keys has ended a call")
	}
	for _, p := range []*Phone{phone, eve} {
		p.Hangup(t)
		p.Quit(t)
	}
	heard := Listen(t, "the phone", phone.Heard(t))
	m := heard.Hears(t, man, OverG711())
	heard.Until(m.Delay+3500*time.Millisecond).Silent(t, "while the keys were pressed")
}

// dialogs has sipps call as phones, trunks and call managers do, each by a scenario that judges itself: one after the
// other, so that those who listen meanwhile have the machine; the three that are refreshed wait most of the time.
func dialogs(t *testing.T, gateway *Gateway) {
	t.Parallel()
	for _, name := range []string{"uac_refreshed_update", "uac_refreshed_reinvite", "uac_refreshed_glare"} {
		t.Run(name, func(t *testing.T) {
			talk(t, gateway, Scenario{Name: name, Number: "room-" + strings.ReplaceAll(name, "_", ""), Within: 70 * time.Second})
		})
	}
	for _, s := range []Scenario{
		{Name: "uac_late", Talk: 500 * time.Millisecond},
		{Name: "uac_late", Talk: 500 * time.Millisecond, Transport: "tcp"},
		{Name: "uac_late_unanswered"},
		{Name: "uac_timer"},
		{Name: "uac_prack"},
		{Name: "uac_prack_late", Transport: "tcp"},
		{Name: "uac_update"},
		{Name: "uac_glare"},
		{Name: "uac_refer"},
		{Name: "uac_420"},
		{Name: "uac_multipart"},
	} {
		s.Number = "room-" + strings.ReplaceAll(s.Name, "_", "") + s.Transport
		t.Run(s.Name+" "+s.Transport, func(t *testing.T) { runTalk(t, Folder(t), gateway, s) })
	}
}

// infoMutes has a phone that sends its keys in INFO mute itself before it speaks: nobody hears it.
func infoMutes(t *testing.T, gateway *Gateway) {
	t.Parallel()
	dir := Folder(t)
	woman := Says(t, dir, Woman, 3, 0)
	ada := StartPhone(t, dir, PhoneConfig{Name: "ada", Microphone: woman.WAV(8000), INFO: true})
	bob := StartPhone(t, dir, PhoneConfig{Name: "bob", Microphone: Says(t, Sub(t, dir, "quiet"), Man, 60, 0).WAV(8000)})
	for _, p := range []*Phone{bob, ada} {
		p.Dial(t, gateway.URI("room-keys", "udp"))
		p.AwaitTalking(t, 5*time.Second)
	}
	ada.Press(t, "*6")
	time.Sleep(woman.Length(t) + time.Second)
	for _, p := range []*Phone{ada, bob} {
		p.Hangup(t)
		p.Quit(t)
	}
	heard := Listen(t, "bob", bob.Heard(t))
	heard.HearsNot(t, woman)
	heard.Silent(t, "of a phone that has muted itself")
}

// linphoneTalks has a linphonec speak in Opus, over TCP, to a handset that speaks too. Then it mutes itself by its keys, and
// what it says again is not heard.
func linphoneTalks(t *testing.T, gateway *Gateway) {
	t.Parallel()
	dir := Folder(t)
	man, woman := Part(t, dir, Man, 2.5), Part(t, dir, Woman, 2.5)
	late, twice := woman.After(t, 1).WAV(48000), filepath.Join(dir, "twice.wav")
	Sox(t, "-D", late, late, twice)
	ada := StartLinphone(t, dir, LinphoneConfig{Name: "ada", Microphone: twice})
	bob := Call(t, dir, gateway, Dialling{Name: "bob", Number: "room-linphone"})
	ada.Dial(t, gateway.URI("room-linphone", "tcp"))
	began := time.Now()
	bob.Say(t, man)
	time.Sleep(time.Until(began.Add(3700 * time.Millisecond))) // she has said it once
	ada.Press(t, "*6")
	time.Sleep(time.Until(began.Add(7300 * time.Millisecond))) // and twice
	ada.Quit(t)
	bob.Heard(t).HearsOnce(t, woman, OverOpus())
	bob.Hangup(t)
	Listen(t, "ada", ada.Heard()).HearsOnce(t, man, OverOpus())
}

// phoneDies has a phone fall silent, RTCP and all, without hanging up: after 30 s it gets a BYE. A phone
// on which nobody speaks stays.
func phoneDies(t *testing.T, gateway *Gateway) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	silent := Gather(ctx, t, gateway, 1, func(int) string { return "room-dead" })
	dying := Gather(ctx, t, gateway, 1, func(int) string { return "room-dead" })
	quiet := Says(t, Folder(t), Man, 60, 0)
	talking, hush := context.WithCancel(ctx)
	defer hush()
	silent.Talk(talking, t, quiet)
	second, die := context.WithTimeout(ctx, time.Second)
	defer die()
	dying.Talk(second, t, quiet)
	dying.Wait()
	died := time.Now()
	select {
	case <-dying.Handsets[0].Ended():
		if after := time.Since(died); after < 25*time.Second {
			t.Errorf("a phone is given up after %v, want 30 s", after)
		}
	case <-silent.Handsets[0].Ended():
		t.Error("a phone on which nobody speaks is given up")
	case <-time.After(40 * time.Second):
		t.Error("a dead phone is not given up in 40 s")
	}
	hush()
	silent.Wait()
	silent.Hangup(ctx, t)
}
