package sfu

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/rtp"

	"passerelle/codec"
)

// sent is a packet that a slot wrote.
type sent struct {
	ssrc      uint32
	seq       uint16
	timestamp uint32
	marker    bool
	payload   string
}

// stage is a room without a network, by a clock of its own.
type stage struct {
	room *room
	now  time.Duration
	out  []sent // what the first ear hears
}

// newStage opens a room with ears of so many slots each.
func newStage(ears, slots int, write interceptor.RTPWriter) *stage {
	s := &stage{now: time.Hour}
	sfu := &SFU{cfg: Config{Clock: func() time.Duration { return s.now }}.withDefaults()}
	s.room = &room{s: sfu, levels: make(map[string]uint8)}
	for n := range ears {
		e := &ear{owner: &browser{room: s.room}}
		for i := range slots {
			w := write
			if w == nil && n == 0 {
				w = interceptor.RTPWriterFunc(s.record)
			}
			e.add(newSlot(uint32(1000*n+i), opusType, w))
		}
		s.room.addEar(e)
	}
	return s
}

func (s *stage) record(h *rtp.Header, payload []byte, _ interceptor.Attributes) (int, error) {
	s.out = append(s.out, sent{h.SSRC, h.SequenceNumber, h.Timestamp, h.Marker, string(payload)})
	return 0, nil
}

// actor is a voice on the stage.
type actor struct {
	*voice
	f codec.Frame
}

func (s *stage) actor(name string) *actor {
	return &actor{&voice{id: name, room: s.room}, codec.Frame{Kind: codec.Opus, Seq: uint16(len(name)) * 1000, Payload: []byte(name)}}
}

// say sends one packet of 20 ms.
func (a *actor) say(s *stage, level uint8) {
	a.f.Seq++
	a.f.Timestamp += frameTime
	a.f.Level, a.f.Voice = level, level < codec.Silence
	a.forward(&a.f, s.now)
}

// turn lets 20 ms pass in which everybody sends a packet.
func (s *stage) turn(level uint8, all ...*actor) {
	for _, a := range all {
		a.say(s, level)
	}
	s.now += 20 * time.Millisecond
}

// streams sorts what was heard by slot.
func (s *stage) streams() map[uint32][]sent {
	by := make(map[uint32][]sent)
	for _, p := range s.out {
		by[p.ssrc] = append(by[p.ssrc], p)
	}
	return by
}

func TestSlotsAreContinuous(t *testing.T) {
	s := newStage(1, 2, nil)
	var all []*actor
	for n := range 4 {
		all = append(all, s.actor(fmt.Sprint("speaker", n)))
	}
	for n := range 1000 { // every two seconds another one speaks, the rest are silent
		for i, a := range all {
			level := codec.Silence
			if i == n/100%len(all) {
				level = 20
			}
			a.say(s, level)
		}
		s.now += 20 * time.Millisecond
	}
	switches := 0
	for ssrc, packets := range s.streams() {
		for i, p := range packets[1:] {
			before := packets[i]
			if d := p.seq - before.seq; d != 1 {
				t.Fatalf("slot %d: sequence went on by %d, want 1", ssrc, d)
			}
			if d := p.timestamp - before.timestamp; d == 0 || d > 10*clockRate {
				t.Fatalf("slot %d: timestamp went on by %d", ssrc, d)
			}
			if switched := p.payload != before.payload; switched {
				switches++
				if !p.marker {
					t.Errorf("slot %d: %q after %q without a marker", ssrc, p.payload, before.payload)
				}
			}
		}
	}
	if switches < 5 {
		t.Errorf("%d switches, want more: the test tests nothing", switches)
	}
}

func TestOnsetOfANewSpeakerIsNotClipped(t *testing.T) {
	s := newStage(1, 2, nil)
	one, two, three := s.actor("one"), s.actor("two"), s.actor("three")
	for range 200 {
		s.turn(codec.Silence, one, two, three)
	}
	s.out = nil
	three.f.Payload = []byte("breath")
	s.turn(90, three) // too soft to be speech
	s.turn(90, three)
	three.f.Payload = []byte("word")
	s.turn(20, three)
	var heard []string
	for _, p := range s.out {
		heard = append(heard, p.payload)
	}
	if want := "[breath breath word]"; fmt.Sprint(heard) != want {
		t.Errorf("heard %v, want %s", heard, want)
	}
	if !s.out[0].marker || s.out[1].marker {
		t.Errorf("markers %v, %v, want the first only", s.out[0].marker, s.out[1].marker)
	}
}

func TestSpeakerKeepsTheSlot(t *testing.T) {
	s := newStage(1, 1, nil)
	one, two := s.actor("one"), s.actor("two")
	for range 150 {
		s.turn(30, one, two)
	}
	for _, p := range s.out {
		if p.payload != "one" {
			t.Fatalf("heard %q while somebody else, as loud, had the slot", p.payload)
		}
	}
}

