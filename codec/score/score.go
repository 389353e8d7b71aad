// Package score judges recordings: whether, when, how loud and how whole a reference is heard in one,
// and whether one is silent. It knows nothing of where the sound went in between, only that codecs
// change it and jitter buffers move it.
package score

import (
	"fmt"
	"math"
	"slices"
	"time"

	"passerelle/codec/wav"
)

// Find works in these steps:
//
//  1. Bring both sounds to 8 kHz and to the telephone's band (prepare).
//  2. Correlate the whole reference with the whole recording: the delay (locate). Where they have
//     nothing in common, try the speeds that wrong sampling rates would give.
//  3. Compare window by window, each with a delay of its own, since jitter buffers stretch and shrink
//     time (compare).
//  4. Follow the reference in steps of 10 ms and look for what is missing (gaps); in sounds that the
//     filter of step 1, which blurs time by 10 ms, has not seen.

// Rate is what Find works at, in Hz.
const Rate = 8000

const (
	window   = 300 * Rate / 1000 // compared at a time, in samples
	hop      = 100 * Rate / 1000 // from one window to the next
	slack    = 150 * Rate / 1000 // of a window's delay against the whole's
	goodWind = 0.5               // correlation from which a window's delay is believed
)

// Match says how a reference is heard in a recording.
type Match struct {
	// Delay of the recording's sound after the reference's, each counted from its beginning: the
	// median of the windows', or the whole's where no window is alike.
	Delay time.Duration
	// Shift is how far the delays of the windows are apart, the odd fiftieth left out.
	Shift time.Duration
	// Correlation of the whole at one delay: 1 for the same wave at any level, below 0.1 for two
	// unrelated ones, and low too where a jitter buffer moved time.
	Correlation float64
	// Median and Worst of the windows' correlations, each at its own best delay: over 0.99 through
	// G.711, over 0.9 through Opus, below 0.5 where the sounds are unrelated.
	Median, Worst float64
	// Windows is how many windows of the reference have speech, and were compared.
	Windows int
	// GainDB is how much louder the recording is, in the telephone's band.
	GainDB float64
	// Speed at which the reference is heard: 1; 2 where 8 kHz became 16; 1.0001 where clocks differ.
	Speed float64
	// SpectrumDB is how far the recording's spectrum is from the reference's, levels apart.
	SpectrumDB float64
	// SNRDB is the segmental signal-to-noise ratio, levels apart: what codecs that keep the wave add. The
	// median of the windows'.
	SNRDB float64
	// Gaps are the spans of the reference that are missing, of 20 ms or more. They mean little where
	// the reference is not Found.
	Gaps []Gap
	// Clipped is how much is missing of the utterance whose beginning is missing most.
	Clipped time.Duration
}

// Gap is a span of the reference.
type Gap struct{ From, To time.Duration }

// Length of the span.
func (g Gap) Length() time.Duration { return g.To - g.From }

// Found tells whether the reference is heard at all, at its own speed.
func (m Match) Found() bool {
	return m.Median >= 0.6 && math.Abs(m.Speed-1) < 0.02
}

// Longest returns the longest gap's length.
func (m Match) Longest() time.Duration {
	var longest time.Duration
	for _, g := range m.Gaps {
		longest = max(longest, g.Length())
	}
	return longest
}

// String is for logs: one line with every figure.
func (m Match) String() string {
	return fmt.Sprintf("delay %v (moving %v), correlation %.3f, windows %d: median %.3f, worst %.3f; gain %+.1f dB, speed %.4f, spectrum off by %.1f dB, segmental SNR %.1f dB, %d gaps (longest %v), onset clipped %v",
		m.Delay.Round(100*time.Microsecond), m.Shift.Round(100*time.Microsecond), m.Correlation, m.Windows, m.Median, m.Worst,
		m.GainDB, m.Speed, m.SpectrumDB, m.SNRDB, len(m.Gaps), m.Longest(), m.Clipped)
}

// Find looks for reference in recording, both at rate, in Hz. A recording may be longer or shorter, and
// begin before the reference or in the middle of it. 15 s take about 0.2 s, and 1 s where other speeds
// must be tried.
func Find(reference, recording []int16, rate int) Match {
	reference, recording = wav.Resample(reference, rate, Rate), wav.Resample(recording, rate, Rate)
	ref, rec := newSound(reference), newSound(recording)
	at := speed{1, 1}
	delay, correlation := locate(ref.telephone, rec.telephone)
	if correlation < unrelated && !Silent(recording, Rate) {
		if s, d, c := otherSpeed(reference, rec.telephone); c > 2*unrelated {
			at, delay, correlation = s, d, c
			ref = newSound(at.of(reference))
		}
	}
	return follow(ref, rec, delay, correlation, at)
}

// Compare is Find for a recording whose delay is known to 150 ms: a reference with sounds that come again and again
// would be found at many.
func Compare(reference, recording []int16, rate int, delay time.Duration) Match {
	ref, rec := newSound(wav.Resample(reference, rate, Rate)), newSound(wav.Resample(recording, rate, Rate))
	d := int(delay * Rate / time.Second)
	both := cut(rec.telephone, d, d+len(ref.telephone))
	var product float64
	for i, v := range ref.telephone {
		product += v * both[i]
	}
	correlation := product / math.Sqrt(max(1, power(ref.telephone)*power(both)))
	return follow(ref, rec, d, correlation, speed{1, 1})
}

// follow compares window by window.
func follow(ref, rec sound, delay int, correlation float64, at speed) Match {
	p := comparison{ref: ref, rec: rec, delay: delay, active: findActive(ref.sharp)}
	p.compare()
	m := p.match(at.float())
	m.Correlation = correlation
	return m
}

// match puts together what was found.
func (p *comparison) match(speed float64) Match {
	m := Match{Windows: len(p.pieces), Speed: speed, Delay: duration(p.delay)}
	var all, gains, spectra, snrs []float64
	var delays []int
	for _, w := range p.pieces {
		all = append(all, w.correlation)
		if w.good() {
			delays = append(delays, w.delay)
			gains = append(gains, w.gain)
			spectra = append(spectra, w.spectrum)
			snrs = append(snrs, w.snr)
		}
	}
	if len(all) > 0 {
		m.Median, m.Worst = median(all), slices.Min(all)
	}
	if len(delays) > 0 {
		m.Delay = duration(median(delays))
		m.Shift = duration(delays[len(delays)-1-len(delays)/50] - delays[len(delays)/50])
		m.GainDB = 20 * math.Log10(median(gains))
		m.SpectrumDB = median(spectra)
		m.SNRDB = median(snrs)
		m.Speed = speed / (1 + p.drift())
	}
	m.Gaps, m.Clipped = p.gaps(median(gains))
	for i, g := range m.Gaps {
		m.Gaps[i] = Gap{stretch(g.From, speed), stretch(g.To, speed)}
	}
	m.Clipped = stretch(m.Clipped, speed)
	return m
}

func stretch(d time.Duration, by float64) time.Duration { return time.Duration(float64(d) * by) }

func duration(samples int) time.Duration { return time.Duration(samples) * time.Second / Rate }

// median of x, which it sorts; zero of none.
func median[T int | float64](x []T) T {
	if len(x) == 0 {
		return 0
	}
	slices.Sort(x)
	return x[len(x)/2]
}
