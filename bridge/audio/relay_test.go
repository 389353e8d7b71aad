package audio

import (
	"bytes"
	"testing"
	"time"

	"passerelle/codec"
	"passerelle/codec/opus"
)

// relayed is a phone that speaks Opus, alone in a room.
func relayed(t *testing.T) (*hall, *set) {
	t.Helper()
	h := newHall(t)
	return h, h.phone(codec.Opus, 20*ms, 440)
}

// say sends one packet through to the seat, and returns it as it was sent.
func (s *set) say(now time.Duration) codec.Frame {
	f := *s.sing(20*ms, now)
	f.Payload = bytes.Clone(f.Payload)
	s.phone.PushFrame(&f)
	return f
}

func TestOpusIsPassedOnAsItIs(t *testing.T) {
	_, s := relayed(t)
	for i := range 50 {
		sent := s.say(time.Duration(i) * 20 * ms)
		got := s.seat.frames[len(s.seat.frames)-1]
		if !bytes.Equal(got.Payload, sent.Payload) {
			t.Fatalf("packet %d is another one at the seat", i)
		}
		if got.Marker != (i == 0) || i > 5 && (!got.Voice || got.Level < 20 || got.Level > 30) {
			t.Errorf("packet %d: marker %v, voice %v, level %d", i, got.Marker, got.Voice, got.Level)
		}
	}
	frames := s.seat.frames
	contiguous(t, frames)
	for i := range frames[1:] {
		if step := frames[i+1].Timestamp - frames[i].Timestamp; step != 960 {
			t.Errorf("packet %d: %d of RTP time after the one before", i+1, step)
		}
	}
}

// A lost packet is a jump of the timestamp, and no hole in the sequence: see relay.go.
func TestOpusLostOnTheWay(t *testing.T) {
	for _, test := range []struct {
		rule   string
		lost   int
		marker bool
	}{{"one packet", 1, false}, {"three packets", 3, false}, {"a second", 50, true}} {
		t.Run(test.rule, func(t *testing.T) {
			_, s := relayed(t)
			for i := range 10 {
				s.say(time.Duration(i) * 20 * ms)
			}
			for range test.lost {
				s.sing(20*ms, 0)
			}
			sent := s.say(time.Duration(10+test.lost) * 20 * ms)
			got, before := s.seat.frames[10], s.seat.frames[9]
			if step := got.Timestamp - before.Timestamp; step != uint32(1+test.lost)*960 || got.Marker != test.marker || !bytes.Equal(got.Payload, sent.Payload) {
				t.Errorf("%d of RTP time later, marker %v", step, got.Marker)
			}
			contiguous(t, s.seat.frames)
			if st := s.phone.Stats(); st.Jumps != 1 || st.Concealed != 0 {
				t.Errorf("%d jumps, %d made up", st.Jumps, st.Concealed)
			}
		})
	}
}

// A phone that falls silent says so by packets without sound; the seat gets those that it needs.
func TestOpusWithPauses(t *testing.T) {
	_, s := relayed(t)
	now := time.Duration(0)
	for range 10 {
		s.say(now)
		now += 20 * ms
	}
	for i := range 11 { // two in a row, as libopus does, then one every 0.4 s
		f := s.sing(20*ms, now)
		f.Payload = f.Payload[:1]
		s.phone.PushFrame(f)
		now += 20 * ms
		if i > 0 {
			s.ts += 380 * 48
			now += 380 * ms
		}
	}
	before := len(s.seat.frames)
	for i, f := range s.seat.frames[10:] {
		if len(f.Payload) != 1 || f.Level != codec.Silence || f.Voice || f.Payload[0] != s.seat.frames[9].Payload[0]&^3 {
			t.Errorf("packet %d of the pause: % x, level %d", i, f.Payload, f.Level)
		}
	}
	if n := before - 10; n != 10 {
		t.Errorf("%d packets in the pause, want one every 0.4 s", n)
	}
	s.say(now)
	if f := s.seat.frames[before]; !f.Marker || len(f.Payload) < 3 {
		t.Errorf("the first packet after it: %d bytes, marker %v", len(f.Payload), f.Marker)
	}
	contiguous(t, s.seat.frames)
}

// Nobody hears a muted phone: neither the room nor the phones beside.
func TestOpusMuted(t *testing.T) {
	h, s := relayed(t)
	beside := h.phone(codec.G722, 20*ms)
	h.run(40)
	s.phone.SetMuted(true)
	before := len(s.seat.frames)
	h.run(10)
	heard := len(beside.line.frames)
	h.run(50)
	for i, f := range s.seat.frames[before:] {
		if len(f.Payload) != 1 || f.Level != codec.Silence {
			t.Fatalf("packet %d of a muted phone has %d bytes, level %d", i, len(f.Payload), f.Level)
		}
	}
	if n := len(s.seat.frames) - before; n < 2 || n > 4 {
		t.Errorf("%d packets in 1.2 s of mute, want one every 0.4 s", n)
	}
	if got := hears(t, beside.line.frames[heard:], 440); len(got) > 0 {
		t.Error("a muted phone is heard beside")
	}
	s.phone.SetMuted(false)
	before = len(s.seat.frames)
	h.run(50)
	if f := s.seat.frames[before]; !f.Marker {
		t.Error("no marker after the mute")
	}
	if got := hears(t, beside.line.frames[heard+60:], 440); len(got) != 1 {
		t.Error("after the mute nothing is heard beside")
	}
	contiguous(t, s.seat.frames)
}

// What no decoder takes is nothing for the room.
func TestOpusThatIsNone(t *testing.T) {
	_, s := relayed(t)
	for _, payload := range [][]byte{{0xff, 0xff, 0xff}, {0x0b}, bytes.Repeat([]byte{0xfb}, opus.MaxPacket+1)} {
		s.phone.PushFrame(&codec.Frame{Seq: s.seq, Timestamp: s.ts, Kind: codec.Opus, Payload: payload})
		s.seq++
		s.ts += 960
	}
	if n := len(s.seat.frames); n > 0 {
		t.Errorf("%d packets at the seat", n)
	}
	if n := s.phone.Stats().Malformed; n != 3 {
		t.Errorf("%d of 3 are malformed", n)
	}
}

// Beside, a lost packet is made up from the FEC in the next one.
func TestOpusLostBeside(t *testing.T) {
	h, s := relayed(t)
	code, err := opus.NewEncoder(opus.Config{Rate: 16000, FEC: true, LossPercent: 20})
	if err != nil {
		t.Fatal(err)
	}
	s.code = code
	beside := h.phone(codec.G722, 20*ms)
	h.run(50)
	for range 20 {
		s.sing(20*ms, 0) // lost
		h.sets = []*set{beside}
		h.run(1)
		h.sets = []*set{s, beside}
		h.run(4)
	}
	if got := hears(t, beside.line.frames, 440); len(got) != 1 {
		t.Error("with every fifth packet lost the phone beside hears nothing")
	}
	if n := s.phone.Stats().Ring.Packets; n < 50+20*5-10 {
		t.Errorf("%d frames were handed to the mix, want one for each lost packet too", n)
	}
}
