package audio

import (
	"math"
	"time"
)

// How the delay is brought back to the target.
const (
	lookEvery  = 50                    // ticks
	cutOver    = 25 * time.Millisecond // a whole tick and some: what is left is still enough
	insertAt   = 5 * time.Millisecond  // below the target
	forceOver  = 40 * time.Millisecond // then sound is cut too, where no silence comes
	forceEvery = 10                    // ticks
	stillLevel = 45                    // -dBov; from here it is silence, to cut or to repeat
	seamLength = 10 * time.Millisecond // of the blend where something was cut
)

// adjuster watches how long packets really waited, and says when that is too long or too short.
type adjuster struct {
	least  time.Duration // slack since the last look
	ticks  int           // since then
	excess time.Duration // to be cut
	short  bool          // a block is to be inserted
	forced int           // ticks since the last cut into sound

	seam  [160]int16 // the beginning of what was cut
	seamN int
}

func (a *adjuster) reset() {
	a.again()
	a.excess, a.short, a.seamN = 0, false, 0
}

// played notes by how much a packet came before its time.
func (a *adjuster) played(slack time.Duration) { a.least = min(a.least, slack) }

// look ends a tick.
func (a *adjuster) look(target time.Duration) {
	a.ticks++
	a.forced++
	if a.ticks < lookEvery || a.least == math.MaxInt64 {
		return
	}
	a.excess = max(0, a.least-target)
	if a.excess <= cutOver {
		a.excess = 0
	}
	a.short = a.least < target-insertAt
	a.again()
}

// again begins another second: what was measured before does not hold any more.
func (a *adjuster) again() { a.least, a.ticks = math.MaxInt64, 0 }

// blend lets the seam of a cut fade into pcm.
func (a *adjuster) blend(pcm []int16) []int16 {
	n := min(a.seamN, len(pcm))
	for i := range n {
		pcm[i] = int16((int(a.seam[i])*(n-i) + int(pcm[i])*(i+1)) / (n + 1))
	}
	a.seamN = 0
	return pcm
}

// fit returns what is to be played of a packet's sound: less or more than all of it, where the delay is
// wrong and the sound is still.
func (j *jitter) fit(pcm []int16) []int16 {
	a := &j.adjust
	pcm = a.blend(pcm)
	if a.excess == 0 && !a.short {
		return pcm
	}
	still := level(power(pcm)) >= stillLevel
	force := a.excess > forceOver && a.forced >= forceEvery
	switch {
	case a.excess > 0 && (still || force):
		return j.cut(pcm)
	case a.short && still && len(pcm) >= j.block:
		a.short = false
		a.again()
		j.count.inserted.add(1)
		return append(pcm[:len(pcm):cap(pcm)], pcm[len(pcm)-j.block:]...)
	}
	return pcm
}

// cut leaves out up to a block at the beginning of pcm.
func (j *jitter) cut(pcm []int16) []int16 {
	a := &j.adjust
	n := min(j.block, len(pcm))
	a.seamN = copy(a.seam[:min(n, samples(seamLength, j.rate))], pcm)
	a.forced = 0
	a.again()
	a.excess -= time.Duration(n) * time.Second / time.Duration(j.rate)
	if a.excess <= cutOver {
		a.excess = 0
	}
	j.count.cut.add(1)
	if n == len(pcm) {
		return nil
	}
	return a.blend(pcm[n:])
}
