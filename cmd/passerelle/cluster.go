package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"

	"passerelle/bridge/guess"
	"passerelle/bridge/outgoing"
	"passerelle/cmd/internal/cluster"
	"passerelle/config"
	"passerelle/sip"
	"passerelle/sip/registrar"
	"passerelle/sip/trunk"
)

// Several gateways that know of each other (docs/several-gateways.md).

// join makes this gateway one of them, where it is; nothing is asked yet.
func (h *house) join() {
	r := h.config.Static.Redis
	if r == nil {
		return
	}
	c := cluster.Config{
		Address: r.Address, User: r.User, Password: r.Password.Reveal(), Database: r.Database,
		Prefix: r.Prefix, Name: r.Name, Log: h.log,
	}
	if r.TLS {
		host, _, _ := net.SplitHostPort(r.Address) // it was made of the two
		c.TLS = &tls.Config{MinVersion: tls.VersionTLS12, ServerName: host}
	}
	h.cluster = cluster.New(c)
}

// announce says where this gateway is, once its ports are taken.
func (h *house) announce() {
	if h.cluster == nil {
		return
	}
	host, err := os.Hostname()
	if err != nil {
		h.log.Warn("this machine has no name", "error", err)
	}
	towards := here(h.config.Static.Redis.Address)
	h.cluster.Announce(host+"/"+h.addrs()[0].Addr.String(), func(ctx context.Context) map[string][]string {
		places := make(map[string][]string)
		for _, t := range h.phones {
			places[t.network] = placesOf(t.server.Addrs(), func() (netip.Addr, bool) { return towards(ctx) })
		}
		return places
	})
}

// here returns the address of this machine that others on the way to a server see. It is looked for until it is found.
func here(server string) func(context.Context) (netip.Addr, bool) {
	var mu sync.Mutex
	var found netip.Addr
	return func(ctx context.Context) (netip.Addr, bool) {
		mu.Lock()
		defer mu.Unlock()
		if found.IsValid() {
			return found, true
		}
		var d net.Dialer
		c, err := d.DialContext(ctx, "udp", server) // nothing is sent
		if err != nil {
			return found, false
		}
		defer c.Close()
		found = c.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap()
		return found, true
	}
}

// placesOf are the URIs of listeners, the best first: a connection carries what is too large for a datagram, and no name
// stands in the certificate of an address. On all addresses it is the one that is seen on the way to Redis.
func placesOf(listeners []sip.Listener, seen func() (netip.Addr, bool)) []string {
	order := []string{"tcp", "udp", "tls"}
	listeners = slices.DeleteFunc(slices.Clone(listeners), func(l sip.Listener) bool { return !slices.Contains(order, l.Network) })
	slices.SortStableFunc(listeners, func(a, b sip.Listener) int {
		return cmp.Compare(slices.Index(order, a.Network), slices.Index(order, b.Network))
	})
	var places []string
	for _, l := range listeners {
		addr := l.Addr.Addr()
		if addr.IsUnspecified() {
			own, ok := seen()
			if !ok || own.Is4() != addr.Is4() {
				continue
			}
			addr = own
		}
		places = append(places, "sip:"+netip.AddrPortFrom(addr, l.Addr.Port()).String()+";transport="+l.Network)
	}
	return places
}

// elsewhere makes ways of the bindings that other gateways have: through that gateway, as long as it is there; and to the phone
// itself, where that can be reached without its flow, over UDP, or first of all through the proxies that it has registered by.
func (h *house) elsewhere(user string, devices [][]registrar.Binding) [][]registrar.Binding {
	var all [][]registrar.Binding
	for _, bindings := range devices {
		var ways []registrar.Binding
		for _, b := range bindings {
			if b.Gateway == "" {
				ways = append(ways, b)
				continue
			}
			direct := b
			direct.Flow = registrar.Flow{}
			if len(b.Path) > 0 {
				ways = append(ways, direct)
			}
			if way, ok := h.through(user, b); ok {
				ways = append(ways, way)
			}
			if len(b.Path) == 0 && b.Flow.Network == "udp" && !b.NAT && !b.Outbound() {
				ways = append(ways, direct)
			}
		}
		if len(ways) > 0 {
			all = append(all, ways)
		}
	}
	return all
}

// errandParam is the parameter of a Request-URI that carries an errand.
const errandParam = "errand"

// through is the way to a phone through the gateway that has its flow.
func (h *house) through(user string, b registrar.Binding) (registrar.Binding, bool) {
	place, errand, ok := h.cluster.Send(b.Gateway, networkOf(h.live().Phones, user), user, b.Key())
	if !ok {
		return registrar.Binding{}, false
	}
	return registrar.Binding{Contact: "sip:" + userPart(user) + "@" + strings.TrimPrefix(place, "sip:") + ";" + errandParam + "=" + errand}, true
}

// vouched reports whether an INVITE is an errand of another gateway.
func (h *house) vouched(ctx context.Context, i sip.Invite) bool {
	value := i.RequestURI.Params[errandParam]
	if h.cluster == nil || value == "" {
		return false
	}
	_, err := h.cluster.Check(ctx, value, i.Source.Addr())
	return err == nil
}

// errand returns which phone another gateway wants called, and where.
func (h *house) errand(ctx context.Context, network string, i sip.Invite) (user string, ways []registrar.Binding, ok bool) {
	value := i.RequestURI.Params[errandParam]
	if h.cluster == nil || value == "" {
		return "", nil, false
	}
	e, err := h.cluster.Do(ctx, value, i.Source.Addr())
	if err != nil || e.Network != network {
		return "", nil, false
	}
	for _, b := range h.desks.Own(e.Phone) {
		if b.Key() == e.Binding {
			ways = append(ways, b)
		}
	}
	return e.Phone, ways, true
}

// store is where bindings are shared; nil where this gateway is alone.
func (h *house) store() registrar.Store {
	if h.cluster == nil {
		return nil
	}
	return h.cluster.Bindings()
}

// quotas is where calls out are counted.
func (h *house) quotas() outgoing.Store {
	if h.cluster == nil {
		return h.minutes
	}
	return h.cluster.Quotas(h.minutes)
}

// wrongPINs is where wrong PINs are counted.
func (h *house) wrongPINs() guess.Counters {
	if h.cluster == nil {
		return h.guesses
	}
	return h.cluster.PINs(h.guesses)
}

// guessesAMinute is how many wrong PINs this gateway lets try a minute.
func (h *house) guessesAMinute() int {
	all := h.live().Limits.GuessesPerMinute
	if h.cluster == nil {
		return all
	}
	return h.cluster.Share(all)
}

// turns says whose turn it is to register with a trunk; nil where this gateway is alone.
func (h *house) turns(t config.Trunk) trunk.Turns {
	if h.cluster == nil || t.Register == nil {
		return nil
	}
	return h.cluster.Turns(t.Name)
}
