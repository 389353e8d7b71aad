//go:build peers

package peers

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"passerelle/bridge/ivr"
	"passerelle/codec/score"
)

// TestProofVoicesAndKeys has a baresip go through the menu of an embedded room in English, wait there with music, hear a Chromium
// come in, and press all the keys that callers have. Debian's recordings speak where they are installed.
func TestProofVoicesAndKeys(t *testing.T) {
	onlyInProof(t)
	t.Parallel()
	dir := Folder(t)
	if _, err := os.Stat(ivr.DebianFolder); err != nil {
		t.Log("Debian's recordings are not installed (asterisk-core-sounds-en-wav): the program's own voice is heard")
	}
	gateway := StartGateway(t, dir, GatewayConfig{
		Doors: &Doors{Number: "7000", PIN: doorPIN, Moderator: moderatorPIN}, Studio: true, Announce: "tone",
	})
	nothing := filepath.Join(dir, "nothing.wav")
	Sox(t, "-n", "-r", "48000", "-c", "1", "-b", "16", nothing, "trim", "0", "5")
	bob := StartPhone(t, dir, PhoneConfig{Name: "bob", Microphone: nothing})
	en := speaksStudio(t, "en")

	bob.Dial(t, gateway.URI(gateway.Doors.Number, "udp"))
	bob.AwaitTalking(t, 5*time.Second)
	time.Sleep(300 * time.Millisecond)
	bob.Press(t, "#")
	asked := time.Now().Add(en.Lasts(ivr.Welcome) + en.Lasts(ivr.EnterPIN) + 1500*time.Millisecond)
	ada := StartBrowser(t, dir, BrowserConfig{Name: "Ada", Microphone: nothing})
	time.Sleep(time.Until(asked))
	bob.Press(t, doorPIN)
	time.Sleep(en.Lasts(ivr.FirstHere) + 3*time.Second)
	ada.Join(t, gateway, "room-door", "")
	ada.Await(t, `document.querySelectorAll('#people > li').length == 2`, 10*time.Second)
	time.Sleep(1500 * time.Millisecond)
	bob.Press(t, "*9")
	ada.Await(t, `document.body.innerHTML.includes('hand raised')`, 5*time.Second)
	bob.Press(t, "*7*7*4*0")
	help := ivr.Help(ivr.DefaultKeys())
	time.Sleep(en.Lasts(ivr.HandRaised) + en.Lasts(help...) + time.Second)
	bob.Hangup(t)
	bob.Quit(t)
	ada.Close()

	heard := Listen(t, "bob", bob.Heard(t))
	end := heard.HearsWords(t, en, ivr.EnterPIN, ivr.FirstHere)
	coming := heard.From(end).notes(659.3, 880)
	if coming == 0 {
		t.Error("nobody is heard to come in")
	}
	end += heard.From(end).HearsWords(t, en, ivr.HandRaised)
	heard.From(end).HearsWords(t, en, ivr.HelpMute, ivr.HelpHand, ivr.HelpSofter, ivr.HelpLouder, ivr.HelpHelp)
	m := heard.From(end).Until(en.Lasts(help...)+2*time.Second).Holds(t, "all of help", en.PCM(help...), Quality{Median: 0.97, GainDB: 4})
	if math.Abs(m.GainDB-3) > 0.5 {
		t.Errorf("help is %.1f dB louder, want 3: twice louder, once softer", m.GainDB)
	}
}

// speaksStudio returns the words of a gateway for which Debian's recordings speak, where they are installed.
func speaksStudio(t testing.TB, language string) Words {
	t.Helper()
	voices, err := ivr.Open(ivr.Config{Rate: 2 * score.Rate, Debian: ivr.DebianFolder})
	if err != nil {
		t.Fatal(err)
	}
	t.Log(strings.Join(voices.Told(), "; "))
	return Words{Language: language, voices: voices}
}

// Lasts returns how long it takes to say prompts.
func (w Words) Lasts(prompts ...ivr.Prompt) time.Duration { return duration(len(w.PCM(prompts...))) }

// notes returns where the first of some notes is heard that all others follow, in Hz; 0 is nowhere.
func (r Recording) notes(hertz ...float64) time.Duration {
	const length = score.Rate / 10
	for at := 0; at+len(hertz)*length <= len(r.PCM); at += length / 10 {
		all := true
		for i, hz := range hertz {
			all = all && purely(r.PCM[at+i*length:at+(i+1)*length], hz)
		}
		if all {
			return duration(at)
		}
	}
	return 0
}

// purely reports whether most of a sound is one tone.
func purely(pcm []int16, hz float64) bool {
	var re, im, all float64
	for i, s := range pcm {
		sin, cos := math.Sincos(2 * math.Pi * hz * float64(i) / score.Rate)
		re, im, all = re+float64(s)*cos, im+float64(s)*sin, all+float64(s)*float64(s)
	}
	return score.Level(pcm) > -45 && 2*(re*re+im*im)/float64(len(pcm)) > 0.5*all
}
