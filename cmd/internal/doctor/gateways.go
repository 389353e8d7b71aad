package doctor

import (
	"context"
	"net/http"

	"passerelle/cmd/internal/desk"
)

// gateways says how the running gateway is with the others that share its Redis.
func (d *Doctor) gateways(ctx context.Context, s *sheet) {
	var all desk.Gateways
	if err := d.Ask(ctx, http.MethodGet, "/v1/gateways", &all); err != nil {
		s.warn("how they are together is not known: %s", err).do("restart the gateway: state.redis was not there when it began")
		return
	}
	if !all.Redis.Up {
		s.bad("Redis has been away for %s: %s", tidy(d.Now().Sub(all.Redis.Since)), all.Redis.Why).
			do("see that it runs, and that state.redis.url and password are right; until then each gateway goes on with what it knows (docs/several-gateways.md)")
		return
	}
	s.ok("Redis has answered for %s; this gateway is %s", tidy(d.Now().Sub(all.Redis.Since)), all.Name)
	others := 0
	for _, g := range all.Gateways {
		switch {
		case g.Name == all.Name:
		case !g.Alive:
			s.warn("gateway %s is gone: it said that it is there %.0f s ago", g.Name, g.Ago).do("start it, or leave it: it is forgotten after a day")
		case len(g.Places) == 0:
			others++
			s.warn("gateway %s does not say where it is", g.Name).do("give it an address in networks[].listen; until then its phones cannot be called from here")
		default:
			others++
			s.ok("gateway %s is there", g.Name)
		}
	}
	if others == 0 {
		s.warn("no other gateway is there").do("see that the others have the same state.redis.url and prefix")
	}
}
