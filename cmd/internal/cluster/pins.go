package cluster

import (
	"time"

	"passerelle/bridge/guess"
)

// pins count wrong PINs, as guesses count passwords: for each counter a hash, with what each gateway has added to it.
type pins struct {
	*Cluster
	own *guess.Memory // what this gateway has added itself
}

// PINs returns where the gateways count wrong PINs; own is what this one has seen. While Redis is away each counts its own.
func (c *Cluster) PINs(own *guess.Memory) guess.Counters {
	p := pins{c, own}
	c.OnReturn(p.again)
	return p
}

// summing is what scripts know of a counter's hash.
const summing = `
local function sum(key)
	local n = 0
	for _, v in ipairs(redis.call('HVALS', key)) do
		n = n + tonumber(v)
	end
	return n
end
`

// adding: the gateway, what is added, the life (ms).
const adding = summing + `
redis.call('HINCRBY', KEYS[1], ARGV[1], ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return sum(KEYS[1])
`

const reading = summing + `
local answer = {}
for i, key in ipairs(KEYS) do
	answer[i] = sum(key)
end
return answer
`

// addingAgain says what a gateway has added: the gateway, how much, for how long still (ms).
const addingAgain = `
if (tonumber(redis.call('HGET', KEYS[1], ARGV[1])) or 0) < tonumber(ARGV[2]) then
	redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
	if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[3]) then
		redis.call('PEXPIRE', KEYS[1], ARGV[3])
	end
end
return 0
`

func pinKey(name string) string { return "pin:" + name }

// Add implements guess.Counters.
func (p pins) Add(name string, n int, life time.Duration) int {
	own := p.own.Add(name, n, life)
	answer, err := p.access(adding, []string{pinKey(name)}, p.config.Name, n, life.Milliseconds())
	if err != nil {
		return own
	}
	return int(number(answer))
}

// Read implements guess.Counters.
func (p pins) Read(names []string) []int {
	if len(names) == 0 {
		return nil
	}
	keys := make([]string, len(names))
	for i, name := range names {
		keys[i] = pinKey(name)
	}
	answer, err := p.access(reading, keys)
	all, err := list(answer, err, len(names))
	if err != nil {
		return p.own.Read(names)
	}
	counts := make([]int, len(names))
	for i := range counts {
		counts[i] = int(number(all[i]))
	}
	return counts
}

// again says what this gateway has added.
func (p pins) again() {
	away := false
	p.own.Each(func(name string, n int, left time.Duration) {
		if away {
			return
		}
		_, err := p.access(addingAgain, []string{pinKey(name)}, p.config.Name, n, max(1, left.Milliseconds()))
		away = err != nil
	})
}

// Share is this gateway's part of a bound that all have together: all of it, as long as they count together.
func (c *Cluster) Share(bound int) int {
	if c.up.Load() {
		return bound
	}
	return max(1, bound/(c.others()+1))
}
