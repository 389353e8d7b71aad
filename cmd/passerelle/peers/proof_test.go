//go:build peers

package peers

import (
	"maps"
	"os"
	"slices"
	"testing"
	"time"

	"passerelle/bridge/ivr"
	"passerelle/codec/score"
)

// onlyInProof skips what takes minutes.
func onlyInProof(t *testing.T) {
	t.Helper()
	if os.Getenv("PASSERELLE_PROOF") == "" {
		t.Skip("make proof runs this")
	}
}

const (
	// backWithin is how soon everybody hears everybody again when what was gone is back.
	backWithin = 3 * time.Second
	// longestPause is what one may miss of another whose call nothing has happened to: no packet is lost, and a
	// machine on which everything runs at once stands still for as long.
	longestPause = 500 * time.Millisecond
)

// TestProofLiveKitRestarts has LiveKit killed under ten calls and started again half a minute later: no phone is
// dropped, each is told, and everybody hears everybody within 3 s of its return.
func TestProofLiveKitRestarts(t *testing.T) {
	onlyInProof(t)
	dir := Folder(t)
	hall := OpenHall(t)
	gateway := StartGateway(t, dir, GatewayConfig{LiveKit: hall.Engines(), Untouched: true})
	circle := OpenCircle(t, dir, "lk-outage", hall.Server, 9, gateway.SIP)
	desk := StartPhone(t, dir, PhoneConfig{Name: "desk", Microphone: Says(t, dir, Man, 0, 0).WAV(8000)})
	desk.Dial(t, gateway.URI(circle.Room, "udp"))
	desk.AwaitTalking(t, 5*time.Second)
	before := AwaitAttendance(t, hall.Server, circle.Room, 10, 1, 5*time.Second)
	circle.Hum(t)
	circle.AwaitBack(t, time.Now(), 20*time.Second)

	killed := time.Now()
	hall.Kill()
	const outage = 30 * time.Second
	time.Sleep(time.Until(killed.Add(outage)))
	Stay(t, circle.Phones)
	neighbours(t, circle, killed.Add(time.Second), time.Now())
	hall.Restart(t)
	returned := time.Now()
	circle.Enter(t, hall.Server)
	circle.Member.Hum(t, circle.Humming)
	t.Logf("the server answers again %v after it was killed, and the member is in the room %v later",
		returned.Sub(killed).Round(time.Millisecond), time.Since(returned).Round(time.Millisecond))

	judgeBack(t, "LiveKit", circle.AwaitBack(t, returned, 15*time.Second))
	time.Sleep(2 * time.Second)
	circle.Judge(t, time.Now().Add(-1500*time.Millisecond), time.Now())
	after := AwaitAttendance(t, hall.Server, circle.Room, 10, 1, 5*time.Second)
	if !maps.Equal(before.Names(), after.Names()) {
		t.Errorf("the names in the room are %v, were %v", after.Names(), before.Names())
	}
	told(t, circle, killed, returned)
	circle.Hush()
	time.Sleep(500 * time.Millisecond)
	circle.Speak(t, Sentence(t, dir, Woman), circle.Phones[0], nil)
	Stay(t, circle.Phones)
	if desk.Closed() {
		t.Error("the desk phone was hung up on")
	} else {
		desk.Hangup(t)
		desk.Quit(t)
		deskTold(t, desk)
	}
	circle.Hangup(t)
	hall.AwaitClosed(t, circle.Room, 20*time.Second)
}

// judgeBack prints when everybody heard everybody again, and fails the test where that was too late.
func judgeBack(t *testing.T, what string, b Backs) {
	t.Helper()
	t.Logf("after the return of %s: the last phone hears the member after %v, the member the last phone after %v, the phones each other after %v",
		what, b.Down.Round(time.Millisecond), b.Up.Round(time.Millisecond), b.Across.Round(time.Millisecond))
	if b.Down > backWithin || b.Up > backWithin {
		t.Errorf("sound is back %v (down) and %v (up) after the return of %s, want within %v", b.Down, b.Up, what, backWithin)
	}
}

// neighbours says whether the phones of one gateway heard each other all the time.
func neighbours(t *testing.T, c *Circle, from, to time.Time) {
	t.Helper()
	var hums []Hum
	for _, h := range c.Phones {
		hums = append(hums, h.Hum)
	}
	longest := LongestPause(t, c.Phones, hums, from, to)
	t.Logf("while the server is gone the phones of one gateway hear each other; the longest pause is %v", longest.Round(time.Millisecond))
	if longest > longestPause {
		t.Errorf("a phone did not hear another of its gateway for %v while the server was gone", longest)
	}
}

// told fails the test unless every phone was told that the way to the room was lost, and then that it is back.
func told(t *testing.T, c *Circle, lost, back time.Time) {
	t.Helper()
	en := Speaks(t, "en")
	gone, here := withoutHums(en.PCM(ivr.Reconnecting)), withoutHums(en.PCM(ivr.ReconnectedBack))
	var tellsLost, tellsBack []time.Duration
	for _, phone := range c.Phones {
		h := phone.Hearing(t)
		for _, say := range []struct {
			what  string
			pcm   []int16
			since time.Time
			after *[]time.Duration
		}{{"that it is being reconnected", gone, lost, &tellsLost}, {"that it is back", here, back, &tellsBack}} {
			pcm, at := h.Since(say.since, 15*time.Second)
			m := score.Find(say.pcm, withoutHums(pcm), score.Rate)
			if !m.Found() {
				t.Errorf("%s is not told %s: %v", phone.Name, say.what, m)
				continue
			}
			*say.after = append(*say.after, at(m.Delay).Sub(say.since))
		}
	}
	if len(tellsLost) > 0 && len(tellsBack) > 0 {
		t.Logf("phones are told that they are being reconnected at most %v after the kill (%d of them), and that they are back at most %v after the return (%d)",
			slices.Max(tellsLost).Round(time.Millisecond), len(tellsLost), slices.Max(tellsBack).Round(time.Millisecond), len(tellsBack))
	}
}

// deskTold is told for a phone that keeps no times.
func deskTold(t *testing.T, desk *Phone) {
	t.Helper()
	heard := withoutHums(Listen(t, desk.Name, desk.Heard(t)).PCM)
	en := Speaks(t, "en")
	for _, prompt := range []ivr.Prompt{ivr.Reconnecting, ivr.ReconnectedBack} {
		if m := score.Find(withoutHums(en.PCM(prompt)), heard, score.Rate); !m.Found() {
			t.Errorf("%s is not told %s: %v", desk.Name, prompt, m)
		}
	}
}
