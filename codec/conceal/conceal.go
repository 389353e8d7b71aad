// Package conceal continues telephone sound where packets of it were lost. It does not know how the sound
// was coded.
package conceal

import "math"

// What is lost is concealed as ITU-T G.711 Appendix I describes, at any rate:
//
//  1. At the first lost sample, find the pitch of the last 20 ms heard (findPitch) and repeat the
//     last period (begin).
//  2. After 10 ms repeat the last two periods, and after 20 ms the last three, or it would buzz
//     (lengthen).
//  3. After 10 ms attenuate, by a fifth every 10 ms: silence after 60 ms (gain).
//  4. When packets come again, blend into them, for the longer the more was lost (Hear).
//
// The standard delays all sound by 3.75 ms, so that the end of what was heard can be blended into the
// repetition. Here nothing is delayed: the repetition starts moved to where the sound ended, and is
// blended into the true one.

// Spans, in samples at 8 kHz; at other rates they are that much longer.
const (
	pitchMin   = 40  // 200 Hz
	pitchMax   = 120 // 66 Hz
	overlapMax = pitchMax / 4
	historyLen = 3*pitchMax + overlapMax
	pitchSpan  = 160 // heard last, compared with what came a period before
	stepLen    = 80  // 10 ms
	returnMore = 32  // blended on return for each 10 ms lost after the first

	fadeSteps = 6
)

// minPower keeps noise near zero from looking like pitch.
const minPower = 250

// Concealer remembers what was heard of one stream and continues it where packets are lost. It belongs to
// one goroutine at a time.
type Concealer struct {
	scale   int     // of the spans above
	step    int     // samples in 10 ms
	history []int16 // heard last, or made up

	// The rest is about the loss that goes on.
	lost    int       // samples made up; 0: nothing is lost
	wave    []float32 // the history when the loss began; its end is repeated
	tail    []float32 // wave's own last quarter of a period
	pitch   int       // period
	overlap int       // a quarter of it
	cycle   int       // how much of wave's end is repeated: 1 to 3 periods
	at      int       // in the cycle
	from    []float32 // faded out while the cycle fades in
	faded   int       // how far; overlap: done
}

// New returns a Concealer for sound at rate, a multiple of 8000 Hz, of which nothing was heard yet.
func New(rate int) *Concealer {
	scale := rate / 8000
	return &Concealer{
		scale: scale, step: scale * stepLen, history: make([]int16, scale*historyLen),
		wave: make([]float32, scale*historyLen), tail: make([]float32, scale*overlapMax), from: make([]float32, scale*overlapMax),
	}
}

// Reset forgets all that was heard.
func (c *Concealer) Reset() {
	clear(c.history)
	c.lost = 0
}

// Hear takes sound that was received and, where it comes after a loss, blends the concealment into it.
func (c *Concealer) Hear(pcm []int16) {
	if c.lost > 0 {
		n := c.overlap + (c.lost-1)/c.step*returnMore*c.scale
		n = min(n, c.step, len(pcm))
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

// Fill makes up sound for what is lost.
func (c *Concealer) Fill(pcm []int16) {
	if c.lost == 0 && len(pcm) > 0 {
		c.begin()
	}
	for i := range pcm {
		pcm[i] = clip(c.next())
	}
	c.remember(pcm)
}

func (c *Concealer) remember(pcm []int16) {
	if len(pcm) >= len(c.history) {
		copy(c.history, pcm[len(pcm)-len(c.history):])
		return
	}
	copy(c.history, c.history[len(pcm):])
	copy(c.history[len(c.history)-len(pcm):], pcm)
}

// begin prepares to repeat the last period.
func (c *Concealer) begin() {
	for i, s := range c.history {
		c.wave[i] = float32(s)
	}
	end := len(c.wave)
	c.pitch = c.findPitch()
	c.overlap = c.pitch / 4
	copy(c.tail[:c.overlap], c.wave[end-c.overlap:])
	period := c.wave[end-c.pitch:]
	jump := c.wave[end-1] - c.wave[end-c.pitch-1]
	for i := range c.overlap {
		c.from[i] = period[i] + jump
	}
	c.repeat(c.pitch)
	c.at, c.faded = 0, 0
}

// lengthen makes the repeated cycle a period longer, without a step in what is heard.
func (c *Concealer) lengthen() {
	at := c.at
	for i := range c.overlap {
		c.from[i] = c.turn()
	}
	c.repeat(c.cycle + c.pitch)
	c.at, c.faded = at%c.pitch, 0
}

// repeat sets the cycle, and blends its end into what comes before its beginning, so that it goes
// round without a step.
func (c *Concealer) repeat(cycle int) {
	c.cycle = cycle
	end := c.wave[len(c.wave)-c.overlap:]
	before := c.wave[len(c.wave)-cycle-c.overlap:]
	for i := range end {
		w := float32(i+1) / float32(c.overlap+1)
		end[i] = c.tail[i]*(1-w) + before[i]*w
	}
}

// turn returns the cycle's next sample.
func (c *Concealer) turn() float32 {
	s := c.wave[len(c.wave)-c.cycle+c.at]
	if c.at++; c.at == c.cycle {
		c.at = 0
	}
	return s
}

// next returns the next sample made up.
func (c *Concealer) next() float32 {
	if c.lost == c.step || c.lost == 2*c.step {
		c.lengthen()
	}
	s := c.turn()
	if c.faded < c.overlap {
		w := float32(c.faded+1) / float32(c.overlap+1)
		s = c.from[c.faded]*(1-w) + s*w
		c.faded++
	}
	s *= c.gain()
	c.lost++
	return s
}

// gain returns how loud the next sample is.
func (c *Concealer) gain() float32 {
	end := fadeSteps * c.step
	switch {
	case c.lost < c.step:
		return 1
	case c.lost < end:
		return float32(end-c.lost) / float32(end-c.step)
	}
	return 0
}

// findPitch returns the period for which the last 20 ms of wave look most like what came a period
// before: first a few periods over a few samples, then the neighbours of the best in full.
func (c *Concealer) findPitch() int {
	least, most, by := c.scale*pitchMin, c.scale*pitchMax, 2*c.scale
	best := c.search(least, most, by)
	return c.search(max(best-by+1, least), min(best+by-1, most), 1)
}

func (c *Concealer) search(from, to, by int) int {
	span := c.scale * pitchSpan
	last := c.wave[len(c.wave)-span:]
	pitch, most := to, float32(math.Inf(-1))
	for p := to; p >= from; p -= by {
		before := c.wave[len(c.wave)-span-p:]
		var match, power float32
		for i := 0; i < span; i += by {
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
