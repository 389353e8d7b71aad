// Package trunk keeps the way to a trunk open: it registers there, and asks whether its servers are alive. It does not
// know how requests travel, nor calls.
package trunk

import (
	"cmp"
	"context"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"time"

	"passerelle/sip"
	"passerelle/sip/digest"
)

// Asker sends requests outside of dialogs; *sip.Server in real life.
type Asker interface {
	Ask(ctx context.Context, a sip.Ask) (sip.Reply, error)
}

// Config is a trunk, as it is reached from here.
type Config struct {
	Name     string
	Servers  []string      // SIP URIs; the first that works is taken
	Health   time.Duration // between two OPTIONS to each server; 0: none is sent
	Register *Registration // nil: none
	Turns    Turns         // whose turn it is to register; nil: always ours
	Log      *slog.Logger  // nil is silence
}

// Registration is whom we register.
type Registration struct {
	User, Domain string // the address of record; Domain empty: the server's host
	Keys         *digest.Keyring
	Expires      time.Duration // what is asked for
}

// Trunk is one trunk. Its methods may be called from any goroutine.
type Trunk struct {
	config Config
	asker  Asker
	turns  Turns
	log    *slog.Logger
	callID string
	cseq   uint32        // of Run's goroutine
	asked  time.Duration // likewise: what a registration is asked for, after the server's own minimum

	mu       sync.Mutex
	servers  []server
	register state
	seen     map[netip.Addr]time.Time // who has answered, and when last
}

// state is whether something works, and why not.
type state struct {
	up     bool
	known  bool // up means something
	since  time.Time
	reason string
	at     string    // where we are registered
	until  time.Time // until when
}

// server is one of the trunk's.
type server struct {
	uri string
	state
}

// New returns a Trunk that does nothing before Run.
func New(c Config, a Asker) *Trunk {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	t := &Trunk{
		config: c, asker: a, turns: c.Turns, log: c.Log.With("trunk", c.Name), callID: newCallID(), seen: map[netip.Addr]time.Time{},
	}
	if c.Turns == nil {
		t.turns = alone{}
	}
	for _, uri := range c.Servers {
		t.servers = append(t.servers, server{uri: uri})
	}
	if c.Register != nil {
		t.asked = c.Register.Expires
	}
	return t
}

// Follow takes over what old has found out, where it is the same servers that are asked. It comes before Run.
func (t *Trunk) Follow(old *Trunk) {
	if !slices.Equal(t.config.Servers, old.config.Servers) {
		return
	}
	old.mu.Lock()
	defer old.mu.Unlock()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.servers, t.seen = slices.Clone(old.servers), maps.Clone(old.seen)
}

// Run keeps the trunk until ctx is done; then it takes the registration back, and returns within patience.
func (t *Trunk) Run(ctx context.Context) error {
	var group sync.WaitGroup
	if t.config.Health > 0 {
		for i := range t.servers {
			group.Go(func() { t.watch(ctx, i) })
		}
	}
	if t.config.Register != nil {
		group.Go(func() { t.takeTurns(ctx) })
	}
	group.Wait()
	return nil
}

// guarded runs one step; a panic in it is told, and the next step is taken all the same.
func (t *Trunk) guarded(step func()) {
	defer func() {
		if r := recover(); r != nil {
			t.log.Error("panic", "in", "trunk", "panic", r)
		}
	}()
	step()
}

// Stats is how a trunk is.
type Stats struct {
	Registered bool      `json:"registered"`
	Server     string    `json:"server,omitempty"` // where
	Until      time.Time `json:"until,omitzero"`   // until when
	Why        string    `json:"why,omitempty"`    // if it is not registered
	// Elsewhere is that another gateway's turn it is to be registered.
	Elsewhere bool     `json:"elsewhere,omitempty"`
	Servers   []Health `json:"servers"`
}

// Health is how one server is.
type Health struct {
	URI   string    `json:"uri"`
	Up    bool      `json:"up"` // as long as nobody has asked, it is
	Since time.Time `json:"since,omitzero"`
	Why   string    `json:"why,omitempty"` // if it is not up
}

// Stats returns how the trunk is.
func (t *Trunk) Stats() Stats {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := Stats{Registered: t.register.up, Why: t.register.reason, Elsewhere: t.register.reason == errTurn.Error()}
	if s.Registered {
		s.Server, s.Until = t.register.at, t.register.until
	}
	for _, v := range t.servers {
		s.Servers = append(s.Servers, Health{v.uri, v.up || !v.known, v.since, v.reason})
	}
	return s
}

// Name returns what the configuration calls the trunk.
func (t *Trunk) Name() string { return t.config.Name }

// memory is how long an address is the trunk's after it has answered.
const memory = 25 * time.Hour

// Is reports whether one of the trunk's servers has answered from this address.
func (t *Trunk) Is(src netip.Addr) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	last, known := t.seen[src.Unmap()]
	return known && time.Since(last) < memory
}

// maxSeen is how many addresses one trunk may have.
const maxSeen = 64

// answered notes who has answered.
func (t *Trunk) answered(src netip.Addr) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	if len(t.seen) >= maxSeen {
		for a, last := range t.seen {
			if now.Sub(last) >= memory {
				delete(t.seen, a)
			}
		}
	}
	if _, known := t.seen[src.Unmap()]; known || len(t.seen) < maxSeen {
		t.seen[src.Unmap()] = now
	}
}

// Ways returns how the trunk is called: its servers in the order of trying, where we are registered first and those that are
// down last; and who answers its challenges, nil if nobody can.
func (t *Trunk) Ways() (servers []string, keys *digest.Keyring) {
	servers = t.order()
	if t.config.Register == nil {
		return servers, nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	here := slices.IndexFunc(t.servers, func(s server) bool { return t.register.up && s.uri == t.register.at && (s.up || !s.known) })
	if here >= 0 {
		uri := t.servers[here].uri
		servers = append([]string{uri}, slices.DeleteFunc(servers, func(s string) bool { return s == uri })...)
	}
	return servers, t.config.Register.Keys
}

// order returns the servers as they are to be tried: those that are down last.
func (t *Trunk) order() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	sorted := slices.Clone(t.servers)
	slices.SortStableFunc(sorted, func(a, b server) int {
		down := func(s server) int {
			if s.known && !s.up {
				return 1
			}
			return 0
		}
		return cmp.Compare(down(a), down(b))
	})
	uris := make([]string, 0, len(sorted))
	for _, s := range sorted {
		uris = append(uris, s.uri)
	}
	return uris
}

// sleep waits for d; false if ctx is done first.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// between returns a random part of d, from low to high, so that many who began together do not go on together.
func between(d time.Duration, low, high float64) time.Duration {
	return time.Duration(float64(d) * (low + rand.Float64()*(high-low)))
}
