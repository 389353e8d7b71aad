package digest

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestExamples are those of RFC 7616 section 3.9.1 and of RFC 2617 section 3.5, which has no other qop.
func TestExamples(t *testing.T) {
	mufasa := Credentials{
		Username: "Mufasa", Realm: "http-auth@example.org", URI: "/dir/index.html",
		Nonce:  "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
		CNonce: "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", NC: 1, QOP: "auth",
	}
	for _, test := range []struct {
		algorithm Algorithm
		want      string
	}{
		{MD5, "8ca523f5e9506fed4657c9700eebdbec"},
		{SHA256, "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"},
	} {
		c := mufasa
		c.Algorithm = test.algorithm
		if got := c.expected(c.Algorithm.HA1(c.Username, c.Realm, "Circle of Life"), "GET", nil); got != test.want {
			t.Errorf("%s: got %s, want %s", test.algorithm, got, test.want)
		}
	}
	old := Credentials{
		Username: "Mufasa", Realm: "testrealm@host.com", URI: "/dir/index.html", Algorithm: MD5,
		Nonce: "dcd98b7102dd2f0e8b11d0f600bfb0c093", CNonce: "0a4f113b", NC: 1, QOP: "auth",
	}
	if got := old.expected(MD5.HA1("Mufasa", old.Realm, "Circle Of Life"), "GET", nil); got != "6629fae49393a05397450978507c4ef1" {
		t.Errorf("RFC 2617: got %s", got)
	}
}

func TestParseChallenge(t *testing.T) {
	for _, test := range []struct{ rule, value, want string }{
		{"all there is", `Digest realm="a b", nonce="n", opaque="o", stale=TRUE, algorithm=SHA-256, qop="auth,auth-int"`,
			`Digest realm="a b", nonce="n", opaque="o", stale=true, algorithm=SHA-256, qop="auth,auth-int"`},
		{"no algorithm is MD5, no qop is none", `digest realm="r",nonce="n"`, `Digest realm="r", nonce="n", algorithm=MD5`},
		{"quotes where the RFC has none", `Digest realm="r", nonce="n", algorithm="md5-SESS", stale="true"`,
			`Digest realm="r", nonce="n", stale=true, algorithm=MD5-sess`},
		{"none where it has some", `Digest realm=r, nonce=n, qop=auth`, `Digest realm="r", nonce="n", algorithm=MD5, qop="auth"`},
		{"escapes", `Digest realm="a\"b\\", nonce="n"`, `Digest realm="a\"b\\", nonce="n", algorithm=MD5`},
		{"an empty realm", `Digest realm="", nonce="n"`, `Digest realm="", nonce="n", algorithm=MD5`},
		{"another scheme", `Basic realm="r"`, ""},
		{"no nonce", `Digest realm="r"`, ""},
		{"twice", `Digest realm="r", nonce="n", nonce="m"`, ""},
		{"a quote that does not end", `Digest realm="r, nonce=n`, ""},
		{"something between", `Digest realm="r" x, nonce="n"`, ""},
		{"too long", `Digest realm="r", nonce="` + strings.Repeat("n", maxValue) + `"`, ""},
	} {
		c, err := ParseChallenge(test.value)
		got := ""
		if err == nil {
			got = c.String()
		}
		if got != test.want {
			t.Errorf("%s: got %q, %v, want %q", test.rule, got, err, test.want)
		}
	}
}

func TestParseCredentials(t *testing.T) {
	const least = `Digest username="u", realm="r", nonce="n", uri="sip:x", response="AB"`
	for _, test := range []struct{ rule, value, want string }{
		{"without qop", least, `Digest username="u", realm="r", nonce="n", uri="sip:x", response="ab", algorithm=MD5`},
		{"with qop", least + `, qop="auth", nc=0000000a, cnonce="c", algorithm=sha-256`,
			`Digest username="u", realm="r", nonce="n", uri="sip:x", response="ab", algorithm=SHA-256, cnonce="c", nc=0000000a, qop=auth`},
		{"qop without a count", least + `, qop=auth, cnonce="c"`, ""},
		{"a count of nothing", least + `, qop=auth, cnonce="c", nc=00000000`, ""},
		{"nobody", `Digest username="", realm="r", nonce="n", uri="sip:x", response="ab"`, ""},
	} {
		c, err := ParseCredentials(test.value)
		got := ""
		if err == nil {
			got = c.String()
		}
		if got != test.want {
			t.Errorf("%s: got %q, %v, want %q", test.rule, got, err, test.want)
		}
	}
}

