package audio

import "math"

// concealer continues PCM where it was lost between the ring and the mix: it repeats the last pitch
// period, fades from 10 to 60 ms, and blends into what comes next. It is the idea of ITU-T G.711
// Appendix I at any rate.
type concealer struct {
	rate    int
	heard   []int16 // the last 40 ms
	lost    int     // samples made up in a row
	period  int     // samples repeated
	overlap int     // of them blended where the repetition goes round
}

func newConcealer(rate int) concealer {
	return concealer{rate: rate, heard: make([]int16, rate/25)}
}

// hear remembers sound; its beginning is blended with the concealment's end, if there was one.
func (c *concealer) hear(pcm []int16) {
	if c.lost > 0 {
		n := min(c.rate/200, len(pcm))
		for i := range n {
			w := float32(i+1) / float32(n+1)
			pcm[i] = int16(c.next()*(1-w) + float32(pcm[i])*w)
		}
		c.lost = 0
	}
	c.remember(pcm)
}

func (c *concealer) remember(pcm []int16) {
	if len(pcm) >= len(c.heard) {
		copy(c.heard, pcm[len(pcm)-len(c.heard):])
		return
	}
	copy(c.heard, c.heard[len(pcm):])
	copy(c.heard[len(c.heard)-len(pcm):], pcm)
}

// fill makes up sound.
func (c *concealer) fill(pcm []int16) {
	if c.lost == 0 {
		c.period = c.pitch()
		c.overlap = c.period / 4
	}
	for i := range pcm {
		pcm[i] = int16(c.next())
	}
}

// next returns the next sample made up. Around each turn the period's end is blended into what was
// heard before its beginning.
func (c *concealer) next() float32 {
	at := c.lost % c.period
	begin := len(c.heard) - c.period
	s := float32(c.heard[begin+at])
	if into := at - (c.period - c.overlap); into >= 0 {
		w := float32(into+1) / float32(c.overlap+1)
		s = s*(1-w) + float32(c.heard[begin-c.overlap+into])*w
	}
	s *= c.gain()
	c.lost++
	return s
}

func (c *concealer) gain() float32 {
	from, to := c.rate/100, c.rate*6/100
	switch {
	case c.lost < from:
		return 1
	case c.lost < to:
		return float32(to-c.lost) / float32(to-from)
	}
	return 0
}

// pitch returns the period, of 2.5 to 15 ms, with which the last 10 ms repeat best.
func (c *concealer) pitch() int {
	span := c.rate / 100
	last := c.heard[len(c.heard)-span:]
	best, most := c.rate*15/1000, float32(math.Inf(-1))
	for p := best; p >= c.rate/400; p-- {
		before := c.heard[len(c.heard)-span-p:]
		var match, power float32
		for i, s := range last {
			match += float32(s) * float32(before[i])
			power += float32(before[i]) * float32(before[i])
		}
		match /= float32(math.Sqrt(float64(power + float32(span))))
		if match > most {
			best, most = p, match
		}
	}
	return best
}
