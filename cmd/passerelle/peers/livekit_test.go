//go:build peers

package peers

import (
	"regexp"
	"testing"
	"time"

	"passerelle/bridge/ivr"
)

// A number that calls here; it must not be in a log, nor seen by anybody in a room.
const shownNumber = "+33612345678"

// TestLiveKit has phones and a Chromium on LiveKit's own client meet in the rooms of a real LiveKit, through
// two gateways that know nothing of each other.
func TestLiveKit(t *testing.T) {
	dir := Folder(t)
	hall := OpenVisio(t)
	config := GatewayConfig{LiveKit: hall.Engines(), Level: "debug", Canaries: []string{
		hall.Secret, roomkitToken, shownNumber, shownNumber[1:], "0612345678", wrongPIN, visioPIN(0)[:9],
	}}
	one, two := StartGateway(t, Sub(t, dir, "one"), config), StartGateway(t, Sub(t, dir, "two"), config)
	before := one.Counters(t)
	t.Cleanup(func() { one.AwaitBaseline(t, before, 40*time.Second) })

	t.Run("a browser and phones", func(t *testing.T) { browserAndPhones(t, hall, one) })
	t.Parallel() // the rest is phones, and mostly waits: others may go on
	t.Run("phones", func(t *testing.T) { phonesOnly(t, hall, one, two) })
	t.Run("visio", func(t *testing.T) { visio(t, hall, one, two) })
}

// phonesOnly is what phones alone live through in rooms that are dialled by their name.
func phonesOnly(t *testing.T, hall *Hall, one, two *Gateway) {
	t.Run("of two gateways", func(t *testing.T) { phonesOfTwoGateways(t, hall, one, two) })
	t.Run("mute in step", func(t *testing.T) { muteInStep(t, hall, one, two) })
	t.Run("removed", func(t *testing.T) { removed(t, hall, one) })
	t.Run("the room is closed", func(t *testing.T) { roomClosed(t, hall, one) })
	t.Run("alone", func(t *testing.T) { staysAlone(t, hall, one) })
	t.Run("time is up", func(t *testing.T) { timeIsUp(t, one) })
	t.Run("recording and transcription", func(t *testing.T) { recordingTold(t, hall, one) })
	t.Run("side by side with an embedded room", func(t *testing.T) { sideBySide(t, one) })
}

// visio has phones find the meetings of a Visio by their PINs: an unmodified Meet, played by a small server,
// makes the rules.
func visio(t *testing.T, hall *Hall, one, two *Gateway) {
	t.Run("the PIN is asked for in French", func(t *testing.T) { frenchPIN(t, hall, one, two) })
	t.Run("or in English", func(t *testing.T) { englishPIN(t, hall, one, two) })
	t.Run("three wrong PINs", func(t *testing.T) { wrongPINs(t, one) })
	t.Run("before the host", func(t *testing.T) { beforeTheHost(t, hall, one) })
	t.Run("the PIN is dialled", func(t *testing.T) { pinDialled(t, hall, one, two) })
	t.Run("sipp sends the PIN", func(t *testing.T) { sippSendsPIN(t, hall, one, two) })
	t.Run("admitted from the lobby", func(t *testing.T) { lobbyAdmits(t, hall, one, two) })
	t.Run("refused from the lobby", func(t *testing.T) { lobbyRefuses(t, hall, one, two) })
	t.Run("nobody answers in the lobby", func(t *testing.T) { lobbyIsSilent(t, hall, one, two) })
}

// browserAndPhones has a baresip speak in a room with a browser that speaks too. While a sipp speaks, the
// room's moderator and the baresip's own keys mute the baresip, and in the end it is removed.
func browserAndPhones(t *testing.T, hall *Hall, gateway *Gateway) {
	dir, room := Folder(t), "lk-all"
	man, woman := Part(t, dir, Man, 5), Part(t, dir, Woman, 5)
	ada := StartVisitor(t, dir, BrowserConfig{Name: "Ada", Microphone: woman.After(t, 4).WAV(48000), Once: true})
	ada.Enter(t, hall.Entry(room))
	carl := StartPhone(t, dir, PhoneConfig{Name: "carl", Shows: shownNumber, Microphone: man.After(t, 2).WAV(8000)})
	carl.Dial(t, gateway.URI(room, "udp"))
	carl.AwaitTalking(t, 5*time.Second)
	entered := time.Now()
	phone := ada.AwaitPhones(t, 1, 5*time.Second)[0]
	looksLikeAPhone(t, phone)
	time.Sleep(time.Until(entered.Add(8 * time.Second)))

	sipp := StartSipp(t, dir, "sipp", Scenario{
		Name: "uac_talk", Target: gateway.SIP, Number: room, Transport: "tcp", Talk: 9 * time.Second, Files: []string{man.Raw("ulaw")},
	})
	second := other(t, ada.AwaitPhones(t, 2, 10*time.Second), phone.Identity)
	mutesAreSeen(t, hall, ada, carl, room, phone.Identity)
	keysAreSeen(t, ada, carl, phone.Identity)
	judgeStats(t, ada.Browser, 3)
	sipp.Wait(t)
	ada.AwaitGone(t, second.Identity, 5*time.Second)
	for _, seen := range ada.Phones(t) {
		if !seen.Spoke || seen.Loudest <= 0 {
			t.Errorf("the speaking light of %s stays dark: %+v", seen.Name, seen)
		}
	}
	hall.Remove(t, room, phone.Identity)
	ada.AwaitGone(t, phone.Identity, 5*time.Second)
	carl.AwaitClosed(t, 15*time.Second)
	carl.Quit(t)

	over := OverOpus()
	over.Drifts = true // LiveKit's own path adds to what a jitter buffer adapts to, in five seconds
	heard := Listen(t, "carl", carl.Heard(t))
	heard.HearsOnce(t, woman, over)
	heard.HearsWords(t, Speaks(t, "en"), ivr.Removed, ivr.Goodbye)
	Listen(t, "Ada, of carl,", ada.HeardOf(t, phone.Identity)).HearsOnce(t, man, over)
	Listen(t, "Ada, of sipp,", ada.HeardOf(t, second.Identity)).HearsOnce(t, man, over)
	if complaints := ada.Complaints(); len(complaints) > 0 {
		t.Errorf("Ada's console: %v", complaints)
	}
	ada.Exit(t)
	encrypted(t, hall, gateway, ada)
	ada.Close()
	hall.AwaitClosed(t, room, 15*time.Second)
}