func TestMutedVoiceIsNotHeardAndLeavesNoGap(t *testing.T) {
	s := newStage(1, 2, nil)
	one := s.actor("one")
	s.turn(20, one)
	one.setMuted(true)
	for range 100 {
		s.turn(20, one)
	}
	one.setMuted(false)
	s.turn(20, one)
	if len(s.out) != 2 {
		t.Fatalf("%d packets went out, want 2", len(s.out))
	}
	if d := s.out[1].seq - s.out[0].seq; d != 1 || !s.out[1].marker {
		t.Errorf("after the mute the sequence went on by %d, marker %v, want 1, true", d, s.out[1].marker)
	}
	one.end()
	s.turn(20, one)
	if len(s.out) != 2 {
		t.Errorf("a packet went out after the end")
	}
}

func TestLossGoesToWhoHasTheSlot(t *testing.T) {
	s := newStage(2, 1, nil)
	s.room.hearing()[1].slots[0].write = interceptor.RTPWriterFunc(func(*rtp.Header, []byte, interceptor.Attributes) (int, error) {
		return 0, errors.New("nobody there")
	})
	one, two := s.actor("one"), s.actor("two")
	first, second := s.room.hearing()[0], s.room.hearing()[1]
	s.turn(20, one)
	first.lost(0, 0.5, s.now)
	if got := one.loss.worst(s.now); got != 0 {
		t.Errorf("loss right after the slot was given: %v, want 0: the report speaks of another", got)
	}
	s.now += settled
	first.lost(0, 0.2, s.now)
	second.lost(1000, 0.4, s.now)
	if got := one.loss.worst(s.now); got != 0.4 {
		t.Errorf("loss = %v, want 0.4, the worst", got)
	}
	second.lost(1000, 0, s.now)
	if got := one.loss.worst(s.now); got != 0.2 {
		t.Errorf("loss = %v, want 0.2, the mean of 0.4 and 0", got)
	}
	if got := two.loss.worst(s.now); got != 0 {
		t.Errorf("loss of who has no slot: %v, want 0", got)
	}
	if got := one.loss.worst(s.now + lossMemory); got != 0 {
		t.Errorf("loss after a while without reports: %v, want 0", got)
	}
}

func TestLevels(t *testing.T) {
	var m meter
	const ms = time.Millisecond
	if level, ok := m.take(time.Hour); level != codec.Silence || !ok {
		t.Errorf("of a voice that never spoke: %d, %v, want silence", level, ok)
	}
	m.note(40, true, time.Hour)
	m.note(20, true, time.Hour+20*ms)
	m.note(codec.Silence, false, time.Hour+40*ms)
	if level, ok := m.take(time.Hour + 100*ms); level != 20 || !ok {
		t.Errorf("after 40, 20 and silence: %d, %v, want 20", level, ok)
	}
	if level, ok := m.take(time.Hour + 200*ms); ok {
		t.Errorf("while packets may be late: %d, want nothing to say", level)
	}
	if level, ok := m.take(time.Hour + 400*ms); level != codec.Silence || !ok {
		t.Errorf("after a while: %d, %v, want silence", level, ok)
	}
	m.note(codec.Silence, false, time.Hour+420*ms)
	if level, ok := m.take(time.Hour + 500*ms); level != codec.Silence || !ok {
		t.Errorf("after a silent packet: %d, %v, want silence", level, ok)
	}
}

// discard is a slot's writer that costs nothing.
var discard = interceptor.RTPWriterFunc(func(*rtp.Header, []byte, interceptor.Attributes) (int, error) { return 0, nil })

// sink of a gateway that costs nothing.
type nowhere struct{}

func (nowhere) PushFrame(*codec.Frame) {}

func TestForwardingAllocatesNothing(t *testing.T) {
	s := newStage(10, 4, discard)
	var all []*actor
	for n := range 8 {
		a := s.actor(fmt.Sprint("speaker", n))
		a.sinks = []sink{{nil, nowhere{}}}
		a.f.Payload = bytes.Repeat([]byte("x"), 80)
		all = append(all, a)
	}
	n := 0
	if got := testing.AllocsPerRun(2000, func() {
		n++
		for i, a := range all {
			level := codec.Silence
			if i == n/50%len(all) { // slots change hands, too
				level = 20
			}
			a.say(s, level)
		}
		s.now += 20 * time.Millisecond
	}); got != 0 {
		t.Errorf("%v allocations for 8 packets to 10 browsers, want 0", got)
	}
}

func BenchmarkForward(b *testing.B) {
	for _, browsers := range []int{1, 10, 100} {
		b.Run(fmt.Sprint(browsers, "browsers"), func(b *testing.B) {
			s := newStage(browsers, 8, discard)
			a := s.actor("speaker")
			a.f.Payload = bytes.Repeat([]byte("x"), 80)
			b.ReportAllocs()
			for b.Loop() {
				a.say(s, 20)
				s.now += 20 * time.Millisecond
			}
		})
	}
}
