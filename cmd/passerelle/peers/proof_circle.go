//go:build peers

package peers

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"passerelle/codec"
	"passerelle/codec/g711"
	"passerelle/codec/score"
	"passerelle/rooms/livekit/livekittest"
)

// Circle is some phones and one WebRTC participant in a LiveKit room, each with a hum of its own: who hears
// whom is judged of all of them at once.
type Circle struct {
	Room    string
	Phones  []*Hummer
	Member  *Member
	Humming Hum // the member's

	dir string
}

// Hummer is a phone of a circle.
type Hummer struct {
	*Caller
	Hum   Hum
	place int
}

// OpenCircle has a member enter the room by a server, and n phones call it, each by one of the doors in turn.
func OpenCircle(t testing.TB, dir, room string, server *livekittest.Server, n int, doors ...netip.AddrPort) *Circle {
	t.Helper()
	c := &Circle{Room: room, dir: dir, Humming: HumOf(lastHum)}
	c.Enter(t, server)
	for i := range n {
		c.Dial(t, i, doors[i%len(doors)])
	}
	return c
}

// Enter has the member enter, again if it was there before: its server had gone.
func (c *Circle) Enter(t testing.TB, server *livekittest.Server) {
	t.Helper()
	if c.Member != nil {
		c.Member.stop()
	}
	c.Member = JoinMember(t, server, c.Room, "Member")
}

// Dial has the phone of that place call, with a number of its own.
func (c *Circle) Dial(t testing.TB, place int, door netip.AddrPort) *Hummer {
	t.Helper()
	caller := Call(t, c.dir, nil, Dialling{
		Name: fmt.Sprintf("phone%d", place), Number: c.Room, Shows: fmt.Sprintf("+336123456%02d", 11*place), Through: door,
	})
	h := &Hummer{Caller: caller, Hum: HumOf(place), place: place}
	c.Phones = append(c.Phones, h)
	return h
}

// Forget takes a phone out whose call is over.
func (c *Circle) Forget(h *Hummer) {
	h.stop()
	h.talking.Wait()
	c.Phones = slices.DeleteFunc(c.Phones, func(o *Hummer) bool { return o == h })
}

// Hum has everybody hum while they say nothing.
func (c *Circle) Hum(t testing.TB) {
	t.Helper()
	for _, h := range c.Phones {
		payload, err := h.Hum.MuLaw()
		if err != nil {
			t.Fatalf("%s: %v", h.Name, err)
		}
		h.idle.Store(&payload)
	}
	c.Member.Hum(t, c.Humming)
}

// Hush has everybody be silent.
func (c *Circle) Hush() {
	for _, h := range c.Phones {
		h.idle.Store(nil)
	}
	c.Member.Hush()
}

// At returns the phones whose calls a gateway has.
func (c *Circle) At(g *Gateway) (there []*Hummer) {
	for _, h := range c.Phones {
		if h.isAt(g) {
			there = append(there, h)
		}
	}
	return there
}

func (h *Hummer) isAt(g *Gateway) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return strings.Contains(h.contact, g.SIP.String())
}

// Hangup ends every call, and has the member leave.
func (c *Circle) Hangup(t testing.TB) {
	t.Helper()
	for _, h := range c.Phones {
		h.Hangup(t)
	}
	c.Member.Leave(t)
}

// Hearing returns what the phone has heard so far, by the wall clock.
func (h *Hummer) Hearing(t testing.TB) *Hearing {
	t.Helper()
	decoder, err := g711.NewDecoder(codec.PCMU)
	if err != nil {
		t.Fatalf("%s: %v", h.Name, err)
	}
	defer decoder.Close()
	heard := &Hearing{Who: h.Name}
	pcm := make([]int16, 960)
	_, received := h.Media.Packets()
	for _, p := range received {
		n, err := decoder.Decode(pcm, p.Payload)
		if err != nil {
			t.Fatalf("%s: %v", h.Name, err)
		}
		heard.add(h.Media.began.Add(p.At), pcm[:n])
	}
	return heard
}

// HangUpAndForget ends one phone's call.
func (c *Circle) HangUpAndForget(t testing.TB, h *Hummer) {
	t.Helper()
	h.Hangup(t)
	c.Forget(h)
}

// Sentence is the beginning of a voice's recording.
func Sentence(t testing.TB, dir, name string) Speech {
	t.Helper()
	whole, s := Says(t, dir, name, 0, 0), Speech{Name: name, dir: Sub(t, dir, "sentence")}
	for _, rate := range []int{8000, 48000} {
		Sox(t, "-D", whole.WAV(rate), s.WAV(rate), "trim", "0", "3.5")
	}
	Sox(t, "-D", s.WAV(8000), "-t", "ul", s.Raw("ulaw"))
	return s
}

// Understood is what a voice of a circle must be heard like: who hears whom is the question here, and not how
// smoothly on a machine that runs so many programs.
func Understood() Quality { return Quality{Median: OverOpus().Median, Gap: 200 * time.Millisecond} }

// Speak has phones speak in turn, and the member where it is nil: everybody else understands each, and nobody
// hears himself. Nobody may hum.
func (c *Circle) Speak(t testing.TB, speech Speech, speakers ...*Hummer) {
	t.Helper()
	for _, speaker := range speakers {
		starts := make(map[*Hummer]time.Duration)
		for _, ear := range c.Phones {
			starts[ear] = ear.Heard(t).Length()
		}
		name := c.Member.Name
		if speaker != nil {
			name = speaker.Name
			speaker.Say(t, speech)
		} else {
			c.Member.Say(t, speech)
		}
		time.Sleep(700 * time.Millisecond) // the way, and whatever might come twice
		worst := score.Match{Median: 1}
		for _, ear := range c.Phones {
			heard := ear.Heard(t).From(starts[ear])
			heard.Who += " (while " + name + " speaks)"
			if ear == speaker {
				heard.Silent(t, "as nobody else speaks")
			} else if m := heard.judge(t, speech, Understood()); m.Median < worst.Median {
				worst = m
			}
		}
		t.Logf("%s speaks, and everybody hears it; worst: %v", name, worst)
		if speaker != nil {
			c.Member.hearsOnce(t, name, speech)
		}
	}
}

// judge is Hears without a word where all is well.
func (r Recording) judge(t testing.TB, s Speech, want Quality) score.Match {
	t.Helper()
	m := score.Find(s.PCM(t), r.PCM, score.Rate)
	if m.Median < want.Median || m.Longest() > want.Gap {
		t.Errorf("%s hears %s: %v; want a median of %.2f and no gap above %v (%s)", r.Who, s.Name, m, want.Median, want.Gap, r.Path)
	}
	return m
}

// hearsOnce fails the test unless a speech is in exactly one of the voices that the member hears.
func (m *Member) hearsOnce(t testing.TB, who string, speech Speech) {
	t.Helper()
	heard := 0
	for _, r := range m.Recordings() {
		r = r.From(r.Length() - speech.Length(t) - 3*time.Second)
		if score.Find(speech.PCM(t), r.PCM, score.Rate).Found() {
			heard++
		}
	}
	if heard != 1 {
		t.Errorf("%s hears %s by %d voices, want 1", m.Name, who, heard)
	}
}
