//go:build peers

package peers

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"passerelle/bridge/ivr"
)

// The PINs of the room, and others that open nothing; none of them may be seen anywhere.
const (
	doorPIN      = "0042117735"
	moderatorPIN = "9942117735"
	mistypedPIN  = "00421177355"
)

// TestPIN has callers find an embedded room by its PIN, with a Chromium in it, and looks for PINs in all that the gateway
// tells of them.
func TestPIN(t *testing.T) {
	t.Parallel()
	dir := Folder(t)
	gateway := StartGateway(t, dir, GatewayConfig{
		Doors: &Doors{Number: "7000", PIN: doorPIN, Moderator: moderatorPIN}, Admin: true, Level: "debug",
		Canaries: []string{doorPIN, moderatorPIN, wrongPIN},
	})
	nothing := filepath.Join(dir, "nothing.wav")
	Sox(t, "-n", "-r", "48000", "-c", "1", "-b", "16", nothing, "trim", "0", "5")
	ada := StartBrowser(t, dir, BrowserConfig{Name: "Ada", Microphone: nothing})
	ada.Join(t, gateway, "room-door", "")

	man, woman := Part(t, dir, Man, 3), Part(t, dir, Woman, 3)
	t.Run("calls", func(t *testing.T) {
		said := make(chan struct{}) // by the man
		t.Run("in French", func(t *testing.T) { frenchDoor(t, gateway, ada, man, said) })
		t.Run("in English", func(t *testing.T) { englishDoor(t, gateway, ada, woman, said) })
		t.Run("in every way that there is", func(t *testing.T) { everyWay(t, gateway, ada) })
		t.Run("three wrong PINs", func(t *testing.T) { wrongAtDoor(t, gateway) })
	})
	heard := Listen(t, "Ada", ada.Heard(t))
	heard.HearsOnce(t, man, AmongMany())
	heard.HearsOnce(t, woman, AmongMany())
	invites(t, gateway, ada)
	ada.Close()
	leavesNoPIN(t, gateway)
}

// invites has the page say how telephones come, and programs be told likewise: this is who may see a PIN.
func invites(t *testing.T, gateway *Gateway, ada *Browser) {
	t.Helper()
	ada.Click(t, "#invite-open")
	ada.Await(t, fmt.Sprintf(`document.querySelector('#invite-ways').innerText.includes('%s') && document.querySelector('#invite-ways').innerText.includes('%s')`,
		gateway.Doors.Number, doorPIN), 5*time.Second)
	ada.Screenshot(t, "invite.png")
	response, err := http.Get("http://" + gateway.Desk.String() + "/v1/dial/room-door")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || !strings.Contains(string(body), "tel:7000,,"+doorPIN+"%23") || strings.Contains(string(body), moderatorPIN) {
		t.Errorf("/v1/dial/room-door: %s, %v", body, err)
	}
}

// frenchDoor listens to the question, presses the PIN, and speaks.
func frenchDoor(t *testing.T, gateway *Gateway, ada *Browser, says Speech, said chan<- struct{}) {
	t.Parallel()
	defer close(said)
	fr := Speaks(t, "fr")
	abe := Call(t, Folder(t), gateway, Dialling{Name: "abe", Number: gateway.Doors.Number, Shows: "+33699000011"})
	at := abe.AwaitWords(t, fr, ivr.Welcome, 0, 10*time.Second)
	abe.AwaitWords(t, fr, ivr.EnterPIN, at, 10*time.Second)
	abe.Press(t, doorPIN)
	awaitPhone(t, ada, "11")
	abe.Say(t, says)
	abe.Hangup(t)
	heard := abe.Heard(t)
	heard.Holds(t, "what asks for the PIN", fr.PCM(ivr.EnterPIN), OverG711())
	heard.HearsNotWords(t, fr, ivr.WrongPIN, ivr.FirstHere)
}

// englishDoor changes the language, is wrong once, and presses a moderator's PIN. It speaks after the other.
func englishDoor(t *testing.T, gateway *Gateway, ada *Browser, says Speech, after <-chan struct{}) {
	t.Parallel()
	en := Speaks(t, "en")
	bea := Call(t, Folder(t), gateway, Dialling{Name: "bea", Number: gateway.Doors.Number, Shows: "+33699000022"})
	bea.Press(t, "#")
	at := bea.AwaitWords(t, en, ivr.EnterPIN, 0, 15*time.Second)
	bea.Press(t, wrongPIN)
	bea.AwaitWords(t, en, ivr.WrongPIN, at, 10*time.Second)
	bea.Press(t, moderatorPIN)
	awaitPhone(t, ada, "22")
	<-after
	bea.Say(t, says)
	bea.Stays(t)
	bea.Hangup(t)
	bea.Heard(t).Holds(t, "what asks for the PIN", en.PCM(ivr.EnterPIN), OverG711())
}

// wrongAtDoor is wrong three times, with the call and by keys, and bidden goodbye.
func wrongAtDoor(t *testing.T, gateway *Gateway) {
	t.Parallel()
	fr := Speaks(t, "fr")
	carl := Call(t, Folder(t), gateway, Dialling{Name: "carl", Number: wrongPIN})
	at := carl.AwaitWords(t, fr, ivr.WrongPIN, 0, 12*time.Second)
	carl.Press(t, wrongPIN)
	at = carl.AwaitWords(t, fr, ivr.WrongPIN, at, 12*time.Second)
	carl.Press(t, wrongPIN)
	carl.AwaitBye(t, 20*time.Second)
	carl.Heard(t).From(at).HearsWords(t, fr, ivr.TooManyTries, ivr.Goodbye)
}

