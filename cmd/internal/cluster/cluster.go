// Package cluster is what several gateways know together, in a Redis: who they are, where phones have registered, who
// guesses passwords, and whose turn it is to register with a trunk. It does not know how any of these is used: sip/registrar,
// sip/digest and sip/trunk say what they need.
//
// Redis is asked briefly and may be away: then everybody goes on with what they know, and tells it when it is back.
package cluster

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	mathrand "math/rand/v2"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/redis/go-redis/v9/maintnotifications"

	"passerelle/cmd/internal/desk"
	"passerelle/cmd/internal/guard"
)

// Config is where Redis is, and who we are.
type Config struct {
	Address        string // host:port
	User, Password string
	Database       int
	TLS            *tls.Config // nil: none
	Prefix         string      // of all keys
	Name           string      // of this gateway, which no other one has; Announce may set it
	Log            *slog.Logger

	// Lease is how long a turn lasts that is not renewed; 6 s.
	Lease time.Duration
}

const (
	// patience is how long one access to Redis may take, and longPatience one that somebody waits for who asks for leave.
	patience     = 300 * time.Millisecond
	longPatience = time.Second
	// beatInterval is how often a gateway says that it is there, and silence how long after the last time it is gone.
	beatInterval = 2 * time.Second
	silence      = 7 * time.Second
	// firstWait and lastWait bound how long is waited before Redis is tried again.
	firstWait = 100 * time.Millisecond
	lastWait  = 3 * time.Second
)

// notAsked is why Redis is away in the beginning.
const notAsked = "not asked yet"

// errAway is that Redis is not asked: it did not answer when it was asked last.
var errAway = errors.New("redis is away")

// Cluster is this gateway among the others. Its methods may be called from any goroutine.
type Cluster struct {
	config   Config
	log      *slog.Logger
	client   *redis.Client
	instance string // of this process

	up      atomic.Bool
	failed  chan struct{} // receives where an access has failed
	known   atomic.Pointer[map[netip.Addr]bool]
	returns []func() // what to tell Redis when it is back; set before Run

	mu      sync.Mutex
	since   time.Time // of up
	why     string    // it is away
	places  func(context.Context) map[string][]string
	redis   string // which one it is
	told    bool   // it knows what we know
	key     string // with which gateways prove to each other who they are
	members map[string]member
	twice   bool // another gateway has our name, and it has been told
	beats   int
	spent   map[string]time.Time // proofs that were taken
	turns   map[string]*turn     // by trunk
	tasks   sync.WaitGroup
}

// New returns a Cluster; nothing is asked before Run.
func New(c Config) *Cluster {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Lease == 0 {
		c.Lease = 6 * time.Second
	}
	logging.Disable() // what fails is ours to tell, once
	return &Cluster{
		config: c, log: c.Log, instance: rand.Text(), places: func(context.Context) map[string][]string { return nil }, key: rand.Text(), since: time.Now(), why: notAsked,
		failed: make(chan struct{}, 1), members: make(map[string]member), spent: make(map[string]time.Time), turns: make(map[string]*turn),
		client: redis.NewClient(&redis.Options{
			Addr: c.Address, Username: c.User, Password: c.Password, DB: c.Database, TLSConfig: c.TLS, Protocol: 2,
			MaxRetries: -1, DialerRetries: 1, DialTimeout: time.Second, ReadTimeout: longPatience, WriteTimeout: longPatience, PoolTimeout: longPatience,
			ContextTimeoutEnabled: true, PoolSize: 16, DisableIdentity: true,
			MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
		}),
	}
}

// Announce sets where the others reach us by SIP, URIs by network, which is asked at every beat; and what they call us, where
// the Config has no name. It is called before Run.
func (c *Cluster) Announce(name string, places func(context.Context) map[string][]string) {
	if c.config.Name == "" {
		c.config.Name = name
	}
	c.places = places
}

// OnReturn has f called, on the goroutine of Run, whenever Redis can be asked again, the first time included. It is called
// before Run.
func (c *Cluster) OnReturn(f func()) { c.returns = append(c.returns, f) }

