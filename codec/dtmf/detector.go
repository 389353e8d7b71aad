package dtmf

import (
	"math"
	"math/cmplx"
	"slices"
)

// One look, every 10 ms, at the last 20:
//
//  1. Where it is quieter than any key, that is all there is to see.
//  2. Goertzel's filters find how much of it, under a Hann window, is at each of the eight frequencies.
//  3. A row and a column that have nearly all of it, neither much more than the other, are a look of a key (find).
//  4. Two such looks, one after the other, press it, where the three pieces of 10 ms in them are equally loud, so that
//     the key is down for 30 ms at least, and the phases between them say that both frequencies are right (press).
//  5. Three looks without it release it: a break of 10 ms does not, a pause of 40 ms does (Q.24).

const (
	hopsASecond = 100
	toneFloor   = -36.0 // dBm0: either tone of a key is above it. Q.24 wants -25 and less
	// A column may be louder than a row by what the telephone gives it, and quieter by what the line takes away.
	mostForward = 5.5  // dB
	mostReverse = 9.5  // dB
	mostOff     = 0.02 // of a frequency: Q.24 wants 1.5% to be taken and 3.5% not to be
	octave      = 10.0 // Hz within which a column is an octave above its row: 17 are the least of a key that is 1.5% off
	firstPurity = 0.6  // of the power is in the two tones, as the filters have it
	purity      = 0.92 // ... and with what they lose where a tone is off their frequency: 11 dB above the noise
	steadiness  = 0.75 // of the strongest has the weakest of three pieces of 10 ms, and of two looks at a tone
	heldLevel   = 0.25 // of the power with which a key went down is still a key that is down
	heldPurity  = 0.5
	looksGone   = 3
)

// Detector finds keys in the sound of one stream. It belongs to one goroutine at a time, and allocates nothing once it
// is made.
type Detector struct {
	hop    int // samples in 10 ms
	window []float64
	gain   float64    // from a filter's power to that of the tone
	step   [8]float64 // twice the cosine of a filter's angle
	turn   [8]complex128
	angle  [8]float64 // a sample, in radians
	floor  float64    // power of the weakest tone

	pcm      []int16 // the last two hops; the second is being filled
	filled   int     // samples in pcm
	power    [3]float64
	last     look
	down     int // index in pad of the key that is down, -1 for none
	downAt   float64
	vanished int // looks since it was last seen
}

// look is what a look finds: a key that may be down.
type look struct {
	key             int // index in pad, -1 for none
	low, high       complex128
	ofLow, ofHigh   float64 // power
	total           float64 // power
	lowest, highest int     // filters
}

// NewDetector returns a Detector of sound at rate, in Hz: 8000 or more.
func NewDetector(rate int) *Detector {
	d := &Detector{hop: rate / hopsASecond, floor: powerOf(toneFloor), down: -1}
	d.pcm = make([]int16, 2*d.hop)
	d.window = make([]float64, 2*d.hop)
	sum := 0.0
	for i := range d.window {
		d.window[i] = 0.5 - 0.5*math.Cos(2*math.Pi*(float64(i)+0.5)/float64(len(d.window)))
		sum += d.window[i]
	}
	d.gain = 2 / (sum * sum)
	for k, f := range frequencies {
		d.angle[k] = 2 * math.Pi * f / float64(rate)
		d.step[k], d.turn[k] = 2*math.Cos(d.angle[k]), cmplx.Rect(1, -d.angle[k])
	}
	d.last.key = -1
	return d
}

// powerOf returns the power of a sine of a level in dBm0. One that fills the range has 3.14 (ITU-T G.711).
func powerOf(dBm0 float64) float64 { return 32768 * 32768 / 2 * math.Pow(10, (dBm0-3.14)/10) }

// Down says whether a key is down.
func (d *Detector) Down() bool { return d.down >= 0 }

// Hear takes the sound that comes next and tells each key as it goes down.
func (d *Detector) Hear(pcm []int16, pressed func(key rune)) {
	for len(pcm) > 0 {
		n := copy(d.pcm[d.filled:], pcm)
		pcm = pcm[n:]
		if d.filled += n; d.filled < len(d.pcm) {
			return
		}
		d.look(pressed)
		d.filled = copy(d.pcm, d.pcm[d.hop:])
	}
}

