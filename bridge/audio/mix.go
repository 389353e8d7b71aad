package audio

import (
	"errors"
	"fmt"
	"slices"
)

// A mix's tick, on its shard:
//
//  1. Every voice of the room, and every player, into the sum (gather).
//  2. Every phone's voice likewise, where there is another phone to hear it.
//  3. To every phone the sum less its own voice, turned down where it would be clipped (spread, scratch.mix).

// ErrStopped is why a mix ended that was open when its engine stopped.
var ErrStopped = errors.New("the audio engine has stopped")

// PanicError is why a mix ended that panicked.
type PanicError struct {
	Mix   string
	Value any
	Stack []byte
}

func (e *PanicError) Error() string { return fmt.Sprintf("mix %s: panic: %v", e.Mix, e.Value) }

// Mix is the sound of one room, for the phones in it. It lives on one shard. Its methods may be called
// from any goroutine and do not wait: what they ask for happens at the shard's next tick.
type Mix struct {
	name  string
	shard *shard
	done  chan struct{}
	err   error // set before done is closed

	// The shard's own.
	tracks  []*Track
	phones  []*Phone
	players []*Player
	full    side // of those who hear at the mix rate
	low     side // of narrow phones
	ended   bool
	ticked  bool
	last    int64 // tick
}

// Play plays a sound to everybody in the mix.
func (m *Mix) Play(s Sound) *Player {
	p := newPlayer(s)
	posted := m.shard.post(func(*shard) {
		if m.ended {
			p.finish()
			return
		}
		m.players = append(m.players, p)
	})
	if !posted {
		p.finish()
	}
	return p
}

// Close ends the mix. Phones that are still in it hear nothing until they join another.
func (m *Mix) Close() {
	m.shard.post(func(s *shard) { s.remove(m, nil) })
}

// Done is closed when the mix has ended: by Close, by a panic, or with the engine.
func (m *Mix) Done() <-chan struct{} { return m.done }

// Err returns why the mix ended: nil while it goes on and after Close, ErrStopped, or a *PanicError.
func (m *Mix) Err() error {
	select {
	case <-m.done:
		return m.err
	default:
		return nil
	}
}

// end lets go of everything. Called on the shard, once.
func (m *Mix) end(err error) {
	m.ended = true
	m.shard.load.Add(-1)
	for _, t := range m.tracks {
		t.release()
	}
	for _, p := range m.phones {
		p.left(errors.Is(err, ErrStopped))
	}
	for _, p := range m.players {
		p.finish()
	}
	m.tracks, m.phones, m.players = nil, nil, nil
	m.err = err
	close(m.done)
}

// admit takes a phone in. Called on the shard.
func (m *Mix) admit(p *Phone) {
	m.phones = append(m.phones, p)
	p.entered(m)
	m.listen()
}

// drop lets a phone go. Called on the shard.
func (m *Mix) drop(p *Phone) {
	if i := slices.Index(m.phones, p); i >= 0 {
		m.phones = slices.Delete(m.phones, i, i+1)
	}
	p.left(false)
	m.listen()
}

// listen tells each phone whether there is another one to hear it.
func (m *Mix) listen() {
	heard := len(m.phones) > 1
	for _, p := range m.phones {
		if p.up.heard.Load() != heard {
			p.voice.Load().flush()
			p.sounds = false // gather asks it no more while it is alone
			p.up.heard.Store(heard)
		}
	}
}

// tick renders tick n. Called on the shard.
func (m *Mix) tick(s *shard, n int64) {
	if m.ticked && n != m.last+1 {
		m.skip()
	}
	m.ticked, m.last = true, n
	s.work.begin(m, !s.engine.noLimiter)
	m.gather(s, n)
	m.spread(s, n)
}

// skip tells every source that ticks were not rendered.
func (m *Mix) skip() {
	for _, t := range m.tracks {
		t.jitter.skip()
	}
	for _, p := range m.phones {
		p.voice.Load().skip()
	}
}

// hasFor says whether every voice that is heard has enough for so many ticks.
func (m *Mix) hasFor(ticks int) bool {
	for _, t := range m.tracks {
		if !t.jitter.hasFor(ticks) {
			return false
		}
	}
	for _, p := range m.phones {
		if len(m.phones) > 1 && !p.voice.Load().hasFor(ticks) {
			return false
		}
	}
	return true
}

// gather adds everybody up.
func (m *Mix) gather(s *shard, n int64) {
	w, now := &s.work, s.due(n)
	for _, t := range m.tracks {
		t.jitter.stall = s.stall
		if t.jitter.pull(now, w.block) {
			w.full.voices.add(w.block)
		}
	}
	if len(m.phones) > 1 {
		for _, p := range m.phones {
			voice := p.voice.Load()
			voice.stall = s.stall
			if p.sounds = voice.pull(now, p.own); p.sounds {
				w.at(p.narrow).voices.add(p.own)
			}
		}
	}
	if len(m.players) > 0 {
		m.players = play(m.players, w.full.voices.open())
	}
}

// spread gives every phone its share.
func (m *Mix) spread(s *shard, n int64) {
	for _, p := range m.phones {
		p.hear(&s.work, n)
	}
}
