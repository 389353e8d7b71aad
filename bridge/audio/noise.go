package audio

import "math"

// What the noise is learnt by. A step is 10 ms.
const (
	noiseLowest = -75.0 // dBov a band
	noiseFirst  = -66.0 // ... before anything is known
	noiseSmooth = 0.1   // of a step in the smoothed power whose least is looked for
	noiseSpan   = 20    // steps in a part of the memory
	noiseParts  = 12    // of the memory: 2.4 s
	noiseBias   = 1.35  // the mean of noise above the least of its smoothed power
	noiseFollow = 0.01  // of a step without a voice in the mean
	noiseSwell  = 2     // times the least that the mean may be
	tonesRise   = 1.07  // times the floor, after each part of the memory with nothing but tones: 1.5 dB a second
	silenceFall = 0.977 // of the floor in each step of digital silence: 10 dB a second

	// The score.
	marginNow  = 1.5  // times the noise that its ups reach in a step
	marginLate = 1.3  // ... in the mean of the last steps
	scoreLate  = 0.25 // of a step in that mean
	weightLate = 3    // of that mean
	weightMost = 8    // of a band: noise is never as steady as its bandwidth would have it

	// Tones.
	tonesLeast = 0.75  // correlation with what was a period before
	tonesLoud  = -50.0 // dBov; what is below is hum
	tonesSpan  = 24 * voiceRate / 1000
	tonesShort = 5 * voiceRate / 2000 // periods: 2.5 ms
	tonesLong  = 16 * voiceRate / 1000
)

// noise knows the power of the noise in each band. It is the least that the smoothed power had in the last
// 2.4 s (R. Martin's minimum statistics), since even fluent speech has a gap in each band that often; or, up
// to twice that, the mean of what was no voice. Vowels and notes do not count: whoever holds one is no fan.
type noise struct {
	n      int // bands
	floor  bandPowers
	weight bandPowers // of a band in the score: how little its power varies by itself
	late   bandPowers // mean of the last steps

	mean   bandPowers
	smooth bandPowers
	under  bandPowers             // the least of smooth in this part of the memory
	least  bandPowers             // ... but for tones
	past   [noiseParts]bandPowers // ... and in those before
	part   int
	steps  int  // of this part
	heard  bool // something but tones, in this part
	silent int  // steps of digital silence that the floor has not fallen for yet

	lowest, loud float32 // powers, from the constants above
	recent       [(tonesSpan + tonesLong + 19) / 20 * 20]float32
	tonal        bool
	odd          bool
}

// newNoise returns what is known of the noise in n bands before it is heard.
func newNoise(n int) noise {
	d := noise{n: n, lowest: float32(powerAt(noiseLowest)), loud: float32(powerAt(tonesLoud))}
	first := float32(powerAt(noiseFirst))
	for k := range n {
		width := 250 << max(0, k-1) // Hz
		d.weight[k] = min(float32(width)/100, weightMost)
		d.floor[k], d.smooth[k], d.least[k], d.under[k] = first, first, math.MaxFloat32, math.MaxFloat32
		for i := range d.past {
			d.past[i][k] = first / noiseBias
		}
	}
	return d
}

// score returns how much likelier a step is if there is more than noise in it: the logarithm of the ratio
// of likelihoods, for the step itself or for the last few.
func (d *noise) score(powers *bandPowers, strict float32) float32 {
	d.wake()
	var now, late float32
	for k := range d.n {
		floor := strict * max(d.floor[k], min(d.mean[k], d.floor[k]*noiseSwell))
		d.late[k] += (powers[k] - d.late[k]) * scoreLate
		now += d.weight[k] * surprise(powers[k]/(floor*marginNow))
		late += d.weight[k] * surprise(d.late[k]/(floor*marginLate))
	}
	return max(now, late*weightLate)
}

// surprise is the logarithm of the likelihood ratio of a power that is over times what was expected.
func surprise(over float32) float32 {
	if over <= 1 {
		return 0
	}
	return over - 1 - float32(math.Log(float64(over)))
}

// pass takes a step of digital silence, which says little about the noise: the phone may have suppressed it.
func (d *noise) pass() { d.silent++ }

// wake lets the floor fall for the digital silence that is over.
func (d *noise) wake() {
	if d.silent == 0 {
		return
	}
	d.lift(float32(math.Pow(silenceFall, float64(d.silent))))
	d.silent = 0
}

// lift multiplies all that is known of the floor.
func (d *noise) lift(by float32) {
	for k := range d.n {
		d.floor[k] = max(d.lowest, d.floor[k]*by)
		for i := range d.past {
			d.past[i][k] *= by
		}
	}
}

// learn takes a step into account; idle says that there is nothing but noise in it.
func (d *noise) learn(powers *bandPowers, low *lowBand, idle bool) {
	copy(d.recent[:], d.recent[len(low):])
	copy(d.recent[len(d.recent)-len(low):], low[:])
	if d.odd = !d.odd; d.odd {
		d.tonal = d.repeats(powers)
	}
	d.heard = d.heard || !d.tonal
	for k := range d.n {
		if idle {
			d.mean[k] += (powers[k] - d.mean[k]) * noiseFollow
		}
		d.smooth[k] += (powers[k] - d.smooth[k]) * noiseSmooth
		d.under[k] = min(d.under[k], d.smooth[k])
		if !d.tonal && d.smooth[k] < d.least[k] {
			d.least[k] = d.smooth[k]
			d.floor[k] = max(d.lowest, min(d.floor[k], d.least[k]*noiseBias))
		}
	}
	if d.steps++; d.steps == noiseSpan {
		d.turn()
	}
}

// turn begins another part of the memory, in the place of the oldest.
func (d *noise) turn() {
	if d.heard {
		d.past[d.part] = d.least
	} else { // no tone is held for ever
		d.lift(tonesRise)
		for k := range d.n {
			d.past[d.part][k] = min(d.floor[k]/noiseBias, d.under[k])
		}
	}
	d.part = (d.part + 1) % noiseParts
	d.steps, d.heard = 0, false
	for k := range d.n {
		least := d.past[0][k]
		for i := range d.past {
			least = min(least, d.past[i][k])
		}
		d.floor[k] = max(d.lowest, least*noiseBias)
		d.least[k], d.under[k] = math.MaxFloat32, math.MaxFloat32
	}
}

// repeats says whether the sound is loud between 250 Hz and 1 kHz and repeats itself there, as vowels and
// notes do. Hum does, but is loudest below.
func (d *noise) repeats(powers *bandPowers) bool {
	if p := powers[1] + powers[2]; p < d.loud || p < powers[humBand]/2 {
		return false
	}
	end := len(d.recent)
	last := d.recent[end-tonesSpan:]
	var own float32
	for _, s := range last {
		own += s * s
	}
	for period := tonesShort; period <= tonesLong; period++ {
		before := d.recent[end-tonesSpan-period:][:len(last)]
		var match, power float32
		for i, s := range last {
			match += s * before[i]
			power += before[i] * before[i]
		}
		if match > 0 && match*match > tonesLeast*tonesLeast*own*power {
			return true
		}
	}
	return false
}
