package audio

import (
	"passerelle/codec"
	"passerelle/codec/g711"
	"passerelle/codec/g722"
	"passerelle/codec/halfband"
)

// A mix at 16 kHz has phones at 16 kHz and phones at 8 kHz, which are narrow in it. A mix at 8 kHz has no
// narrow phones: all are at its rate, and none is wide.

// soundRate returns the rate of a phone's sound in a mix, in Hz; 0 if it has no place there. Opus has any.
func soundRate(kind codec.Kind, mix int) int {
	switch kind {
	case codec.PCMU, codec.PCMA:
		return g711.Rate
	case codec.G722:
		if mix >= g722.Rate {
			return g722.Rate
		}
	case codec.Opus:
		return mix
	}
	return 0
}

// side is what a mix keeps from tick to tick for those who hear at one rate.
type side struct {
	other   converter // brings the voices of the other rate
	limiter limiter
}

// newSide returns the side of those who hear at the mix rate. In a mix at 8 kHz there is no other.
func newSide(rate int) side {
	s := side{limiter: newLimiter(rate)}
	if rate == g722.Rate {
		s.other = converter{filter: new(halfband.Up), out: make([]int32, samples(tickLength, rate))}
	}
	return s
}

// newLowSide returns the side of narrow phones in a mix at 16 kHz.
func newLowSide() side { return side{other: newLowered(), limiter: newLimiter(g711.Rate)} }

// newLowered returns a converter from 16 to 8 kHz.
func newLowered() converter {
	return converter{filter: new(halfband.Down), out: make([]int32, samples(tickLength, g711.Rate))}
}

// converter brings one stream of sound from one rate to the other, once a tick at most.
type converter struct {
	filter interface{ Process(out, in []int32) } // nil where there is only one rate
	out    []int32
	rings  bool // the filter is not empty
}

// convert fills out with this tick of s; false means that it is silent. After the end of a sound the filter still
// has something of it.
func (c *converter) convert(s *sum) bool {
	if !s.loud && !c.rings {
		return false
	}
	c.rings = s.loud
	if !s.loud {
		clear(s.pcm)
	}
	c.filter.Process(c.out, s.pcm)
	return true
}
