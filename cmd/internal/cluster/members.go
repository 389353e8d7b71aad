package cluster

import (
	"cmp"
	"context"
	"encoding/json"
	"net/netip"
	"slices"
	"strings"
	"time"

	"passerelle/cmd/internal/desk"
)

// Each gateway writes down where it is, every beatInterval; whoever has not for the time of silence is gone.

// member is what a gateway writes of itself, and how long ago it did.
type member struct {
	Instance string              `json:"instance"`
	Places   map[string][]string `json:"places"` // SIP URIs, by network

	ago time.Duration // when this gateway read it
}

func (m member) alive() bool { return m.ago < silence }

// beating answers with the run_id of Redis, the key, what we wrote before, and each gateway with its age (ms) and what it
// wrote. It keeps a gateway's name for a day after it was there last. The key is the first one's to propose.
const beating = prelude + `
local mine = redis.call('HGET', KEYS[1], ARGV[1])
redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f ', now) .. ARGV[2])
redis.call('SET', KEYS[2], ARGV[3], 'NX')
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)') or 'none'
local answer = {run, redis.call('GET', KEYS[2]), mine or ''}
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
	local at = tonumber(string.match(all[i + 1], '^(%d+) ')) or 0
	if now - at > 86400000 then
		redis.call('HDEL', KEYS[1], all[i])
	else
		answer[#answer + 1] = all[i]
		answer[#answer + 1] = now - at
		answer[#answer + 1] = string.match(all[i + 1], '^%d+ (.*)')
	end
end
return answer
`

// beat says that we are there, and learns who else is.
func (c *Cluster) beat(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, longPatience)
	defer cancel()
	record, err := json.Marshal(member{Instance: c.instance, Places: c.places(ctx)})
	if err != nil {
		return err
	}
	c.mu.Lock()
	key := c.key
	c.mu.Unlock()
	answer, err := c.run(ctx, beating, []string{"gateways", "key"}, c.config.Name, record, key)
	all, err := list(answer, err, 6)
	if err != nil {
		return err
	}
	members := make(map[string]member)
	for i := 3; i+2 < len(all); i += 3 {
		var m member
		if json.Unmarshal([]byte(text(all[i+2])), &m) != nil {
			continue // of a version that we do not know
		}
		m.ago = time.Duration(number(all[i+1])) * time.Millisecond
		members[text(all[i])] = m
	}
	var mine member
	_, before, _ := strings.Cut(text(all[2]), " ")
	_ = json.Unmarshal([]byte(before), &mine) // there may be none
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.beats++; c.beats > 2 && mine.Instance != "" && mine.Instance != c.instance && !c.twice {
		c.twice = true
		c.log.Error("another gateway has the same name (state.redis.name): what one writes the other takes for its own", "name", c.config.Name)
	}
	if run := text(all[0]); run != c.redis {
		c.redis, c.told = run, false
	}
	c.key = text(all[1])
	c.meet(members)
	return nil
}

// meet notes who is there. Called with mu held.
func (c *Cluster) meet(members map[string]member) {
	known := make(map[netip.Addr]bool)
	for name, m := range members {
		if name == c.config.Name || !m.alive() {
			continue
		}
		if before, there := c.members[name]; !there || !before.alive() {
			c.log.Info("another gateway is there", "gateway", name)
		}
		for _, places := range m.Places {
			for _, place := range places {
				if a, err := addrOf(place); err == nil {
					known[a.Addr().Unmap()] = true
				}
			}
		}
	}
	for name, m := range c.members {
		if now := members[name]; name != c.config.Name && m.alive() && (now.Instance == "" || !now.alive()) {
			c.log.Info("another gateway is gone", "gateway", name)
		}
	}
	c.members = members
	c.known.Store(&known)
}

// addrOf reads the address of a place, "sip:192.0.2.1:5060;transport=tcp".
func addrOf(place string) (netip.AddrPort, error) {
	host, _, _ := strings.Cut(strings.TrimPrefix(place, "sip:"), ";")
	return netip.ParseAddrPort(host)
}

// Knows reports whether another gateway is at an address. It asks nobody.
func (c *Cluster) Knows(a netip.Addr) bool {
	known := c.known.Load()
	return known != nil && (*known)[a.Unmap()]
}

// gateways lists them by name. Called with mu held.
func (c *Cluster) gateways() []desk.Gateway {
	all := []desk.Gateway{}
	for name, m := range c.members {
		all = append(all, desk.Gateway{Name: name, Alive: m.alive(), Ago: m.ago.Seconds(), Places: m.Places})
	}
	slices.SortFunc(all, func(a, b desk.Gateway) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

// others counts the other gateways that are there.
func (c *Cluster) others() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for name, m := range c.members {
		if name != c.config.Name && m.alive() {
			n++
		}
	}
	return n
}

// leaving takes our name away, as long as it is ours.
const leaving = `
local mine = redis.call('HGET', KEYS[1], ARGV[1])
if mine and string.find(mine, ARGV[2], 1, true) then
	redis.call('HDEL', KEYS[1], ARGV[1])
end
return 1
`

// leave says that we are gone.
func (c *Cluster) leave(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if _, err := c.run(ctx, leaving, []string{"gateways"}, c.config.Name, c.instance); err != nil {
		c.log.Debug("others are not told that this gateway leaves", "error", err)
	}
}
