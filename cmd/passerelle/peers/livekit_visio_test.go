//go:build peers

package peers

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/livekit/protocol/livekit"

	"passerelle/bridge/ivr"
	"passerelle/rooms/meet/meettest"
)

// wrongPIN opens nothing; like every PIN here it must not be in the gateway's log.
const wrongPIN = "5550001234"

// visioPIN returns the i-th of the tests' PINs: ten digits, the first a zero.
func visioPIN(i int) string { return "019283746" + string(rune('0'+i)) }

// openedBy has somebody open a meeting: a phone of another gateway, that knows the room's name.
func openedBy(t *testing.T, hall *Hall, dir string, host *Gateway, room string) *Caller {
	t.Helper()
	opener := Call(t, dir, host, Dialling{Name: "host", Number: room})
	hall.AwaitMembers(t, room, 1, 5*time.Second)
	return opener
}

// frenchPIN has a baresip listen to the menu and press the PIN; in the meeting it hears the host and is heard.
func frenchPIN(t *testing.T, hall *Hall, gateway, host *Gateway) {
	t.Parallel()
	dir, pin := Folder(t), visioPIN(0)
	fr := Speaks(t, "fr")
	room := hall.AddMeeting(pin, meettest.Public)
	opener := openedBy(t, hall, dir, host, room)
	asks := fr.PCM(ivr.Welcome, ivr.EnterPIN, ivr.OtherLanguage)
	lead := time.Duration(len(asks))*time.Second/8000 + 6*time.Second
	man, woman := Part(t, dir, Man, 5), Part(t, dir, Woman, 5)
	late := man.After(t, lead.Seconds())
	abe := StartPhone(t, dir, PhoneConfig{Name: "abe", Shows: shownNumber, Microphone: late.WAV(8000)})
	abe.Dial(t, gateway.URI(Switchboard, "udp"))
	abe.AwaitTalking(t, 5*time.Second)
	began := time.Now()
	time.Sleep(lead - 5*time.Second) // until all is said
	abe.Press(t, pin)
	hall.AwaitMembers(t, room, 2, 5*time.Second)
	bea := Call(t, dir, gateway, Dialling{Name: "bea", Number: pin})
	hall.AwaitMembers(t, room, 3, 5*time.Second)
	bea.Say(t, woman)
	time.Sleep(time.Until(began.Add(late.Length(t) + time.Second)))
	abe.Hangup(t)
	abe.Quit(t)
	bea.Hangup(t)
	bea.Heard(t).HearsOnce(t, man, AmongMany())
	heard := Listen(t, "abe", abe.Heard(t))
	heard.Holds(t, "what asks for the PIN", fr.PCM(ivr.EnterPIN), OverG711())
	end := heard.HearsWords(t, fr, ivr.Welcome, ivr.EnterPIN)
	heard.From(end).HearsOnce(t, woman, AmongMany())
	heard.HearsNotWords(t, fr, ivr.WrongPIN, ivr.FirstHere)
	opener.Hangup(t)
}

// englishPIN has a caller change the language by an empty #, press while the voice speaks, err once, and begin
// again with *.
func englishPIN(t *testing.T, hall *Hall, gateway, host *Gateway) {
	t.Parallel()
	dir, pin := Folder(t), visioPIN(1)
	fr, en := Speaks(t, "fr"), Speaks(t, "en")
	room := hall.AddMeeting(pin, meettest.Public)
	opener := openedBy(t, hall, dir, host, room)
	abe := Call(t, dir, gateway, Dialling{Name: "abe", Number: Switchboard})
	at := abe.AwaitWords(t, fr, ivr.Welcome, 0, 10*time.Second)
	abe.Press(t, "#")
	at = abe.AwaitWords(t, en, ivr.EnterPIN, at, 15*time.Second)
	abe.Press(t, wrongPIN)
	abe.AwaitWords(t, en, ivr.WrongPIN, at, 8*time.Second)
	abe.Press(t, pin[:4]+"*"+pin+"#")
	hall.AwaitMembers(t, room, 2, 5*time.Second)
	abe.Stays(t)
	abe.Hangup(t)
	opener.Hangup(t)
}

// wrongPINs has a caller be wrong three times.
func wrongPINs(t *testing.T, gateway *Gateway) {
	t.Parallel()
	fr := Speaks(t, "fr")
	abe := Call(t, Folder(t), gateway, Dialling{Name: "abe", Number: Switchboard})
	at := abe.AwaitWords(t, fr, ivr.Welcome, 0, 15*time.Second)
	for range 2 {
		abe.Press(t, wrongPIN)
		at = abe.AwaitWords(t, fr, ivr.WrongPIN, at, 10*time.Second)
	}
	abe.Press(t, wrongPIN)
	abe.AwaitBye(t, 20*time.Second)
	abe.Heard(t).From(at).HearsWords(t, fr, ivr.TooManyTries, ivr.Goodbye)
}

