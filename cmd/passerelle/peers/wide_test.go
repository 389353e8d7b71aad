//go:build peers

package peers

import (
	"math"
	"path/filepath"
	"testing"
	"time"
)

// TestWidePhones has phones of G.722 and of Opus, a narrow one and a browser in one room. One after the other the wide
// ones speak: where both ends are wide, speech is as bright as it was said; the narrow phone hears it dull and clean.
func TestWidePhones(t *testing.T) {
	dir := Folder(t)
	gateway := StartGateway(t, dir, GatewayConfig{})
	before := gateway.Counters(t)
	man, woman := Part(t, dir, Man, 5), Part(t, dir, Woman, 5)
	lateWoman := woman.After(t, 6.5)
	nothing := filepath.Join(dir, "nothing.wav")
	Sox(t, "-n", "-r", "48000", "-c", "1", "-b", "16", nothing, "trim", "0", "1")

	bob := StartBrowser(t, dir, BrowserConfig{Name: "Bob", Microphone: nothing})
	bob.Join(t, gateway, "room-wide", "")
	ada := StartPhone(t, dir, PhoneConfig{Name: "ada", Microphone: man.After(t, 1).WAV(48000), Codec: "G722/16000/1"})
	ben := StartPhone(t, dir, PhoneConfig{Name: "ben", Microphone: lateWoman.WAV(48000), Codec: "opus/48000/1"})
	carl := StartPhone(t, dir, PhoneConfig{Name: "carl", Microphone: nothing})
	phones := []*Phone{carl, ada, ben}
	for _, phone := range phones {
		phone.Dial(t, gateway.URI("room-wide", "udp"))
	}
	for _, phone := range phones {
		phone.AwaitTalking(t, 5*time.Second)
	}
	time.Sleep(lateWoman.Length(t) + 1500*time.Millisecond)
	wide := Listen(t, "Bob", bob.Heard(t))
	judgeStats(t, bob, 2)
	for _, phone := range phones {
		phone.Hangup(t)
		phone.Quit(t)
	}
	bob.Leave(t)
	bob.Close()

	// Who says what how brightly.
	said := map[string]float64{Man: Bright(t, man.WAV(48000)), Woman: Bright(t, woman.WAV(48000))}
	for _, c := range []struct {
		heard Recording
		far   []Speech
		own   *Speech
		wide  bool
	}{
		{Listen(t, "ada", ada.Heard(t)), []Speech{woman}, &man, true},
		{Listen(t, "ben", ben.Heard(t)), []Speech{man}, &woman, true},
		{wide, []Speech{man, woman}, nil, true},
		{Listen(t, "carl", carl.Heard(t)), []Speech{man, woman}, nil, false},
	} {
		for _, speech := range c.far {
			c.heard.Hears(t, speech, OverOpus())
		}
		if c.own != nil {
			c.heard.HearsNot(t, *c.own)
		}
		bright := Bright(t, c.heard.Path)
		want := said[c.far[0].Name]
		if len(c.far) == 2 {
			want = (said[Man] + said[Woman]) / 2
		}
		t.Logf("%s: what is above 4.4 kHz is %.1f dB down, as it was said %.1f", c.heard.Who, bright, want)
		switch {
		case c.wide && math.Abs(bright-want) > 8: // Opus leaves more or less of it; what is narrow has 50 dB less
			t.Errorf("%s hears speech %.1f dB down above 4.4 kHz, and it was said %.1f dB down", c.heard.Who, bright, want)
		case !c.wide && bright < 50:
			t.Errorf("%s, a narrow phone, hears something above 4.4 kHz, %.1f dB down", c.heard.Who, bright)
		}
	}
	gateway.AwaitBaseline(t, before, 40*time.Second)
}
