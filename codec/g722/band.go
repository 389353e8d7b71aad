package g722

import "math"

// band is one half of the sound: what its quantizer and its predictor have learned. The names in brackets
// are the standard's.
type band struct {
	scale int32 // of the quantizer [DET/4]
	log   int32 // its logarithm [NB]

	expected int32 // the next sample [S]
	byZeros  int32 // the zeros' part of it [SZ]

	zeros [6]int32 // of the predictor [B]
	diffs [6]int32 // what they weigh: twice the last differences [2D]
	reach int32    // the sum of their magnitudes
	pole1 int32    // of the predictor [A1]
	pole2 int32    // [A2]
	last1 int32    // what they weigh: twice the last samples [2R]
	sign1 int32    // of the last samples as the zeros alone would have it, 0 or -1 [P]
	sign2 int32
}

// clip returns s as a sample (the standard's saturation).
func clip(s int32) int16 { return int16(min(max(s, math.MinInt16), math.MaxInt16)) }

func clip32(s int32) int32 { return min(max(s, math.MinInt16), math.MaxInt16) }

// limit keeps what is decoded within 15 bits [LIMIT].
func limit(s int32) int32 { return min(max(s, -16384), 16383) }

// quantizeLow returns the six bits for a sample below 4 kHz [QUANTL].
func (b *band) quantizeLow(s int32) int32 {
	diff := clip32(s - b.expected)
	sign := diff >> 31
	size := ((diff ^ sign) + 1) << 10 // a negative difference is one less far from zero
	// The number of decisions that size is beyond, five bits of it at a time.
	var n int32
	for by := int32(16); by > 0; by >>= 1 {
		if size > decisions[(n+by-1)&31]*b.scale {
			n += by
		}
	}
	n = min(n, steps-1)
	switch {
	case sign == 0:
		return 61 - n
	case n < 2:
		return 63 - n
	}
	return 33 - n
}

// quantizeHigh returns the two bits for a sample above 4 kHz [QUANTH].
func (b *band) quantizeHigh(s int32) int32 {
	diff := clip32(s - b.expected)
	sign := diff >> 31
	code := 2 + 2*sign
	if diff^sign < decision*b.scale>>8 {
		code++
	}
	return code
}

// expandLow returns the sample that six bits stand for [INVQBL, RECONS].
func (b *band) expandLow(code int32) int32 { return limit(b.expected + sixBits[code]*b.scale>>10) }

// expandHigh returns the sample that two bits stand for [INVQAH, RECONS].
func (b *band) expandHigh(code int32) int32 { return limit(b.expected + twoBits[code]*b.scale>>10) }

// learnLow adapts to six bits, of which the upper four count.
func (b *band) learnLow(code int32) {
	code >>= 2
	b.predict(fourBits[code] * b.scale >> 10)
	b.log = min(max(b.log*127>>7+lowStep[code], 0), lowMost)
	b.scale = powers[b.log>>6&31] << (b.log >> 11) >> 8
}

// learnHigh adapts to two bits.
func (b *band) learnHigh(code int32) {
	b.predict(twoBits[code] * b.scale >> 10)
	b.log = min(max(b.log*127>>7+highStep[code], 0), highMost)
	b.scale = powers[b.log>>6&31] << (b.log >> 11) >> 10
}

// predict adapts the predictor to the difference from what it expected, and lets it expect the next sample.
func (b *band) predict(diff int32) {
	// 1. The poles, by the signs of the last three samples without them [PARREC, UPPOL2, UPPOL1].
	sign := (b.byZeros + diff) >> 31
	turned := -2*(sign^b.sign1) - 1 // 1 if the sign is not the last one's, else -1
	b.pole2 = turned*min(max(b.pole1, -8191), 8191)>>5 + (2*(sign^b.sign2)+1)<<7 + b.pole2*127>>7
	b.pole2 = min(max(b.pole2, -12288), 12288)
	b.pole1 = b.pole1*255>>8 - 192*turned
	b.pole1 = min(max(b.pole1, b.pole2-15360), 15360-b.pole2)
	b.sign2, b.sign1 = b.sign1, sign
	// 2. The zeros, by the signs of the last differences [UPZERO, FILTEZ].
	var step int32
	if diff != 0 {
		step = 128
	}
	zeros, diffs := &b.zeros, &b.diffs
	for i, d := range diffs {
		other := (d ^ diff) >> 31
		zeros[i] = zeros[i]*255>>8 + (step ^ other - other)
	}
	doubled := clip32(2 * diff)
	b.reach += abs(doubled) - abs(diffs[5])
	diffs[5], diffs[4], diffs[3], diffs[2], diffs[1], diffs[0] = diffs[4], diffs[3], diffs[2], diffs[1], diffs[0], doubled
	if b.reach <= math.MaxInt16 {
		b.byZeros = zeros[5]*diffs[5]>>15 + zeros[4]*diffs[4]>>15 + zeros[3]*diffs[3]>>15 +
			zeros[2]*diffs[2]>>15 + zeros[1]*diffs[1]>>15 + zeros[0]*diffs[0]>>15
	} else { // each sum saturates
		b.byZeros = 0
		for i := 5; i >= 0; i-- {
			b.byZeros = clip32(b.byZeros + zeros[i]*diffs[i]>>15)
		}
	}
	// 3. What comes next [RECONS, FILTEP, PREDIC].
	last := clip32(2 * clip32(b.expected+diff))
	byPoles := clip32(b.pole1*last>>15 + b.pole2*b.last1>>15)
	b.last1 = last
	b.expected = clip32(byPoles + b.byZeros)
}

func abs(d int32) int32 {
	sign := d >> 31
	return d ^ sign - sign
}
