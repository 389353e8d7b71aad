package main

import (
	"context"
	"log/slog"
	"net/netip"
	"reflect"
	"slices"
	"sync"
	"time"

	"passerelle/bridge"
	"passerelle/cmd/internal/guard"
	"passerelle/config"
	"passerelle/sip"
	"passerelle/sip/digest"
	"passerelle/sip/registrar"
	"passerelle/sip/trunk"
)

// realm is whom proofs are taken of: phones, and trunks that have a password.
func realm(live *config.Live) *digest.Realm {
	r := &digest.Realm{Name: live.Registrar.Realm, Accounts: make(map[string]digest.Account)}
	for _, p := range live.Phones {
		if !p.Password.IsEmpty() {
			r.Accounts[p.User] = digest.NewAccount(p.User, r.Name, p.Password.Reveal())
			continue
		}
		r.Accounts[p.User] = digest.AccountOf(map[digest.Algorithm]string{
			digest.SHA256: p.HA1.SHA256.Reveal(), digest.MD5: p.HA1.MD5.Reveal(),
		})
	}
	for _, t := range live.Trunks {
		if t.Digest != nil {
			r.Accounts[t.Digest.User] = digest.NewAccount(t.Digest.User, r.Name, t.Digest.Password.Reveal())
		}
	}
	sha256, md5 := live.Algorithms()
	if sha256 {
		r.Algorithms = append(r.Algorithms, digest.SHA256)
	}
	if md5 {
		r.Algorithms = append(r.Algorithms, digest.MD5)
	}
	return r
}

// openRegistrar makes the registrar of phones, also where there are none yet.
func (h *house) openRegistrar() error {
	file, err := stateFile(h.config, "bindings.json")
	if err != nil {
		return err
	}
	h.desks = registrar.New(registrar.Config{
		Lives: func() (least, most time.Duration) { r := h.live().Registrar; return r.Least, r.Most },
		File:  file, Log: h.log,
		Keep: func(user string) bool { return isPhone(h.live(), "", user) },
		Name: bridge.Masked, Store: h.store(),
	})
	if h.cluster != nil {
		h.cluster.OnReturn(h.desks.ShareAll)
	}
	return nil
}

// networkOf is the network of a phone.
func networkOf(phones []config.Phone, user string) string {
	for _, p := range phones {
		if p.User == user {
			return p.Network
		}
	}
	return ""
}

// isPhone reports whether an account is a phone of a network, and not a trunk; of any where it has no name.
func isPhone(live *config.Live, network, user string) bool {
	for _, p := range live.Phones {
		if p.User == user && (network == "" || p.Network == network) {
			return true
		}
	}
	return false
}

// line is a trunk that we reach out to, and what it was made of.
type line struct {
	*trunk.Trunk
	of config.Trunk
}

// is reports whether a trunk of the configuration is this one, as far as reaching out to it goes.
func (l *line) is(t config.Trunk) bool {
	was := l.of
	return was.Name == t.Name && was.Network == t.Network && was.Health == t.Health &&
		slices.Equal(was.Servers, t.Servers) && reflect.DeepEqual(was.Register, t.Register)
}

// reachOut makes the trunks that we reach out to; those that were there already, and have not changed, are the same. Nothing
// is sent before the lines run.
func (h *house) reachOut(trunks []config.Trunk, before []*line) []*line {
	var all []*line
	for _, t := range trunks {
		if len(t.Servers) == 0 {
			continue
		}
		i := slices.IndexFunc(before, func(l *line) bool { return l.of.Name == t.Name })
		if i >= 0 && before[i].is(t) {
			all = append(all, before[i])
			continue
		}
		c := trunk.Config{Name: t.Name, Servers: t.Servers, Health: t.Health, Turns: h.turns(t), Log: h.log}
		if r := t.Register; r != nil {
			c.Register = &trunk.Registration{
				User: r.User, Domain: r.Domain, Keys: digest.NewKeyring(r.Name, r.Password.Reveal()), Expires: r.Expires,
			}
		}
		made := &line{trunk.New(c, h.serverOn(t.Network)), t}
		if i >= 0 && before[i].of.Network == t.Network {
			made.Follow(before[i].Trunk)
		}
		all = append(all, made)
	}
	return all
}

