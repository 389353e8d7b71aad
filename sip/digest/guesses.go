package digest

import (
	"net/netip"
	"sync"
	"time"
)

// guesses counts wrong passwords, and locks out who has too many of them: for a second, and twice as long with every
// further one. It is bounded: two generations of at most guessesKept keys, the older of which is forgotten when the
// younger is full.
type guesses struct {
	mu         sync.Mutex
	young, old map[suspect]guess
}

// suspect is who guesses, or what is guessed at: a user from an address, or all of the two.
type suspect struct {
	user string
	from netip.Prefix
}

// guess is what a suspect has done.
type guess struct {
	wrong  int
	last   time.Time
	locked time.Time // until then
}

const (
	guessesKept = 4096
	// guessMemory is how long a wrong password is remembered after the last.
	guessMemory = time.Hour
)

// bound is how many wrong passwords a suspect has free, and how long it is locked out at most. One desk has one phone
// with one wrong password in it; behind one address may be a whole office.
type bound struct {
	suspect
	free int
	most time.Duration
}

// boundsOf are those of one try.
func boundsOf(user string, from netip.Addr) []bound {
	at := sourceOf(from)
	return []bound{
		{suspect{user, at}, 5, time.Hour},
		{suspect{"", at}, 30, time.Hour},
		{suspect{user, netip.Prefix{}}, 50, 5 * time.Minute},
	}
}

// sourceOf returns what counts as one source: an IPv4 address, an IPv6 /64.
func sourceOf(a netip.Addr) netip.Prefix {
	a = a.Unmap().WithZone("")
	bits := a.BitLen()
	if a.Is6() {
		bits = 64
	}
	p, _ := a.Prefix(bits) // bits fit the address
	return p
}

// locked reports whether a try comes too early.
func (g *guesses) locked(user string, from netip.Addr, now time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, b := range boundsOf(user, from) {
		if now.Before(g.get(b.suspect).locked) {
			return true
		}
	}
	return false
}

// wrong counts a wrong password.
func (g *guesses) wrong(user string, from netip.Addr, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, b := range boundsOf(user, from) {
		s := g.get(b.suspect)
		if now.Sub(s.last) > guessMemory {
			s = guess{}
		}
		s.wrong, s.last = s.wrong+1, now
		if over := s.wrong - b.free; over >= 0 {
			s.locked = now.Add(min(time.Second<<min(over, 20), b.most))
		}
		g.put(b.suspect, s)
	}
}

// right forgets what one user did wrong at one address.
func (g *guesses) right(user string, from netip.Addr) {
	g.mu.Lock()
	defer g.mu.Unlock()
	s := boundsOf(user, from)[0].suspect
	delete(g.young, s)
	delete(g.old, s)
}

func (g *guesses) get(s suspect) guess {
	if v, ok := g.young[s]; ok {
		return v
	}
	return g.old[s]
}

func (g *guesses) put(s suspect, v guess) {
	if len(g.young) >= guessesKept || g.young == nil {
		g.old, g.young = g.young, make(map[suspect]guess)
	}
	g.young[s] = v
}
