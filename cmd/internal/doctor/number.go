package doctor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"passerelle/bridge"
	"passerelle/bridge/numbers"
	"passerelle/bridge/outgoing"
	"passerelle/config"
)

// Number says where a number goes, for every trunk that may call, or for one (its name), and from whom; and whether it may
// be called out.
func (d *Doctor) Number(ctx context.Context, number, from, trunk string) {
	d.asked(ctx)
	live := &d.Of.Live
	s := &sheet{about: "number " + number}
	somewhere, help := false, false
	for i := range live.Trunks {
		if t := &live.Trunks[i]; trunk == "" || t.Name == trunk {
			to, _, _ := bridge.MayCall(live, t, number)
			help = help || to.Number.Kind == numbers.Emergency
			somewhere = d.trace(s, "trunk "+t.Name, t, number, from) || somewhere
		}
	}
	if len(live.Phones) > 0 && trunk == "" {
		taken := d.trace(s, "the phones", &config.Trunk{Name: "phones", Network: live.Phones[0].Network}, number, from)
		if somewhere = somewhere || taken; help && !taken {
			s.bad("phones dial it in vain: it is an emergency number, which the phones have no plan to know by").do("add emergency: {numbers: FR}, for the country that they are in")
		}
	}
	somewhere = d.out(s, number, trunk) || somewhere
	if slices.ContainsFunc(live.Phones, func(p config.Phone) bool { return p.User == number }) {
		s.ok("it is the user of a phone of ours")
	}
	if !somewhere && len(live.Trunks) > 0 {
		s.bad("it leads nowhere, whoever calls it").do("add a route for it: - {from: [%s], to: %q, room: NAME}", live.Trunks[0].Name, number)
	}
	d.tell(s)
}

// out says whether a number may be called out, over each trunk that may be used for it, and as whom.
func (d *Doctor) out(s *sheet, number, only string) (may bool) {
	live := &d.Of.Live
	if live.Outgoing == nil {
		s.ok("it may not be called out: nothing may (there is no outgoing)")
		return false
	}
	for i := range live.Trunks {
		t := &live.Trunks[i]
		if !slices.Contains(live.Outgoing.Via, t.Name) || only != "" && t.Name != only {
			continue
		}
		to, dialled, err := bridge.MayCall(live, t, number)
		var no *outgoing.Refusal
		switch {
		case errors.As(err, &no):
			s.ok("over trunk %s it may not be called out: %s", t.Name, no)
		case err != nil:
			s.warn("over trunk %s it may not be called out: %s", t.Name, err).do("see docs/calling-out.md")
		default:
			may = true
			s.ok("over trunk %s it may be called out, as %s: it is %s; we call as %s", t.Name, dialled, to, or(t.Numbers.Present, "whoever calls"))
		}
	}
	return may
}

// trace says where a call from a trunk goes; true if it goes somewhere.
func (d *Doctor) trace(s *sheet, who string, t *config.Trunk, number, from string) bool {
	trace := bridge.Explain(&d.Of.Live, bridge.Ask{
		Trunk: t, Called: number, Caller: from, Transport: transportTo(d.network(t.Network)), At: d.Now(), Header: func(string) []string { return nil },
	})
	if i := slices.IndexFunc(trace.Steps, func(step bridge.Step) bool { return step.Asked == "help" }); i >= 0 {
		if trace.Steps[i].Yes {
			s.ok("from %s: an emergency number; %s", who, trace.End)
		} else {
			s.warn("from %s: an emergency number; %s: %s", who, trace.Steps[i].Why, trace.End).
				do("if people call for help from there, name the trunk for that in emergency.via, and trust (trusted: true) the trunk that they come by; else see that they have another telephone")
		}
		return true
	}
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
	s.ok("from %s: %s; refused with %d, %s", who, read, trace.Code, trace.End).
		do("if it should be taken, change a route (%s)", or(strings.Join(missed, "; "), "there is none"))
	return false
}

// transportTo is what a call of a trunk's comes over most likely.
func transportTo(n *config.Network) string { return n.Listen[0].Transport }
