package digest

import (
	"crypto/rand"
	"slices"
	"strings"
	"sync"
)

// Keyring answers the challenges of one peer, with one account. It remembers what it was asked, and answers the next
// request before it is asked again. Its methods may be called from any goroutine.
type Keyring struct {
	user, password string

	mu    sync.Mutex
	asked map[place]*asked
}

// place is where a challenge comes from: the realm, of a server or of a proxy before it.
type place struct {
	realm string
	proxy bool
}

// asked is a challenge, and how often it was answered.
type asked struct {
	Challenge
	nc uint32
}

// maxRealms is how many realms one peer may have.
const maxRealms = 4

// NewKeyring returns a Keyring for an account.
func NewKeyring(user, password string) *Keyring {
	return &Keyring{user: user, password: password, asked: map[place]*asked{}}
}

// Header is one header of a request.
type Header struct{ Name, Value string }

// Take takes the challenges of a 401, or of a proxy's 407, and reports whether the request is worth another try: there
// is one that can be answered, and it is not the answer to that which was refused. A nonce that was used before may
// be too old without the peer saying that it is stale.
func (k *Keyring) Take(challenges []Challenge, proxy bool) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	worth := false
	for _, c := range strongest(challenges) {
		at := place{c.Realm, proxy}
		before := k.asked[at]
		switch {
		case before != nil && before.nc == 1 && !c.Stale:
			delete(k.asked, at) // the password is wrong; the next request begins anew
			return false
		case before == nil && len(k.asked) >= maxRealms:
			continue
		}
		k.asked[at] = &asked{Challenge: c}
		worth = true
	}
	return worth
}

// strongest returns one challenge for each realm: of those that can be answered the one with the strongest algorithm.
func strongest(challenges []Challenge) []Challenge {
	var best []Challenge
	for _, c := range challenges {
		if strength(c) < 0 {
			continue
		}
		i := slices.IndexFunc(best, func(b Challenge) bool { return b.Realm == c.Realm })
		switch {
		case i < 0:
			best = append(best, c)
		case strength(c) > strength(best[i]):
			best[i] = c
		}
	}
	return best
}

// strength orders challenges; less than 0 is one that we can not answer.
func strength(c Challenge) int {
	i := slices.Index(Algorithms(), c.Algorithm.base())
	if i < 0 || len(c.QOP) > 0 && qopOf(c) == "" || c.Algorithm.sessions() && len(c.QOP) == 0 {
		return -1
	}
	return len(Algorithms()) - i
}

// qopOf returns the quality of protection that a challenge is answered with: the body is protected only where
// nothing less will do.
func qopOf(c Challenge) string {
	for _, q := range []string{"auth", "auth-int"} {
		if slices.Contains(c.QOP, q) {
			return q
		}
	}
	return ""
}

// Answer returns the headers that prove who sends a request; none where nobody has asked yet.
func (k *Keyring) Answer(method, uri string, body []byte) []Header {
	k.mu.Lock()
	defer k.mu.Unlock()
	var headers []Header
	for at, a := range k.asked {
		a.nc++
		c := Credentials{
			Username: k.user, Realm: a.Realm, Nonce: a.Nonce, URI: uri, Opaque: a.Opaque,
			Algorithm: a.Algorithm, QOP: qopOf(a.Challenge), NC: a.nc,
		}
		if c.QOP != "" {
			c.CNonce = rand.Text()
		}
		c.Response = c.expected(a.Algorithm.HA1(k.user, a.Realm, k.password), method, body)
		name := "Authorization"
		if at.proxy {
			name = "Proxy-Authorization"
		}
		headers = append(headers, Header{name, c.String()})
	}
	slices.SortFunc(headers, func(a, b Header) int { return strings.Compare(a.Name+a.Value, b.Name+b.Value) })
	return headers
}
