//go:build peers

package peers

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"passerelle/bridge/ivr"
)

// TestCallOut has the shell call telephones into a room in which a browser is: a phone that answers, behind a server that is
// dead; one that is busy; one that speaks before it answers; and one that nobody answers. The browser hears how it goes.
func TestCallOut(t *testing.T) {
	t.Parallel()
	dir := Folder(t)
	man, woman := Part(t, dir, Man, 2.5), Part(t, dir, Woman, 2.5)
	loop := Part(t, Sub(t, dir, "loop"), Man, 1.2) // what Ada says again and again
	const number = "+33123456789"
	carl := StartPhone(t, dir, PhoneConfig{Name: "carl", Shows: number, Microphone: woman.After(t, 0.3).WAV(8000), AutoAnswer: true})
	telephone := func(name string, talk time.Duration) *Sipp {
		return StartSipp(t, dir, name, Scenario{
			Name: name, Number: number, Target: netip.AddrPortFrom(Loopback(), 9), Talk: talk, Within: time.Minute, Files: []string{man.Raw("ulaw")},
		})
	}
	busy, early, ring := telephone("uas_busy", 2*time.Second), telephone("uas_early", man.Length(t)+500*time.Millisecond), telephone("uas_ring", 0)
	at := func(s *Sipp) []string { return []string{"sip:" + s.Address.String()} }
	dead := fmt.Sprintf("sip:127.0.0.85:%d;transport=tcp", Ports(t, 1))
	gateway := StartGateway(t, dir, GatewayConfig{Admin: true, Ways: []Way{
		{"first", []string{dead, fmt.Sprintf("sip:%s:%d", Loopback(), carl.SIP)}}, {"busy", at(busy)}, {"early", at(early)}, {"silent", at(ring)},
	}})
	ada := StartBrowser(t, dir, BrowserConfig{Name: "Ada", Microphone: loop.WAV(48000)})
	ada.Join(t, gateway, "room-out", "")

	// One answers, and hangs up.
	dial := gateway.Dial(t, "room-out", "01 23 45 67 89")
	dial.Await(t, "^in the room$", 10*time.Second)
	exits(t, dial, 0)
	ada.Await(t, `[...document.querySelectorAll('#people > li')].some(li => li.innerText.includes('+33 1 •• •• •• 89'))`, 5*time.Second)
	time.Sleep(woman.Length(t) + time.Second)
	carl.Hangup(t)
	ada.Await(t, `document.querySelectorAll('#people > li').length == 1`, 5*time.Second)

	// One is busy.
	dial = gateway.Dial(t, "room-out", number, "--trunk", "busy")
	dial.Await(t, `the number is busy \(SIP 486, Q.850 17 User busy\)`, 15*time.Second)
	exits(t, dial, 3)
	busy.Wait(t)
	ada.Await(t, `document.querySelectorAll('#people > li').length == 1`, 10*time.Second)

	// One speaks before it answers, and is hung up here.
	dial = gateway.Dial(t, "room-out", number, "--trunk", "early", "--json")
	joined := dial.Await(t, `"id":"([^"]+)","state":"joined"`, 15*time.Second)
	exits(t, dial, 0)
	gateway.HangUp(t, joined[1])
	early.Wait(t)

	// One is given up.
	dial = gateway.Dial(t, "room-out", number, "--trunk", "silent")
	dial.Await(t, "^it rings$", 5*time.Second)
	if status := dial.Stop(syscall.SIGINT, 5*time.Second); status != 130 {
		t.Errorf("a call that Ctrl-C has ended has status %d", status)
	}
	ring.Wait(t)
	if said := ring.Messages(t); !strings.Contains(said, "CANCEL sip:") {
		t.Error("there is no CANCEL")
	}

	heard := Listen(t, "Ada", ada.Heard(t))
	heard.HearsOnce(t, woman, AmongMany())
	heard.HearsOnce(t, man, AmongMany())
	heard.HearsWords(t, Speaks(t, "en"), ivr.Busy)
	heard.Holds(t, "the ringing tone of France", narrowed(ivr.Ringback("FR", 16000))[:8000], AmongMany())
	carl.Quit(t)
	midway := AmongMany() // into what Ada says, he comes
	midway.Clipped, midway.Gap = time.Second, time.Second
	Listen(t, "carl", carl.Heard(t)).Hears(t, loop, midway)
	gateway.Stop(t)
}

// exits waits for the end of a command.
func exits(t *testing.T, p *Process, want int) {
	t.Helper()
	if status := p.Wait(t, 10*time.Second); status != want {
		t.Errorf("%s: exit status %d, want %d\n%s", strings.Join(p.Lines(), "; "), status, want, p.Tail(10))
	}
}

// Dial has the shell call a number into a room.
func (g *Gateway) Dial(t testing.TB, room, number string, more ...string) *Process {
	t.Helper()
	args := append([]string{"dial", room, number, "--config", g.file()}, more...)
	return Start(t, Command{Name: "dial", Path: Binary(t), Dir: g.dir, Args: args})
}

// HangUp ends a call.
func (g *Gateway) HangUp(t testing.TB, id string) {
	t.Helper()
	request, err := http.NewRequest(http.MethodDelete, "http://"+g.Desk.String()+"/v1/calls/"+id, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusNoContent {
		t.Errorf("hang up %s: %s", id, answer.Status)
	}
}
