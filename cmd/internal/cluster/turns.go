package cluster

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"passerelle/cmd/internal/guard"
	"passerelle/sip/trunk"
)

// A turn is a lease: a key that lapses unless its holder renews it. The holder counts from before it asked, so that it
// stops believing before Redis does, also where it has slept in between. A Redis that has just begun may have forgotten a
// lease: for one lease's time it gives none, but to whom has one still.
//
// Whoever had the turn when Redis went away keeps its registration, since nobody else can have it now, and the trunk would
// lose us: it is the caretaker, until Redis says who is next.

// turn is the turn of one trunk, as this gateway sees it.
type turn struct {
	*Cluster
	trunk string
	lease lease

	asking sync.Mutex // held while the turn is asked for
	passed bool       // it is asked for no more; under asking

	mu      sync.Mutex
	until   time.Time          // the turn is surely ours
	lost    context.CancelFunc // of the turn; nil while it is not ours
	contact string             // that we have registered; "" is none
	holder  string             // who has it, as far as is known
}

// Turns returns the turns of a trunk. A later one of the same trunk takes the place of the one before.
func (c *Cluster) Turns(name string) trunk.Turns {
	t := &turn{Cluster: c, trunk: name}
	t.lease = inRedis{t}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.turns[name] = t
	return t
}

// again notes our contacts in a Redis that may not know them.
func (c *Cluster) again(ctx context.Context) {
	c.mu.Lock()
	turns := slices.Collect(maps.Values(c.turns))
	c.mu.Unlock()
	for _, t := range turns {
		t.mu.Lock()
		contact := t.contact
		t.mu.Unlock()
		if contact == "" {
			continue
		}
		if _, err := t.ask(ctx, noting, []string{"contacts:" + t.trunk}, t.config.Name, contact, ""); err != nil {
			return // it is away again
		}
	}
}

var errLost = errors.New("it is another gateway's turn")

// The answers of taking.
const (
	turnTheirs = iota // another gateway has it
	turnOurs
	turnUnknown // nobody does in this Redis, which is new: somebody may have had it in the one before
)

// taking takes the turn, or keeps it. Redis is known by the run_id that it has since it began. Arguments: the holder, the
// lease (ms), and 1 where it is surely ours.
const taking = prelude + `
local holder = redis.call('GET', KEYS[1])
if holder == ARGV[1] then
	redis.call('PEXPIRE', KEYS[1], ARGV[2])
	return {1, holder}
elseif holder then
	return {0, holder}
end
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)') or 'none'
if redis.call('HGET', KEYS[2], 'run') ~= run then
	redis.call('HSET', KEYS[2], 'run', run, 'since', string.format('%.0f', now))
end
if ARGV[3] ~= '1' and now - tonumber(redis.call('HGET', KEYS[2], 'since')) <= tonumber(ARGV[2]) then
	return {2, ''}
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return {1, ARGV[1]}
`

// releasing gives the turn away.
const releasing = `
if redis.call('GET', KEYS[1]) == ARGV[1] then
	return redis.call('DEL', KEYS[1])
end
return 0
`

// noting notes a gateway's contact, and who has registered last; it answers with those of the others.
const noting = `
redis.call('HSET', KEYS[1], 'c' .. ARGV[1], ARGV[2])
if ARGV[3] ~= '' then
	redis.call('HSET', KEYS[1], 'last', ARGV[3])
end
redis.call('EXPIRE', KEYS[1], 172800)
local answer = {}
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
	if all[i] ~= 'last' and all[i] ~= 'c' .. ARGV[1] then
		answer[#answer + 1] = all[i + 1]
	end
end
return answer
`

// lastOne says who has registered last.
const lastOne = `return redis.call('HGET', KEYS[1], 'last') or ''`

// me is this process as a holder.
func (t *turn) me() string { return t.config.Name + " " + t.instance }

