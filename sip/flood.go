package sip

import (
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// floods holds a token bucket for each address that was heard of lately, and one for all of them together.
// It is bounded: two generations of at most floodSources addresses, the older of which is forgotten when the
// younger is full.
type floods struct {
	limits Limits
	all    *allowance

	mu         sync.Mutex
	young, old map[netip.Prefix]*allowance
}

// floodSources bounds a generation; an allowance takes about 250 bytes.
const floodSources = 4096

// allowance is what may still be sent.
type allowance struct{ messages, invites *rate.Limiter }

func newAllowance(messages, invites int) *allowance {
	return &allowance{
		messages: rate.NewLimiter(rate.Limit(messages), 2*messages),
		invites:  rate.NewLimiter(rate.Limit(invites), 2*invites),
	}
}

func newFloods(l Limits) *floods {
	return &floods{
		limits: l,
		all:    newAllowance(l.AllMessagesPerSecond, l.AllInvitesPerSecond),
		young:  map[netip.Prefix]*allowance{},
	}
}

// message takes one message of src into account and returns how long it should have waited; 0 is in time.
// What is early is not taken into account.
func (f *floods) message(src netip.Addr, now time.Time) time.Duration {
	if wait := reserve(f.of(src).messages, now); wait > 0 {
		return wait
	}
	return reserve(f.all.messages, now)
}

func reserve(l *rate.Limiter, now time.Time) time.Duration {
	r := l.ReserveN(now, 1)
	wait := r.DelayFrom(now)
	if wait > 0 {
		r.CancelAt(now)
	}
	return wait
}

// invite takes one INVITE of src into account and reports whether it is one too many.
func (f *floods) invite(src netip.Addr, now time.Time) (tooMany bool) {
	return !f.of(src).invites.AllowN(now, 1) || !f.all.invites.AllowN(now, 1)
}

// of returns the allowance of src: of its /64, for IPv6, of which a host has as many as it likes.
func (f *floods) of(src netip.Addr) *allowance {
	key := network(src)
	f.mu.Lock()
	defer f.mu.Unlock()
	if a := f.young[key]; a != nil {
		return a
	}
	a := f.old[key]
	if a == nil {
		a = newAllowance(f.limits.MessagesPerSecond, f.limits.InvitesPerSecond)
	}
	if len(f.young) >= floodSources {
		f.old, f.young = f.young, make(map[netip.Prefix]*allowance, floodSources)
	}
	f.young[key] = a
	return a
}

// network returns what counts as one source: an IPv4 address, an IPv6 /64.
func network(a netip.Addr) netip.Prefix {
	bits := a.BitLen()
	if a.Is6() {
		bits = 64
	}
	p, _ := a.WithZone("").Prefix(bits) // bits fit the address
	return p
}