// awaitPhone waits until a phone whose number ends like that is on the page.
func awaitPhone(t *testing.T, b *Browser, end string) {
	t.Helper()
	b.Await(t, fmt.Sprintf(`[...document.querySelectorAll('#people > li')].some(li => li.querySelector('[href="#i-phone"]') && li.innerText.includes('•• %s'))`, end), 20*time.Second)
}

// everyWay has calls bring right and wrong PINs in every way that there is, and asks about them while they are up.
func everyWay(t *testing.T, gateway *Gateway, ada *Browser) {
	t.Parallel()
	dir, number := Folder(t), gateway.Doors.Number
	var right, wrong []*Caller
	for i, pin := range []string{doorPIN, wrongPIN} {
		call := func(name, number string, headers ...string) *Caller {
			shows := fmt.Sprint("+336990000", 30+10*i+len(right)+len(wrong))
			c := Call(t, dir, gateway, Dialling{Name: fmt.Sprint(name, i), Number: number, Headers: headers, Shows: shows})
			if pin == doorPIN {
				right = append(right, c)
			} else {
				wrong = append(wrong, c)
			}
			return c
		}
		call("plain", pin)
		call("pound", pin+"%23")
		call("room", "room-door*"+pin)
		call("header", number, "X-PIN: "+pin)
		call("keys", number).Press(t, pin)
		if err := call("info", number).PressINFO(t.Context(), pin); err != nil {
			t.Error(err)
		}
	}
	for i := range right {
		awaitPhone(t, ada, fmt.Sprint(30+i))
	}
	fr := Speaks(t, "fr")
	for _, c := range wrong {
		c.AwaitWords(t, fr, ivr.WrongPIN, 0, 20*time.Second)
	}
	if calls := gateway.Ask(t, "/v1/calls"); strings.Count(calls, `"to":`) < len(right)+len(wrong) {
		t.Errorf("/v1/calls has fewer calls than there are: %s", calls)
	}
	for _, c := range append(right, wrong...) {
		c.Hangup(t)
	}
	_, err := TryCall(t, dir, gateway, Dialling{Name: "mistyped", Number: mistypedPIN})
	var refused *Refused
	if !errors.As(err, &refused) {
		t.Fatalf("a mistyped PIN: %v, want it refused", err)
	}
	refused.Header.Del("To") // it is what the phone has said itself
	gateway.seesNoPIN(t, "the answer to a mistyped PIN", fmt.Sprint(refused.Line, refused.Header))
}

// leavesNoPIN looks for PINs in what is asked for after the calls, and in what is left when the gateway has ended.
func leavesNoPIN(t *testing.T, gateway *Gateway) {
	t.Helper()
	gateway.Ask(t, "/v1/calls")
	gateway.Ask(t, "/v1/knocks")
	for _, args := range [][]string{
		{"--to", doorPIN}, {"--to", wrongPIN}, {"--to", mistypedPIN}, {"--to", "room-door*" + doorPIN},
		{"--to", gateway.Doors.Number, "--header", "X-PIN: " + doorPIN},
	} {
		for _, more := range [][]string{nil, {"--json"}} {
			all := append(append([]string{"route", "--config", gateway.file(), "--trunk", "peers"}, args...), more...)
			out, err := exec.CommandContext(t.Context(), Binary(t), all...).CombinedOutput()
			if err != nil {
				t.Errorf("passerelle route: %v\n%s", err, out)
			}
			gateway.seesNoPIN(t, "passerelle route "+strings.Join(more, " "), string(out))
		}
	}
	out, err := exec.CommandContext(t.Context(), Binary(t), "check", "--effective", "--config", gateway.file()).CombinedOutput()
	if err != nil {
		t.Errorf("passerelle check: %v\n%s", err, out)
	}
	gateway.seesNoPIN(t, "passerelle check", string(out))
	gateway.Stop(t)
	kept := 0
	err = filepath.Walk(filepath.Join(gateway.dir, "state"), func(path string, info os.FileInfo, err error) error {
		if err != nil || info.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		kept += len(data)
		gateway.seesNoPIN(t, path, string(data))
		return err
	})
	if err != nil || kept < 100 {
		t.Errorf("%d bytes of state, %v: who guessed is not kept", kept, err)
	}
}

// Ask asks the admin's desk, and looks for PINs in its answer.
func (g *Gateway) Ask(t *testing.T, path string) string {
	t.Helper()
	response, err := http.Get("http://" + g.Desk.String() + path)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %v", path, response.Status, err)
	}
	g.seesNoPIN(t, path, string(body))
	return string(body)
}

// seesNoPIN fails the test if a text holds one of the gateway's canaries.
func (g *Gateway) seesNoPIN(t *testing.T, what, text string) {
	t.Helper()
	for _, canary := range g.Canaries {
		if strings.Contains(text, canary) {
			t.Errorf("%s tells %q:\n%s", what, canary, text)
		}
	}
}
