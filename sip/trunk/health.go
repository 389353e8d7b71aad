package trunk

import (
	"context"
	"fmt"
	"time"

	"passerelle/sip"
)

// patience is how long the answer to one request may take. Over UDP it has been sent eight times by then.
const patience = 10 * time.Second

// watch asks one server again and again whether it is there.
func (t *Trunk) watch(ctx context.Context, i int) {
	for {
		t.guarded(func() { t.ping(ctx, i) })
		if !sleep(ctx, between(t.config.Health, 0.9, 1.1)) {
			return
		}
	}
}

// ping asks once. Whoever answers is there, whatever the answer is: but not where it says that it can not.
func (t *Trunk) ping(ctx context.Context, i int) {
	asking, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	reply, err := t.asker.Ask(asking, sip.Ask{
		Method: "OPTIONS", To: t.servers[i].uri, Subject: t.subject(), Headers: []sip.Header{{Name: "Accept", Value: "application/sdp"}},
	})
	if ctx.Err() != nil {
		return
	}
	reason := ""
	switch {
	case err != nil:
		reason = err.Error()
	case reply.Code == 408 || reply.Code >= 500 && reply.Code < 600 && reply.Code != 501:
		reason = fmt.Sprintf("%d %s", reply.Code, reply.Reason)
	}
	if err == nil {
		t.answered(reply.Source.Addr())
	}
	t.tell(i, reason)
}

// tell notes how a server is, and says so where it has changed.
func (t *Trunk) tell(i int, reason string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := &t.servers[i]
	s.reason = reason
	up := reason == ""
	if s.known && s.up == up {
		return
	}
	first := !s.known
	s.known, s.up, s.since = true, up, time.Now()
	switch {
	case !up:
		t.log.Warn("server of a trunk is down", "server", s.uri, "reason", reason)
	case !first:
		t.log.Info("server of a trunk is back", "server", s.uri)
	}
}

// subject is who asks.
func (t *Trunk) subject() sip.Address {
	if r := t.config.Register; r != nil {
		return sip.Address{User: r.User, Host: r.Domain}
	}
	return sip.Address{User: "passerelle"}
}
