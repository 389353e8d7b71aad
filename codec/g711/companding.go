package g711

import (
	"sync"

	"github.com/zaf/g711"
)

// Decoding is a table of 256 in zaf/g711 already; its encoding counts bits and is four times slower
// than a table. mu-law looks at 14 bits of a sample and A-law at 12.
const (
	muShift = 2
	aShift  = 4
)

type (
	muLaw [1 << (16 - muShift)]byte
	aLaw  [1 << (16 - aShift)]byte
)

// The tables are made when the first Encoder is, and never written again: all share them.
//
//nolint:gochecknoglobals // constants, but for the language
var (
	muTable = sync.OnceValue(newMuLaw)
	aTable  = sync.OnceValue(newALaw)
)

func newMuLaw() *muLaw {
	t := new(muLaw)
	for i := range t {
		t[i] = g711.EncodeUlawFrame(int16(uint16(i) << muShift))
	}
	return t
}

func newALaw() *aLaw {
	t := new(aLaw)
	for i := range t {
		t[i] = g711.EncodeAlawFrame(int16(uint16(i) << aShift))
	}
	return t
}

func (t *muLaw) compress(payload []byte, pcm []int16) {
	payload = payload[:len(pcm)]
	for i, s := range pcm {
		payload[i] = t[uint16(s)>>muShift]
	}
}

func (t *aLaw) compress(payload []byte, pcm []int16) {
	payload = payload[:len(pcm)]
	for i, s := range pcm {
		payload[i] = t[uint16(s)>>aShift]
	}
}

func expandMu(pcm []int16, payload []byte) {
	pcm = pcm[:len(payload)]
	for i, b := range payload {
		pcm[i] = g711.DecodeUlawFrame(b)
	}
}

func expandA(pcm []int16, payload []byte) {
	pcm = pcm[:len(payload)]
	for i, b := range payload {
		pcm[i] = g711.DecodeAlawFrame(b)
	}
}