// take asks for the turn, or renews it.
func (t *turn) take(ctx context.Context) (int64, error) {
	t.asking.Lock()
	defer t.asking.Unlock()
	if t.passed {
		return turnTheirs, nil
	}
	asked := time.Now()
	t.mu.Lock()
	surely := asked.Before(t.until)
	t.mu.Unlock()
	whose, holder, err := t.lease.take(ctx, t.me(), surely)
	if err != nil {
		return turnUnknown, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.holder = nameOf(holder)
	switch whose {
	case turnOurs:
		t.until = asked.Add(t.config.Lease)
	case turnTheirs:
		t.until = time.Time{}
	}
	return whose, nil
}

// lease is who holds a turn.
type lease interface {
	// take takes it for me, or keeps it; surely says that it is mine. It answers whose it is then.
	take(ctx context.Context, me string, surely bool) (whose int64, holder string, err error)
}

type inRedis struct{ *turn }

func (t inRedis) take(ctx context.Context, me string, surely bool) (whose int64, holder string, err error) {
	mine := 0
	if surely {
		mine = 1
	}
	answer, err := t.ask(ctx, taking, []string{"turn:" + t.trunk, "epoch"}, me, t.config.Lease.Milliseconds(), mine)
	all, err := list(answer, err, 2)
	if err != nil {
		return turnUnknown, "", err
	}
	return number(all[0]), text(all[1]), nil
}

// nameOf is the name of a holder; the instance has no space in it.
func nameOf(holder string) string {
	return holder[:max(0, len(holder)-27)]
}

// Await implements trunk.Turns.
func (t *turn) Await(ctx context.Context) (context.Context, error) {
	for {
		whose, err := t.take(ctx)
		if err == nil && whose == turnOurs {
			return t.begin(ctx), nil
		}
		if !t.pause(ctx, t.config.Lease/6) {
			return nil, context.Cause(ctx)
		}
	}
}

// begin begins our turn.
func (t *turn) begin(ctx context.Context) context.Context {
	ours, lost := context.WithCancel(ctx)
	t.mu.Lock()
	t.lost = lost
	t.mu.Unlock()
	t.log.Info("it is this gateway's turn to register", "trunk", t.trunk)
	t.tasks.Go(func() {
		if err := guard.Root("turn", func() error { t.keep(ours); return nil })(); err != nil {
			t.log.Error("panic", "error", err)
			t.lose()
		}
	})
	return ours
}

// keep renews the turn until it ends.
func (t *turn) keep(ctx context.Context) {
	for t.pause(ctx, t.config.Lease/3) {
		if whose, err := t.take(ctx); err == nil && whose == turnTheirs {
			t.lose()
		}
	}
}

// lose ends our turn.
func (t *turn) lose() {
	t.mu.Lock()
	lost := t.lost
	t.lost, t.until = nil, time.Time{}
	t.mu.Unlock()
	if lost != nil {
		lost()
	}
}

// pause waits; false if ctx is done first.
func (t *turn) pause(ctx context.Context, d time.Duration) bool { return t.sleep(ctx, d, false) }

// Still implements trunk.Turns.
func (t *turn) Still(ctx context.Context) error {
	if t.Holds() {
		return nil
	}
	if whose, err := t.take(ctx); err == nil && whose == turnTheirs {
		t.lose()
		return errLost
	}
	return nil
}

// Holds reports whether the turn is surely ours now.
func (t *turn) Holds() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return time.Now().Before(t.until)
}

// Registered implements trunk.Turns.
func (t *turn) Registered(ctx context.Context, contact string) (others []string) {
	t.mu.Lock()
	t.contact = contact
	t.mu.Unlock()
	answer, err := t.ask(ctx, noting, []string{"contacts:" + t.trunk}, t.config.Name, contact, t.me())
	all, err := list(answer, err, 0)
	if err != nil {
		return nil
	}
	for _, v := range all {
		others = append(others, text(v))
	}
	return others
}

// passTime is how long whoever passes its turn waits for the next to register, and passTick how often it looks.
const (
	passTime = 5 * time.Second
	passTick = 200 * time.Millisecond
)

// Pass implements trunk.Turns.
func (t *turn) Pass(ctx context.Context) bool {
	t.mu.Lock()
	mine := t.lost != nil
	t.mu.Unlock()
	t.lose()
	t.asking.Lock()
	t.passed = true
	t.asking.Unlock()
	t.retire()
	if !mine {
		return true
	}
	if _, err := t.ask(ctx, releasing, []string{"turn:" + t.trunk}, t.me()); err != nil || t.others() == 0 {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, passTime)
	defer cancel()
	for t.pause(ctx, passTick) {
		last, err := t.ask(ctx, lastOne, []string{"contacts:" + t.trunk})
		if err == nil && text(last) != "" && text(last) != t.me() {
			t.log.Info("another gateway has registered", "trunk", t.trunk, "gateway", nameOf(text(last)))
			return true
		}
	}
	return false
}

// retire takes the turn from those that are told of, unless there is a later one of its trunk.
func (t *turn) retire() {
	c := t.Cluster
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.turns[t.trunk] == t {
		delete(c.turns, t.trunk)
	}
}

// who is who has the turn, as far as is known.
func (t *turn) who() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.lost != nil && !time.Now().Before(t.until):
		return fmt.Sprintf("%s (as long as redis is away)", t.config.Name)
	default:
		return t.holder
	}
}
