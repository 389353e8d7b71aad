package cluster

import (
	"cmp"
	"encoding/json"
	"fmt"

	"passerelle/sip/registrar"
)

// bindings are those of all gateways: a hash for each phone, with a field for each binding, "UPDATED EXPIRES JSON", of which
// UPDATED (ns, 19 digits, compared as text) says which of two is the later.
type bindings struct{ *Cluster }

// Bindings returns where the gateways note where phones are.
func (c *Cluster) Bindings() registrar.Store { return bindings{c} }

const loading = `return redis.call('HVALS', KEYS[1])`

// saving keeps the later of two, and what has not expired. Arguments are a name, UPDATED, EXPIRES (ms) and JSON each.
const saving = prelude + `
for i = 1, #ARGV, 4 do
	local was = redis.call('HGET', KEYS[1], ARGV[i])
	if not was or string.sub(was, 1, 19) <= ARGV[i + 1] then
		redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1] .. ' ' .. ARGV[i + 2] .. ' ' .. ARGV[i + 3])
	end
end
local last = 0
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
	local expires = tonumber(string.match(all[i + 1], '^%d+ (%d+)')) or 0
	if expires <= now then
		redis.call('HDEL', KEYS[1], all[i])
	end
	last = math.max(last, expires)
end
if last > now then
	redis.call('PEXPIRE', KEYS[1], string.format('%.0f', last - now))
end
return 1
`

// Load implements registrar.Store.
func (b bindings) Load(phone string) ([]registrar.Binding, error) {
	answer, err := b.access(loading, []string{"phone:" + phone})
	values, err := list(answer, err, 0)
	if err != nil {
		return nil, err
	}
	var all []registrar.Binding
	for _, v := range values {
		var updated, expires int64
		var one registrar.Binding
		if n, err := fmt.Sscan(text(v), &updated, &expires); n != 2 || err != nil {
			continue
		}
		if json.Unmarshal([]byte(text(v)[len(fmt.Sprint(updated, " ", expires, " ")):]), &one) != nil {
			continue // of a version that we do not know
		}
		if one.Gateway == b.config.Name {
			one.Gateway = ""
		}
		all = append(all, one)
	}
	return all, nil
}

// Save implements registrar.Store.
func (b bindings) Save(phone string, changed []registrar.Binding) error {
	var args []any
	for _, one := range changed {
		one.Gateway = cmp.Or(one.Gateway, b.config.Name)
		record, err := json.Marshal(one)
		if err != nil {
			return err
		}
		args = append(args, one.Key(), fmt.Sprintf("%019d", one.Updated.UnixNano()), one.Expires.UnixMilli(), record)
	}
	_, err := b.access(saving, []string{"phone:" + phone}, args...)
	return err
}