// Run says that we are there, and looks who else is, until ctx is done; then it leaves.
func (c *Cluster) Run(ctx context.Context) error {
	defer c.client.Close()
	defer c.tasks.Wait()
	wait := firstWait
	for {
		err := c.beat(ctx)
		if ctx.Err() != nil {
			break
		}
		pause := beatInterval
		if err != nil {
			c.fell(err)
			pause, wait = wait/2+time.Duration(mathrand.Int64N(int64(wait/2))), min(2*wait, lastWait)
		} else {
			wait = firstWait
			c.rose(ctx)
		}
		if !c.sleep(ctx, pause, err == nil) {
			break
		}
	}
	if c.up.Load() {
		c.leave(context.WithoutCancel(ctx))
	}
	return nil
}

// Close is for a Cluster that never runs.
func (c *Cluster) Close() { c.client.Close() }

// sleep waits, or until an access has failed; false if ctx is done first.
func (c *Cluster) sleep(ctx context.Context, d time.Duration, listen bool) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	failed := c.failed
	if !listen {
		failed = nil
	}
	select {
	case <-timer.C:
		return true
	case <-failed:
		return true
	case <-ctx.Done():
		return false
	}
}

// ask runs a script, unless Redis is away.
func (c *Cluster) ask(ctx context.Context, script string, keys []string, args ...any) (any, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return c.askLong(ctx, script, keys, args...)
}

// askLong is ask for those who would rather wait than not know: for as long as ctx is, and a second at most.
func (c *Cluster) askLong(ctx context.Context, script string, keys []string, args ...any) (any, error) {
	ctx, cancel := context.WithTimeout(ctx, longPatience)
	defer cancel()
	if !c.up.Load() {
		return nil, errAway
	}
	answer, err := c.run(ctx, script, keys, args...)
	if err != nil && !errors.Is(context.Cause(ctx), context.Canceled) {
		c.fell(err)
	}
	return answer, err
}

// access is ask for those who have no context: it takes no longer than patience.
func (c *Cluster) access(script string, keys []string, args ...any) (any, error) {
	return c.ask(context.Background(), script, keys, args...)
}

// run runs a script.
func (c *Cluster) run(ctx context.Context, script string, keys []string, args ...any) (any, error) {
	for i, k := range keys {
		keys[i] = c.config.Prefix + k
	}
	answer, err := redis.NewScript(script).Run(ctx, c.client, keys, args...).Result()
	if errors.Is(err, redis.Nil) {
		err = nil
	}
	return answer, err
}

// fell notes that Redis does not answer, and says so once.
func (c *Cluster) fell(err error) {
	c.mu.Lock()
	first := c.up.Swap(false) || c.why == notAsked
	if first {
		c.since = time.Now()
	}
	c.why, c.told = err.Error(), false
	c.mu.Unlock()
	if first {
		c.log.Warn("redis is away: each gateway goes on with what it knows", "redis", c.config.Address, "error", err)
	}
	select {
	case c.failed <- struct{}{}:
	default:
	}
}

// rose notes that Redis answers, and tells it what it may not know.
func (c *Cluster) rose(ctx context.Context) {
	c.mu.Lock()
	told := c.told
	c.told = true
	if !c.up.Swap(true) {
		select {
		case <-c.failed:
		default:
		}
		if c.why != notAsked {
			c.log.Info("redis is back", "redis", c.config.Address, "after", time.Since(c.since).Round(time.Millisecond))
		}
		c.since, c.why = time.Now(), ""
	}
	c.mu.Unlock()
	if told {
		return
	}
	c.again(ctx)
	for _, f := range c.returns {
		if err := guard.Root("redis is back", func() error { f(); return nil })(); err != nil {
			c.log.Error("panic", "error", err)
		}
	}
}

// State returns how the gateways are together.
func (c *Cluster) State() desk.Gateways {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := desk.Gateways{
		Name: c.config.Name, Redis: desk.Redis{Up: c.up.Load(), Since: c.since, Why: c.why},
		Gateways: c.gateways(), Turns: make(map[string]string),
	}
	for trunk, t := range c.turns {
		s.Turns[trunk] = t.who()
	}
	return s
}

// prelude begins every script: now is Redis' own clock, in ms.
const prelude = `
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
`

var errAnswer = errors.New("redis answers what was not asked")

// list reads an answer of so many values.
func list(answer any, err error, n int) ([]any, error) {
	if err != nil {
		return nil, err
	}
	all, ok := answer.([]any)
	if !ok || len(all) < n {
		return nil, fmt.Errorf("%w: %T", errAnswer, answer)
	}
	return all, nil
}

// text and number read one value.
func text(v any) string { s, _ := v.(string); return s }

func number(v any) int64 { n, _ := v.(int64); return n }
