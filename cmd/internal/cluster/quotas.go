package cluster

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"passerelle/bridge/outgoing"
)

// quotas count calls out of all gateways: places are a sorted set of their holders, by when they lapse, and minutes a hash
// for each day, with a field for what each gateway has used, so that one can say it again without its being counted twice.
//
// Each gateway counts its own as well. While Redis is away they are held against its own share of each bound: that, divided
// by how many gateways there were.
type quotas struct {
	*Cluster
	own *outgoing.Local

	mu   sync.Mutex
	held map[string]outgoing.Claim // by holder
}

// Quotas returns where the gateways count calls out; own is what this one has used itself.
func (c *Cluster) Quotas(own *outgoing.Local) outgoing.Store {
	q := &quotas{Cluster: c, own: own, held: make(map[string]outgoing.Claim)}
	c.OnReturn(q.again)
	return q
}

// claiming takes places and minutes, or nothing; it answers with the number of the key whose bound is in the way, or 0.
// Keys: places, then minutes. Arguments: how many keys are places, the gateway, the holder, for how long (ms), minutes, the
// lives of minutes (ms), and each key's bound.
const claiming = prelude + `
local places, minutes = tonumber(ARGV[1]), tonumber(ARGV[5])
for i, key in ipairs(KEYS) do
	local most = tonumber(ARGV[6 + i])
	if i <= places then
		redis.call('ZREMRANGEBYSCORE', key, '-inf', string.format('%.0f', now))
		if most > 0 and redis.call('ZCARD', key) >= most and not redis.call('ZSCORE', key, ARGV[3]) then
			return i
		end
	else
		local used = 0
		for _, n in ipairs(redis.call('HVALS', key)) do
			used = used + tonumber(n)
		end
		if most > 0 and used + minutes > most then
			return i
		end
	end
end
for i, key in ipairs(KEYS) do
	if i <= places then
		redis.call('ZADD', key, string.format('%.0f', now + tonumber(ARGV[4])), ARGV[3])
		redis.call('PEXPIRE', key, ARGV[6])
	else
		redis.call('HINCRBY', key, ARGV[2], minutes)
		redis.call('PEXPIRE', key, ARGV[6])
	end
end
return 0
`

// returning gives them back. Arguments as of claiming.
const returning = `
for i, key in ipairs(KEYS) do
	if i <= tonumber(ARGV[1]) then
		redis.call('ZREM', key, ARGV[3])
	elseif redis.call('HINCRBY', key, ARGV[2], -tonumber(ARGV[5])) < 0 then
		redis.call('HSET', key, ARGV[2], 0)
	end
end
return 0
`

// using says what a gateway has used of a day. Arguments: the gateway, minutes, their life (ms).
const using = `
if (tonumber(redis.call('HGET', KEYS[1], ARGV[1])) or 0) < tonumber(ARGV[2]) then
	redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
	redis.call('PEXPIRE', KEYS[1], ARGV[3])
end
return 0
`

// daysKept is how long minutes are remembered.
const daysKept = 3 * 24 * time.Hour

// keysOf are a claim's keys, places first, and what scripts want to know of it.
func (q *quotas) keysOf(c outgoing.Claim) (keys []string, args []any) {
	args = []any{len(c.Places), q.config.Name, c.Holder, max(1, time.Until(c.Until).Milliseconds()), c.Minutes, daysKept.Milliseconds()}
	for _, s := range c.Places {
		keys, args = append(keys, "places:"+s.Name), append(args, s.Most)
	}
	for _, s := range c.Used {
		keys, args = append(keys, minutesKey(c.Day, s.Name)), append(args, s.Most)
	}
	return keys, args
}

func minutesKey(day, share string) string { return "minutes:" + day + ":" + share }

// Take implements outgoing.Store. What the gateway itself holds is counted first, so that its own calls alone never are
// too many, whatever becomes of Redis in between; where that does not answer the call may not be made.
func (q *quotas) Take(ctx context.Context, c outgoing.Claim) (full string, err error) {
	if !q.up.Load() {
		return q.takeOwn(ctx, q.shareOf(c))
	}
	held := q.holds(c.Holder)
	if full, err = q.takeOwn(ctx, c); full != "" || err != nil {
		return full, err
	}
	keys, args := q.keysOf(c)
	answer, err := q.askLong(ctx, claiming, keys, args...)
	i := int(number(answer))
	if err == nil && i == 0 {
		return "", nil
	}
	if undone := q.undo(ctx, c, held); undone != nil || err != nil {
		return "", errors.Join(err, undone)
	}
	return nameOfShare(c, i), nil
}

// undo gives back what takeOwn took; a place that was held before is held on.
func (q *quotas) undo(ctx context.Context, c outgoing.Claim, held bool) error {
	if held {
		c.Places = nil
	} else {
		q.mu.Lock()
		delete(q.held, c.Holder)
		q.mu.Unlock()
	}
	return q.own.Give(ctx, c)
}

// nameOfShare is the share of a claim's i-th key, from 1 on.
func nameOfShare(c outgoing.Claim, i int) string {
	if i <= len(c.Places) {
		return c.Places[i-1].Name
	}
	return c.Used[min(i-len(c.Places), len(c.Used))-1].Name
}

// takeOwn takes it from what this gateway counts itself.
func (q *quotas) takeOwn(ctx context.Context, c outgoing.Claim) (full string, err error) {
	full, err = q.own.Take(ctx, c)
	if full == "" && err == nil {
		q.mu.Lock()
		q.held[c.Holder] = c
		q.mu.Unlock()
	}
	return full, err
}

// shareOf is the claim against this gateway's own share of each bound.
func (q *quotas) shareOf(c outgoing.Claim) outgoing.Claim {
	n := q.others() + 1
	return bounded(c, func(most int) int {
		if most == 0 {
			return 0
		}
		return max(1, most/n)
	})
}

// bounded is the claim with other bounds.
func bounded(c outgoing.Claim, bound func(most int) int) outgoing.Claim {
	change := func(shares []outgoing.Share) (changed []outgoing.Share) {
		for _, s := range shares {
			changed = append(changed, outgoing.Share{Name: s.Name, Most: bound(s.Most)})
		}
		return changed
	}
	c.Places, c.Used = change(c.Places), change(c.Used)
	return c
}

func (q *quotas) holds(holder string) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	_, held := q.held[holder]
	return held
}

// Give implements outgoing.Store.
func (q *quotas) Give(ctx context.Context, c outgoing.Claim) error {
	q.mu.Lock()
	delete(q.held, c.Holder)
	q.mu.Unlock()
	err := q.own.Give(ctx, c)
	keys, args := q.keysOf(c)
	if _, shared := q.ask(ctx, returning, keys, args...); shared != nil {
		q.log.Debug("a place is held until it lapses", "error", shared)
	}
	return err
}

// again says what this gateway holds, whatever the bounds are, and what it has used.
func (q *quotas) again() {
	q.mu.Lock()
	held := maps.Clone(q.held)
	q.mu.Unlock()
	for _, c := range held {
		c.Minutes, c.Used = 0, nil
		keys, args := q.keysOf(bounded(c, func(int) int { return 0 }))
		if _, err := q.access(claiming, keys, args...); err != nil {
			return // it is away again
		}
	}
	for day, used := range q.own.Minutes() {
		for share, n := range used {
			if _, err := q.access(using, []string{minutesKey(day, share)}, q.config.Name, fmt.Sprint(n), daysKept.Milliseconds()); err != nil {
				return
			}
		}
	}
}
