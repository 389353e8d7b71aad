package bridge

import (
	"passerelle/bridge/numbers"
	"passerelle/bridge/outgoing"
	"passerelle/config"
)

// directory is the routes of a configuration, with the numbers in them read under the plan of every trunk once, and not
// for every call. It does not change.
type directory struct {
	live    *config.Live
	rules   outgoing.Rules
	numbers map[planned]numbers.Number
}

// planned is a number of the configuration at a trunk.
type planned struct {
	plan numbers.Plan
	text string
}

// newDirectory reads the numbers of a configuration.
func newDirectory(live *config.Live) *directory {
	d := &directory{live: live, rules: OutgoingRules(live), numbers: make(map[planned]numbers.Number)}
	for i := range live.Trunks {
		plan := planOf(live, &live.Trunks[i])
		for _, r := range live.Routes {
			for _, text := range append([]string{r.To}, r.Callers...) {
				d.numbers[planned{plan, text}] = plan.Read(text)
			}
		}
	}
	return d
}

// read reads a number as it is dialled at a trunk.
func (d *directory) read(trunk *config.Trunk, text string) numbers.Number {
	plan := planOf(d.live, trunk)
	if n, ok := d.numbers[planned{plan, text}]; ok {
		return n
	}
	return plan.Read(text)
}

// planOf is the numbering plan of a trunk.
func planOf(live *config.Live, trunk *config.Trunk) numbers.Plan {
	return numbers.Plan{
		Region: trunk.Numbers.Plan, Emergency: live.Emergency, Outside: trunk.Numbers.Outside,
		Extensions: trunk.Numbers.Extensions.Digits, E164: trunk.Numbers.Extensions.E164,
	}
}

// directory returns that of what is in force.
func (g *Gateway) directory() *directory {
	live := g.Live()
	if d := g.routes.Load(); d != nil && d.live == live {
		return d
	}
	d := newDirectory(live)
	g.routes.Store(d)
	return d
}

// Explain says where a call would go, and why, with whole numbers.
func Explain(live *config.Live, ask Ask) Trace {
	to, _ := newDirectory(live).decide(ask, func(s string) string { return s }) // why it is refused is in the trace
	return to.trace
}