// looksLikeAPhone judges what everybody in the room sees of a phone.
func looksLikeAPhone(t *testing.T, p Seen) {
	t.Helper()
	if p.Kind != "SIP" || p.Microphones != 1 || p.Tracks != 1 || !p.IsMicrophoneEnabled {
		t.Errorf("a phone looks like %+v; want kind SIP with one microphone, on", p)
	}
	if !regexp.MustCompile(`^sip_[A-Za-z0-9]+_[0-9]+$`).MatchString(p.Identity) {
		t.Errorf("a phone's identity is %q, want sip_PREFIX_NUMBER", p.Identity)
	}
	if want := "+33 6 •• •• •• 78"; p.Name != want || p.Attributes["sip.phoneNumber"] != want {
		t.Errorf("a phone is called %q and its number %q, want %q", p.Name, p.Attributes["sip.phoneNumber"], want)
	}
	for key, want := range map[string]string{"sip.callStatus": "active", "sip.trunkID": "peers", "is_authenticated": "false"} {
		if got := p.Attributes[key]; got != want {
			t.Errorf("a phone's attribute %s is %q, want %q", key, got, want)
		}
	}
	for _, key := range []string{"sip.callID", "color"} {
		if p.Attributes[key] == "" {
			t.Errorf("a phone has no attribute %s: %v", key, p.Attributes)
		}
	}
}

// mutesAreSeen has the moderator mute, the phone's user unmute and mute again, and the moderator unmute.
func mutesAreSeen(t *testing.T, hall *Hall, ada *Visitor, carl *Phone, room, identity string) {
	t.Helper()
	member := hall.Members(t, room)
	moderator := func(muted bool) {
		for _, m := range member {
			if m.GetIdentity() == identity {
				hall.Mute(t, room, m, muted)
			}
		}
		ada.AwaitMicrophone(t, identity, !muted, 3*time.Second)
	}
	user := func(muted bool) {
		carl.Press(t, "*6")
		ada.AwaitMicrophone(t, identity, !muted, 3*time.Second)
	}
	moderator(true)
	user(false)
	user(true)
	moderator(false)
}

// keysAreSeen has the phone's user press a key for the room, and raise a hand; and the browser dial a key to the phone.
func keysAreSeen(t *testing.T, ada *Visitor, carl *Phone, identity string) {
	t.Helper()
	carl.Press(t, "5*9")
	ada.AwaitStory(t, "digit", identity, 3*time.Second)
	ada.Await(t, "participant.other('"+identity+"').attributes.handRaisedAt", 3*time.Second)
	carl.Press(t, "*9")
	ada.Await(t, "!participant.other('"+identity+"').attributes.handRaisedAt", 3*time.Second)
	for _, h := range ada.Story(t) {
		if h.What == "digit" && (h.Who != identity || h.Digit != "5") {
			t.Errorf("the room is told of a digit: %+v, want 5 by %s", h, identity)
		}
	}
	ada.Dial(t, "7")
	carl.AwaitKey(t, "7", 3*time.Second)
}

// other returns the one of two that is not the one.
func other(t *testing.T, seen []Seen, identity string) Seen {
	t.Helper()
	for _, p := range seen {
		if p.Identity != identity {
			return p
		}
	}
	t.Fatalf("nobody but %s is there: %v", identity, seen)
	return Seen{}
}

// sideBySide has two phones in an embedded room of a gateway whose other rooms are LiveKit's.
func sideBySide(t *testing.T, gateway *Gateway) {
	t.Parallel()
	dir := Folder(t)
	man := Part(t, dir, Man, 5)
	bea := Call(t, dir, gateway, Dialling{Name: "bea", Number: "room-beside"})
	abe := Call(t, dir, gateway, Dialling{Name: "abe", Number: "room-beside"})
	abe.Say(t, man)
	time.Sleep(500 * time.Millisecond)
	bea.Heard(t).HearsOnce(t, man, AmongMany())
	abe.Heard(t).Silent(t, "with nobody else speaking")
	abe.Hangup(t)
	bea.Hangup(t)
}
