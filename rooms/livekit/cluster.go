package livekit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"passerelle/rooms"
)

// Cluster is a LiveKit cluster, or a single server, with this gateway's phones in its rooms. It is a
// [rooms.Backend].
type Cluster struct {
	cfg    Config
	log    *slog.Logger
	prefix string // of the identities of this gateway, which nobody else has
	media  *media

	last atomic.Uint64 // number in the latest identity
	// plain is set once the cluster has turned out to know only the older signalling, /rtc.
	plain atomic.Bool

	count counts

	mu     sync.Mutex
	closed bool
	links  sync.WaitGroup
	all    map[*link]struct{}
}

// counts only grow, seats and listeners excepted.
type counts struct {
	seats, listeners          atomic.Int64
	resumed, rejoined, failed atomic.Uint64
}

// Stats is what a cluster's links are doing, and have done. Counts only grow.
type Stats struct {
	Seats     int64  `json:"seats"`     // now
	Listeners int64  `json:"listeners"` // now: rooms with a phone of ours
	Resumed   uint64 `json:"resumed"`   // links that came back to the same session
	Rejoined  uint64 `json:"rejoined"`  // links that came back in a new one
	Failed    uint64 `json:"failed"`    // links that were given up
}

// ListenError says that no port for media can be had.
type ListenError struct {
	Addr netip.AddrPort
	Err  error
}

func (e *ListenError) Error() string { return fmt.Sprintf("listen at %s: %v", e.Addr, e.Err) }
func (e *ListenError) Unwrap() error { return e.Err }

// errShutdown ends the links of a cluster that closes.
var errShutdown = errors.New("the gateway leaves the cluster")

var _ rooms.Backend = (*Cluster)(nil)

// New makes sure that there is a port for media. It talks to nobody yet. The Cluster must be closed.
func New(cfg Config) (*Cluster, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Clock == nil {
		begin := time.Now()
		cfg.Clock = func() time.Duration { return time.Since(begin) }
	}
	c := &Cluster{cfg: cfg, log: cfg.Log, prefix: fmt.Sprintf("%s%08x_", telephones, rand.Uint32()), all: make(map[*link]struct{})}
	var err error
	if c.media, err = newMedia(cfg); err != nil {
		return nil, err
	}
	return c, nil
}

// Run waits until ctx is done, and closes the cluster. It returns nil.
func (c *Cluster) Run(ctx context.Context) error {
	<-ctx.Done()
	return c.Close()
}

// Close leaves all rooms, and waits until nothing of them runs. It may be called more than once.
func (c *Cluster) Close() error {
	c.mu.Lock()
	c.closed = true
	for l := range c.all {
		l.end(errShutdown)
	}
	c.mu.Unlock()
	c.links.Wait()
	return nil
}

// Stats counts.
func (c *Cluster) Stats() Stats {
	return Stats{
		Seats: c.count.seats.Load(), Listeners: c.count.listeners.Load(),
		Resumed: c.count.resumed.Load(), Rejoined: c.count.rejoined.Load(), Failed: c.count.failed.Load(),
	}
}

// identity returns a new identity of this gateway's.
func (c *Cluster) identity() string { return fmt.Sprintf("%s%d", c.prefix, c.last.Add(1)) }

// add takes a link into the house; false if the house is closed.
func (c *Cluster) add(l *link) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false
	}
	c.all[l] = struct{}{}
	c.links.Add(1)
	return true
}

func (c *Cluster) remove(l *link) {
	c.mu.Lock()
	delete(c.all, l)
	c.mu.Unlock()
	c.links.Done()
}

// recovered ends one link that panicked, and not the gateway.
func (c *Cluster) recovered(what string, end func(error)) {
	if p := recover(); p != nil {
		c.log.Error("panic", "in", what, "panic", p, "stack", string(debug.Stack()))
		end(fmt.Errorf("%s: panic: %v", what, p))
	}
}
