//go:build peers

package peers

import (
	"fmt"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"passerelle/bridge/ivr"
)

// TestModerator has phones knock at a room before there is anybody to open, and a moderator in Chromium who declines one, admits
// others, mutes all, lets one speak again who asks for it, removes another, and calls a baresip.
func TestModerator(t *testing.T) {
	dir := Folder(t)
	gateway := StartGateway(t, dir, GatewayConfig{Phones: true, MD5: true, Complains: regexp.MustCompile(`who dials 112`)})
	man, woman := Part(t, dir, Man, 2), Part(t, dir, Woman, 2)
	eve := StartPhone(t, dir, PhoneConfig{Name: "eve", Microphone: man.WAV(8000), Registers: "2001@" + gateway.SIP.String(), AutoAnswer: true})
	nothing := filepath.Join(dir, "nothing.wav")
	Sox(t, "-n", "-r", "48000", "-c", "1", "-b", "16", nothing, "trim", "0", "5")
	ada := StartBrowser(t, dir, BrowserConfig{Name: "Ada", Microphone: nothing})

	call := func(name, end string) *Caller {
		return Call(t, dir, gateway, Dialling{Name: name, Number: "room-council", Shows: "+336990000" + end})
	}
	carl, dora, erin, frank := call("carl", "11"), call("dora", "22"), call("erin", "33"), call("frank", "44")
	knocks := func(n int) {
		ada.Await(t, fmt.Sprintf(`document.querySelectorAll('#knocks .line').length == %d`, n), 10*time.Second)
	}
	press := func(end, act string) {
		ada.Click(t, fmt.Sprintf(`#knocks .line:has-text("•• %s") >> text=%s`, end, act))
	}
	person := func(end string) string { return fmt.Sprintf(`.person:has-text("•• %s")`, end) }
	shows := func(end, is string) {
		ada.Await(t, fmt.Sprintf(`[...document.querySelectorAll('.person')].some(p => p.innerText.includes('•• %s') && %s)`, end, is), 10*time.Second)
	}

	ada.Moderate(t, gateway, "room-council", Password)
	knocks(4)
	ada.Screenshot(t, "knocks.png")
	frank.Hangup(t)
	knocks(3)
	press("11", "Decline")
	press("22", "Admit")
	press("33", "Admit")
	knocks(0)
	awaitPhone(t, ada, "22")
	awaitPhone(t, ada, "33")
	dora.Say(t, woman)

	ada.Click(t, "#mute-all")
	shows("22", `p.dataset.muted == 'true'`)
	shows("33", `p.dataset.muted == 'true'`)
	dora.Say(t, man) // to nobody: eve's is the only one that is heard
	dora.Press(t, "*9")
	shows("22", `p.dataset.hand == 'true' && p.dataset.muted == 'true'`)
	ada.Click(t, person("33")+" >> .more")
	ada.Click(t, "#person-remove")
	ada.Click(t, "#person [data-act=remove]")
	ada.Await(t, `document.querySelectorAll('.person').length == 2`, 5*time.Second)

	ada.Click(t, "#call-open")
	ada.Fill(t, "#call-number", "2001")
	ada.Click(t, "#call-form .primary")
	eve.AwaitTalking(t, 10*time.Second)
	ada.Await(t, `document.querySelectorAll('.person').length == 3 && document.querySelector('#desk').hidden`, 10*time.Second)

	ada.Click(t, person("22")+" >> .more")
	ada.Click(t, "#person-unmute")
	shows("22", `p.dataset.muted == 'false'`)
	en := Speaks(t, "en")
	dora.AwaitWords(t, en, ivr.UnmutedByModerator, 0, 20*time.Second)
	dora.Hangup(t)
	carl.AwaitBye(t, 10*time.Second)
	erin.AwaitBye(t, 10*time.Second)

	carl.Heard(t).HearsWords(t, en, ivr.Denied, ivr.Goodbye)
	erin.Heard(t).HearsWords(t, en, ivr.Waiting, ivr.Removed, ivr.Goodbye)
	dora.Heard(t).HearsWords(t, en, ivr.Waiting, ivr.MutedByModerator, ivr.HelpHand, ivr.HandRaised, ivr.UnmutedByModerator)
	heard := Listen(t, "Ada", ada.Heard(t))
	heard.HearsOnce(t, woman, AmongMany())
	heard.HearsOnce(t, man, AmongMany())
	if complaints := ada.Complaints(); len(complaints) > 0 {
		t.Errorf("Ada's console: %v", complaints)
	}
	eve.Quit(t)
	ada.Close()
}
