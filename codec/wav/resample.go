package wav

import "math"

// Resampling is by a windowed sinc: each sample of the result is the sum of its neighbours in the
// source, weighted by the low-pass filter that the lower of the two rates needs. Where the ratio of
// the rates is up/down, only up different sets of weights occur.
const (
	crossings = 48   // of zero, on each side of the filter
	cutoff    = 0.94 // of the lower Nyquist frequency, where the filter is 6 dB down
	beta      = 9.0  // of the Kaiser window
)

// Resample returns pcm, sampled at from Hz, sampled at to Hz; both must be positive. Up to 88% of the
// lower one's Nyquist frequency it keeps what is there, and images and aliases are 85 dB down. It is
// for tools and tests, not for calls: it allocates, and looks ahead.
func Resample(pcm []int16, from, to int) []int16 {
	out := make([]int16, int64(len(pcm))*int64(to)/int64(from))
	if from == to {
		copy(out, pcm)
		return out
	}
	g := gcd(from, to)
	up, down := to/g, from/g
	scale := cutoff * math.Min(1, float64(to)/float64(from)) // crossings per source sample
	reach := int(crossings/scale) + 1
	weights := make([]float64, 2*reach+1)
	for phase := range min(up, len(out)) {
		at := phase * down
		frac := float64(at%up) / float64(up)
		for k := range weights {
			weights[k] = scale * sinc((float64(k-reach)-frac)*scale)
		}
		for n, first := phase, at/up-reach; n < len(out); n, first = n+up, first+down {
			out[n] = round(weigh(pcm, first, weights))
		}
	}
	return out
}

// weigh sums pcm from first on, by weight; before its beginning and after its end there is silence.
func weigh(pcm []int16, first int, weights []float64) float64 {
	if first < 0 {
		weights = weights[-first:]
		first = 0
	}
	pcm = pcm[first:]
	pcm = pcm[:min(len(pcm), len(weights))]
	var sum float64
	for k, s := range pcm {
		sum += float64(s) * weights[k]
	}
	return sum
}

// sinc returns the filter at x crossings from its middle.
func sinc(x float64) float64 {
	r := x / crossings
	switch {
	case r*r >= 1:
		return 0
	case x == 0:
		return 1
	}
	return math.Sin(math.Pi*x) / (math.Pi * x) * bessel(beta*math.Sqrt(1-r*r)) / bessel(beta)
}

// bessel is the modified Bessel function of the first kind and order zero.
func bessel(x float64) float64 {
	sum, term := 1.0, 1.0
	for k := 1.0; term > sum*1e-12; k++ {
		term *= (x / (2 * k)) * (x / (2 * k))
		sum += term
	}
	return sum
}

func round(s float64) int16 {
	return int16(math.RoundToEven(min(max(s, math.MinInt16), math.MaxInt16)))
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
