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
