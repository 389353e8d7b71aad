package audio

// bands splits 10 ms of sound into bands of an octave or so, and says how much power is in each. It is a
// tree of half-band filters, each of which hands on half as many samples as it takes:
//
//	16 kHz   0-8k ┬ 4-8k
//	 8 kHz        ╰ 0-4k ┬ 2-4k
//	                     ╰ 0-2k ┬ 1-2k
//	                            ╰ 0-1k ┬ 500-1k
//	                                   ╰ 0-500 ┬ 250-500
//	                                           ╰ 0-250
//
// It has no pointers: a copy goes on by itself.
type bands struct {
	splits int
	split  [bandsMost - 1]halfBand
}

const (
	bandsMost  = 6
	stepMost   = 160 // samples in 10 ms
	humBand    = 0   // 0-250 Hz
	voiceSplit = 2   // splits from the last after which there is what is below 1 kHz, at voiceRate
	voiceRate  = 2000
)

// bandPowers has a power for each band, the lowest band first.
type bandPowers [bandsMost]float32

// voice returns the power of all but the lowest band, where hum is.
func (p *bandPowers) voice() float32 { return p[1] + p[2] + p[3] + p[4] + p[5] }

// lowBand is 10 ms of what is below 1 kHz, at voiceRate.
type lowBand [voiceRate / 100]float32

// newBands returns bands for sound at rate, 8 or 16 kHz: 5 or 6 of them.
func newBands(rate int) bands {
	splits := 0
	for n := rate / 100; n%2 == 0 && splits < bandsMost-1; n /= 2 {
		splits++
	}
	return bands{splits: splits}
}

// count returns how many bands there are.
func (b *bands) count() int { return b.splits + 1 }

// hear puts the power of 10 ms in each band into powers, and what is below 1 kHz into lowest.
func (b *bands) hear(pcm []int16, powers *bandPowers, lowest *lowBand) {
	var whole [stepMost]float32
	for i, s := range pcm {
		whole[i] = float32(s)
	}
	rest := whole[:len(pcm)]
	for i := range b.splits {
		rest, powers[b.splits-i] = b.split[i].halve(rest)
		if i == b.splits-1-voiceSplit {
			copy(lowest[:], rest)
		}
	}
	var sum float32
	for _, s := range rest {
		sum += s * s
	}
	powers[0] = sum / float32(len(rest))
}

// halfBand is two all-passes whose sum is what is below half of the band, and whose difference what is
// above: an elliptic half-band filter of the fifth order in polyphase form.
type halfBand struct {
	x0, y0 float32 // of the all-pass for the newer of two samples
	x1, y1 float32 // ... for the older
}

// The coefficients leave the pass band as it is to within 0.1 dB up to 0.2 of the rate, and are 40 dB down from 0.35.
const (
	allPassNew = 0.1413487
	allPassOld = 0.5899949
)

// halve puts the lower half of pcm, at half its rate, into its beginning, which it returns, with the power
// of the upper half.
func (h *halfBand) halve(pcm []float32) (low []float32, high float32) {
	n := len(pcm) / 2
	x0, y0, x1, y1 := h.x0, h.y0, h.x1, h.y1
	for i := range n {
		older, newer := pcm[2*i], pcm[2*i+1]
		y0 = allPassNew*(newer-y0) + x0
		x0 = newer
		y1 = allPassOld*(older-y1) + x1
		x1 = older
		pcm[i] = (y0 + y1) / 2
		d := (y0 - y1) / 2
		high += d * d
	}
	h.x0, h.y0, h.x1, h.y1 = x0, y0, x1, y1
	return pcm[:n], high / float32(n)
}
