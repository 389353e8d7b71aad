package bridge

import (
	"passerelle/bridge/outgoing"
	"passerelle/config"
)

// OutgoingRules is what a configuration lets be called out.
func OutgoingRules(live *config.Live) outgoing.Rules {
	o := live.Outgoing
	if o == nil {
		return outgoing.Rules{}
	}
	r := outgoing.Rules{
		Regions: o.Regions, Prefixes: o.Prefixes, Limits: outgoing.Limits(o.Limits), Zone: o.Zone,
		Trunks: make(map[string]outgoing.Limits, len(live.Trunks)),
	}
	if o.Moderators {
		r.Who = append(r.Who, outgoing.Moderator)
	}
	if o.API {
		r.Who = append(r.Who, outgoing.API)
	}
	for _, kind := range o.Kinds {
		r.Kinds = append(r.Kinds, outgoing.Kind(kind))
	}
	for _, t := range live.Trunks {
		r.Trunks[t.Name] = outgoing.Limits(t.CallsOut)
	}
	return r
}

// MayCall says what a number is to those who pay for calls over a trunk, how the trunk is told it, and whether it may be
// called out, whoever of those that outgoing.who names asks for it; the error names the setting that says no.
func MayCall(live *config.Live, trunk *config.Trunk, number string) (to outgoing.Destination, dialled string, err error) {
	to = outgoing.Read(planOf(live, trunk), number)
	rules := OutgoingRules(live)
	who := outgoing.Moderator
	if len(rules.Who) > 0 {
		who = rules.Who[0]
	}
	return to, asDialled(to), rules.Allows(outgoing.Call{By: who, Trunk: trunk.Name, To: to})
}
