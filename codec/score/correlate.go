package score

import (
	"math"
	"math/cmplx"
)

// unrelated is the correlation of two sounds below which they have nothing in common at one speed.
const unrelated = 0.2

// otherSpeed tries the speeds at which sound is heard that was sampled at one common rate and played
// at another, and returns the one at which the two have most in common.
func otherSpeed(reference []int16, rec []float64) (best speed, delay int, correlation float64) {
	for _, s := range []speed{{2, 1}, {1, 2}, {3, 1}, {1, 3}, {6, 1}, {1, 6}, {160, 147}, {147, 160}} {
		// Slowed down, the reference's beginning is enough.
		part := reference[:min(len(reference), len(rec)*2*s.up/s.down)]
		d, c := locate(telephone(s.of(part)), rec)
		if c > correlation {
			best, delay, correlation = s, d, c
		}
	}
	return best, delay, correlation
}

// locate returns the delay in samples at which rec is most like ref, and their correlation over the
// time that both have then, which is half of the shorter one at least.
func locate(ref, rec []float64) (delay int, correlation float64) {
	products := correlate(ref, rec)
	refPower, recPower := powers(ref), powers(rec)
	least := min(len(ref), len(rec)) / 2
	for d := least - len(ref); d <= len(rec)-least; d++ {
		from, to := max(d, 0), min(d+len(ref), len(rec))
		power := (recPower[to] - recPower[from]) * (refPower[to-d] - refPower[from-d])
		if to-from < least || power <= 1 {
			continue
		}
		at := d
		if at < 0 {
			at += len(products)
		}
		if c := products[at] / math.Sqrt(power); c > correlation {
			delay, correlation = d, c
		}
	}
	return delay, correlation
}

// powers returns the sums of x's squares before each sample, and of all.
func powers(x []float64) []float64 {
	sums := make([]float64, len(x)+1)
	for i, v := range x {
		sums[i+1] = sums[i] + v*v
	}
	return sums
}

// correlate returns the sum of a[i]*b[i+d] at index d; for negative d, at its end.
func correlate(a, b []float64) []float64 {
	n := 1
	for n < len(a)+len(b) {
		n *= 2
	}
	// One transform serves both: a as real part, b as imaginary.
	x := make([]complex128, n)
	for i, v := range a {
		x[i] = complex(v, 0)
	}
	for i, v := range b {
		x[i] += complex(0, v)
	}
	turn := turns(n)
	transform(x, turn)
	y := make([]complex128, n)
	for i := range x {
		p, q := x[i], cmplx.Conj(x[(n-i)&(n-1)])
		fa, fb := 0.5*(p+q), complex(0, -0.5)*(p-q)
		// Conjugated, so that the second transform is the inverse.
		y[i] = fa * cmplx.Conj(fb)
	}
	transform(y, turn)
	products := make([]float64, n)
	for i, v := range y {
		products[i] = real(v) / float64(n)
	}
	return products
}

// turns returns the first half of the n-th roots of unity.
func turns(n int) []complex128 {
	t := make([]complex128, n/2)
	for i := range t {
		t[i] = cmplx.Rect(1, -2*math.Pi*float64(i)/float64(n))
	}
	return t
}

// transform is the fast Fourier transform of x in place; its length is a power of two.
func transform(x, turn []complex128) {
	n := len(x)
	for i, j := 1, 0; i < n; i++ {
		bit := n >> 1
		for ; j&bit != 0; bit >>= 1 {
			j ^= bit
		}
		j ^= bit
		if i < j {
			x[i], x[j] = x[j], x[i]
		}
	}
	for size := 2; size <= n; size *= 2 {
		by := n / size
		for from := 0; from < n; from += size {
			low, high := x[from:from+size/2], x[from+size/2:from+size]
			for k := range low {
				v := high[k] * turn[k*by]
				low[k], high[k] = low[k]+v, low[k]-v
			}
		}
	}
}
