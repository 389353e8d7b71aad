// Package g722 codes telephone sound as ITU-T G.722 at 64 kbit/s (mode 1), bit by bit as the standard
// says, and hides lost packets. It does not know about packets beyond their bytes.
package g722

import (
	"errors"
	"io"

	"passerelle/codec"
	"passerelle/codec/conceal"
)

// Rate is the sampling rate of G.722 in Hz. A byte holds two samples; the RTP clock counts bytes (RFC 3551
// section 4.5.2).
const Rate = 16000

// ErrOdd says that sound cannot be coded because it has half a byte too much.
var ErrOdd = errors.New("g722: an odd number of samples")

var (
	_ codec.Decoder = (*Decoder)(nil)
	_ codec.Encoder = (*Encoder)(nil)
)

// Encoder encodes one stream.
//
//  1. The quadrature mirror filter splits two samples into one of each half of the band (split).
//  2. What the predictor of a half did not expect is quantized: with 6 bits below 4 kHz, with 2 above.
//  3. Scale and predictor learn from the bits alone, so that the decoder's learn the same (band).
type Encoder struct {
	low, high band
	filter    mirror
}

// NewEncoder returns an Encoder.
func NewEncoder() *Encoder {
	e := new(Encoder)
	e.Reset()
	return e
}

// Encode codes all of pcm, an even number of samples, into dst. A dst that is too short is io.ErrShortBuffer.
func (e *Encoder) Encode(dst []byte, pcm []int16) (int, error) {
	if len(pcm)%2 != 0 {
		return 0, ErrOdd
	}
	n := len(pcm) / 2
	if len(dst) < n {
		return 0, io.ErrShortBuffer
	}
	for dst := dst[:n]; len(dst) > 0; {
		c := min(len(pcm), mirrorChunk)
		e.filter.put(pcm[:c])
		for i := range c / 2 {
			odd, even := e.filter.sums(i)
			dst[i] = e.code((even+odd)>>14, (even-odd)>>14)
		}
		e.filter.keep(c)
		dst, pcm = dst[c/2:], pcm[c:]
	}
	return n, nil
}

// code codes one sample of each half.
func (e *Encoder) code(low, high int32) byte {
	h := e.high.quantizeHigh(high)
	l := e.low.quantizeLow(low)
	e.high.learnHigh(h)
	e.low.learnLow(l)
	return byte(h<<6 | l)
}

// Reset forgets the stream's past.
func (e *Encoder) Reset() { *e = Encoder{low: band{scale: lowScale}, high: band{scale: highScale}} }

// Close has nothing to free.
func (e *Encoder) Close() error { return nil }

// Decoder decodes one stream and conceals what is lost of it.
type Decoder struct {
	low, high band
	filter    mirror
	halves    [mirrorChunk]int16 // sum and difference of the halves, in turn
	hide      *conceal.Concealer
	lost      int // samples made up in a row
}

// NewDecoder returns a Decoder.
func NewDecoder() *Decoder {
	d := &Decoder{hide: conceal.New(Rate)}
	d.Reset()
	return d
}

// Decode decodes one packet, two samples a byte. After a loss its first samples are blended with the
// concealment's last. A pcm that is too short is io.ErrShortBuffer.
func (d *Decoder) Decode(pcm []int16, payload []byte) (int, error) {
	n := 2 * len(payload)
	if len(pcm) < n {
		return 0, io.ErrShortBuffer
	}
	pcm = pcm[:n]
	for out := pcm; len(payload) > 0; {
		c := min(len(payload), mirrorChunk/2)
		d.expand(payload[:c])
		d.join(out[:2*c])
		payload, out = payload[c:], out[2*c:]
	}
	d.hide.Hear(pcm)
	d.lost = 0
	return n, nil
}

// expand decodes the halves.
func (d *Decoder) expand(payload []byte) {
	halves := d.halves[:2*len(payload)]
	for i, code := range payload {
		low, high := d.low.expandLow(int32(code&63)), d.high.expandHigh(int32(code>>6))
		d.low.learnLow(int32(code & 63))
		d.high.learnHigh(int32(code >> 6))
		halves[2*i], halves[2*i+1] = int16(low+high), int16(low-high)
	}
}

// join makes sound of the halves.
func (d *Decoder) join(pcm []int16) {
	d.filter.put(d.halves[:len(pcm)])
	for i := range len(pcm) / 2 {
		odd, even := d.filter.sums(i)
		pcm[2*i], pcm[2*i+1] = clip(even>>11), clip(odd>>11)
	}
	d.filter.keep(len(pcm))
}

// Recover conceals: G.722 carries no FEC.
func (d *Decoder) Recover(pcm []int16, _ []byte) (int, error) { return d.Conceal(pcm) }

// Reset forgets the stream's past.
func (d *Decoder) Reset() {
	d.low, d.high = band{scale: lowScale}, band{scale: highScale}
	d.filter, d.lost = mirror{}, 0
	d.hide.Reset()
}

// Close has nothing to free.
func (d *Decoder) Close() error { return nil }
