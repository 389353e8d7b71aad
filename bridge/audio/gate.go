package audio

import (
	"math"
	"time"
)

// What the voice activity gate goes by. It errs on the side of letting sound through.
const (
	hangOver = 200 * time.Millisecond // let through after the last voice

	gateMargin  = 9.0   // dB above the noise floor that are a voice
	gateQuiet   = -60.0 // dBov; nothing below it is a voice
	floorLowest = -75.0 // dBov
	floorTop    = -40.0 // dBov; what is louder than this by the margin is always let through: music, tones
	floorRise   = 3.0   // dB a second, while nothing quieter is heard
	floorFall   = 0.5   // of the way down, with each 10 ms that are quieter
)

// gate tells voice from silence by its energy over an adaptive noise floor, 10 ms at a time.
type gate struct {
	step  int     // samples in 10 ms
	hang  int     // samples of the hang-over
	floor float64 // power of the noise
	rise  float64 // its factor for each step
	quiet float64 // powers, from the constants above
	low   float64
	top   float64
	over  float64 // factor

	left int // samples that are still let through
}

// newGate returns a gate for sound at rate, closed.
func newGate(rate int) gate {
	return gate{
		step:  rate / 100,
		hang:  samples(hangOver, rate),
		floor: powerAt(gateQuiet - gateMargin),
		rise:  math.Pow(10, floorRise/1000),
		quiet: powerAt(gateQuiet),
		low:   powerAt(floorLowest),
		top:   powerAt(floorTop),
		over:  math.Pow(10, gateMargin/10),
	}
}

// hear judges the next sound: voice says that there is one in it, open that it is to be let through,
// which goes on for the hang-over.
func (g *gate) hear(pcm []int16) (voice, open bool) {
	for rest := pcm; len(rest) > 0; {
		piece := rest[:min(g.step, len(rest))]
		rest = rest[len(piece):]
		p := power(piece)
		if p > max(g.quiet, g.floor*g.over) {
			voice = true
		}
		g.learn(p)
	}
	if voice {
		g.left = g.hang
		return true, true
	}
	open = g.left > 0
	g.left = max(0, g.left-len(pcm))
	return false, open
}

// learn follows the noise floor: down at once, up slowly.
func (g *gate) learn(p float64) {
	if p < g.floor {
		g.floor += (p - g.floor) * floorFall
	} else {
		g.floor = min(g.floor*g.rise, p)
	}
	g.floor = min(max(g.floor, g.low), g.top)
}

// shut ends the hang-over: what comes next is let through only if there is a voice in it.
func (g *gate) shut() { g.left = 0 }

// samples returns how many samples at rate d has.
func samples(d time.Duration, rate int) int { return int(d * time.Duration(rate) / time.Second) }
