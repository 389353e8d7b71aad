//go:build peers

package peers

import (
	"math"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"passerelle/codec/opus"
	"passerelle/codec/wav"
)

// TestWidePhones has phones of G.722 and of Opus, a narrow one and a browser in one room. One after the other the wide
// ones speak: where both ends are wide, speech is as bright as their codecs leave it; the narrow phone hears it dull and clean.
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

	// What the codecs of each way leave.
	const baresips = 28000 // bit/s, that it has and asks for
	whole := func(s Speech) []int16 {
		pcm, rate := readWAV(t, s.WAV(48000))
		return wav.Resample(pcm, rate, wideRate)
	}
	fromAda := afterG722(t, whole(man))
	fromBen := afterOpus(t, whole(woman), opus.Config{Rate: 48000, Bitrate: baresips})
	for _, c := range []struct {
		heard Recording
		far   []Speech
		own   *Speech
		want  []int16 // nil where it is narrow
	}{
		{Listen(t, "ada", ada.Heard(t)), []Speech{woman}, &man, afterG722(t, fromBen)},
		{Listen(t, "ben", ben.Heard(t)), []Speech{man}, &woman, afterOpus(t, fromAda, opus.Config{Rate: wideRate, Bitrate: baresips})},
		{wide, []Speech{man, woman}, nil, slices.Concat(afterOpus(t, fromAda, opus.Config{Rate: wideRate, FEC: true}), fromBen)},
		{Listen(t, "carl", carl.Heard(t)), []Speech{man, woman}, nil, nil},
	} {
		for _, speech := range c.far {
			c.heard.Hears(t, speech, OverOpus())
		}
		if c.own != nil {
			c.heard.HearsNot(t, *c.own)
		}
		bright := Bright(t, c.heard.Path)
		if c.want == nil {
			t.Logf("%s: what is above 4.4 kHz is %.1f dB down", c.heard.Who, bright)
			if bright < 50 {
				t.Errorf("%s, a narrow phone, hears something above 4.4 kHz, %.1f dB down", c.heard.Who, bright)
			}
			continue
		}
		want := brightness(c.want)
		t.Logf("%s: what is above 4.4 kHz is %.1f dB down, the codecs alone leave it %.1f dB down", c.heard.Who, bright, want)
		if math.Abs(bright-want) > 1.5 {
			t.Errorf("%s hears speech %.1f dB down above 4.4 kHz, want the codecs' %.1f dB", c.heard.Who, bright, want)
		}
	}
	gateway.AwaitBaseline(t, before, 40*time.Second)
}
