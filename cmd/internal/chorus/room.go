package chorus

import (
	"math/rand/v2"
	"time"

	"passerelle/codec/score"
)

// room is the phones that hear each other: who of them talks, and since when.
type room struct {
	members []*Voice
	talking int
	random  *rand.Rand
	chirps  []Chirp // those of the last minutes, the last may not be over
}

// What people do in a conference, in ticks of 20 ms: a turn takes 2 to 6 s.
const (
	shortTurn, longTurn = 100, 300
	forEver             = 1 << 40
	chirpEvery          = 125  // 2.5 s
	keptTurns           = 4096 // of a voice
)

// Chirp is one that a room was sent.
type Chirp struct {
	Voice *Voice
	Sent  time.Duration // when its first packet was due, on the chorus' clock; how late the chorus was is not the peer's
}

// turn is what a voice has sent since a tick: speech from a frame on, or a chirp.
type turn struct {
	from, to int // ticks; to is the first after it
	frame    int // of the speech at from; -1 is a chirp
}

func newRoom(seed uint64) *room { return &room{random: rand.New(rand.NewPCG(seed, 0))} }

// step decides who talks in this tick.
func (r *room) step(tick int, share float64) {
	if share >= 1 {
		for _, v := range r.members {
			if v.until == 0 {
				v.speak(tick, forEver)
			}
		}
		r.cry(tick)
		return
	}
	want := int(share*float64(len(r.members)) + 0.5)
	if share > 0 {
		want = max(want, 1)
	}
	r.talking = 0
	for _, v := range r.members {
		if v.until <= tick {
			v.until = 0
		}
		if v.until > 0 {
			r.talking++
		}
	}
	for try := 0; r.talking < min(want, len(r.members)) && try < 4*len(r.members); try++ {
		if v := r.members[r.random.IntN(len(r.members))]; v.until == 0 {
			v.speak(tick, tick+shortTurn+r.random.IntN(longTurn-shortTurn))
			r.talking++
		}
	}
	r.cry(tick)
}

// cry has the first member chirp from time to time, whoever talks.
func (r *room) cry(tick int) {
	if len(r.members) < 2 || tick%chirpEvery != 0 {
		return
	}
	const most = 1000
	if len(r.chirps) == most {
		r.chirps = r.chirps[1:]
	}
	r.members[0].cry(tick)
	r.chirps = append(r.chirps, Chirp{Voice: r.members[0]})
}

// remove takes a member away.
func (r *room) remove(v *Voice) {
	for i, m := range r.members {
		if m == v {
			r.members = append(r.members[:i:i], r.members[i+1:]...)
			return
		}
	}
}

func samples(d time.Duration) int { return int(d * score.Rate / time.Second) }