// beforeTheHost has two callers come before anybody has opened the meeting: the first is told so and hears
// music, until the second comes.
func beforeTheHost(t *testing.T, hall *Hall, gateway *Gateway) {
	t.Parallel()
	dir, pin := Folder(t), visioPIN(2)
	fr := Speaks(t, "fr")
	room := hall.AddMeeting(pin, meettest.Public)
	abe := Call(t, dir, gateway, Dialling{Name: "abe", Number: pin})
	hall.AwaitMembers(t, room, 1, 8*time.Second)
	at := abe.AwaitWords(t, fr, ivr.FirstHere, 0, 10*time.Second)
	time.Sleep(2 * time.Second)
	abe.Heard(t).From(at).Holds(t, "the music", fr.Music()[:8000], AmongMany())
	bea := Call(t, dir, gateway, Dialling{Name: "bea", Number: pin})
	hall.AwaitMembers(t, room, 2, 5*time.Second)
	time.Sleep(500 * time.Millisecond)
	quiet := abe.Heard(t).Length()
	woman := Part(t, dir, Woman, 5)
	bea.Say(t, woman)
	time.Sleep(300 * time.Millisecond)
	abe.Heard(t).From(quiet-300*time.Millisecond).HearsOnce(t, woman, AmongMany())
	bea.Heard(t).HearsNotWords(t, fr, ivr.FirstHere)
	abe.Hangup(t)
	bea.Hangup(t)
	hall.AwaitClosed(t, room, 15*time.Second)
}

// pinDialled has callers bring the PIN with the call, in every way that there is: nobody asks them for it.
func pinDialled(t *testing.T, hall *Hall, gateway, host *Gateway) {
	t.Parallel()
	dir, pin := Folder(t), visioPIN(3)
	fr := Speaks(t, "fr")
	room := hall.AddMeeting(pin, meettest.Public)
	opener := openedBy(t, hall, dir, host, room)
	var callers []*Caller
	for i, d := range []Dialling{
		{Name: "plain", Number: pin},
		{Name: "pound", Number: pin + "#"},
		{Name: "escaped", Number: pin + "%23"},
		{Name: "blanks", Number: pin[:4] + "%20" + pin[4:7] + "%20" + pin[7:]},
		{Name: "header", Number: Switchboard, Headers: []string{"X-PIN: " + pin}},
		{Name: "header-blanks", Number: Switchboard, Headers: []string{"X-PIN: " + pin[:5] + " " + pin[5:] + "#"}},
	} {
		callers = append(callers, Call(t, dir, gateway, d))
		hall.AwaitMembers(t, room, i+2, 5*time.Second)
	}
	for _, c := range callers {
		c.Stays(t)
		c.Heard(t).HearsNotWords(t, fr, ivr.EnterPIN, ivr.WrongPIN)
		c.Hangup(t)
	}
	wrong := Call(t, dir, gateway, Dialling{Name: "wrong", Number: wrongPIN})
	wrong.AwaitWords(t, fr, ivr.WrongPIN, 0, 15*time.Second)
	wrong.Hangup(t)
	opener.Hangup(t)
}

// lobbyAdmits has a caller knock at a meeting that lets nobody in unasked: music, then the meeting. What
// Meet chose for the guest is what its participant carries.
func lobbyAdmits(t *testing.T, hall *Hall, gateway, host *Gateway) {
	t.Parallel()
	dir, pin := Folder(t), visioPIN(4)
	fr := Speaks(t, "fr")
	room := hall.AddMeeting(pin, meettest.Trusted)
	opener := openedBy(t, hall, dir, host, room)
	abe := Call(t, dir, gateway, Dialling{Name: "abe", Number: pin, Shows: shownNumber})
	guest := hall.AwaitKnock(t, room, 8*time.Second)
	if want := "+33 6 •• •• •• 78"; guest.Name != want {
		t.Errorf("Meet sees %q knock, want %q", guest.Name, want)
	}
	at := abe.AwaitWords(t, fr, ivr.Waiting, 0, 10*time.Second)
	time.Sleep(2 * time.Second) // by now longer than an entry lives that is not asked for again
	if again := hall.AwaitKnock(t, room, time.Second); again.ID != guest.ID {
		t.Errorf("the guest %s knocks again as %s", guest.ID, again.ID)
	}
	waited := abe.Heard(t).From(at)
	if n := len(hall.Members(t, room)); n != 1 {
		t.Errorf("%d are in the meeting while the guest waits, want the host", n)
	}
	if !hall.Meet.Accept(guest.ID) {
		t.Errorf("%s does not wait any more", guest.Name)
	}
	members := hall.AwaitMembers(t, room, 2, 8*time.Second)
	waited.Holds(t, "the music", fr.Music()[:8000], AmongMany())
	if !slices.ContainsFunc(members, func(p *livekit.ParticipantInfo) bool { return p.GetAttributes()["color"] == guest.Color }) {
		t.Errorf("nobody has the color %q that Meet gave: %v", guest.Color, members)
	}
	abe.Hangup(t)
	opener.Hangup(t)
}

