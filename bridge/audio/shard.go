package audio

import (
	"context"
	"runtime/debug"
	"slices"
	"sync/atomic"
	"time"
)

const (
	tickLength = 20 * time.Millisecond
	catchUp    = 3   // ticks that are rendered although their time is over
	warnEvery  = 500 // ticks
)

// shard is one goroutine that runs its mixes on one clock: tick n is due at start + n*20 ms. Other
// goroutines talk to it by letter.
type shard struct {
	engine *Engine
	phase  time.Duration // by which its clock is apart from the other shards'
	box    mailbox
	bell   chan struct{} // rings for each letter, so that a shard with nothing to mix can sleep
	load   atomic.Int64  // mixes, phones and tracks, as asked for

	// The shard's own.
	start  time.Duration // of tick 0
	mixes  []*Mix
	work   scratch
	warned int64 // no word of skipped ticks before this one
	behind bool  // by a tick or more
	stall  stall // the last

	ticks, skipped, panics counter
	late                   [lateClasses]counter
	busy                   atomic.Int64 // ns
	mixCount               atomic.Int64
	phoneCount             atomic.Int64
	trackCount             atomic.Int64
}

func newShard(e *Engine, phase time.Duration) *shard {
	return &shard{
		engine: e, phase: phase, start: phase, bell: make(chan struct{}, 1), work: newScratch(e.rate),
	}
}

// post leaves a letter for the shard; false means that it has ended.
func (s *shard) post(do func(*shard)) bool {
	posted := s.box.post(do)
	select {
	case s.bell <- struct{}{}:
	default: // it rings already
	}
	return posted
}

// run is the shard's goroutine. It ends when ctx is done.
func (s *shard) run(ctx context.Context, start time.Duration) {
	s.start = start + s.phase
	for n := int64(0); s.loop(ctx, &n); {
		// A panic outside of any mix: go on with the next tick.
	}
	s.stop()
}

// loop ticks from n until ctx is done, which is false, or until a panic, which is true.
func (s *shard) loop(ctx context.Context, n *int64) (again bool) {
	defer func() {
		if r := recover(); r != nil {
			s.panics.add(1)
			s.engine.log.Error("audio shard panicked", "panic", r, "stack", string(debug.Stack()))
			*n++
			again = true
		}
	}()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		if len(s.mixes) == 0 && !s.sleep(ctx, n) {
			return false
		}
		timer.Reset(s.due(*n) - s.engine.clock())
		select {
		case <-ctx.Done():
			return false
		case <-timer.C:
		}
		if s.overslept(*n, s.engine.clock()) {
			s.giveWay(*n, timer)
		}
		*n = s.catchUp(*n, s.engine.clock())
		began := s.engine.clock()
		s.tick(*n)
		s.account(began-s.due(*n), s.engine.clock()-began)
		*n++
	}
}

// sleep waits for a letter, where there is nothing to mix, and moves n to the next tick that is due. The ticks
// between were nobody's. It returns false when ctx is done.
func (s *shard) sleep(ctx context.Context, n *int64) bool {
	select {
	case <-ctx.Done():
		return false
	case <-s.bell:
	}
	*n = max(*n, int64((s.engine.clock()-s.start+tickLength-1)/tickLength))
	return true
}

// due returns when tick n is to begin.
func (s *shard) due(n int64) time.Duration { return s.start + time.Duration(n)*tickLength }

// catchUp returns the tick to render at now: n, or a later one where too many are due. Those between
// are never rendered, but the mixes see by the number that their time has passed.
func (s *shard) catchUp(n int64, now time.Duration) int64 {
	behind := int64((now - s.due(n)) / tickLength)
	if behind <= catchUp {
		return n
	}
	skip := behind - catchUp
	s.skipped.add(uint64(skip))
	if n > s.warned {
		s.engine.log.Warn("audio ticks skipped", "ticks", skip, "in_all", s.skipped.load())
		s.warned = n + warnEvery
	}
	return n + skip
}

// tick reads the letters and renders tick n of every mix. It depends on no clock but n.
func (s *shard) tick(n int64) {
	s.read(s.box.empty())
	for i := 0; i < len(s.mixes); i++ {
		if m := s.mixes[i]; !s.render(m, n) {
			i--
		}
	}
	s.ticks.add(1)
}

// render renders tick n of one mix; false means that it panicked and is gone.
func (s *shard) render(m *Mix, n int64) (alive bool) {
	defer func() {
		if r := recover(); r != nil {
			s.panicked(m, r)
		}
	}()
	m.tick(s, n)
	return true
}

// panicked ends a mix that panicked: it alone, and not the shard.
func (s *shard) panicked(m *Mix, value any) {
	err := &PanicError{Mix: m.name, Value: value, Stack: debug.Stack()}
	s.panics.add(1)
	s.engine.log.Error("mix panicked", "mix", m.name, "panic", value, "stack", string(err.Stack))
	s.remove(m, err)
}

// remove ends a mix that lives on this shard.
func (s *shard) remove(m *Mix, err error) {
	if i := slices.Index(s.mixes, m); i >= 0 {
		s.mixes = slices.Delete(s.mixes, i, i+1)
		m.end(err)
	}
	s.recount()
}

// recount is for the statistics.
func (s *shard) recount() {
	var phones, tracks int
	for _, m := range s.mixes {
		phones += len(m.phones)
		tracks += len(m.tracks)
	}
	s.mixCount.Store(int64(len(s.mixes)))
	s.phoneCount.Store(int64(phones))
	s.trackCount.Store(int64(tracks))
}

func (s *shard) read(l *letter) {
	if l == nil {
		return
	}
	for ; l != nil; l = l.next {
		s.obey(l)
	}
	s.recount()
}

func (s *shard) obey(l *letter) {
	defer func() {
		if r := recover(); r != nil {
			s.panics.add(1)
			s.engine.log.Error("audio shard panicked between ticks", "panic", r, "stack", string(debug.Stack()))
		}
	}()
	l.do(s)
}

// stop ends everything that is still here, and reads the last letters.
func (s *shard) stop() {
	s.read(s.box.seal())
	for len(s.mixes) > 0 {
		s.remove(s.mixes[len(s.mixes)-1], ErrStopped)
	}
}

// lateClasses is the number of classes of EngineStats.Late.
const lateClasses = 7

// account notes how late a tick began and how long it took.
func (s *shard) account(late, took time.Duration) {
	class := 0
	for _, limit := range [lateClasses - 1]time.Duration{1, 2, 5, 10, 20, 40} {
		if late >= limit*time.Millisecond {
			class++
		}
	}
	s.late[class].add(1)
	s.busy.Add(int64(took))
}

func (s *shard) addStats(sum *EngineStats) {
	sum.Mixes += int(s.mixCount.Load())
	sum.Phones += int(s.phoneCount.Load())
	sum.Tracks += int(s.trackCount.Load())
	sum.Ticks += s.ticks.load()
	sum.Skipped += s.skipped.load()
	sum.Panics += s.panics.load()
	for i := range sum.Late {
		sum.Late[i] += s.late[i].load()
	}
	sum.Busy += time.Duration(s.busy.Load())
}
