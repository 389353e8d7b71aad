package roomstest

import (
	"bytes"
	"testing"
	"time"

	"passerelle/codec"
	"passerelle/rooms"
)

// soundRules say who hears whom.
func soundRules() []rule {
	return []rule{
		{"a seat is heard by the others in the room", seatIsHeard},
		{"a voice of the room is heard, in order and with its level", voiceIsHeard},
		{"own tracks are never heard", ownTracksNeverHeard},
		{"one listener per room however many seats", oneListener},
		{"the payload of a seat's frame is not kept", payloadNotKept},
		{"a DTX packet of one byte passes", dtxPasses},
		{"two rooms do not hear each other", roomsApart},
		{"a voice that nobody wants is no harm", unwantedVoice},
		{"loss is reported", lossReported},
	}
}

func seatIsHeard(t *testing.T, h Harness) {
	ada := h.Join(t, "board", "Ada")
	room, _ := enter(t, h, "board")
	s := seatStream{seat: sit(t, room, "Phone")}
	var got []codec.Frame
	pace(t, "25 frames heard", func(n int) {
		if err := s.write(tone(string(rune('a' + n%26)))); err != nil {
			t.Fatalf("WriteFrame: %v", err)
		}
	}, func() bool {
		for {
			select {
			case f := <-ada.Heard():
				got = append(got, f)
			default:
				return len(got) >= 25
			}
		}
	})
	for i, f := range got[1:] {
		before := got[i]
		if d := f.Seq - before.Seq; d != 1 {
			t.Errorf("frame %d: sequence went on by %d, want 1", i+1, d)
		}
		if d := f.Timestamp - before.Timestamp; d != 960 {
			t.Errorf("frame %d: timestamp went on by %d, want 960", i+1, d)
		}
		if want := 'a' + (rune(before.Payload[1])-'a'+1)%26; rune(f.Payload[1]) != want {
			t.Errorf("frame %d: heard %q after %q, want %q", i+1, f.Payload[1:], before.Payload[1:], want)
		}
	}
}

func voiceIsHeard(t *testing.T, h Harness) {
	room, l := enter(t, h, "board")
	sit(t, room, "Phone")
	ada := h.Join(t, "board", "Ada")
	pace(t, "25 frames heard", func(int) {
		if err := ada.Speak(tone("ada"), 33); err != nil {
			t.Fatalf("Speak: %v", err)
		}
	}, func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		track := l.trackOf(ada.ID())
		return track != nil && len(track.frames) >= 25
	})
	l.mu.Lock()
	defer l.mu.Unlock()
	if who := l.added[0]; who.Name != "Ada" || who.Kind != rooms.Browser {
		t.Errorf("the track is from %+v, want the browser Ada", who)
	}
	frames := l.trackOf(ada.ID()).frames
	for i, f := range frames {
		if f.Kind != codec.Opus || !bytes.Equal(f.Payload, tone("ada")) {
			t.Fatalf("frame %d: %v %q, want opus %q", i, f.Kind, f.Payload, tone("ada"))
		}
		if !h.NoLevels && (f.Level != 33 || !f.Voice) {
			t.Errorf("frame %d: level %d, voice %v, want 33, true", i, f.Level, f.Voice)
		}
		if i == 0 {
			continue
		}
		before := frames[i-1]
		if f.Seq-before.Seq != 1 || f.Timestamp-before.Timestamp != 960 {
			t.Errorf("frame %d: went on by %d and %d, want 1 and 960", i, f.Seq-before.Seq, f.Timestamp-before.Timestamp)
		}
		if f.Arrival < before.Arrival {
			t.Errorf("frame %d: arrived at %v, the one before at %v", i, f.Arrival, before.Arrival)
		}
	}
}

func ownTracksNeverHeard(t *testing.T, h Harness) {
	ada := h.Join(t, "board", "Ada")
	room, l := enter(t, h, "board")
	one, two := seatStream{seat: sit(t, room, "One")}, seatStream{seat: sit(t, room, "Two")}
	pace(t, "both seats heard by the room", func(int) {
		_ = one.write(tone("one"))
		_ = two.write(tone("two"))
		_ = ada.Speak(tone("ada"), 30)
	}, func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.trackOf(ada.ID()) != nil && hears(ada, tone("two"))
	})
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, from := range l.added {
		if from.ID == one.seat.ID() || from.ID == two.seat.ID() {
			t.Errorf("the listener was told of a track of %q, its own seat", from.Name)
		}
	}
	for id, track := range l.tracks {
		for _, f := range track.frames {
			if !bytes.Equal(f.Payload, tone("ada")) {
				t.Errorf("track %q carries %q, want only Ada", id, f.Payload)
			}
		}
	}
}

func oneListener(t *testing.T, h Harness) {
	room, l := enter(t, h, "board")
	sit(t, room, "One")
	sit(t, room, "Two")
	ada := h.Join(t, "board", "Ada")
	pace(t, "Ada heard", func(int) { _ = ada.Speak(tone("ada"), 30) }, func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		track := l.trackOf(ada.ID())
		return track != nil && len(track.frames) > 10
	})
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.added) != 1 {
		t.Errorf("%d tracks were added, want 1", len(l.added))
	}
	frames := l.trackOf(ada.ID()).frames
	for i, f := range frames[1:] {
		if f.Seq == frames[i].Seq {
			t.Fatalf("frame %d came twice", f.Seq)
		}
	}
}

