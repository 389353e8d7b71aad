package g711

import "math"

// What is lost is concealed as ITU-T G.711 Appendix I describes:
//
//  1. At the first lost sample, find the pitch of the last 20 ms heard (findPitch) and repeat the
//     last period (begin).
//  2. After 10 ms repeat the last two periods, and after 20 ms the last three, or it would buzz
//     (lengthen).
//  3. After 10 ms attenuate, by a fifth every 10 ms: silence after 60 ms (gain).
//  4. When packets come again, blend into them, for the longer the more was lost (good).
//
// The standard delays all sound by 3.75 ms, so that the end of what was heard can be blended into the
// repetition. Here nothing is delayed: the repetition starts moved to where the sound ended, and is
// blended into the true one.

// Spans in samples at 8 kHz.
const (
	pitchMin   = 40  // 200 Hz
	pitchMax   = 120 // 66 Hz
	overlapMax = pitchMax / 4
	historyLen = 3*pitchMax + overlapMax
	pitchSpan  = 160 // heard last, compared with what came a period before
	step       = 80  // 10 ms
	fadeEnd    = 6 * step
	returnMore = 32 // blended on return for each 10 ms lost after the first
)

// minPower keeps noise near zero from looking like pitch.
const minPower = 250

// concealer remembers what was heard and continues it where packets are lost.
type concealer struct {
	history [historyLen]int16 // heard last, or made up

	// The rest is about the loss that goes on.
	lost    int                 // samples made up; 0: nothing is lost
	wave    [historyLen]float32 // the history when the loss began; its end is repeated
	tail    [overlapMax]float32 // wave's own last quarter of a period
	pitch   int                 // period
	overlap int                 // a quarter of it
	cycle   int                 // how much of wave's end is repeated: 1 to 3 periods
	at      int                 // in the cycle
	from    [overlapMax]float32 // faded out while the cycle fades in
	faded   int                 // how far; overlap: done
}

// hear takes decoded sound and, where it comes after a loss, blends the concealment into it.
func (c *concealer) hear(pcm []int16) {
	if c.lost > 0 {
		n := c.overlap + (c.lost-1)/step*returnMore
		n = min(n, step, len(pcm))
		for i := range n {
			w := float32(i+1) / float32(n+1)
			pcm[i] = clip(c.next()*(1-w) + float32(pcm[i])*w)
		}
		if n > 0 {
			c.lost = 0
		}
	}
	c.remember(pcm)
}

// fill makes up sound for what is lost.
func (c *concealer) fill(pcm []int16) {
	if c.lost == 0 && len(pcm) > 0 {
		c.begin()
	}
	for i := range pcm {
		pcm[i] = clip(c.next())
	}
	c.remember(pcm)
}

func (c *concealer) remember(pcm []int16) {
	if len(pcm) >= historyLen {
		copy(c.history[:], pcm[len(pcm)-historyLen:])
		return
	}
	copy(c.history[:], c.history[len(pcm):])
	copy(c.history[historyLen-len(pcm):], pcm)
}

// begin prepares to repeat the last period.
func (c *concealer) begin() {
	for i, s := range c.history {
		c.wave[i] = float32(s)
	}
	c.pitch = findPitch(&c.wave)
	c.overlap = c.pitch / 4
	copy(c.tail[:c.overlap], c.wave[historyLen-c.overlap:])
	period := c.wave[historyLen-c.pitch:]
	jump := c.wave[historyLen-1] - c.wave[historyLen-c.pitch-1]
	for i := range c.overlap {
		c.from[i] = period[i] + jump
	}
	c.repeat(c.pitch)
	c.at, c.faded = 0, 0
}

// lengthen makes the repeated cycle a period longer, without a step in what is heard.
func (c *concealer) lengthen() {
	at := c.at
	for i := range c.overlap {
		c.from[i] = c.turn()
	}
	c.repeat(c.cycle + c.pitch)
	c.at, c.faded = at%c.pitch, 0
}

// repeat sets the cycle, and blends its end into what comes before its beginning, so that it goes
// round without a step.
func (c *concealer) repeat(cycle int) {
	c.cycle = cycle
	end := c.wave[historyLen-c.overlap:]
	before := c.wave[historyLen-cycle-c.overlap:]
	for i := range end {
		w := float32(i+1) / float32(c.overlap+1)
		end[i] = c.tail[i]*(1-w) + before[i]*w
	}
}

// turn returns the cycle's next sample.
func (c *concealer) turn() float32 {
	s := c.wave[historyLen-c.cycle+c.at]
	if c.at++; c.at == c.cycle {
		c.at = 0
	}
	return s
}

// next returns the next sample made up.
func (c *concealer) next() float32 {
	if c.lost == step || c.lost == 2*step {
		c.lengthen()
	}
	s := c.turn()
	if c.faded < c.overlap {
		w := float32(c.faded+1) / float32(c.overlap+1)
		s = c.from[c.faded]*(1-w) + s*w
		c.faded++
	}
	s *= gain(c.lost)
	c.lost++
	return s
}

// gain returns how loud a sample is after that many lost ones.
func gain(lost int) float32 {
	switch {
	case lost < step:
		return 1
	case lost < fadeEnd:
		return float32(fadeEnd-lost) / (fadeEnd - step)
	}
	return 0
}

// findPitch returns the period for which the last 20 ms of wave look most like what came a period
// before: first every other period over every other sample, then the neighbours in full.
func findPitch(wave *[historyLen]float32) int {
	best := search(wave, pitchMin, pitchMax, 2)
	return search(wave, max(best-1, pitchMin), min(best+1, pitchMax), 1)
}

func search(wave *[historyLen]float32, from, to, by int) int {
	last := wave[historyLen-pitchSpan:]
	pitch, most := to, float32(math.Inf(-1))
	for p := to; p >= from; p -= by {
		before := wave[historyLen-pitchSpan-p:]
		var match, power float32
		for i := 0; i < pitchSpan; i += by {
			match += last[i] * before[i]
			power += before[i] * before[i]
		}
		match /= float32(math.Sqrt(float64(max(power, minPower))))
		if match > most {
			pitch, most = p, match
		}
	}
	return pitch
}

func clip(s float32) int16 {
	return int16(math.RoundToEven(float64(min(max(s, math.MinInt16), math.MaxInt16))))
}