// desk is a Verifier with one user, and a phone that calls it.
type desk struct {
	t        *testing.T
	verifier *Verifier
	request  Request
}

// realm has one account, 2001.
func realm(name string, algorithms []Algorithm, account Account) func() *Realm {
	r := &Realm{Name: name, Algorithms: algorithms, Accounts: map[string]Account{"2001": account}}
	return func() *Realm { return r }
}

func newDesk(t *testing.T) *desk {
	account := NewAccount("2001", "house", "secret")
	return &desk{t,
		NewVerifier(realm("house", nil, account)),
		Request{Method: "REGISTER", URI: "sip:gateway.example:5060;transport=tcp", Source: netip.MustParseAddr("192.0.2.7")},
	}
}

// challenges returns those for a request without credentials.
func (d *desk) challenges() []Challenge {
	d.t.Helper()
	r := d.request
	r.Authorization = nil
	_, values, err := d.verifier.Check(r)
	if !errors.Is(err, ErrNone) {
		d.t.Fatalf("got %v, want %v", err, ErrNone)
	}
	return parsed(d.t, values)
}

func parsed(t *testing.T, values []string) []Challenge {
	t.Helper()
	var all []Challenge
	for _, v := range values {
		c, err := ParseChallenge(v)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, c)
	}
	return all
}

// try answers with what a keyring has.
func (d *desk) try(k *Keyring) (string, []string, error) {
	r := d.request
	for _, h := range k.Answer(r.Method, "sip:gateway.example", r.Body) {
		r.Authorization = append(r.Authorization, h.Value)
	}
	return d.verifier.Check(r)
}

// guess tries a password with a fresh nonce.
func (d *desk) guess(user, password string) error {
	d.t.Helper()
	k := NewKeyring(user, password)
	if !k.Take(d.challenges(), false) {
		d.t.Fatal("the challenge is not taken")
	}
	_, _, err := d.try(k)
	return err
}

func TestRightPassword(t *testing.T) {
	d := newDesk(t)
	k := NewKeyring("2001", "secret")
	if got := d.challenges(); len(got) != 2 || got[0].Algorithm != SHA256 || got[1].Algorithm != MD5 {
		t.Fatalf("got %v, want SHA-256 and MD5", got)
	}
	k.Take(d.challenges(), false)
	for range 3 { // the nonce is used again, before it is asked for
		if user, _, err := d.try(k); user != "2001" || err != nil {
			t.Errorf("got %q, %v", user, err)
		}
	}
}

func TestHA1AloneIsEnough(t *testing.T) {
	account := AccountOf(map[Algorithm]string{MD5: strings.ToUpper(MD5.HA1("2001", "house", "secret"))})
	d := newDesk(t)
	d.verifier = NewVerifier(realm("house", []Algorithm{MD5}, account))
	if err := d.guess("2001", "secret"); err != nil {
		t.Error(err)
	}
}

func TestNothingIsTakenTwice(t *testing.T) {
	d := newDesk(t)
	k := NewKeyring("2001", "secret")
	k.Take(d.challenges(), false)
	r := d.request
	first := k.Answer(r.Method, "sip:gateway.example", nil)[0].Value
	second := k.Answer(r.Method, "sip:gateway.example", nil)[0].Value
	for _, test := range []struct {
		rule, value string
		want        error
	}{
		{"the second", second, nil},
		{"again", second, ErrStale},
		{"one from before it", first, ErrStale},
	} {
		r.Authorization = []string{test.value}
		_, challenges, err := d.verifier.Check(r)
		if !errors.Is(err, test.want) {
			t.Errorf("%s: got %v, want %v", test.rule, err, test.want)
		}
		if err != nil && !parsed(t, challenges)[0].Stale {
			t.Errorf("%s: not stale", test.rule)
		}
	}
}

func TestOldPhonesUseANonceOnce(t *testing.T) {
	d := newDesk(t)
	nonce := d.challenges()[0].Nonce
	c := Credentials{Username: "2001", Realm: "house", Nonce: nonce, URI: "sip:gateway.example", Algorithm: MD5}
	c.Response = c.expected(MD5.HA1("2001", "house", "secret"), "REGISTER", nil)
	r := d.request
	r.Authorization = []string{c.String()}
	if _, _, err := d.verifier.Check(r); err != nil {
		t.Fatal(err)
	}
	if _, _, err := d.verifier.Check(r); !errors.Is(err, ErrStale) {
		t.Errorf("got %v, want %v", err, ErrStale)
	}
}

func TestNoncesOutsideOfTheirTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		k, wrong := NewKeyring("2001", "secret"), NewKeyring("2001", "guess")
		challenges := d.challenges()
		k.Take(challenges, false)
		wrong.Take(challenges, false)
		time.Sleep(nonceLife + time.Second)
		_, right, err := d.try(k)
		if !errors.Is(err, ErrStale) {
			t.Errorf("old: got %v, want %v", err, ErrStale)
		}
		_, bad, _ := d.try(wrong)
		if !parsed(t, right)[0].Stale || !parsed(t, bad)[0].Stale {
			t.Error("stale tells a right password from a wrong one")
		}
		foreign := challenges
		foreign[0].Nonce = "bm90IG91cnM"
		k = NewKeyring("2001", "secret")
		k.Take(foreign[:1], false)
		if _, _, err := d.try(k); !errors.Is(err, ErrStale) {
			t.Errorf("not ours: got %v, want %v", err, ErrStale)
		}
	})
}

// A nonce that may have been used before everything was forgotten is not taken.
func TestForgottenNoncesAreStale(t *testing.T) {
	n := newNonces()
	at := time.Unix(1000, 0)
	for i := range 3*noncesKept + 1 {
		made := at.Add(time.Duration(i) * time.Millisecond)
		if !n.use(fmt.Sprint(i), made, 1) {
			t.Fatalf("nonce %d is not taken", i)
		}
	}
	if n.use("0", at, 2) {
		t.Error("one that was forgotten is taken again")
	}
	if got := len(n.young) + len(n.old); got > 2*noncesKept {
		t.Errorf("%d nonces are kept", got)
	}
}

func TestUnknownUsersLookLikeKnownOnes(t *testing.T) {
	d := newDesk(t)
	shape := func(user string) string {
		k := NewKeyring(user, "guess")
		k.Take(d.challenges(), false)
		_, values, err := d.try(k)
		if !errors.Is(err, ErrWrong) {
			t.Fatalf("%s: got %v", user, err)
		}
		text := strings.Join(values, "\n")
		for _, c := range parsed(t, values) {
			text = strings.ReplaceAll(text, c.Nonce, strings.Repeat("N", len(c.Nonce)))
		}
		return text
	}
	if known, unknown := shape("2001"), shape("2002"); known != unknown {
		t.Errorf("known: %q\nunknown: %q", known, unknown)
	}
}

func TestCredentialsForSomethingElse(t *testing.T) {
	d := newDesk(t)
	for _, test := range []struct {
		rule   string
		change func(*Request)
	}{
		{"another method", func(r *Request) { r.Method = "INVITE" }},
		{"another user", func(r *Request) {
			k := NewKeyring("2001", "secret")
			k.Take(d.challenges(), false)
			r.URI, r.Authorization = "sip:board@gateway.example", []string{k.Answer("REGISTER", "sip:lobby@gateway.example", nil)[0].Value}
		}},
		{"another host", func(r *Request) { r.URI = "sip:other.example" }},
	} {
		k := NewKeyring("2001", "secret")
		k.Take(d.challenges(), false)
		r := d.request
		r.Authorization = []string{k.Answer("REGISTER", "sip:gateway.example", nil)[0].Value}
		test.change(&r)
		if _, _, err := d.verifier.Check(r); !errors.Is(err, ErrWrong) {
			t.Errorf("%s: got %v, want %v", test.rule, err, ErrWrong)
		}
	}
}

func TestGuessing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		for range 5 {
			if err := d.guess("2001", "guess"); !errors.Is(err, ErrWrong) {
				t.Fatal(err)
			}
		}
		if err := d.guess("2001", "secret"); !errors.Is(err, ErrLocked) {
			t.Errorf("the right password after five wrong ones: %v, want %v", err, ErrLocked)
		}
		d.request.AtHome = func(user string) bool { return user == "2001" }
		if err := d.guess("2001", "secret"); err != nil {
			t.Errorf("the phone that was there before: %v", err)
		}
		d.request.AtHome = nil

		d.request.Source = netip.MustParseAddr("192.0.2.8")
		if err := d.guess("2001", "secret"); err != nil {
			t.Errorf("from elsewhere: %v", err)
		}
	})
}

// TestGuessesInADay counts what somebody learns who guesses as fast as it goes, at one user or at many.
func TestGuessesInADay(t *testing.T) {
	for _, test := range []struct {
		rule string
		user func(i int) string
		most int // in 24 hours
	}{
		{"one user", func(int) string { return "2001" }, 45},
		{"one user after the other", func(i int) string { return fmt.Sprint(i) }, 75},
	} {
		t.Run(test.rule, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDesk(t)
				looked := 0
				for i := range 24 * 60 * 6 {
					if errors.Is(d.guess(test.user(i), "guess"), ErrWrong) {
						looked++
					}
					time.Sleep(10 * time.Second)
				}
				if looked > test.most || looked < 20 {
					t.Errorf("%d passwords were looked at, want at most %d", looked, test.most)
				}
			})
		})
	}
}

