package peers

import (
	"fmt"
	"math"
	"slices"
	"time"

	"passerelle/codec"
	"passerelle/codec/g711"
	"passerelle/codec/score"
)

// Hum is a pure tone of that many Hz which stands for one person: whoever hears it hears that person, at
// that very moment, whoever else hums meanwhile.
type Hum int

// HumOf returns the i-th of a dozen hums that can be told apart, in a telephone's band. 20 ms hold whole cycles.
func HumOf(i int) Hum { return Hum(400 + 150*i) }

const (
	lastHum   = 11
	humLevel  = -30.0 // dBov: no silence to any gate, and a dozen do not clip
	humWithin = 5.0   // dB that the level may be off at an instant: two of one hum are off by 6 mostly
	humHalf   = 2.5   // ... and all the time
	humAbsent = -48.0 // dBov; what is below is the codecs' noise
	humFrame  = 20 * time.Millisecond
)

// PCM returns 20 ms of the hum; one after the other they are a tone.
func (h Hum) PCM(rate int) []int16 {
	pcm := make([]int16, rate/50)
	peak := 32768 * math.Sqrt2 * math.Pow(10, humLevel/20)
	for i := range pcm {
		pcm[i] = int16(math.Round(peak * math.Sin(2*math.Pi*float64(h)*float64(i)/float64(rate))))
	}
	return pcm
}

// MuLaw returns 20 ms of the hum as a phone sends it.
func (h Hum) MuLaw() ([]byte, error) {
	encoder, err := g711.NewEncoder(codec.PCMU)
	if err != nil {
		return nil, fmt.Errorf("hum: %w", err)
	}
	defer encoder.Close()
	payload := make([]byte, score.Rate/50)
	if _, err := encoder.Encode(payload, h.PCM(score.Rate)); err != nil {
		return nil, fmt.Errorf("hum: %w", err)
	}
	return payload, nil
}

// level returns how loud the hum is in pcm at [score.Rate], in dBov (Goertzel's filter behind Hann's window).
func (h Hum) level(pcm []int16) float64 {
	turn := 2 * math.Cos(2*math.Pi*float64(h)/score.Rate)
	var s1, s2, weight float64
	for i, v := range pcm {
		w := 0.5 - 0.5*math.Cos(2*math.Pi*(float64(i)+0.5)/float64(len(pcm)))
		weight += w
		s1, s2 = w*float64(v)/32768+turn*s1-s2, s1
	}
	power := (s1*s1 + s2*s2 - turn*s1*s2) / (weight * weight) // a quarter of the squared amplitude
	return 10 * math.Log10(2*power+1e-12)
}

// Hearing is what somebody hears by the wall clock, 20 ms after 20 ms at [score.Rate].
type Hearing struct {
	Who    string
	pieces []heardPiece
}

// heardPiece is what came in one packet; At is when.
type heardPiece struct {
	at  time.Time
	pcm []int16
}

// add appends a packet's sound; one of more than 20 ms counts as several.
func (h *Hearing) add(at time.Time, pcm []int16) {
	const frame = score.Rate / 50
	for ; len(pcm) >= frame; pcm = pcm[frame:] {
		h.pieces = append(h.pieces, heardPiece{at, slices.Clone(pcm[:frame])})
	}
}

// levels returns how loud the hum is at each packet that came between two times, with the one after it.
func (h *Hearing) levels(hum Hum, from, to time.Time) (at []time.Time, level []float64) {
	for i := 0; i+1 < len(h.pieces); i++ {
		if p := h.pieces[i]; !p.at.Before(from) && p.at.Before(to) {
			at = append(at, p.at)
			level = append(level, hum.level(slices.Concat(p.pcm, h.pieces[i+1].pcm)))
		}
	}
	return at, level
}

// Level returns the median of how loud a hum is heard between two times, in dBov; -127 where nothing came.
func (h *Hearing) Level(hum Hum, from, to time.Time) float64 {
	_, level := h.levels(hum, from, to)
	if len(level) == 0 {
		return score.Floor
	}
	slices.Sort(level)
	return level[len(level)/2]
}

// Steady returns since when a hum is heard for good, from a time on: at its level, in four of five packets of the
// second that follows.
func (h *Hearing) Steady(hum Hum, after time.Time) (since time.Time, ok bool) {
	const second, enough = 50, 40
	at, level := h.levels(hum, after, after.Add(time.Hour))
	good := make([]int, len(level)+1) // before each
	for i := range level {
		good[i+1] = good[i]
		if math.Abs(level[i]-humLevel) <= humWithin {
			good[i+1]++
		}
	}
	for i := 0; i+second <= len(level); i++ {
		lasts := at[i+second-1].Sub(at[i]) < 2*time.Second
		if lasts && good[i+1] > good[i] && good[i+second]-good[i] >= enough {
			return at[i], true
		}
	}
	return time.Time{}, false
}

// Absent returns the longest time between two times in which a hum was not heard.
func (h *Hearing) Absent(hum Hum, from, to time.Time) (longest time.Duration) {
	last := from
	at, level := h.levels(hum, from, to)
	for i := range level {
		if level[i] > humLevel-2*humWithin {
			longest = max(longest, at[i].Sub(last)-humFrame)
			last = at[i]
		}
	}
	return max(longest, to.Sub(last)-humFrame)
}

// withoutHums returns pcm at [score.Rate] without anybody's hum: words are recognised in what is left of both.
func withoutHums(pcm []int16) []int16 {
	pcm = slices.Clone(pcm)
	const width = 0.99 // radius of the poles: some 25 Hz are gone
	rest := make([]float64, len(pcm))
	for i, v := range pcm {
		rest[i] = float64(v)
	}
	for i := range lastHum + 1 {
		turn := 2 * math.Cos(2*math.Pi*float64(HumOf(i))/score.Rate)
		var x1, x2, y1, y2 float64
		for k, x := range rest {
			y := x - turn*x1 + x2 + width*turn*y1 - width*width*y2
			x2, x1, y2, y1 = x1, x, y1, y
			rest[k] = y
		}
	}
	for i, v := range rest {
		pcm[i] = int16(max(-32768, min(32767, math.Round(v))))
	}
	return pcm
}

// Since returns what was heard from then on, for at most that long, and a function that tells when a place in
// it was.
func (h *Hearing) Since(from time.Time, most time.Duration) (pcm []int16, at func(time.Duration) time.Time) {
	var times []time.Time
	for _, p := range h.pieces {
		if !p.at.Before(from) && p.at.Before(from.Add(most)) {
			pcm = append(pcm, p.pcm...)
			times = append(times, p.at)
		}
	}
	return pcm, func(place time.Duration) time.Time {
		if len(times) == 0 {
			return from
		}
		return times[min(max(int(place/humFrame), 0), len(times)-1)]
	}
}
