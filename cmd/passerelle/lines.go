package main

import (
	"context"
	"log/slog"
	"net/netip"
	"sync"

	"passerelle/bridge"
	"passerelle/cmd/internal/guard"
	"passerelle/config"
	"passerelle/sip"
	"passerelle/sip/digest"
	"passerelle/sip/registrar"
	"passerelle/sip/trunk"
)

// accounts looks at the proofs of phones, and of trunks that have a password. Nil where there is none of either.
func accounts(live *config.Live) *digest.Verifier {
	realm := live.Registrar.Realm
	known := make(map[string]digest.Account)
	for _, p := range live.Phones {
		if !p.Password.IsEmpty() {
			known[p.User] = digest.NewAccount(p.User, realm, p.Password.Reveal())
			continue
		}
		known[p.User] = digest.AccountOf(map[digest.Algorithm]string{
			digest.SHA256: p.HA1.SHA256.Reveal(), digest.MD5: p.HA1.MD5.Reveal(),
		})
	}
	for _, t := range live.Trunks {
		if t.Digest != nil {
			known[t.Digest.User] = digest.NewAccount(t.Digest.User, realm, t.Digest.Password.Reveal())
		}
	}
	if len(known) == 0 {
		return nil
	}
	var algorithms []digest.Algorithm
	sha256, md5 := live.Algorithms()
	if sha256 {
		algorithms = append(algorithms, digest.SHA256)
	}
	if md5 {
		algorithms = append(algorithms, digest.MD5)
	}
	return digest.NewVerifier(realm, algorithms, func(user string) (digest.Account, bool) {
		a, ok := known[user]
		return a, ok
	})
}

// openRegistrar makes the registrar of phones; nil where there are none.
func openRegistrar(c *config.Config, log *slog.Logger) (*registrar.Registrar, error) {
	live := &c.Live
	if len(live.Phones) == 0 {
		return nil, nil
	}
	file, err := stateFile(c, "bindings.json")
	if err != nil {
		return nil, err
	}
	return registrar.New(registrar.Config{
		Min: live.Registrar.Least, Max: live.Registrar.Most, File: file, Log: log,
		Keep: func(user string) bool { return isPhone(live, "", user) },
		Name: bridge.Masked,
	}), nil
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

// lines are the trunks that we reach out to.
type lines struct {
	trunks []*trunk.Trunk
	stop   context.CancelFunc
	done   sync.WaitGroup
}

// reachOut makes them. Nothing is sent before run.
func (h *house) reachOut(trunks []config.Trunk) *lines {
	l := &lines{stop: func() {}}
	for _, t := range trunks {
		if len(t.Servers) == 0 {
			continue
		}
		c := trunk.Config{Name: t.Name, Servers: t.Servers, Health: t.Health, Log: h.log}
		if r := t.Register; r != nil {
			c.Register = &trunk.Registration{
				User: r.User, Domain: r.Domain, Keys: digest.NewKeyring(r.Name, r.Password.Reveal()), Expires: r.Expires,
			}
		}
		l.trunks = append(l.trunks, trunk.New(c, h.serverOn(t.Network)))
	}
	return l
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
func (h *house) serverOf(src netip.Addr) string { return h.lines.serverOf(src) }

// devices returns where a phone has registered.
func (h *house) devices(user string) [][]registrar.Binding { return h.desks.Devices(user) }

// servers returns how a trunk is called.
func (h *house) servers(name string) ([]string, *digest.Keyring) {
	for _, t := range h.lines.trunks {
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

// run keeps the trunks until leave.
func (l *lines) run(ctx context.Context, log *slog.Logger) {
	ctx, l.stop = context.WithCancel(ctx)
	for _, t := range l.trunks {
		l.done.Go(func() {
			if err := guard.Root("trunk "+t.Name(), func() error { return t.Run(ctx) })(); err != nil {
				log.Error("trunk", "trunk", t.Name(), "error", err)
			}
		})
	}
}

// leave takes the registrations back: no new calls are wanted.
func (l *lines) leave() {
	l.stop()
	l.done.Wait()
}

// serverOf returns the trunk one of whose servers is at an address, "" if it is nobody's.
func (l *lines) serverOf(src netip.Addr) string {
	for _, t := range l.trunks {
		if t.Is(src) {
			return t.Name()
		}
	}
	return ""
}

// stats is how each trunk is, by name.
func (l *lines) stats() map[string]trunk.Stats {
	all := make(map[string]trunk.Stats)
	for _, t := range l.trunks {
		all[t.Name()] = t.Stats()
	}
	return all
}

var _ trunk.Asker = (*sip.Server)(nil)