// serverOn returns SIP on a network; nil if there is none of that name.
func (h *house) serverOn(network string) *sip.Server {
	for _, t := range h.phones {
		if t.network == network {
			return t.server
		}
	}
	return nil
}

// serverOf returns the trunk one of whose servers is at an address, "" if it is nobody's.
func (h *house) serverOf(src netip.Addr) string { return h.inForce.Load().serverOf(src) }

// devices returns where a phone has registered; one that is no more is nowhere.
func (h *house) devices(user string) [][]registrar.Binding {
	if !isPhone(h.live(), "", user) {
		return nil
	}
	return h.elsewhere(user, h.desks.Devices(user))
}

// servers returns how a trunk is called.
func (h *house) servers(name string) ([]string, *digest.Keyring) {
	for _, t := range h.inForce.Load().lines {
		if t.Name() == name {
			return t.Ways()
		}
	}
	return nil, nil
}

// dial calls a phone on a network.
func (h *house) dial(ctx context.Context, network string, to sip.Dial) (*sip.Dialog, []byte, error) {
	return h.serverOn(network).Dial(ctx, to)
}

// lines keeps the trunks that we reach out to.
type lines struct {
	log     *slog.Logger
	changed chan []*line // those that there are to be now; the latest counts
	stop    context.CancelFunc
	done    sync.WaitGroup
}

func newLines(log *slog.Logger) *lines {
	return &lines{log: log, changed: make(chan []*line, 1), stop: func() {}}
}

// change says which trunks there are from now on. One goroutine at a time may call it.
func (l *lines) change(all []*line) {
	select {
	case <-l.changed:
	default:
	}
	l.changed <- all
}

// run keeps the trunks until leave.
func (l *lines) run(ctx context.Context) {
	ctx, l.stop = context.WithCancel(ctx)
	l.done.Go(func() {
		if err := guard.Root("trunks", func() error { l.keep(ctx); return nil })(); err != nil {
			l.log.Error("trunks", "error", err)
		}
	})
}

// leave takes the registrations back: no new calls are wanted.
func (l *lines) leave() {
	l.stop()
	l.done.Wait()
}

// running is a trunk that is kept.
type running struct {
	stop context.CancelFunc
	done chan struct{} // closed when its registration has been taken back
}

// keep runs the trunks that there are to be, and ends those that are no more. A trunk that takes the place of another of its name waits until that
// has taken its registration back: the two have one Contact.
func (l *lines) keep(ctx context.Context) {
	now := make(map[*line]running)
	gone := make(map[string]chan struct{}) // by name, whom to wait for
	var group sync.WaitGroup
	defer group.Wait()
	for {
		var all []*line
		select {
		case <-ctx.Done():
			return
		case all = <-l.changed:
		}
		for t, r := range now {
			if !slices.Contains(all, t) {
				r.stop()
				gone[t.Name()] = r.done
				delete(now, t)
			}
		}
		for _, t := range all {
			if _, there := now[t]; there {
				continue
			}
			own, stop := context.WithCancel(ctx)
			r, before := running{stop, make(chan struct{})}, gone[t.Name()]
			now[t] = r
			group.Go(func() {
				defer close(r.done)
				defer stop()
				if before != nil {
					<-before
				}
				if err := guard.Root("trunk "+t.Name(), func() error { return t.Run(own) })(); err != nil {
					l.log.Error("trunk", "trunk", t.Name(), "error", err)
				}
			})
		}
	}
}

// serverOf returns the trunk one of whose servers is at an address, "" if it is nobody's.
func (r *rules) serverOf(src netip.Addr) string {
	for _, t := range r.lines {
		if t.Is(src) {
			return t.Name()
		}
	}
	return ""
}

// trunks is how each trunk that we reach out to is, by name.
func (r *rules) trunks() map[string]trunk.Stats {
	all := make(map[string]trunk.Stats)
	for _, t := range r.lines {
		all[t.Name()] = t.Stats()
	}
	return all
}

var _ trunk.Asker = (*sip.Server)(nil)