// lobbyRefuses has the host say no.
func lobbyRefuses(t *testing.T, hall *Hall, gateway, host *Gateway) {
	t.Parallel()
	dir, pin, fr := Folder(t), visioPIN(5), Speaks(t, "fr")
	room := hall.AddMeeting(pin, meettest.Restricted)
	opener := openedBy(t, hall, dir, host, room)
	abe := Call(t, dir, gateway, Dialling{Name: "abe", Number: pin})
	guest := hall.AwaitKnock(t, room, 8*time.Second)
	abe.AwaitWords(t, fr, ivr.Waiting, 0, 10*time.Second)
	if !hall.Meet.Deny(guest.ID) {
		t.Errorf("%s does not wait any more", guest.Name)
	}
	abe.AwaitBye(t, 20*time.Second)
	abe.Heard(t).HearsWords(t, fr, ivr.Waiting, ivr.Denied, ivr.Goodbye)
	opener.Hangup(t)
}

// lobbyIsSilent has nobody say anything, for as long as lobby_timeout allows.
func lobbyIsSilent(t *testing.T, hall *Hall, gateway, host *Gateway) {
	t.Parallel()
	dir, pin := Folder(t), visioPIN(6)
	room := hall.AddMeeting(pin, meettest.Trusted)
	opener := openedBy(t, hall, dir, host, room)
	abe := Call(t, dir, gateway, Dialling{Name: "abe", Number: pin})
	hall.AwaitKnock(t, room, 8*time.Second)
	abe.AwaitBye(t, LobbyTimeout+20*time.Second)
	abe.Heard(t).HearsWords(t, Speaks(t, "fr"), ivr.Waiting, ivr.Unanswered, ivr.Goodbye)
	opener.Hangup(t)
}

// sippSendsPIN has a sipp press its PIN and speak after it, by packets as a phone sends them.
func sippSendsPIN(t *testing.T, hall *Hall, gateway, host *Gateway) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("sipp plays packets from a file only as root")
	}
	dir, pin := Folder(t), visioPIN(8)
	room := hall.AddMeeting(pin, meettest.Public)
	opener := openedBy(t, hall, dir, host, room)
	bea := Call(t, dir, gateway, Dialling{Name: "bea", Number: pin})
	hall.AwaitMembers(t, room, 2, 5*time.Second)
	part := Part(t, dir, Man, 5)
	man := part.After(t, 8)
	ulaw, err := os.ReadFile(man.Raw("ulaw"))
	if err != nil {
		t.Fatal(err)
	}
	packets := DigitsPCAP(t, dir, ulaw, pin+"#", time.Second)
	RunSipp(t, dir, "sipp", Scenario{Name: "uac_dtmf", Target: gateway.SIP, Number: Switchboard, Talk: man.Length(t), Files: []string{packets}})
	time.Sleep(300 * time.Millisecond)
	bea.Heard(t).HearsOnce(t, part, AmongMany())
	bea.Hangup(t)
	opener.Hangup(t)
}

// encrypted has a browser encrypt a meeting from end to end: a caller with the right PIN is told why it cannot
// be in it, and a phone that dials such a room is refused.
func encrypted(t *testing.T, hall *Hall, gateway *Gateway, ada *Visitor) {
	dir, pin := Folder(t), visioPIN(7)
	room := hall.AddMeeting(pin, meettest.Public)
	entry := hall.Entry(room)
	entry.Encrypt = "kerfuffle"
	ada.Enter(t, entry)
	hall.AwaitMembers(t, room, 1, 5*time.Second)
	abe := Call(t, dir, gateway, Dialling{Name: "abe", Number: pin})
	abe.AwaitBye(t, 20*time.Second)
	abe.Heard(t).HearsWords(t, Speaks(t, "fr"), ivr.Encrypted, ivr.Goodbye)
	ada.Exit(t)
	entry.Room = "lk-encrypted"
	ada.Enter(t, entry)
	hall.AwaitMembers(t, entry.Room, 1, 5*time.Second)
	if _, err := TryCall(t, dir, gateway, Dialling{Name: "bea", Number: entry.Room}); err == nil || !strings.Contains(err.Error(), "refused: SIP/2.0 4") {
		t.Errorf("a call to an encrypted room: %v, want it refused", err)
	}
	ada.Exit(t)
}
