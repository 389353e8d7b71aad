//go:build peers

package peers

import (
	"regexp"
	"testing"
	"time"

	"passerelle/bridge/ivr"
)

// TestBrowserPhone has a telephone in a browser, over WSS and with DTLS-SRTP, and an ordinary one hear each other; it is
// put on hold and comes back, presses keys in RTP and in INFO, hangs up, and is hung up on.
func TestBrowserPhone(t *testing.T) {
	dir := Folder(t)
	gateway := StartGateway(t, dir, GatewayConfig{TLS: true, Drain: 500 * time.Millisecond})
	man, woman := Part(t, dir, Man, 5), Part(t, dir, Woman, 5)
	bob := StartPhone(t, dir, PhoneConfig{Name: "bob", Microphone: man.After(t, 2).WAV(8000)})
	ada := StartBrowserPhone(t, dir, gateway, BrowserConfig{Name: "ada", Microphone: woman.After(t, 3).WAV(48000), Once: true})

	ada.Dial(t, "sip:room-web@gateway.invalid")
	bob.Dial(t, gateway.URI("room-web", "udp"))
	bob.AwaitTalking(t, 5*time.Second)
	time.Sleep(woman.Length(t) + 3*time.Second)
	ada.Does(t, "hold()")
	ada.AwaitTold(t, "held", 3*time.Second)
	ada.Does(t, "unhold()")
	ada.AwaitTold(t, "back", 3*time.Second)
	spoken := Listen(t, "ada", ada.Heard(t)).Length()
	ada.Does(t, "press('*6', 'RFC2833')")
	time.Sleep(2500 * time.Millisecond)
	ada.Does(t, "press('*6', 'INFO')")
	time.Sleep(4 * time.Second) // until all is said
	judgeStats(t, ada.Browser, 2)
	heard := Listen(t, "ada", ada.Heard(t))
	heard.Hears(t, man, OverOpus())
	heard.HearsNot(t, woman)
	heard.From(spoken).HearsWords(t, Speaks(t, "en"), ivr.Muted, ivr.Unmuted)
	ada.Does(t, "hangup()")
	ada.AwaitTold(t, "ended local", 3*time.Second)
	bob.Hangup(t)
	bob.Quit(t)
	Listen(t, "bob", bob.Heard(t)).HearsOnce(t, woman, OverOpus())

	ada.Dial(t, "sip:room-web@gateway.invalid")
	if c := gateway.Counters(t).Gateway; c.Answered != 3 || c.Encrypted != 2 || c.Exposed != 0 || c.Calls != 1 {
		t.Errorf("got %+v, want three calls, two encrypted, one of these up", c)
	}
	gateway.Terminate(t)
	ada.AwaitTold(t, "ended remote", 10*time.Second)
	for _, c := range ada.Complaints() {
		if !regexp.MustCompile(`WebSocket`).MatchString(c.Text) { // the gateway is gone
			t.Errorf("the console: %v", c)
		}
	}
}
