package main

import (
	"context"
	"net/http"
	"sync"
	"time"

	"passerelle/cmd/internal/desk"
	"passerelle/sip"
	"passerelle/sip/registrar"
	"passerelle/sip/trunk"
)

// What the admin's desk tells of trunks and phones (docs/admin.md).

// phoneTime is how long a phone may take to answer OPTIONS.
const phoneTime = 4 * time.Second

// trunks are all of the configuration, with how those are that we reach out to.
func (h *house) trunks() []desk.Trunk {
	var all []desk.Trunk
	now := h.inForce.Load()
	state := now.trunks()
	for _, t := range now.Live.Trunks {
		line := desk.Trunk{Name: t.Name, Network: t.Network, Registers: t.Register != nil, Stats: state[t.Name]}
		if line.Servers == nil {
			line.Servers = []trunk.Health{}
		}
		all = append(all, line)
	}
	return all
}

// allPhones are those of the configuration, and the accounts that somebody tries and that there are not.
func (h *house) allPhones() desk.Phones {
	all := desk.Phones{Phones: []desk.Phone{}, Sources: []desk.Wrong{}}
	for _, p := range h.live().Phones {
		bindings := append([]registrar.Binding{}, h.desks.Bindings(p.User)...)
		all.Phones = append(all.Phones, desk.Phone{User: p.User, Name: p.Name, Bindings: bindings})
	}
	all.With(h.proofs.Suspects())
	return all
}

// askPhone asks a phone, wherever it is, whether it is there.
func (h *house) askPhone(w http.ResponseWriter, r *http.Request) {
	user, live := r.PathValue("user"), h.live()
	if !isPhone(live, "", user) {
		http.Error(w, "there is no such phone", http.StatusNotFound)
		return
	}
	bindings := h.desks.Own(user) // other gateways have the flows to theirs
	answers := make([]desk.Answer, len(bindings))
	server := h.serverOn(networkOf(live.Phones, user))
	var asking sync.WaitGroup
	for i, b := range bindings {
		asking.Go(func() { answers[i] = askAt(r.Context(), server, b) })
	}
	asking.Wait()
	h.say(w, answers)
}

// askAt asks at one place.
func askAt(ctx context.Context, server trunk.Asker, b registrar.Binding) desk.Answer {
	ctx, cancel := context.WithTimeout(ctx, phoneTime)
	defer cancel()
	began := time.Now()
	reply, err := server.Ask(ctx, sip.Ask{
		Method: "OPTIONS", To: b.Contact, Flow: &b.Flow, Route: b.Path, Subject: sip.Address{User: "passerelle"},
		Headers: []sip.Header{{Name: "Accept", Value: "application/sdp"}},
	})
	a := desk.Answer{Contact: b.Contact, Flow: b.Flow, Code: reply.Code, Reason: reply.Reason, Took: time.Since(began)}
	if err != nil {
		a.Error = err.Error()
	}
	return a
}
