package audio

import (
	"math"
	"sync/atomic"
	"time"
)

// Sound is PCM at the engine's MixRate. Players do not change it; several may share it.
type Sound struct {
	PCM  []int16
	Loop bool
	// After makes it wait until that player, of the same phone or mix, has ended; nil is at once.
	After *Player
}

// Tone returns the PCM of a tone of frequencies in Hz that sound together, each at dbov (-3 is a
// full-scale sine), for length.
func Tone(rate int, length time.Duration, dbov float64, frequencies ...float64) []int16 {
	pcm := make([]int16, samples(length, rate))
	peak := math.Sqrt(2 * powerAt(dbov))
	for i := range pcm {
		var s float64
		for _, f := range frequencies {
			s += peak * math.Sin(2*math.Pi*f*float64(i)/float64(rate))
		}
		pcm[i] = clamp(int32(s))
	}
	return pcm
}

// Player plays a Sound to a phone or to a mix, on the mix's clock.
type Player struct {
	sound   Sound
	stopped atomic.Bool
	done    chan struct{}
	at      int // the shard's: samples played
}

func newPlayer(s Sound) *Player { return &Player{sound: s, done: make(chan struct{})} }

// Stop ends the sound at the next tick.
func (p *Player) Stop() { p.stopped.Store(true) }

// Done is closed when the sound has been played or stopped, or with the mix or the phone that it is
// played to. A phone's sound waits while the phone is in no mix, and goes by unheard while it is on hold.
func (p *Player) Done() <-chan struct{} { return p.done }

// finish ends it. Called on the shard, once.
func (p *Player) finish() { close(p.done) }

// add adds the next tick's worth to sum; false means that there was none, and is none to come.
func (p *Player) add(sum []int32) bool {
	if p.stopped.Load() || len(p.sound.PCM) == 0 {
		return false
	}
	if p.waits() {
		return true
	}
	if p.at == len(p.sound.PCM) {
		if !p.sound.Loop {
			return false
		}
		p.at = 0
	}
	for i := range sum {
		if p.at == len(p.sound.PCM) {
			if !p.sound.Loop {
				break
			}
			p.at = 0
		}
		sum[i] += int32(p.sound.PCM[p.at])
		p.at++
	}
	return true
}

// waits reports whether another has to end first.
func (p *Player) waits() bool {
	if p.sound.After == nil {
		return false
	}
	select {
	case <-p.sound.After.done:
		p.sound.After = nil
		return false
	default:
		return true
	}
}

// play adds all players to sum and returns those that go on.
func play(players []*Player, sum []int32) []*Player {
	kept := players[:0]
	for _, p := range players {
		if p.add(sum) {
			kept = append(kept, p)
		} else {
			p.finish()
		}
	}
	clear(players[len(kept):])
	return kept
}
