package cluster

import (
	"crypto/sha256"
	"encoding/base64"
	"time"

	"passerelle/sip/digest"
)

// guesses count wrong passwords, for each suspect a hash: how many each gateway has seen, so that one can say it again
// after Redis was away without counting it twice; and when the last one was. A suspect is named by its hash: who it is is
// nobody's business there.
type guesses struct {
	*Cluster
	own *digest.Memory // what this gateway has seen itself
}

// Guesses returns where the gateways count wrong passwords. While Redis is away each counts its own.
func (c *Cluster) Guesses() digest.Ledger {
	g := guesses{c, new(digest.Memory)}
	c.OnReturn(g.again)
	return g
}

const looking = prelude + `
local answer = {}
for i, key in ipairs(KEYS) do
	local wrong, last = 0, now
	local all = redis.call('HGETALL', key)
	for j = 1, #all, 2 do
		if all[j] == 'last' then
			last = tonumber(all[j + 1])
		else
			wrong = wrong + tonumber(all[j + 1])
		end
	end
	answer[#answer + 1] = wrong
	answer[#answer + 1] = math.max(0, now - last)
end
return answer
`

// counting: the gateway's field begins with a letter that keeps it from being last.
const counting = prelude + `
for i, key in ipairs(KEYS) do
	redis.call('HINCRBY', key, 'n' .. ARGV[1], 1)
	redis.call('HSET', key, 'last', string.format('%.0f', now))
	redis.call('PEXPIRE', key, ARGV[2])
end
return 1
`

// recounting says what a gateway has seen, so long ago.
const recounting = prelude + `
local field = 'n' .. ARGV[1]
if (tonumber(redis.call('HGET', KEYS[1], field)) or 0) < tonumber(ARGV[3]) then
	redis.call('HSET', KEYS[1], field, ARGV[3])
	local last = now - tonumber(ARGV[4])
	if (tonumber(redis.call('HGET', KEYS[1], 'last')) or 0) < last then
		redis.call('HSET', KEYS[1], 'last', string.format('%.0f', last))
		redis.call('PEXPIRE', KEYS[1], string.format('%.0f', tonumber(ARGV[2]) - tonumber(ARGV[4])))
	end
end
return 1
`

const forgetting = `return redis.call('DEL', KEYS[1])`

// suspectKey names a suspect.
func suspectKey(suspect string) string {
	sum := sha256.Sum256([]byte(suspect))
	return "wrong:" + base64.RawURLEncoding.EncodeToString(sum[:16])
}

func suspectKeys(suspects []string) []string {
	var keys []string
	for _, s := range suspects {
		keys = append(keys, suspectKey(s))
	}
	return keys
}

// Look implements digest.Ledger.
func (g guesses) Look(suspects []string) []digest.Tally {
	answer, err := g.access(looking, suspectKeys(suspects))
	all, err := list(answer, err, 2*len(suspects))
	if err != nil {
		return g.own.Look(suspects)
	}
	tallies := make([]digest.Tally, len(suspects))
	for i := range tallies {
		tallies[i] = digest.Tally{Wrong: int(number(all[2*i])), Ago: time.Duration(number(all[2*i+1])) * time.Millisecond}
	}
	return tallies
}

// Wrong implements digest.Ledger.
func (g guesses) Wrong(suspects []string) {
	g.own.Wrong(suspects)
	g.tell(counting, suspectKeys(suspects), digest.GuessMemory.Milliseconds())
}

// Forget implements digest.Ledger.
func (g guesses) Forget(suspect string) {
	g.own.Forget(suspect)
	g.tell(forgetting, []string{suspectKey(suspect)})
}

// All implements digest.Ledger: what this gateway has seen itself.
func (g guesses) All() map[string]digest.Tally { return g.own.All() }

// tell says something that again says, where it was not heard.
func (g guesses) tell(script string, keys []string, args ...any) {
	if _, err := g.access(script, keys, append([]any{g.config.Name}, args...)...); err != nil {
		g.log.Debug("other gateways are not told of a wrong password", "error", err)
	}
}

// again says what this gateway has seen.
func (g guesses) again() {
	for suspect, t := range g.own.All() {
		_, err := g.access(recounting, []string{suspectKey(suspect)},
			g.config.Name, digest.GuessMemory.Milliseconds(), t.Wrong, t.Ago.Milliseconds())
		if err != nil {
			return // it is away again
		}
	}
}
