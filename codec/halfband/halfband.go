// Package halfband brings telephone sound from 8 kHz to 16 kHz and back, in step with calls: without
// allocating, and with a known small delay. It knows no other rates; tools and tests that may look ahead
// resample with package wav.
//
// Samples are 32 bits wide, so that several voices can be added first; nothing is clipped.
//
// Both ways are one linear-phase FIR filter with its middle at 4 kHz. It is flat within 0.01 dB up to 3.4 kHz,
// and images (up) and aliases that would fall below 3.4 kHz (down) are 67 dB down. Every other of its weights is
// zero, so that half of the sound that goes up is a mere copy.
package halfband

// Delay of either filter, in samples at 16 kHz: 1.7 ms up, 1.6 ms down.
const (
	DelayUp   = 27
	DelayDown = 26
)

const (
	span  = 55  // weights, those that are zero included
	chunk = 320 // samples at once

	pastUp   = span / 2 // samples that the first one's sum needs, beside itself
	pastDown = span - 2 // likewise for the first two
)

// weights are every other one from the first up to the middle; from there they are the same again. In units of
// 1/32768; the middle is a half, and the sum of all is one. A windowed sinc, by Kaiser with beta 6.6.
//
//nolint:gochecknoglobals // constants, but for the language
var weights = [14]int64{-6, 17, -36, 66, -112, 179, -272, 402, -583, 840, -1229, 1892, -3358, 10392}

// Up doubles the rate of one stream. The zero Up begins. It belongs to one goroutine at a time.
type Up struct {
	x [pastUp + chunk/2]int32
}

// Process turns all of in, at 8 kHz, into twice as many samples at 16 kHz, for which out has room.
func (u *Up) Process(out, in []int32) {
	for len(in) > 0 {
		n := min(len(in), chunk/2)
		copy(u.x[pastUp:], in[:n])
		u.double(out[:2*n])
		copy(u.x[:pastUp], u.x[n:n+pastUp])
		out, in = out[2*n:], in[n:]
	}
}

func (u *Up) double(out []int32) {
	for i := range len(out) / 2 {
		x := (*[28]int32)(u.x[i:])
		sum := int64(1 << 13)
		for k, w := range weights {
			sum += w * (int64(x[k]) + int64(x[27-k]))
		}
		out[2*i] = int32(sum >> 14)
		out[2*i+1] = x[14]
	}
}

// Reset forgets the stream's past.
func (u *Up) Reset() { *u = Up{} }

// Down halves the rate of one stream. The zero Down begins. It belongs to one goroutine at a time.
type Down struct {
	x [pastDown + chunk]int32
}

// Process turns all of in, an even number of samples at 16 kHz, into half as many at 8 kHz, for which out
// has room.
func (d *Down) Process(out, in []int32) {
	for len(in) > 1 {
		n := min(len(in)&^1, chunk)
		copy(d.x[pastDown:], in[:n])
		d.halve(out[:n/2])
		copy(d.x[:pastDown], d.x[n:n+pastDown])
		out, in = out[n/2:], in[n:]
	}
}

func (d *Down) halve(out []int32) {
	for i := range out {
		x := (*[span]int32)(d.x[2*i:])
		sum := int64(x[span/2])<<14 + 1<<14
		for k, w := range weights {
			sum += w * (int64(x[2*k]) + int64(x[span-1-2*k]))
		}
		out[i] = int32(sum >> 15)
	}
}

// Reset forgets the stream's past.
func (d *Down) Reset() { *d = Down{} }
