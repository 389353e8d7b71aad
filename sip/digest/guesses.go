package digest

import (
	"net/netip"
	"strings"
	"time"
)

// guesses locks out who has too many wrong passwords: for a second, and twice as long with every further one.
type guesses struct{ ledger Ledger }

// Ledger is where wrong passwords are counted, by suspect: a source, a user, or a user at a source. Its methods may be called
// from any goroutine, and return within a fraction of a second.
type Ledger interface {
	// Look returns what each suspect has done, in their order. A suspect is forgotten GuessMemory after the last time.
	Look(suspects []string) []Tally
	// Wrong counts one more for each of them.
	Wrong(suspects []string)
	// Forget forgets one.
	Forget(suspect string)
	// All returns what is remembered, by suspect.
	All() map[string]Tally
}

// Tally is what a suspect has done.
type Tally struct {
	Wrong int
	Ago   time.Duration // since the last
}

// GuessMemory is how long a wrong password is remembered after the last.
const GuessMemory = time.Hour

// bound is how many wrong passwords a suspect has free, and how long it is locked out at most. One desk has one phone
// with one wrong password in it; behind one address may be a whole office.
type bound struct {
	suspect string
	free    int
	most    time.Duration
}

// boundsOf are those of one try. No address has a space in it.
func boundsOf(user string, from netip.Addr) []bound {
	at := sourceOf(from).String()
	return []bound{boundOf(at + " " + user), boundOf(at), boundOf(" " + user)}
}

// boundOf is the bound of one suspect.
func boundOf(suspect string) bound {
	switch at, _, user := strings.Cut(suspect, " "); {
	case at == "":
		return bound{suspect, 50, 5 * time.Minute}
	case user:
		return bound{suspect, 5, time.Hour}
	}
	return bound{suspect, 30, time.Hour}
}

func suspectsOf(bounds []bound) []string {
	var all []string
	for _, b := range bounds {
		all = append(all, b.suspect)
	}
	return all
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

// locked reports whether a try comes too early, and whether there is something to forget once it is right.
func (g guesses) locked(user string, from netip.Addr) (early, guessed bool) {
	bounds := boundsOf(user, from)
	for i, t := range g.ledger.Look(suspectsOf(bounds)) {
		early = early || t.Ago < bounds[i].lock(t.Wrong)
		guessed = guessed || i == 0 && t.Wrong > 0
	}
	return early, guessed
}

// lock is how long after the last of so many wrong passwords the next one comes too early.
func (b bound) lock(wrong int) time.Duration {
	over := wrong - b.free
	if over < 0 {
		return 0
	}
	return min(time.Second<<min(over, 20), b.most)
}

// wrong counts a wrong password.
func (g guesses) wrong(user string, from netip.Addr) {
	g.ledger.Wrong(suspectsOf(boundsOf(user, from)))
}

// right forgets what one user did wrong at one address.
func (g guesses) right(user string, from netip.Addr) {
	g.ledger.Forget(boundsOf(user, from)[0].suspect)
}