func payloadNotKept(t *testing.T, h Harness) {
	ada := h.Join(t, "board", "Ada")
	room, _ := enter(t, h, "board")
	s := seatStream{seat: sit(t, room, "Phone")}
	payload := tone("phone")
	pace(t, "20 frames heard as they were written", func(int) {
		copy(payload, tone("phone"))
		if err := s.write(payload); err != nil {
			t.Fatalf("WriteFrame: %v", err)
		}
		copy(payload, "XXXXXX")
	}, func() func() bool {
		heard := 0
		return func() bool {
			for {
				select {
				case f := <-ada.Heard():
					if !bytes.Equal(f.Payload, tone("phone")) {
						t.Fatalf("heard %q, want %q", f.Payload, tone("phone"))
					}
					heard++
				default:
					return heard >= 20
				}
			}
		}
	}())
}

func dtxPasses(t *testing.T, h Harness) {
	ada := h.Join(t, "board", "Ada")
	room, l := enter(t, h, "board")
	s := seatStream{seat: sit(t, room, "Phone")}
	dtx := []byte{0x08}
	pace(t, "one byte heard both ways", func(int) {
		_ = s.write(dtx)
		_ = ada.Speak(dtx, codec.Silence)
	}, func() func() bool {
		up := false
		return func() bool {
			up = up || hears(ada, dtx)
			l.mu.Lock()
			defer l.mu.Unlock()
			track := l.trackOf(ada.ID())
			return up && track != nil && len(track.frames) > 0 && bytes.Equal(track.frames[0].Payload, dtx)
		}
	}())
}

func roomsApart(t *testing.T, h Harness) {
	ada, bob := h.Join(t, "board", "Ada"), h.Join(t, "kitchen", "Bob")
	board, _ := enter(t, h, "board")
	kitchen, lk := enter(t, h, "kitchen")
	one, two := seatStream{seat: sit(t, board, "One")}, seatStream{seat: sit(t, kitchen, "Two")}
	pace(t, "each heard in its own room", func(int) {
		_ = one.write(tone("one"))
		_ = two.write(tone("two"))
		_ = ada.Speak(tone("ada"), 30)
		_ = bob.Speak(tone("bob"), 30)
	}, func() func() bool {
		var a, b int
		return func() bool {
			for {
				select {
				case f := <-ada.Heard():
					if !bytes.Equal(f.Payload, tone("one")) {
						t.Fatalf("Ada heard %q, want only the phone in her room", f.Payload)
					}
					a++
				case f := <-bob.Heard():
					if !bytes.Equal(f.Payload, tone("two")) {
						t.Fatalf("Bob heard %q, want only the phone in his room", f.Payload)
					}
					b++
				default:
					return a > 10 && b > 10
				}
			}
		}
	}())
	lk.mu.Lock()
	defer lk.mu.Unlock()
	if _, ok := lk.people[ada.ID()]; ok && ada.ID() != bob.ID() {
		t.Errorf("the kitchen knows %q of the board room", ada.ID())
	}
}

// deaf is a listener that wants no voice.
type deaf struct{ *recorder }

func (d deaf) TrackAdded(id string, from rooms.Participant) codec.Reader {
	d.recorder.TrackAdded(id, from)
	return nil
}

func unwantedVoice(t *testing.T, h Harness) {
	l := newRecorder(t)
	room, err := h.Backend.Open(t.Context(), "board", deaf{l})
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	sit(t, room, "Phone")
	ada := h.Join(t, "board", "Ada")
	spoken := 0
	pace(t, "Ada's track offered", func(n int) {
		_ = ada.Speak(tone("ada"), 30)
		spoken = n
	}, func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.trackOf(ada.ID()) != nil && spoken > 10
	})
	if err := room.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
}

func lossReported(t *testing.T, h Harness) {
	if h.NoLoss {
		t.Skip("this backend knows only what is lost on the way to its rooms")
	}
	ada := h.Join(t, "board", "Ada")
	room, _ := enter(t, h, "board")
	s := seatStream{seat: sit(t, room, "Phone")}
	if got := s.seat.Loss(); got != 0 {
		t.Errorf("Loss before any report: %v, want 0", got)
	}
	last := time.Now()
	pace(t, "a loss of 40 % reported", func(n int) {
		_ = s.write(tone("phone"))
		if n > 25 && time.Since(last) > 50*time.Millisecond {
			last = time.Now()
			if err := ada.Report(0.4); err != nil {
				t.Fatalf("Report: %v", err)
			}
		}
	}, func() bool { return s.seat.Loss() > 0.1 })
	if got := s.seat.Loss(); got > 0.5 {
		t.Errorf("Loss = %v after reports of 0.4, want at most 0.5", got)
	}
}
