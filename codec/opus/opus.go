// Package opus codes mono speech as Opus (RFC 6716) with libopus. It does not know about RTP, whose
// clock for Opus is 48 kHz whatever the rate here, nor when a stream should fall silent.
package opus

import (
	"errors"
	"time"

	"passerelle/codec"
)

// MaxPacket is room enough, in bytes, for any packet that an Encoder of this package makes.
const MaxPacket = 1275

// Lookahead is how much later than it went in sound comes out: the delay of encoder and decoder
// together, apart from that of waiting for a whole frame.
const Lookahead = 6500 * time.Microsecond

// Errors of this package. What libopus says otherwise is wrapped.
var (
	ErrRate  = errors.New("opus: the rate is not 8000, 16000 or 48000 Hz")
	ErrFrame = errors.New("opus: a frame has 2.5, 5, 10, 20, 40 or 60 ms")
	ErrWhole = errors.New("opus: only multiples of 2.5 ms can be made up")
	ErrEmpty = errors.New("opus: an empty packet")
	ErrLoss  = errors.New("opus: a loss is of 0 to 100 percent")
)

var (
	_ codec.Decoder = (*Decoder)(nil)
	_ codec.Encoder = (*Encoder)(nil)
)

func checkRate(rate int) error {
	switch rate {
	case 8000, 16000, 48000:
		return nil
	}
	return ErrRate
}

func checkLoss(percent int) error {
	if percent < 0 || percent > 100 {
		return ErrLoss
	}
	return nil
}
