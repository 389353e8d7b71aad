package audio

import (
	"fmt"
	"math/rand/v2"

	"passerelle/codec"
	"passerelle/codec/dtmf"
	"passerelle/codec/g711"
	"passerelle/codec/g722"
)

// init opens the way up. Sequence and timestamp begin anywhere (RFC 3550 section 5.1).
func (u *up) init(e *Engine, kind codec.Kind, seat codec.Writer) error {
	u.seat = seat
	u.time = newTimeline(kind.ClockRate(), rand.Uint32())
	u.sentEnd = u.time.our
	u.seq = uint16(rand.Uint32())
	u.out.Kind = codec.Opus
	u.levelNow.Store(uint32(codec.Silence))
	return u.change(e, kind)
}

// change lets kind come from the phone from now on. The encoder stays where the rate does, and so do the
// ring and all else that has a rate. If it fails, all is as it was.
func (u *up) change(e *Engine, kind codec.Kind) error {
	rate := soundRate(kind, e.rate)
	decoder, err := e.newPhoneDecoder(kind, rate)
	if err != nil {
		return fmt.Errorf("phone decoder: %w", err)
	}
	enc := u.encoder
	if rate != u.rate || (kind == codec.Opus) != (u.kind == codec.Opus) {
		if enc, err = e.newPhoneEncoder(kind, rate); err != nil {
			return fmt.Errorf("phone encoder: %w", err)
		}
	}
	if u.encoder != nil {
		u.close()
		u.past.clear()
		if enc != u.encoder {
			u.encoder.Rest()
		}
	}
	if rate != u.rate {
		u.rate = rate
		noGain, noGate := u.gain.off, u.gate.off
		u.gate, u.frames, u.past = newGate(rate), framer{}, newLookBack(rate)
		u.gain = newLeveller(rate)
		u.gain.off, u.gate.off = noGain, noGate
		u.pcm = make([]int16, samples(mostSound, rate))
		u.ring = newRing(phoneRing)
		if u.keys != nil {
			u.keys = dtmf.NewDetector(rate)
		}
	}
	u.time.retime(kind.ClockRate())
	u.kind, u.decoder, u.encoder, u.span = kind, decoder, enc, 0
	u.passed, _ = enc.(*passed)
	return nil
}

// newPhoneDecoder returns a decoder for what a phone sends.
func (e *Engine) newPhoneDecoder(kind codec.Kind, rate int) (codec.Decoder, error) {
	switch kind {
	case codec.G722:
		return g722.NewDecoder(), nil
	case codec.Opus:
		return e.newDecoder(rate)
	}
	return g711.NewDecoder(kind)
}

// newPhoneEncoder returns an encoder for what the seat gets; what comes as Opus is passed on as it is.
func (e *Engine) newPhoneEncoder(kind codec.Kind, rate int) (encoder, error) {
	if kind == codec.Opus {
		return new(passed), nil
	}
	return e.newEncoder(rate)
}
