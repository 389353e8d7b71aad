package bridge

import (
	"errors"
	"testing"
	"time"

	"passerelle/codec"
)

// written keeps the last frame, or refuses it.
type written struct {
	last codec.Frame
	err  error
}

func (w *written) WriteFrame(f *codec.Frame) error {
	if w.err == nil {
		w.last = *f
	}
	return w.err
}

// A seat sees one stream, whichever phone has it: numbers without a hole, time that goes on as the clock does.
func TestAStreamGoesOnFromPhoneToPhone(t *testing.T) {
	now := time.Duration(0)
	seat := &written{}
	s := stream{to: seat, clock: func() time.Duration { return now }}
	for _, c := range []struct {
		rule      string
		fresh     bool
		after     time.Duration
		seq       uint16
		timestamp uint32
		refuses   bool
		wantSeq   uint16
		want      uint32
		marker    bool
	}{
		{"the first phone's numbers stay", false, 0, 7, 960, false, 7, 960, false},
		{"and so on", false, 20 * time.Millisecond, 8, 1920, false, 8, 1920, false},
		{"another phone, half a second later", true, 500 * time.Millisecond, 0, 5, false, 9, 1920 + 24000, true},
		{"and so on", false, 20 * time.Millisecond, 1, 965, false, 10, 1920 + 24960, false},
		{"what is refused was never sent", true, 20 * time.Millisecond, 100, 0, true, 10, 1920 + 24960, false},
		{"the first again, at the same moment", false, 0, 60000, 1 << 31, false, 11, 1920 + 24960 + 960, true},
		{"its numbers wrap", false, 20 * time.Millisecond, 60001, 1<<31 + 960, false, 12, 1920 + 24960 + 1920, false},
	} {
		now += c.after
		if c.fresh {
			s.renew()
		}
		seat.err = nil
		if c.refuses {
			seat.err = errors.New("no")
		}
		if err := s.WriteFrame(&codec.Frame{Seq: c.seq, Timestamp: c.timestamp, Payload: []byte{1}}); (err != nil) != c.refuses {
			t.Errorf("%s: %v", c.rule, err)
		}
		if got := seat.last; got.Seq != c.wantSeq || got.Timestamp != c.want || got.Marker != c.marker {
			t.Errorf("%s: got %d at %d, marker %v; want %d at %d, %v", c.rule, got.Seq, got.Timestamp, got.Marker, c.wantSeq, c.want, c.marker)
		}
	}
}

func TestAStreamAllocatesNothing(t *testing.T) {
	s := stream{to: &written{}, clock: func() time.Duration { return 0 }}
	f := codec.Frame{Payload: make([]byte, 40)}
	if n := testing.AllocsPerRun(100, func() {
		f.Seq++
		_ = s.WriteFrame(&f)
	}); n != 0 {
		t.Errorf("%v allocations a packet", n)
	}
}
