package doctor

import (
	"context"
	"errors"
	"net/http"
	"syscall"
	"time"

	"passerelle/bridge"
	"passerelle/cmd/internal/desk"
)

// ErrNoDesk is that the configuration names no desk where a running gateway could be asked.
var ErrNoDesk = errors.New("the configuration has no admin")

var errNotAsked = errors.New("it was not asked")

// Ask asks the running gateway (docs/admin.md).
type Ask func(ctx context.Context, method, path string, answer any) error

// running is what the gateway that runs has told.
type running struct {
	err    error // why it has told nothing
	trunks []desk.Trunk
	phones desk.Phones
	knocks []bridge.Knock
}

// ask asks it, once.
func (d *Doctor) ask(ctx context.Context) running {
	var r running
	for _, one := range []struct {
		path   string
		answer any
	}{{"/v1/trunks", &r.trunks}, {"/v1/phones", &r.phones}, {"/v1/knocks", &r.knocks}} {
		if err := d.Ask(ctx, http.MethodGet, one.path, one.answer); err != nil {
			return running{err: err}
		}
	}
	return r
}

// gateway says whether one runs. held says that one holds our ports.
func (s *sheet) gateway(r running, held bool) {
	switch {
	case r.err == nil:
		s.ok("the gateway runs, and answers")
	case errors.Is(r.err, ErrNoDesk) && held:
		s.warn("the gateway runs, and cannot be asked how it is: the configuration has no admin").do("add admin: {listen: 127.0.0.1:8081}, and restart it")
	case held:
		s.bad("the gateway runs, and cannot be asked how it is: %s", r.err).do("see whether it was started with this configuration, and whether admin.token is the one that it began with")
	case errors.Is(r.err, ErrNoDesk):
		s.ok("no gateway holds these ports: none runs here, with this configuration")
	case errors.Is(r.err, syscall.ECONNREFUSED):
		s.warn("the gateway does not run, or not with this configuration: nobody listens at admin.listen").do("start it, and look again; what follows is what can be seen without it")
	default:
		s.warn("the gateway does not run, or not with this configuration: %s", r.err).do("start it, and look again; what follows is what can be seen without it")
	}
}

// strangers tells of those who were not answered lately.
func (s *sheet) strangers(knocks []bridge.Knock, now time.Time) {
	const most = 5
	n := 0
	for _, k := range knocks {
		if k.Block == "" || now.Sub(k.Last) > 24*time.Hour {
			continue
		}
		if n++; n > most {
			continue
		}
		s.warn("%s was not answered, %s ago, %d times: %s", k.Address, tidy(now.Sub(k.Last)), k.Times, k.Why).
			do("if you know it, add it to accept.from of its trunk, or a new trunk (passerelle knocks prints one); if not, leave it")
	}
	if n > most {
		s.warn("%d more addresses were not answered", n-most).do("passerelle knocks lists them")
	}
}

// trunk returns what it has told of a trunk; nil if nothing.
func (r running) trunk(name string) *desk.Trunk {
	for i := range r.trunks {
		if r.trunks[i].Name == name {
			return &r.trunks[i]
		}
	}
	return nil
}

// phone likewise.
func (r running) phone(user string) *desk.Phone {
	for i := range r.phones.Phones {
		if p := &r.phones.Phones[i]; p.User == user && !p.Unknown {
			return p
		}
	}
	return nil
}
