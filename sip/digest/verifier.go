package digest

import (
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Account is what of somebody's password a Verifier needs: an HA1 for each algorithm. There is no way back from it.
type Account struct{ ha1 map[Algorithm]string }

// NewAccount returns the account of a password.
func NewAccount(user, realm, password string) Account {
	a := Account{ha1: map[Algorithm]string{}}
	for _, algorithm := range Algorithms() {
		a.ha1[algorithm] = algorithm.HA1(user, realm, password)
	}
	return a
}

// AccountOf returns the account of digests that were made elsewhere, of user, realm and password, in hexadecimal.
func AccountOf(ha1 map[Algorithm]string) Account {
	a := Account{ha1: map[Algorithm]string{}}
	for algorithm, text := range ha1 {
		a.ha1[algorithm.base()] = strings.ToLower(text)
	}
	return a
}

// Equal reports whether two accounts take the same answers.
func (a Account) Equal(b Account) bool { return maps.Equal(a.ha1, b.ha1) }

// Realm is whom a Verifier knows, and how it asks. It is not changed once it is in use.
type Realm struct {
	Name       string
	Algorithms []Algorithm // all are offered, in their order; none is SHA-256, and then MD5
	Accounts   map[string]Account
}

// algorithms are those that are offered.
func (r *Realm) algorithms() []Algorithm {
	if len(r.Algorithms) == 0 {
		return []Algorithm{SHA256, MD5}
	}
	return r.Algorithms
}

// Verifier challenges, and looks at the answers. Its methods may be called from any goroutine.
type Verifier struct {
	realm   func() *Realm
	nonces  *nonces
	guesses guesses
	nobody  Account // who a user that is not known is compared with
}

// NewVerifier returns a Verifier. realm is asked once for each request, from several goroutines, and must not block.
func NewVerifier(realm func() *Realm) *Verifier {
	return &Verifier{realm: realm, nonces: newNonces(), guesses: guesses{new(Memory)}, nobody: NewAccount("", "", rand.Text())}
}

// CountIn has wrong passwords counted in l, and not in a Memory. It is called before anything is checked.
func (v *Verifier) CountIn(l Ledger) { v.guesses.ledger = l }

// Request is what a Verifier looks at.
type Request struct {
	Method, URI   string
	Body          []byte
	Authorization []string // the values of the header
	Source        netip.Addr
	// AtHome tells whether a user was at this source already, with the right password: such a one is not locked out by
	// what others guess. Nil: nobody was.
	AtHome func(user string) bool
}

// Why a request was not taken. It is for the log, and nothing of it is in the answer.
var (
	ErrNone   = errors.New("no credentials")
	ErrStale  = errors.New("the nonce is old, or was used before")
	ErrWrong  = errors.New("wrong user or password")
	ErrLocked = errors.New("too many wrong passwords")
)

// Check returns who sends a request. With an error come the challenges to answer it with, a value of WWW-Authenticate each.
// They are the same whether there is such a user or not, and take the same time.
func (v *Verifier) Check(r Request) (user string, challenges []string, err error) {
	now := time.Now()
	realm := v.realm()
	challenge := func(stale bool) []string { return v.challenge(realm, now, stale) }
	c, found := realm.find(r.Authorization)
	if !found {
		return "", challenge(false), ErrNone
	}
	account, known := realm.Accounts[c.Username]
	ha1, has := account.ha1[c.Algorithm.base()]
	if !known || !has {
		ha1 = v.nobody.ha1[c.Algorithm.base()]
	}
	right := subtle.ConstantTimeCompare([]byte(c.expected(ha1, r.Method, r.Body)), []byte(c.Response)) == 1 &&
		known && has && sameTarget(c.URI, r.URI)

	made, ours := v.nonces.madeAt(c.Nonce)
	if !ours || !v.nonces.fresh(made, now) {
		return "", challenge(true), ErrStale // whether the password was right, is not said (RFC 7616 section 3.3)
	}
	early, guessed := v.guesses.locked(c.Username, r.Source)
	if early && (r.AtHome == nil || !r.AtHome(c.Username)) {
		return "", challenge(false), ErrLocked
	}
	if !right {
		v.guesses.wrong(c.Username, r.Source)
		return c.Username, challenge(false), ErrWrong
	}
	if guessed {
		v.guesses.right(c.Username, r.Source)
	}
	if !v.nonces.use(c.Nonce, made, c.NC) {
		return "", challenge(true), ErrStale
	}
	return c.Username, nil, nil
}

// find returns the credentials that are meant for us and can be looked at.
func (r *Realm) find(values []string) (Credentials, bool) {
	for _, value := range values {
		c, err := ParseCredentials(value)
		if err == nil && c.Realm == r.Name && slices.Contains(r.algorithms(), c.Algorithm.base()) &&
			(c.QOP == "auth" || c.QOP == "" && !c.Algorithm.sessions()) {
			return c, true
		}
	}
	return Credentials{}, false
}

// challenge returns a challenge for every algorithm.
func (v *Verifier) challenge(realm *Realm, now time.Time, stale bool) []string {
	nonce := v.nonces.make(now)
	algorithms := realm.algorithms()
	values := make([]string, 0, len(algorithms))
	for _, a := range algorithms {
		values = append(values, Challenge{Realm: realm.Name, Nonce: nonce, Algorithm: a, QOP: []string{"auth"}, Stale: stale}.String())
	}
	return values
}

// sameTarget reports whether the URI in credentials is for a Request-URI: the same user at the same host, or nobody there
// in particular. Port and parameters are left out: phones write their Request-URI one way, and the one in their
// credentials another.
func sameTarget(proved, requested string) bool {
	user, host := target(proved)
	wanted, at := target(requested)
	return (user == "" || user == wanted) && strings.EqualFold(host, at)
}

func target(uri string) (user, host string) {
	_, rest, found := strings.Cut(uri, ":")
	if !found {
		return "", uri
	}
	rest, _, _ = strings.Cut(rest, "?")
	if at := strings.LastIndexByte(rest, '@'); at >= 0 {
		user, rest = rest[:at], rest[at+1:]
	}
	rest, _, _ = strings.Cut(rest, ";")
	if end := strings.LastIndexByte(rest, ']'); end >= 0 {
		return user, rest[:end+1]
	}
	rest, _, _ = strings.Cut(rest, ":")
	return user, rest
}
