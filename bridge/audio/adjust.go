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
	forceOver  = 40 * time.Millisecond // then sound is made shorter too, where no silence comes
	forceLater = 4                     // looks in a row that found more than cutOver: then too, if it has a period
	forceUnder = 7 * time.Millisecond  // below the target; then it is made longer
	forceEvery = 10                    // ticks, where it does not repeat itself
	stillLevel = 45                    // -dBov; from here it is silence, to cut or to repeat
	seamLength = 10 * time.Millisecond // of the blend where something was cut
)

// adjuster watches how long packets really waited, and says when that is too long or too short.
type adjuster struct {
	least  time.Duration // from when a packet was spoken to its tick, since the last look; on whatever clocks
	ticks  int           // since then
	excess time.Duration // to be cut
	looks  int           // in a row that found an excess
	lack   time.Duration // to be filled up
	forced int           // ticks since sound was last made shorter or longer

	seam  [160]int16 // the beginning of what was cut
	seamN int
}

func (a *adjuster) reset() {
	a.again()
	a.excess, a.looks, a.lack, a.seamN = 0, 0, 0, 0
}

// played notes how long a packet took to its tick.
func (a *adjuster) played(transit time.Duration) { a.least = min(a.least, transit) }

// look ends a tick; target is what packets should take.
func (a *adjuster) look(target time.Duration) {
	a.ticks++
	a.forced++
	if a.ticks < lookEvery || a.least == math.MaxInt64 {
		return
	}
	a.excess, a.lack = a.least-target, target-a.least
	a.settle()
	a.again()
	if a.looks++; a.excess == 0 {
		a.looks = 0
	}
}

// settle forgets what is too little to be done anything about.
func (a *adjuster) settle() {
	if a.excess <= cutOver {
		a.excess = 0
	}
	if a.lack <= insertAt {
		a.lack = 0
	}
}

// again begins another second: what was measured before does not hold any more.
func (a *adjuster) again() { a.least, a.ticks = math.MaxInt64, 0 }

// blend lets the seam of a cut fade into pcm.
func (a *adjuster) blend(pcm []int16) []int16 {
	n := min(a.seamN, len(pcm))
	for i := range n {
		pcm[i] = fade(a.seam[i], pcm[i], i, n)
	}
	a.seamN = 0
	return pcm
}

// fit returns what is to be played of a packet's sound: less or more than all of it, where the delay is wrong. Silence
// is cut and repeated; sound is made shorter or longer by a period where the delay is very wrong.
func (j *jitter) fit(pcm []int16) []int16 {
	a := &j.adjust
	pcm = a.blend(pcm)
	if a.excess == 0 && a.lack == 0 {
		return pcm
	}
	switch still := level(power(pcm)) >= stillLevel; {
	case a.excess > 0 && still:
		return j.cut(pcm)
	case a.lack > 0 && still && len(pcm) >= j.block:
		j.changed(-j.block)
		j.count.inserted.add(1)
		return append(pcm[:len(pcm):cap(pcm)], pcm[len(pcm)-j.block:]...)
	case a.excess > forceOver || a.lack > forceUnder:
		return j.stretch(pcm, a.forced >= forceEvery)
	case a.looks >= forceLater:
		return j.stretch(pcm, false)
	}
	return pcm
}

// stretch makes sound shorter or longer by a period, if it has one, or if it must.
func (j *jitter) stretch(pcm []int16, must bool) []int16 {
	a := &j.adjust
	period, likeness := findPeriod(pcm, j.rate)
	switch {
	case period == 0 || likeness < alike && !must:
		return pcm
	case a.excess > 0:
		j.changed(period)
		j.count.shortened.add(1)
		return shorten(pcm, period, j.rate)
	case len(pcm)+period > cap(pcm):
		return pcm
	}
	j.changed(-period)
	j.count.lengthened.add(1)
	return lengthen(pcm, period, j.rate)
}

// changed notes that n samples less are played; more, if it is negative. What was measured before does not hold.
func (j *jitter) changed(n int) {
	a := &j.adjust
	by := time.Duration(n) * time.Second / time.Duration(j.rate)
	if a.excess > 0 {
		a.excess -= by
	} else {
		a.lack += by
	}
	a.forced = 0
	a.settle()
	a.again()
}

// cut leaves out up to a block at the beginning of pcm.
func (j *jitter) cut(pcm []int16) []int16 {
	a := &j.adjust
	n := min(j.block, len(pcm))
	a.seamN = copy(a.seam[:min(n, samples(seamLength, j.rate))], pcm)
	j.changed(n)
	j.count.cut.add(1)
	if n == len(pcm) {
		return nil
	}
	return a.blend(pcm[n:])
}