func TestGuessesAreBounded(t *testing.T) {
	var m Memory
	g := guesses{&m}
	for i := range 3 * memoryKept {
		g.wrong(fmt.Sprint(i), netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}))
	}
	if n := len(m.young) + len(m.old); n > 2*memoryKept+3 {
		t.Errorf("%d are kept", n)
	}
}

func TestKeyringChooses(t *testing.T) {
	challenge := func(a Algorithm, realm string, qop ...string) Challenge {
		return Challenge{Realm: realm, Nonce: "n", Algorithm: a, QOP: qop}
	}
	for _, test := range []struct {
		rule  string
		asked []Challenge
		want  []string // algorithm and qop of each answer
	}{
		{"the strongest", []Challenge{challenge(MD5, "r", "auth"), challenge(SHA256, "r", "auth")}, []string{"SHA-256 auth"}},
		{"auth before auth-int", []Challenge{challenge(MD5, "r", "auth-int", "auth")}, []string{"MD5 auth"}},
		{"auth-int where nothing else will do", []Challenge{challenge(SHA512, "r", "auth-int")}, []string{"SHA-512-256 auth-int"}},
		{"none of both", []Challenge{challenge(MD5, "r")}, []string{"MD5 "}},
		{"an algorithm that is not known", []Challenge{challenge("X", "r", "auth"), challenge(MD5+session, "r", "auth")}, []string{"MD5-sess auth"}},
		{"a qop that is not known", []Challenge{challenge(MD5, "r", "token")}, nil},
		{"each realm", []Challenge{challenge(MD5, "r", "auth"), challenge(MD5, "s", "auth")}, []string{"MD5 auth", "MD5 auth"}},
	} {
		k := NewKeyring("u", "p")
		if got := k.Take(test.asked, false); got != (test.want != nil) {
			t.Errorf("%s: taken is %v", test.rule, got)
		}
		var got []string
		for _, h := range k.Answer("INVITE", "sip:x", []byte("body")) {
			c, err := ParseCredentials(h.Value)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, string(c.Algorithm)+" "+c.QOP)
		}
		if fmt.Sprint(got) != fmt.Sprint(test.want) {
			t.Errorf("%s: got %v, want %v", test.rule, got, test.want)
		}
	}
}

func TestKeyringKnowsWhenToStop(t *testing.T) {
	k := NewKeyring("u", "p")
	c := []Challenge{{Realm: "r", Nonce: "1", Algorithm: MD5, QOP: []string{"auth"}}}
	answer := func() { k.Answer("REGISTER", "sip:x", nil) }
	if !k.Take(c, false) {
		t.Error("the first is not taken")
	}
	answer()
	answer() // the next request, without being asked
	if !k.Take(c, false) {
		t.Error("a nonce that was used before may be too old")
	}
	answer()
	if k.Take(c, false) {
		t.Error("the answer to just this was refused")
	}
	if !k.Take(c, false) {
		t.Error("the next request begins anew")
	}
	answer()
	c[0].Stale = true
	if !k.Take(c, false) {
		t.Error("stale is no refusal")
	}
	if len(k.Answer("X", "sip:x", nil)) != 1 {
		t.Error("one challenge has more than one answer")
	}
	k.Take(c, true)
	if both := k.Answer("X", "sip:x", nil); len(both) != 2 || both[0].Name != "Authorization" || both[1].Name != "Proxy-Authorization" {
		t.Errorf("a server and a proxy are two, here is %v", both)
	}
}

func TestTheBodyIsProtected(t *testing.T) {
	k := NewKeyring("u", "p")
	k.Take([]Challenge{{Realm: "r", Nonce: "n", Algorithm: SHA256, QOP: []string{"auth-int"}}}, false)
	c, err := ParseCredentials(k.Answer("INVITE", "sip:x", []byte("v=0"))[0].Value)
	if err != nil {
		t.Fatal(err)
	}
	ha1 := SHA256.HA1("u", "r", "p")
	if c.expected(ha1, "INVITE", []byte("v=0")) != c.Response || c.expected(ha1, "INVITE", []byte("v=1")) == c.Response {
		t.Error("the response does not depend on the body")
	}
}
