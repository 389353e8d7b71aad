package sfu

import (
	"net/netip"
	"sync"
	"time"
)

// What one address may do. An IPv6 address stands for its /64, which is one household's.
const (
	socketsPerAddress = 64
	sockets           = 10_000 // of all
	passwordTries     = 5
	passwordInterval  = 20 * time.Second // until one try more
	guestsKept        = 10_000           // addresses remembered
)

// guests remembers what each address does: how many WebSockets it has, and how many wrong passwords.
type guests struct {
	clock func() time.Duration

	mu   sync.Mutex
	open int
	by   map[netip.Prefix]*guest
}

type guest struct {
	sockets int
	tries   int           // wrong ones that are not forgotten
	at      time.Duration // when tries was brought up to date
}

func newGuests(clock func() time.Duration) *guests {
	return &guests{clock: clock, by: make(map[netip.Prefix]*guest)}
}

// address returns whose limits count for a client, by its host:port.
func address(remote string) netip.Prefix {
	at, err := netip.ParseAddrPort(remote)
	if err != nil {
		return netip.Prefix{} // all who cannot be told apart share one
	}
	bits := 64
	if at.Addr().Unmap().Is4() {
		bits = 32
	}
	prefix, _ := at.Addr().Unmap().WithZone("").Prefix(bits)
	return prefix
}

// enter counts a WebSocket, if one more is allowed.
func (g *guests) enter(from netip.Prefix) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	who := g.guest(from)
	if g.open >= sockets || who.sockets >= socketsPerAddress {
		return false
	}
	g.open++
	who.sockets++
	return true
}

// leave counts a WebSocket less.
func (g *guests) leave(from netip.Prefix) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.open--
	g.guest(from).sockets--
}

// mayTry says whether an address may try a password.
func (g *guests) mayTry(from netip.Prefix) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.guest(from).tries < passwordTries
}

// wrong counts a wrong password.
func (g *guests) wrong(from netip.Prefix) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.guest(from).tries++
}

// guest returns what is known of an address. Called with mu held.
func (g *guests) guest(from netip.Prefix) *guest {
	now := g.clock()
	who := g.by[from]
	if who == nil {
		if len(g.by) >= guestsKept {
			g.forget(now)
		}
		who = &guest{at: now}
		g.by[from] = who
	}
	who.update(now)
	return who
}

// update forgets tries as time passes.
func (who *guest) update(now time.Duration) {
	if forgotten := int((now - who.at) / passwordInterval); forgotten > 0 {
		who.tries = max(0, who.tries-forgotten)
		who.at += time.Duration(forgotten) * passwordInterval
	}
	if who.tries == 0 {
		who.at = now
	}
}

// forget makes room for as many again: it forgets those of whom there is nothing to remember, and if that
// is not enough, any without a WebSocket. Called with mu held.
func (g *guests) forget(now time.Duration) {
	for from, who := range g.by {
		if who.update(now); who.sockets == 0 && who.tries == 0 {
			delete(g.by, from)
		}
	}
	for from, who := range g.by {
		if len(g.by) <= guestsKept/2 {
			return
		}
		if who.sockets == 0 {
			delete(g.by, from)
		}
	}
}
