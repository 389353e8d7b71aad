package bridge

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"passerelle/bridge/ivr"
	"passerelle/codec"
	"passerelle/codec/g711"
	"passerelle/codec/score"
	"passerelle/sip/registrar"
	"passerelle/sip/sdp"
)

// A line of video, as the end of an offer: one that is alive, and one that is not.
const (
	camera  = "m=video 4002 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"
	shutter = "m=video 0 RTP/AVP 96\r\n"
)

// times returns how often the phone has heard a prompt since it was told to forget.
func (p *telephone) times(language string, prompt ivr.Prompt) (n int) {
	p.t.Helper()
	voices, err := ivr.Load(g711.Rate)
	if err != nil {
		p.t.Fatal(err)
	}
	phrase := score.NewPhrase(voices.Say(language, prompt), g711.Rate)
	p.mu.Lock()
	defer p.mu.Unlock()
	listener := phrase.Listen()
	for part := range slices.Chunk(p.heard, g711.Rate/50) {
		if listener.Hear(part) {
			n, listener = n+1, phrase.Listen()
		}
	}
	return n
}

// TestWhoOffersVideoIsToldOnce: sentences follow one another, so when the mute is heard all is that was said before.
func TestWhoOffersVideoIsToldOnce(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rule  string
		offer []string
		renew []string // what a re-INVITE adds
		want  int
	}{
		{"video is told, and not again in a re-INVITE", []string{camera}, []string{camera}, 1},
		{"a dead line of video is none", []string{shutter}, []string{shutter}, 0},
		{"sound alone, and a camera that is turned on later", nil, []string{camera}, 0},
	} {
		t.Run(c.rule, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, nil)
			p, err := r.callTo("lobby", codec.PCMA, sdp.SendRecv, c.offer...)
			must(t, p, err)
			if c.want > 0 {
				p.says("en", ivr.SoundOnly)
			}
			p.reoffer(r, sdp.SendRecv, c.renew...)
			p.dials("*6")
			p.says("en", ivr.Muted)
			if got := p.times("en", ivr.SoundOnly); got != c.want {
				t.Errorf("told %d times, want %d", got, c.want)
			}
		})
	}
}

// TestWhoOffersVideoIsToldBehindTheMenu: in the room and in the language that was chosen, before anything else is said.
func TestWhoOffersVideoIsToldBehindTheMenu(t *testing.T) {
	t.Parallel()
	r := newMenuRig(t, &reception{pins: map[string]string{"0042": "board"}})
	p, err := r.callTo("100", codec.PCMA, sdp.SendRecv, camera)
	must(t, p, err)
	p.says("fr", ivr.EnterPIN)
	if p.times("fr", ivr.SoundOnly) != 0 {
		t.Error("told in the menu")
	}
	p.dials("0042")
	p.says("fr", ivr.SoundOnly)
	p.says("fr", ivr.FirstHere)
	if got := p.times("fr", ivr.SoundOnly); got != 1 {
		t.Errorf("told %d times, want once", got)
	}
}

// TestWhoMovesOrReplacesIsNotToldOfVideo: neither in a second room, nor in the place of another.
func TestWhoMovesOrReplacesIsNotToldOfVideo(t *testing.T) {
	t.Parallel()
	r := newRig(t, allowing())
	ada := r.late()
	ada.offers(camera)
	ada.says("en", ivr.SoundOnly)
	ada.send("REFER", 2, "", fmt.Sprintf("Refer-To: <sip:elsewhere@%s>", ada.conn.RemoteAddr()))
	ada.told("200")
	ada.mutes(3)
	ada.says("en", ivr.Muted)
	if got := ada.times("en", ivr.SoundOnly); got != 1 {
		t.Errorf("who moved was told %d times, want once", got)
	}

	dave := r.late()
	dave.offers(camera, fmt.Sprintf("Replaces: late-%s;to-tag=%s;from-tag=f", ada.conn.LocalAddr(), ada.tag))
	ada.await("BYE")
	dave.mutes(2)
	dave.says("en", ivr.Unmuted)
	if got := dave.times("en", ivr.SoundOnly); got != 0 {
		t.Errorf("who took the place was told %d times, want never", got)
	}
}

func TestWhoCallsAPhoneIsNotToldOfVideo(t *testing.T) {
	t.Parallel()
	desk := newRig(t, nil)
	r := switchboard(t, func() [][]registrar.Binding { return [][]registrar.Binding{{desk.at("desk")}} })
	ada, err := r.callTo("reception", codec.PCMA, sdp.SendRecv, camera)
	must(t, ada, err)
	eventually(t, "five seconds of sound", func() bool {
		ada.mu.Lock()
		defer ada.mu.Unlock()
		return len(ada.heard) > 5*g711.Rate
	})
	if got := ada.times("en", ivr.SoundOnly); got != 0 {
		t.Errorf("told %d times, want never", got)
	}
}

// offers calls with an offer, which ends in more, and is up.
func (l *lateCaller) offers(more string, headers ...string) {
	l.t.Helper()
	offer, err := l.sess.Offer()
	if err != nil {
		l.t.Fatal(err)
	}
	l.send("INVITE", 1, string(offer)+more, headers...)
	_, answer, _ := strings.Cut(l.join(l.await("SIP/2.0 200")), "\r\n\r\n")
	l.agree([]byte(answer))
	l.send("ACK", 1, "")
}

// mutes presses the keys for it, in two requests from cseq on.
func (l *lateCaller) mutes(cseq int) {
	l.t.Helper()
	for i, key := range []string{"*", "6"} {
		l.send("INFO", cseq+i, "Signal="+key)
		l.await("SIP/2.0 200")
	}
}
