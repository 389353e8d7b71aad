// Package g711 codes telephone sound as ITU-T G.711 mu-law and A-law, and hides lost packets as the
// standard's Appendix I does. It does not know about packets beyond their bytes.
package g711

import (
	"fmt"
	"io"

	"passerelle/codec"
	"passerelle/codec/conceal"
)

// Rate is the sampling rate of G.711 in Hz. A byte is a sample.
const Rate = 8000

var (
	_ codec.Decoder = (*Decoder)(nil)
	_ codec.Encoder = (*Encoder)(nil)
)

// Decoder decodes one stream of G.711 and conceals what is lost of it.
type Decoder struct {
	expand func(pcm []int16, payload []byte)
	hide   *conceal.Concealer
}

// NewDecoder returns a Decoder for codec.PCMU or codec.PCMA.
func NewDecoder(kind codec.Kind) (*Decoder, error) {
	switch kind {
	case codec.PCMU:
		return &Decoder{expand: expandMu, hide: conceal.New(Rate)}, nil
	case codec.PCMA:
		return &Decoder{expand: expandA, hide: conceal.New(Rate)}, nil
	}
	return nil, fmt.Errorf("g711 decoder: %s is not G.711", kind)
}

// Decode decodes one packet, a sample a byte. After a loss its first samples are blended with the
// concealment's last. A pcm that is too short is io.ErrShortBuffer.
func (d *Decoder) Decode(pcm []int16, payload []byte) (int, error) {
	if len(pcm) < len(payload) {
		return 0, io.ErrShortBuffer
	}
	pcm = pcm[:len(payload)]
	d.expand(pcm, payload)
	d.hide.Hear(pcm)
	return len(pcm), nil
}

// Conceal makes up len(pcm) samples from the pitch of what was heard last. Called in a row it
// attenuates after 10 ms and is silent after 60 ms.
func (d *Decoder) Conceal(pcm []int16) (int, error) {
	d.hide.Fill(pcm)
	return len(pcm), nil
}

// Recover conceals: G.711 carries no FEC.
func (d *Decoder) Recover(pcm []int16, _ []byte) (int, error) { return d.Conceal(pcm) }

// Reset forgets the stream's past.
func (d *Decoder) Reset() { d.hide.Reset() }

// Close has nothing to free.
func (d *Decoder) Close() error { return nil }

// Encoder encodes one stream as G.711.
type Encoder struct {
	compress func(payload []byte, pcm []int16)
}

// NewEncoder returns an Encoder for codec.PCMU or codec.PCMA.
func NewEncoder(kind codec.Kind) (*Encoder, error) {
	switch kind {
	case codec.PCMU:
		return &Encoder{compress: muTable().compress}, nil
	case codec.PCMA:
		return &Encoder{compress: aTable().compress}, nil
	}
	return nil, fmt.Errorf("g711 encoder: %s is not G.711", kind)
}

// Encode codes all of pcm into dst, a byte a sample. A dst that is too short is io.ErrShortBuffer.
func (e *Encoder) Encode(dst []byte, pcm []int16) (int, error) {
	if len(dst) < len(pcm) {
		return 0, io.ErrShortBuffer
	}
	e.compress(dst[:len(pcm)], pcm)
	return len(pcm), nil
}

// Reset has no past to forget.
func (e *Encoder) Reset() {}

// Close has nothing to free.
func (e *Encoder) Close() error { return nil }
