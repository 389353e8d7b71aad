package chorus

import (
	"math/rand/v2"
	"time"
)

// Network is what happens to packets on their way, in each direction and for each phone by itself. The zero
// Network delivers all of them at once.
type Network struct {
	Loss    float64       // fraction of packets that never arrive, 0 to 1
	Burst   float64       // mean length of a burst of losses (Gilbert); up to 1 they are independent
	Delay   time.Duration // of every packet
	Jitter  time.Duration // up to so much more, each delay as likely as any other
	Reorder bool          // packets overtake each other; without it one that would has to wait
	Seed    uint64        // the same seed, the same fate
}

// Ideal says whether nothing happens at all.
func (n Network) Ideal() bool { return n.Loss == 0 && n.Delay == 0 && n.Jitter == 0 }

// path is one direction of one phone's network.
type path struct {
	Network
	random *rand.Rand
	losing bool          // within a burst
	last   time.Duration // when the latest packet arrives
}

func (n Network) path(stream uint64) path {
	return path{Network: n, random: rand.New(rand.NewPCG(n.Seed, stream))}
}

// arrives says when a packet that leaves at a time arrives, and whether it does.
func (p *path) arrives(leaves time.Duration) (at time.Duration, ok bool) {
	if p.loses() {
		return 0, false
	}
	at = leaves + p.Delay
	if p.Jitter > 0 {
		at += time.Duration(p.random.Int64N(int64(p.Jitter) + 1))
	}
	if !p.Reorder {
		at = max(at, p.last)
	}
	p.last = max(p.last, at)
	return at, true
}

// loses decides about one packet. In a burst, the next is lost with a probability of 1 - 1/Burst.
func (p *path) loses() bool {
	if p.Loss <= 0 {
		return false
	}
	if p.Burst <= 1 || p.Loss >= 1 {
		return p.random.Float64() < p.Loss
	}
	leave := 1 / p.Burst
	enter := leave * p.Loss / (1 - p.Loss)
	if p.losing {
		p.losing = p.random.Float64() >= leave
	} else {
		p.losing = p.random.Float64() < enter
	}
	return p.losing
}

// transit is a packet under way.
type transit struct {
	voice   *Voice
	arrives time.Duration
	order   uint64 // of two that arrive at once
	packet  []byte
}

// transits is a heap, the next to arrive first (container/heap).
type transits []transit

func (t transits) Len() int { return len(t) }
func (t transits) Less(i, k int) bool {
	if t[i].arrives != t[k].arrives {
		return t[i].arrives < t[k].arrives
	}
	return t[i].order < t[k].order
}
func (t transits) Swap(i, k int) { t[i], t[k] = t[k], t[i] }

// Push and Pop are for container/heap alone.
func (t *transits) Push(x any) {
	if x, ok := x.(transit); ok {
		*t = append(*t, x)
	}
}

// Pop takes the last away.
func (t *transits) Pop() any {
	last := (*t)[len(*t)-1]
	*t = (*t)[:len(*t)-1]
	return last
}
