package ivr

import (
	"math"
	"time"
)

// The ringing tone is what a caller hears while somebody is rung. Every country has its own (ITU-T E.180, Supplement 2);
// most of those of Europe are 425 Hz for one second in five.

// toneLevel is the level of a ringing tone, in dBov: below speech.
const toneLevel = -24.0

// cadence is a tone that comes and goes.
type cadence struct {
	frequencies []float64       // in Hz, together
	steps       []time.Duration // on, off, on, off...
}

// ringing returns the ringing tone of a country; of one that is not known, that of most of Europe.
func ringing(country string) cadence {
	s := func(steps ...float64) (all []time.Duration) {
		for _, seconds := range steps {
			all = append(all, time.Duration(seconds*float64(time.Second)))
		}
		return all
	}
	switch country {
	case "FR", "GP", "BL", "MF", "GF", "MQ", "RE", "YT", "PM", "NC", "PF":
		return cadence{[]float64{440}, s(1.5, 3.5)}
	case "GB", "GG", "JE", "IM", "IE":
		return cadence{[]float64{400, 450}, s(0.4, 0.2, 0.4, 2)}
	case "US", "CA", "PR":
		return cadence{[]float64{440, 480}, s(2, 4)}
	case "BE":
		return cadence{[]float64{425}, s(1, 3)}
	case "ES":
		return cadence{[]float64{425}, s(1.5, 3)}
	case "AU", "NZ":
		return cadence{[]float64{400, 450}, s(0.4, 0.2, 0.4, 2)}
	case "JP":
		return cadence{[]float64{384, 416}, s(1, 2)}
	}
	return cadence{[]float64{425}, s(1, 4)}
}

// Ringback returns one period of the ringing tone of a country (ISO 3166, "FR") at rate, in Hz, to be played in a loop.
func Ringback(country string, rate int) []int16 {
	c := ringing(country)
	peak := math.Pow(10, toneLevel/20) * math.Sqrt2 * 32768 / math.Sqrt(float64(len(c.frequencies)))
	var pcm []int16
	for i, step := range c.steps {
		n := int(step.Seconds() * float64(rate))
		if i%2 == 1 {
			pcm = append(pcm, make([]int16, n)...)
			continue
		}
		ramp := rate / 200 // 5 ms, so that nothing clicks
		for k := range n {
			s := 0.0
			for _, f := range c.frequencies {
				s += peak * math.Sin(2*math.Pi*f*float64(k)/float64(rate))
			}
			pcm = append(pcm, int16(s*min(1, float64(k)/float64(ramp), float64(n-k)/float64(ramp))))
		}
	}
	return pcm
}
