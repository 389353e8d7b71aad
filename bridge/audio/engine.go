package audio

import (
	"context"
	"log/slog"
	"runtime"
	"sync"
	"time"

	"passerelle/codec"
	"passerelle/codec/opus"
)

// Config says how an Engine works. Its zero value works.
type Config struct {
	MixRate    int                  // of the mixes, in Hz: 16000, or 8000 for narrow phones alone; 0 is 16000
	Shards     int                  // goroutines that mix; 0 is one a core
	Complexity int                  // libopus' complexity, 1 to 10; 0 is 5
	NoLimiter  bool                 // clips a mix that is too loud, rather than turning it down
	Clock      func() time.Duration // the gateway's monotonic clock, as in codec.Frame.Arrival; nil counts from NewEngine
	Log        *slog.Logger         // hears of a mix that panicked and of ticks that were skipped; nil is silence
}

// Engine runs mixes on its shards. Its methods may be called from any goroutine.
type Engine struct {
	rate       int
	complexity int
	noLimiter  bool
	clock      func() time.Duration
	log        *slog.Logger
	shards     []*shard

	// Where codecs come from; tests have others.
	newEncoder func(rate int) (encoder, error)
	newDecoder func(rate int) (codec.Decoder, error)
	newSpeaker func(rate, bitrate int) (codec.Encoder, error)
}

// encoder is what the way up asks of Opus.
type encoder interface {
	codec.Encoder
	SetLoss(percent int) error
	// DTXPayload writes the packet that says "silence from here".
	DTXPayload(dst []byte) int
	// Rest gives back what a silent stream does not need. The next frame begins anew.
	Rest()
}

// newPools returns where the encoders towards the seats come from: one pool a rate, made when it is first asked for.
func newPools(complexity int) func(rate int) (encoder, error) {
	var mu sync.Mutex
	pools := map[int]*opus.Pool{}
	return func(rate int) (encoder, error) {
		mu.Lock()
		defer mu.Unlock()
		if pools[rate] == nil {
			pool, err := opus.NewPool(opus.Config{Rate: rate, Complexity: complexity, FEC: true})
			if err != nil {
				return nil, err
			}
			pools[rate] = pool
		}
		return pools[rate].Stream(), nil
	}
}

// NewEngine returns an Engine that does not run yet. Mixes and phones may be made at once.
func NewEngine(cfg Config) *Engine {
	e := &Engine{rate: cfg.MixRate, complexity: cfg.Complexity, noLimiter: cfg.NoLimiter, clock: cfg.Clock, log: cfg.Log}
	if e.rate == 0 {
		e.rate = 16000
	}
	if e.clock == nil {
		began := time.Now()
		e.clock = func() time.Duration { return time.Since(began) }
	}
	if e.log == nil {
		e.log = slog.New(slog.DiscardHandler)
	}
	e.newEncoder = newPools(e.complexity)
	e.newDecoder = func(rate int) (codec.Decoder, error) { return opus.NewDecoder(rate) }
	e.newSpeaker = func(rate, bitrate int) (codec.Encoder, error) {
		return opus.NewEncoder(opus.Config{Rate: rate, Complexity: e.complexity, Bitrate: bitrate})
	}
	shards := cfg.Shards
	if shards == 0 {
		shards = runtime.GOMAXPROCS(0)
	}
	for i := range shards {
		e.shards = append(e.shards, newShard(e, tickLength*time.Duration(i)/time.Duration(shards)))
	}
	return e
}

// Run runs the shards until ctx is done, waits until each of them has ended, and returns nil. It is
// called once. Mixes that are still open end with ErrStopped.
func (e *Engine) Run(ctx context.Context) error {
	start := e.clock()
	var shards sync.WaitGroup
	for _, s := range e.shards {
		shards.Go(func() { s.run(ctx, start) })
	}
	shards.Wait()
	return nil
}

// MixRate returns the rate of every Sound and mix, in Hz.
func (e *Engine) MixRate() int { return e.rate }

// Stats returns what the shards have done so far.
func (e *Engine) Stats() EngineStats {
	var sum EngineStats
	for _, s := range e.shards {
		s.addStats(&sum)
	}
	return sum
}

// NewMix opens a mix on the shard that has least to do. The name is for the log. It must be closed.
func (e *Engine) NewMix(name string) *Mix {
	m := &Mix{name: name, shard: e.idlest(), done: make(chan struct{}), full: newSide(e.rate), low: newLowSide()}
	m.shard.load.Add(1)
	if !m.shard.post(func(s *shard) { s.mixes = append(s.mixes, m) }) {
		m.end(ErrStopped)
	}
	return m
}

// idlest returns the shard with the fewest mixes, phones and tracks.
func (e *Engine) idlest() *shard {
	best := e.shards[0]
	for _, s := range e.shards[1:] {
		if s.load.Load() < best.load.Load() {
			best = s
		}
	}
	return best
}
