package peers

import (
	"math"
	"slices"
	"time"

	"passerelle/codec/score"
)

// Package score tells how well a sound is heard, and takes its time where there is nothing to hear: it looks
// for other speeds. Whether a sound is there at all, here or there, is told by a few of its loudest pieces.

const (
	pieceLength = 200 * score.Rate / 1000 // samples: long enough to be unlike all else
	pieces      = 3
	heardThere  = 0.6 // correlation of a piece; what Opus and two jitter buffers leave is above 0.8
)

// piece is a part of a sound, and where it was found in a recording.
type piece struct {
	begin int // in the sound
	at    int // in the recording
	alike float64
}

// spot looks for a sound's loudest pieces in a recording, and says whether most of them are there, where the
// sound then begins, in samples.
func spot(sound, recording []int16) (begin int, there bool) {
	var found []int
	for _, p := range loudest(sound) {
		p.seek(sound, recording)
		if p.alike >= heardThere {
			found = append(found, p.at-p.begin)
		}
	}
	if len(found) < 2 {
		return 0, false
	}
	slices.Sort(found)
	const near = 100 * score.Rate / 1000 // a jitter buffer may have moved time between two pieces
	for i, begin := range found[1:] {
		if begin-found[i] <= near {
			return begin, true
		}
	}
	return 0, false
}

// loudest returns where a sound is loudest, a second apart at least where it is long enough.
func loudest(sound []int16) (all []piece) {
	apart := min(score.Rate, len(sound)/(pieces+1))
	type loud struct {
		begin int
		power float64
	}
	var candidates []loud
	for at := 0; at+pieceLength <= len(sound); at += pieceLength / 2 {
		candidates = append(candidates, loud{at, energy(sound[at : at+pieceLength])})
	}
	slices.SortFunc(candidates, func(a, b loud) int { return int(math.Copysign(1, b.power-a.power)) })
	for _, c := range candidates {
		near := func(p piece) bool { return math.Abs(float64(p.begin-c.begin)) < float64(apart) }
		if !slices.ContainsFunc(all, near) {
			all = append(all, piece{begin: c.begin})
		}
		if len(all) == pieces {
			break
		}
	}
	return all
}

// seek finds where the piece is most alike in a recording.
func (p *piece) seek(sound, recording []int16) {
	want := sound[p.begin : p.begin+pieceLength]
	own := energy(want)
	if len(recording) < pieceLength || own == 0 {
		return
	}
	power := energy(recording[:pieceLength])
	for at := 0; ; at++ {
		if power > float64(pieceLength) { // above a sample's step
			if alike := product(want, recording[at:at+pieceLength]) / math.Sqrt(own*power); alike > p.alike {
				p.at, p.alike = at, alike
			}
		}
		if at+pieceLength == len(recording) {
			return
		}
		out, in := float64(recording[at]), float64(recording[at+pieceLength])
		power += in*in - out*out
	}
}

// echo looks for a second copy of a sound within half a second of the first: what is left around each of its
// loudest pieces, when the sound is taken away there, must not be the piece again. It returns where.
func echo(sound, recording []int16) (begin int, twice bool) {
	// A copy would be at about 1; a slip of a jitter buffer within the piece leaves half of it elsewhere, at most.
	const around, much = score.Rate / 2, 0.7 // samples; of the piece's energy
	heard := 0
	for _, p := range loudest(sound) {
		p.seek(sound, recording)
		from, to := max(0, p.at-around), min(len(recording), p.at+pieceLength+around)
		if p.alike < heardThere || to-from < pieceLength {
			continue
		}
		want := sound[p.begin : p.begin+pieceLength]
		gain := product(want, recording[p.at:p.at+pieceLength]) / energy(want)
		rest := make([]int16, to-from)
		for i := range rest {
			v := float64(recording[from+i])
			if at := from + i - p.at + p.begin; at >= 0 && at < len(sound) {
				v -= gain * float64(sound[at])
			}
			rest[i] = int16(max(-32768, min(32767, v)))
		}
		again := piece{begin: p.begin}
		again.seek(sound, rest)
		if product(want, rest[again.at:again.at+pieceLength]) > much*gain*energy(want) {
			begin = from + again.at - p.begin
			heard++
		}
	}
	return begin, heard >= 2
}

func energy(x []int16) float64 { return product(x, x) }

// product is the sum of products of two sounds of one length.
func product(a, b []int16) float64 {
	var sum int64
	b = b[:len(a)]
	for i, v := range a {
		sum += int64(v) * int64(b[i])
	}
	return float64(sum)
}

// duration returns how long that many samples of a recording last.
func duration(samples int) time.Duration { return time.Duration(samples) * time.Second / score.Rate }
