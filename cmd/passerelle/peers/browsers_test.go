//go:build peers

package peers

import (
	"context"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestBrowsers has a phone and two Chromiums in one room. The phone speaks, then the first browser; the
// second only listens.
func TestBrowsers(t *testing.T) {
	dir := Folder(t)
	gateway := StartGateway(t, dir, GatewayConfig{})
	before := gateway.Counters(t)
	man, woman := Says(t, dir, Man, 4, 0), Says(t, dir, Woman, 20, 1)
	nothing := filepath.Join(dir, "nothing.wav")
	Sox(t, "-n", "-r", "48000", "-c", "1", "-b", "16", nothing, "trim", "0", "5")

	bob := StartBrowser(t, dir, BrowserConfig{Name: "Bob", Microphone: nothing})
	ada := StartBrowser(t, dir, BrowserConfig{Name: "Ada", Microphone: woman.WAV(48000), Once: true})
	bob.Join(t, gateway, "room-all", "")
	opened := time.Now() // Ada's microphone is on a moment later
	ada.Join(t, gateway, "room-all", "")
	phone := StartPhone(t, dir, PhoneConfig{Name: "carl", Microphone: man.WAV(8000)})
	phone.Dial(t, gateway.URI("room-all", "udp"))
	phone.AwaitTalking(t, 5*time.Second)
	if late := time.Since(opened) - (20-4-11)*time.Second; late > 0 {
		t.Fatalf("setting up took %v too long: the voices would overlap", late)
	}
	for _, b := range []*Browser{ada, bob} {
		b.Await(t, `document.querySelectorAll('#people > li').length == 3`, 5*time.Second)
		showsPhone(t, b)
	}
	time.Sleep(time.Until(opened.Add(woman.Length(t) + 1500*time.Millisecond)))
	ada.Screenshot(t, "room.png")

	for _, c := range []struct {
		browser *Browser
		far     []Speech
		own     Speech
	}{{ada, []Speech{man}, woman}, {bob, []Speech{man, woman}, Speech{}}} {
		heard := Listen(t, c.browser.Name, c.browser.Heard(t))
		for _, speech := range c.far {
			heard.Hears(t, speech.Bare(t), OverOpus())
		}
		if c.own.Name != "" {
			heard.HearsNot(t, c.own)
		}
		judgeStats(t, c.browser, 1)
		if complaints := c.browser.Complaints(); len(complaints) > 0 {
			t.Errorf("%s's console: %v", c.browser.Name, complaints)
		}
	}
	ada.Leave(t)
	phone.Hangup(t)
	phone.Quit(t)
	heard := Listen(t, "the phone", phone.Heard(t))
	m := heard.Hears(t, woman.Bare(t), OverOpus())
	heard.HearsNot(t, man)
	heard.Until(m.Delay-200*time.Millisecond).Silent(t, "before the browser speaks")
	bob.Leave(t)
	ada.Close()
	bob.Close()
	t.Parallel() // the rest is waiting: others may go on
	gateway.AwaitBaseline(t, before, 40*time.Second)
}

// judgeStats looks at what the browser's jitter buffers had to make up: at most so many percent of what was played.
func judgeStats(t *testing.T, b *Browser, percent int) {
	t.Helper()
	s := b.Stats(t)
	t.Logf("%s: %v", b.Name, s)
	if s.PacketsReceived == 0 || s.PacketsLost != 0 || s.NACKs != 0 {
		t.Errorf("%s: %v; want packets, none of them lost or asked for again", b.Name, s)
	}
	if made := s.ConcealedSamples - s.SilentConcealed; made*100 > percent*s.TotalSamples {
		t.Errorf("%s: %d samples of %d were made up", b.Name, made, s.TotalSamples)
	}
}

// showsPhone looks for the phone among the people on the page.
func showsPhone(t *testing.T, b *Browser) {
	t.Helper()
	phones := 0
	for _, person := range b.People(t) {
		if person.Phone {
			phones++
		}
	}
	if phones != 1 {
		t.Errorf("%s's page shows %d phones, want 1: %+v", b.Name, phones, b.People(t))
	}
}

// TestPassword has a room ask browsers for its password.
func TestPassword(t *testing.T) {
	t.Parallel()
	dir := Folder(t)
	gateway := StartGateway(t, dir, GatewayConfig{})
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if guest, err := Join(ctx, gateway, "board", "Mallory", "wrong"); err == nil {
		guest.Close()
		t.Error("somebody came in with a wrong password")
	} else if !strings.Contains(err.Error(), "refused: password") {
		t.Errorf("a wrong password is answered: %v", err)
	}
	guest, err := Join(ctx, gateway, "board", "Ada", Password)
	if err != nil {
		t.Fatal(err)
	}
	guest.Close()
}

// TestCrash has the gateway die under a browser: the page says so, and is in the room again by itself.
func TestCrash(t *testing.T) {
	t.Parallel()
	dir := Folder(t)
	gateway := StartGateway(t, dir, GatewayConfig{})
	woman := Says(t, dir, Woman, 0, 0)
	ada := StartBrowser(t, dir, BrowserConfig{Name: "Ada", Microphone: woman.WAV(48000)})
	ada.Join(t, gateway, "room-crash", "")
	gateway.process.Stop(syscall.SIGKILL, time.Second)
	ada.Await(t, `document.documentElement.dataset.state == 'waiting'`, 10*time.Second)
	gateway.begin(t)
	ada.Await(t, `document.documentElement.dataset.state == 'in' && window.__recorder.connections.at(-1).connectionState == 'connected'`, 30*time.Second)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	guest, err := Join(ctx, gateway, "room-crash", "Guest", "")
	if err != nil {
		t.Fatal(err)
	}
	defer guest.Close()
	for !heardSomething(guest) {
		select {
		case <-ctx.Done():
			t.Fatal("the browser is not heard after the gateway came back")
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// heardSomething says whether more than silence came to a guest.
func heardSomething(guest *Guest) bool {
	for _, slot := range guest.Heard() {
		for _, p := range slot {
			if len(p.Payload) > 20 {
				return true
			}
		}
	}
	return false
}
