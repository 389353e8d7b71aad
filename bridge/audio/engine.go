package audio

import (
	"context"
	"log/slog"
	"time"

	"passerelle/codec"
)

// Config says how an Engine works. Its zero value works.
type Config struct {
	MixRate    int                  // of the mixes, in Hz: 8000 or 16000; 0 is 8000
	Shards     int                  // goroutines that mix; 0 is one a core
	Complexity int                  // libopus' complexity, 1 to 10; 0 is 5
	Clock      func() time.Duration // the gateway's monotonic clock, as in codec.Frame.Arrival; nil counts from NewEngine
	Log        *slog.Logger         // hears of a mix that panicked and of ticks that were skipped; nil is silence
}

// Engine runs mixes on its shards. Its methods may be called from any goroutine.
type Engine struct {
	cfg Config
}

// NewEngine returns an Engine that does not run yet. Mixes and phones may be made at once.
func NewEngine(cfg Config) *Engine { return &Engine{cfg: cfg} }

// Run runs the shards until ctx is done, waits until each of them has ended, and returns nil. It is
// called once. Mixes that are still open end with ErrStopped.
func (e *Engine) Run(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

// MixRate returns the rate of every Sound and mix, in Hz.
func (e *Engine) MixRate() int { return e.cfg.MixRate }

// Stats returns what the shards have done so far.
func (e *Engine) Stats() EngineStats { return EngineStats{} }

// NewMix opens a mix on the shard that has least to do. The name is for the log. It must be closed.
func (e *Engine) NewMix(name string) *Mix { return &Mix{} }

// NewPhone makes a phone that is in no mix yet. It must be closed.
func (e *Engine) NewPhone(cfg PhoneConfig) (*Phone, error) { return &Phone{}, nil }

// EngineStats is what the shards have done, at one instant. Counts only grow.
type EngineStats struct {
	Mixes, Phones, Tracks int
	Ticks                 uint64 // of all shards
	Skipped               uint64 // ticks that were due and not rendered
	Panics                uint64 // mixes ended by a panic
	// Late counts ticks by how late they began: under 1, 2, 5, 10, 20, 40 ms, and later than that.
	Late [7]uint64
	// Busy is the time that all ticks took.
	Busy time.Duration
}

var _ codec.Reader = (*Phone)(nil)
