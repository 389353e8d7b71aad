package audio

import "time"

// framer cuts sound into frames that Opus has. What comes in 10, 20, 40 or 60 ms stays whole; all else
// (30 ms, above all) becomes frames of 20 ms, and the rest waits for more.
type framer struct {
	carry []int16 // less than 20 ms, with room for a packet behind it; nil as long as all came in whole frames
	at    uint32  // our time of its beginning
}

// whole says whether n samples at rate are a frame as they are.
func whole(n, rate int) bool {
	switch tens := rate / 100; n {
	case tens, 2 * tens, 4 * tens, 6 * tens:
		return true
	}
	return false
}

// say codes sound that begins at our time at.
func (u *up) say(pcm []int16, at uint32) {
	c := &u.frames
	if len(c.carry) == 0 {
		if whole(len(pcm), u.rate) {
			u.encode(pcm, at)
			return
		}
		c.at = at
		if c.carry == nil {
			c.carry = make([]int16, 0, samples(mostSound+tickLength, u.rate))
		}
	}
	c.carry = append(c.carry, pcm...)
	frame := samples(20*time.Millisecond, u.rate)
	rest := c.carry
	for ; len(rest) >= frame; rest = rest[frame:] {
		u.encode(rest[:frame], c.at)
		c.at += u.ours(frame)
	}
	c.carry = c.carry[:copy(c.carry, rest)]
}

// flush codes what is carried, filled up with silence to a frame.
func (u *up) flush() {
	c := &u.frames
	if len(c.carry) == 0 {
		return
	}
	steps := u.rate / 400
	n := steps // 2.5, 5, 10 or 20 ms
	for n < len(c.carry) {
		n *= 2
	}
	frame := c.carry[:n]
	clear(frame[len(c.carry):])
	u.encode(frame, c.at)
	c.carry = c.carry[:0]
}

// lookBack keeps the last of a silence: the beginning of a word may be in it. That it is sent later than it
// was said delays nothing that comes after it: it is a burst of packets, each with the time at which it was said.
type lookBack struct {
	pcm []int16
	n   int // samples held, at the end of pcm
}

func newLookBack(rate int) lookBack {
	return lookBack{pcm: make([]int16, samples(lookBackMost, rate))}
}

func (l *lookBack) size() int { return len(l.pcm) }

func (l *lookBack) clear() { l.n = 0 }

// put adds sound at the end.
func (l *lookBack) put(pcm []int16) {
	if len(pcm) >= len(l.pcm) {
		copy(l.pcm, pcm[len(pcm)-len(l.pcm):])
		l.n = len(l.pcm)
		return
	}
	copy(l.pcm, l.pcm[len(pcm):])
	copy(l.pcm[len(l.pcm)-len(pcm):], pcm)
	l.n = min(l.n+len(pcm), len(l.pcm))
}

// take returns the last n samples of what is held, or all of it, and holds nothing any more.
func (l *lookBack) take(n int) []int16 {
	pcm := l.pcm[len(l.pcm)-min(n, l.n):]
	l.n = 0
	return pcm
}
