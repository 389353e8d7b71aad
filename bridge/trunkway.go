package bridge

import (
	"cmp"
	"context"
	"strings"

	"passerelle/bridge/numbers"
	"passerelle/bridge/outgoing"
	"passerelle/config"
	"passerelle/sip"
)

// over are the ways to a number over a trunk, for a call from somebody: its servers, in the order of trying. who asks for
// the call is who asks the ledger for each.
func (g *Gateway) over(live *config.Live, trunk *config.Trunk, dialled string, who outgoing.Who, from presented) (ways []target) {
	to := outgoing.Read(planOf(live, trunk), dialled)
	user := asDialled(to)
	var dial sip.Dial
	from.on(&dial)
	servers := trunk.Servers
	if g.Servers != nil {
		servers, dial.Keys = g.Servers(trunk.Name)
	}
	permit := g.permit(live, outgoing.Call{By: who, Trunk: trunk.Name, To: to})
	for _, server := range servers {
		dial.To = withUser(server, user)
		ways = append(ways, target{trunk: trunk, dial: dial, permit: permit})
	}
	return ways
}

// asDialled is a number as a trunk is told it: what was judged, and nothing that stood between its digits or behind them.
func asDialled(to outgoing.Destination) string {
	if to.Number.Kind == numbers.World {
		return to.Number.E164
	}
	return cmp.Or(to.Number.Bare, to.Number.Dialled)
}

// permit asks the ledger for the leave to make a call.
func (g *Gateway) permit(live *config.Live, call outgoing.Call) func(context.Context) (*outgoing.Permit, error) {
	rules := OutgoingRules(live)
	return func(ctx context.Context) (*outgoing.Permit, error) {
		if g.Ledger == nil {
			return nil, &outgoing.Refusal{Reason: outgoing.Denied, Why: "nothing may be called out", Key: "outgoing"}
		}
		return g.Ledger.Begin(ctx, rules, call)
	}
}

// withUser is the URI of somebody at a server.
func withUser(server, user string) string {
	scheme, rest, _ := strings.Cut(server, ":")
	if _, host, ok := strings.Cut(rest, "@"); ok {
		rest = host
	}
	return scheme + ":" + sip.EscapeUser(user) + "@" + rest
}

// trunkNamed returns the trunk of that name, nil if there is none.
func trunkNamed(live *config.Live, name string) *config.Trunk {
	for i := range live.Trunks {
		if live.Trunks[i].Name == name {
			return &live.Trunks[i]
		}
	}
	return nil
}
