package opus

import (
	"fmt"

	"github.com/hraban/opus"
)

// Decoder decodes one stream to mono at its own rate, whatever rate and channels it was encoded with.
type Decoder struct {
	lib  *opus.Decoder
	rate int
}

// NewDecoder returns a Decoder to mono at rate: 8000, 16000 or 48000 Hz.
func NewDecoder(rate int) (*Decoder, error) {
	if err := checkRate(rate); err != nil {
		return nil, err
	}
	lib, err := opus.NewDecoder(rate, 1)
	if err != nil {
		return nil, fmt.Errorf("open opus decoder: %w", err)
	}
	return &Decoder{lib: lib, rate: rate}, nil
}

// Decode decodes one packet. A DTX packet (of one byte) becomes comfort noise.
func (d *Decoder) Decode(pcm []int16, payload []byte) (int, error) {
	if len(payload) == 0 {
		return 0, ErrEmpty
	}
	// The binding fills a slice to its capacity, hence the third index here and below.
	n, err := d.lib.Decode(payload, pcm[:len(pcm):len(pcm)])
	if err != nil {
		return 0, fmt.Errorf("decode opus: %w", err)
	}
	return n, nil
}

// Conceal makes up len(pcm) samples, a multiple of 2.5 ms, for a lost frame.
func (d *Decoder) Conceal(pcm []int16) (int, error) {
	if !isWhole(len(pcm), d.rate) {
		return 0, ErrWhole
	}
	if err := d.lib.DecodePLC(pcm[:len(pcm):len(pcm)]); err != nil {
		return 0, fmt.Errorf("conceal opus: %w", err)
	}
	return len(pcm), nil
}

// Recover makes up len(pcm) samples, a multiple of 2.5 ms, for the frame lost before next: from next's
// in-band FEC (RFC 6716 section 2.1.7) where it has some, and by concealment for the rest.
func (d *Decoder) Recover(pcm []int16, next []byte) (int, error) {
	if len(next) == 0 {
		return d.Conceal(pcm)
	}
	if !isWhole(len(pcm), d.rate) {
		return 0, ErrWhole
	}
	if err := d.lib.DecodeFEC(next, pcm[:len(pcm):len(pcm)]); err != nil {
		return 0, fmt.Errorf("recover opus: %w", err)
	}
	return len(pcm), nil
}

// Reset forgets the stream's past. It allocates: the binding cannot reset a decoder.
func (d *Decoder) Reset() {
	if lib, err := opus.NewDecoder(d.rate, 1); err == nil {
		d.lib = lib
	}
}

// Close has nothing to free: the state is Go's memory.
func (d *Decoder) Close() error { return nil }

// isWhole tells whether samples make a multiple of 2.5 ms, which libopus conceals by.
func isWhole(samples, rate int) bool { return samples > 0 && samples%(rate/400) == 0 }
