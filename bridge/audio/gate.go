package audio

import "time"

// What the voice activity gate goes by. It errs on the side of letting sound through.
const (
	hangOver     = 200 * time.Millisecond // let through after the last voice
	hangOverMost = 800 * time.Millisecond // ... where the gate would open and close all the time
	reopenSoon   = time.Second            // it closed too early if it opens again before that
	reopenLate   = 4 * time.Second        // ... and did not if it does after that

	gateQuiet  = -60.0 // dBov; nothing below it is a voice
	humCounts  = 0.01  // times its power
	gateDead   = -70.0 // dBov; what is below it is not even noise
	gateSurely = 12    // score of a step that is a voice
	gateLikely = 5     // ... of two in a row that are, and of a step that may be the onset of one

	talkerRise = 0.2   // of the way to a louder step
	talkerFall = 0.002 // ... to a softer one: 5 s of voice
	strictFrom = 30    // times the noise's power that a talker has before the gate is stricter than need be
	strictMost = 3     // times
)

// How much of the past belongs to an onset.
const (
	lookBackLeast = 40 * time.Millisecond  // a soft consonant
	lookBackNoisy = 60 * time.Millisecond  // in a car
	lookBackMost  = 100 * time.Millisecond // where noise is as loud as the voice
	noisyFrom     = -45.0                  // dBov
	noisiestFrom  = -33.0
)

// gate tells voice from noise, 10 ms at a time:
//
//  1. How much power is in each band (bands.go)?
//  2. How unlikely is that for the noise of the last seconds (noise.go)? Where the talker is known to be
//     far above the noise, that counts for louder than it is (strict).
//  3. What is very unlikely once, or unlikely twice in a row, is a voice (judge). It is let through, and
//     the hang-over after it (hear).
//
// It has no pointers: a copy goes on by itself.
type gate struct {
	off    bool // everything is let through
	step   int  // samples in 10 ms
	bands  bands
	noise  noise
	quiet  float32 // powers, from the constants above
	dead   float64
	noisy  float32
	worst  float32
	talker float32 // power of the talker; 0 as long as nobody has talked

	carry [stepMost]int16 // less than a step
	have  int             // samples of it

	likely bool // the step before was likely
	rising int  // steps in a row, up to the newest, that may be the onset of a voice
	open   bool
	left   int // samples that are still let through
	hang   int // samples of the hang-over
	closed int // samples since it closed
}

// newGate returns a gate for sound at rate, 8 or 16 kHz, closed.
func newGate(rate int) gate {
	b := newBands(rate)
	return gate{
		step: rate / 100, bands: b, noise: newNoise(b.count()),
		quiet: float32(powerAt(gateQuiet)), dead: powerAt(gateDead),
		noisy: float32(powerAt(noisyFrom)), worst: float32(powerAt(noisiestFrom)),
		hang: samples(hangOver, rate), closed: samples(reopenLate, rate),
	}
}

// hear judges the next sound: voice says that there is one in it, open that it is to be let through,
// which goes on for the hang-over.
func (g *gate) hear(pcm []int16) (voice, open bool) {
	voice = g.listen(pcm)
	switch {
	case g.off:
		g.open = true
	case voice:
		if !g.open {
			g.reopen()
		}
		g.left = g.hang
	case g.left > 0:
		g.left = max(0, g.left-len(pcm))
	default:
		g.open = false
		g.closed = min(g.closed+len(pcm), samples(reopenLate, 100*g.step))
	}
	return voice, g.open
}

// reopen opens the gate. Where it closed only just before, the hang-over is longer from now on: music, and
// whoever ponders each word, would have it open and close all the time.
func (g *gate) reopen() {
	rate := 100 * g.step
	switch {
	case g.closed < samples(reopenSoon, rate):
		g.hang = min(2*g.hang, samples(hangOverMost, rate))
	case g.closed >= samples(reopenLate, rate):
		g.hang = samples(hangOver, rate)
	}
	g.open, g.closed = true, 0
}

// shut closes the gate: what comes next is let through only if there is a voice in it.
func (g *gate) shut() { g.open, g.left, g.have, g.rising, g.likely = false, 0, 0, 0, false }

// listen judges every whole step.
func (g *gate) listen(pcm []int16) (voice bool) {
	if g.have > 0 {
		n := copy(g.carry[g.have:g.step], pcm)
		pcm = pcm[n:]
		if g.have += n; g.have < g.step {
			return false
		}
		voice = g.judge(g.carry[:g.step])
	}
	for ; len(pcm) >= g.step; pcm = pcm[g.step:] {
		voice = g.judge(pcm[:g.step]) || voice
	}
	g.have = copy(g.carry[:], pcm)
	return voice
}

// judge says whether there is a voice in a step.
func (g *gate) judge(pcm []int16) bool {
	if power(pcm) < g.dead {
		g.noise.pass()
		g.likely, g.rising = false, 0
		return false
	}
	var powers bandPowers
	var low lowBand
	g.bands.hear(pcm, &powers, &low)
	score := g.noise.score(&powers, g.strict())
	g.noise.learn(&powers, &low, score < gateLikely && g.left == 0)
	if score < gateLikely {
		g.likely, g.rising = false, 0
		return false
	}
	g.rising++
	surely := score >= gateSurely || g.likely
	g.likely = true
	loud := powers.voice() + powers[humBand]*humCounts
	if loud < g.quiet {
		return false
	}
	if loud > g.talker {
		g.talker += (loud - g.talker) * talkerRise
	} else {
		g.talker += (loud - g.talker) * talkerFall
	}
	return surely
}

// strict returns by how much the noise is to be taken for louder than it is: the more, the farther the
// talker is above it. Noise swells, and whoever is far above it is found all the same.
func (g *gate) strict() float32 {
	return min(max(1, g.talker/(strictFrom*g.noise.floor.voice())), strictMost)
}

// onset returns how many samples before the packet of n that opened the gate are to be let through after
// all: where it was likely already that somebody speaks, and where noise hides how words begin.
func (g *gate) onset(n int) int {
	least := lookBackLeast
	switch floor := g.noise.floor.voice(); {
	case floor > g.worst:
		least = lookBackMost
	case floor > g.noisy:
		least = lookBackNoisy
	}
	rate := 100 * g.step
	return min(max(samples(least, rate), g.rising*g.step-n), samples(lookBackMost, rate))
}

// samples returns how many samples at rate d has.
func samples(d time.Duration, rate int) int { return int(d * time.Duration(rate) / time.Second) }
