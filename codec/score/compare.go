package score

import (
	"math"
	"math/cmplx"
)

// comparison follows a reference through a recording.
type comparison struct {
	ref, rec sound
	delay    int    // of the whole, in samples
	active   []bool // by frame of ref
	pieces   []piece
}

// piece is one window of the reference, as found in the recording.
type piece struct {
	at          int // its first sample in ref
	delay       int
	correlation float64
	gain        float64
	spectrum    float64 // distance in dB
	snr         float64 // segmental, in dB
}

func (p piece) good() bool { return p.correlation >= goodWind }

// compare finds each active window of the reference near the delay of the whole.
func (p *comparison) compare() {
	for at := 0; at+window <= len(p.ref.telephone); at += hop {
		active := 0
		for _, a := range p.active[at/frame : (at+window)/frame] {
			if a {
				active++
			}
		}
		if active >= window/frame/2 {
			p.pieces = append(p.pieces, p.find(at))
		}
	}
}

// find compares the window that begins at a sample of the reference. Voices are so regular that a
// period more or less can be a little more alike: unless it is much more, the delay of the window
// before, or of the whole, is kept.
func (p *comparison) find(at int) piece {
	s := search{ref: p.ref.telephone[at : at+window], rec: cut(p.rec.telephone, at+p.delay-slack, at+p.delay+window+slack)}
	s.prepare()
	best := s.best(0, 2*slack)
	known := s.near(slack)
	if n := len(p.pieces); n > 0 && p.pieces[n-1].good() {
		if k := s.near(slack + p.pieces[n-1].delay - p.delay); k.correlation > known.correlation {
			known = k
		}
	}
	if known.correlation > best.correlation-0.05 {
		best = known
	}
	best.at = at
	best.delay += p.delay - slack
	if best.good() {
		heard := cut(p.rec.telephone, at+best.delay, at+best.delay+window)
		best.spectrum = spectralDistance(s.ref, heard)
		best.snr = segmentalSNR(s.ref, heard, p.active[at/frame:])
	}
	return best
}

// search is for a window in a part of the recording that is longer by twice the slack.
type search struct {
	ref, rec           []float64
	products, recPower []float64
	refPower           float64
}

func (s *search) prepare() {
	s.products = correlate(s.ref, s.rec)
	s.refPower, s.recPower = power(s.ref), powers(s.rec)
}

// best returns the delay from one to another at which the window is most alike.
func (s *search) best(from, to int) piece {
	best := piece{delay: from}
	for d := max(from, 0); d <= min(to, 2*slack); d++ {
		pow := s.recPower[d+window] - s.recPower[d]
		if pow < 1 {
			continue
		}
		if c := s.products[d] / math.Sqrt(pow*s.refPower); c > best.correlation {
			best = piece{delay: d, correlation: c, gain: math.Sqrt(pow / s.refPower)}
		}
	}
	return best
}

// near searches 1 ms on either side of a delay.
func (s *search) near(d int) piece { return s.best(d-Rate/1000, d+Rate/1000) }

// cut returns x from one index to another, with silence where x has nothing.
func cut(x []float64, from, to int) []float64 {
	if from >= 0 && to <= len(x) {
		return x[from:to]
	}
	out := make([]float64, to-from)
	if from < len(x) && to > 0 {
		copy(out[max(-from, 0):], x[max(from, 0):min(to, len(x))])
	}
	return out
}

func power(x []float64) float64 {
	var sum float64
	for _, v := range x {
		sum += v * v
	}
	return sum
}

// drift returns how much the delay grows with time: the median over pairs of good windows that are 2 to
// 4 s apart, so that one jump of the delay is not taken for drift.
func (p *comparison) drift() float64 {
	var slopes []float64
	for i, a := range p.pieces {
		for _, b := range p.pieces[i+1:] {
			apart := b.at - a.at
			if a.good() && b.good() && apart >= 2*Rate && apart <= 4*Rate {
				slopes = append(slopes, float64(b.delay-a.delay)/float64(apart))
			}
		}
	}
	return median(slopes)
}

// segmentalSNR is the mean over the active 20 ms of two windows of what the one has in common with the other
// against what it has not, in dB, the level of each window apart: each segment counts at least -10 and at most
// 35 dB, as is usual, so that one that is perfect or lost does not stand for all.
func segmentalSNR(a, b []float64, active []bool) float64 {
	const least, most = -10, 35
	var product float64
	for i := range a {
		product += a[i] * b[i]
	}
	gain := product / max(power(a), 1)
	var sum, segments float64
	for i := 0; i+2*frame <= len(a); i += 2 * frame {
		if !active[i/frame] && !active[i/frame+1] {
			continue
		}
		var signal, noise float64
		for k := i; k < i+2*frame; k++ {
			signal += sq(gain * a[k])
			noise += sq(b[k] - gain*a[k])
		}
		segments++
		sum += min(max(10*math.Log10((signal+1)/(noise+1)), least), most)
	}
	return sum / max(segments, 1)
}

// spectralDistance compares the powers of two windows in bands of 200 Hz, levels apart, with a floor 40
// dB below the loudest band: the root of the mean square, in dB.
func spectralDistance(a, b []float64) float64 {
	const bands = (3400 - lowEdge) / 200
	pa, pb := bandPowers(a, bands), bandPowers(b, bands)
	var differences [bands]float64
	var mean float64
	for i := range differences {
		differences[i] = 10 * math.Log10(pb[i]/pa[i])
		mean += differences[i] / bands
	}
	var sum float64
	for _, d := range differences {
		sum += (d - mean) * (d - mean)
	}
	return math.Sqrt(sum / bands)
}

func bandPowers(x []float64, bands int) []float64 {
	const n = 4096
	f := make([]complex128, n)
	for i, v := range x {
		f[i] = complex(v*(1-math.Cos(2*math.Pi*(float64(i)+0.5)/float64(len(x)))), 0)
	}
	transform(f, turns(n))
	out := make([]float64, bands)
	loudest := 1.0
	for i := range out {
		for k := (lowEdge + 200*i) * n / Rate; k < (lowEdge+200*(i+1))*n/Rate; k++ {
			out[i] += real(f[k] * cmplx.Conj(f[k]))
		}
		loudest = max(loudest, out[i])
	}
	for i := range out {
		out[i] = max(out[i], loudest/1e4)
	}
	return out
}
