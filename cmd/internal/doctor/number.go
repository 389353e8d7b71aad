package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"passerelle/bridge"
	"passerelle/config"
)

// Number says where a number goes, for every trunk that may call, or for one (its name), and from whom.
func (d *Doctor) Number(ctx context.Context, number, from, trunk string) {
	d.asked(ctx)
	live := &d.Of.Live
	s := &sheet{about: "number " + number}
	taken := 0
	for i := range live.Trunks {
		t := &live.Trunks[i]
		if trunk != "" && t.Name != trunk {
			continue
		}
		if d.trace(s, "trunk "+t.Name, t, number, from) {
			taken++
		}
	}
	if len(live.Phones) > 0 && trunk == "" {
		if d.trace(s, "the phones", &config.Trunk{Name: "phones", Network: live.Phones[0].Network}, number, from) {
			taken++
		}
	}
	for i := range live.Phones {
		if p := live.Phones[i]; p.User == number {
			s.ok("it is the user of a phone of ours").do("passerelle doctor %s, where a phone of that name is meant, examines it", number)
		}
	}
	if taken == 0 && len(live.Trunks) > 0 {
		s.bad("nobody who calls it gets anywhere").do("add a route for it: - {from: [%s], to: %q, room: NAME}", live.Trunks[0].Name, number)
	}
	d.tell(s)
}

// trace says where a call from a trunk goes; true if it goes somewhere.
func (d *Doctor) trace(s *sheet, who string, t *config.Trunk, number, from string) bool {
	trace := bridge.Explain(&d.Of.Live, bridge.Ask{
		Trunk: t, Called: number, Caller: from, Transport: transportTo(d.network(t.Network)), At: d.Now(), Header: func(string) []string { return nil },
	})
	var read, route string
	var missed []string
	for _, step := range trace.Steps {
		switch {
		case step.Asked == "called":
			read = step.Why
		case strings.HasPrefix(step.Asked, "route ") && step.Yes:
			route = step.Asked + ": "
		case strings.HasPrefix(step.Asked, "route "):
			missed = append(missed, step.Asked+": "+step.Why)
		}
	}
	if trace.Code == 0 {
		s.ok("from %s: %s; %s%s", who, read, route, trace.End)
		return true
	}
	const most = 4
	if len(missed) > most {
		missed = append(slices.Clone(missed[:most]), fmt.Sprintf("and %d more", len(missed)-most))
	}
	s.warn("from %s: %s; refused with %d, %s", who, read, trace.Code, trace.End).
		do("if it should be taken, change a route (%s)", or(strings.Join(missed, "; "), "there is none"))
	return false
}

// transportTo is what a call of a trunk's comes over most likely.
func transportTo(n *config.Network) string { return n.Listen[0].Transport }
