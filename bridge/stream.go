package bridge

import (
	"time"

	"passerelle/codec"
)

// stream is the way to a seat that one phone has after the other: numbers and time go on where those of the phone before
// ended. It belongs to whoever has the seat.
type stream struct {
	to    codec.Writer
	clock func() time.Duration

	out       codec.Frame
	began     bool
	fresh     bool // what comes next is another phone's
	seq       uint16
	timestamp uint32 // from theirs to ours, as seq
	at        time.Duration
}

// renew says that what comes next is another phone's. It is called while nobody writes.
func (s *stream) renew() { s.fresh = s.began }

// WriteFrame passes a frame on. What the seat refused was never sent.
func (s *stream) WriteFrame(f *codec.Frame) error {
	now := s.clock()
	if s.fresh {
		s.seq = s.out.Seq + 1 - f.Seq
		s.timestamp = s.out.Timestamp + uint32(max(now-s.at, heraldTick)/time.Microsecond*48/1000) - f.Timestamp
	}
	before := s.out
	s.out = *f
	s.out.Seq, s.out.Timestamp, s.out.Marker = f.Seq+s.seq, f.Timestamp+s.timestamp, f.Marker || s.fresh
	if err := s.to.WriteFrame(&s.out); err != nil {
		s.out = before
		return err
	}
	s.began, s.fresh, s.at = true, false, now
	s.out.Payload = nil
	return nil
}