// look is one look.
func (d *Detector) look(pressed func(key rune)) {
	d.power[0], d.power[1], d.power[2] = d.power[1], d.power[2], power(d.pcm[d.hop:])
	now := look{key: -1}
	if d.power[1]+d.power[2] > d.floor {
		now = d.find()
	}
	before := d.last
	d.last = now
	if d.down >= 0 {
		d.hold(now)
	}
	if now.key >= 0 && now.key == before.key && now.key != d.down && d.press(before, now) {
		d.down, d.downAt, d.vanished = now.key, now.ofLow+now.ofHigh, 0
		pressed(rune(pad[now.key]))
	}
}

// hold sees whether the key that is down still is.
func (d *Detector) hold(now look) {
	sum := now.ofLow + now.ofHigh
	if now.key == d.down && sum > heldLevel*d.downAt && sum > heldPurity*now.total {
		d.vanished = 0
		return
	}
	if d.vanished++; d.vanished >= looksGone {
		d.down = -1
	}
}

// find looks for a row and a column.
func (d *Detector) find() look {
	var s1, s2 [8]float64
	total, norm := 0.0, 0.0
	for i, w := range d.window {
		x := w * float64(d.pcm[i])
		total += x * x
		norm += w * w
		for k, c := range d.step {
			s1[k], s2[k] = x+c*s1[k]-s2[k], s1[k]
		}
	}
	var tones [8]complex128
	var powers [8]float64
	for k := range tones {
		tones[k] = complex(s1[k], 0) - d.turn[k]*complex(s2[k], 0)
		powers[k] = d.gain * (real(tones[k])*real(tones[k]) + imag(tones[k])*imag(tones[k]))
	}
	row, column := most(powers[:4]), 4+most(powers[4:])
	l := look{
		key: 4*row + column - 4, total: total / norm, lowest: row, highest: column,
		low: tones[row], high: tones[column], ofLow: powers[row], ofHigh: powers[column],
	}
	if l.ofLow < d.floor || l.ofHigh < d.floor || l.ofLow+l.ofHigh < firstPurity*l.total {
		l.key = -1
	}
	return l
}

// press says whether two looks, one after the other, are a key.
func (d *Detector) press(before, now look) bool {
	if !steady(d.power[:]...) || !steady(before.ofLow, now.ofLow) || !steady(before.ofHigh, now.ofHigh) {
		return false
	}
	lowOff := d.off(now.lowest, before.low, now.low)
	highOff := d.off(now.highest, before.high, now.high)
	if math.Abs(lowOff) > mostOff*frequencies[now.lowest] || math.Abs(highOff) > mostOff*frequencies[now.highest] {
		return false
	}
	if low, high := frequencies[now.lowest]+lowOff, frequencies[now.highest]+highOff; math.Abs(high-2*low) < octave {
		return false // a voice and its overtone
	}
	for _, l := range [...]look{before, now} {
		low, high := l.ofLow*regained(lowOff), l.ofHigh*regained(highOff)
		twist := 10 * math.Log10(high/low)
		if twist > mostForward || twist < -mostReverse || low+high < purity*l.total {
			return false
		}
	}
	return true
}

// steady says whether powers are about the same.
func steady(powers ...float64) bool { return slices.Min(powers) >= steadiness*slices.Max(powers) }

// off returns by how much the tone behind a filter is above its frequency, in Hz: within 50 either way.
func (d *Detector) off(k int, before, now complex128) float64 {
	turned := cmplx.Phase(now*cmplx.Conj(before)) - math.Mod(d.angle[k]*float64(d.hop), 2*math.Pi)
	return hopsASecond * math.Remainder(turned, 2*math.Pi) / (2 * math.Pi)
}

// regained is what a Hann window of 20 ms takes from the power of a tone that is off by so many Hz, up to 50.
func regained(off float64) float64 {
	x := off / 50 // of the distance between two lines of the window's spectrum
	h := 1.0
	if x != 0 {
		h = math.Sin(math.Pi*x) / (math.Pi * x * (1 - x*x))
	}
	return 1 / (h * h)
}

func most(of []float64) (at int) {
	for i, v := range of {
		if v > of[at] {
			at = i
		}
	}
	return at
}

func power(pcm []int16) float64 {
	sum := 0.0
	for _, s := range pcm {
		sum += float64(s) * float64(s)
	}
	return sum / float64(len(pcm))
}
