package opus

import (
	"sync"

	"passerelle/codec"
)

// Pool lends encoders of one Config. The state of libopus has 47 kB, and a stream that is silent needs none of it.
// Its methods may be called from any goroutine.
type Pool struct {
	cfg  Config
	free sync.Pool // of *Encoder
}

// NewPool returns a Pool that lends encoders for speech.
func NewPool(cfg Config) (*Pool, error) {
	e, err := NewEncoder(cfg) // what one takes, all take
	if err != nil {
		return nil, err
	}
	p := &Pool{cfg: cfg}
	p.free.Put(e)
	return p, nil
}

// Stream returns an encoder of one stream. It has libopus' state from a frame on until it rests.
func (p *Pool) Stream() *Stream {
	return &Stream{pool: p, loss: p.cfg.LossPercent, toc: firstTOC(p.cfg.Rate)}
}

// Stream encodes one stream of mono speech as an Encoder does. Where it has rested, it begins anew.
type Stream struct {
	pool *Pool
	lent *Encoder // nil while it rests
	loss int      // percent
	toc  byte     // of the packet before
}

var _ codec.Encoder = (*Stream)(nil)

// SetLoss is Encoder's; it holds beyond a rest.
func (s *Stream) SetLoss(percent int) error {
	if s.lent != nil {
		if err := s.lent.SetLoss(percent); err != nil {
			return err
		}
	} else if err := checkLoss(percent); err != nil {
		return err
	}
	s.loss = percent
	return nil
}

// Encode is Encoder's.
func (s *Stream) Encode(dst []byte, pcm []int16) (int, error) {
	if s.lent == nil {
		if err := s.wake(); err != nil {
			return 0, err
		}
	}
	n, err := s.lent.Encode(dst, pcm)
	if err == nil {
		s.toc = dst[0]
	}
	return n, err
}

// wake takes an encoder, and makes it what a new one would be.
func (s *Stream) wake() (err error) {
	e, ok := s.pool.free.Get().(*Encoder)
	if ok {
		e.Reset()
	} else if e, err = NewEncoder(s.pool.cfg); err != nil {
		return err
	}
	if err := e.SetLoss(s.loss); err != nil {
		return err
	}
	s.lent = e
	return nil
}

// Rest gives the encoder back until the next frame, which then is the first of a stream to its decoder too: after a
// long silence there is nothing left in either that the sound before would be good for.
func (s *Stream) Rest() {
	if s.lent != nil {
		s.pool.free.Put(s.lent)
		s.lent = nil
	}
}

// DTXPayload is Encoder's.
func (s *Stream) DTXPayload(dst []byte) int { return dtxPayload(dst, s.toc) }

// Reset is Encoder's.
func (s *Stream) Reset() {
	if s.lent != nil {
		s.lent.Reset()
	}
}

// Close rests.
func (s *Stream) Close() error {
	s.Rest()
	return nil
}
