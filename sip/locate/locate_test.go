package locate

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/quick"
	"time"

	"go.uber.org/goleak"

	"passerelle/sip/locate/locatetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const zone = `
naptr.example.   60 IN NAPTR 20 10 "s" "SIP+D2U"  "" _sip._udp.naptr.example.
naptr.example.   60 IN NAPTR 10 20 "s" "SIP+D2T"  "" _sip._tcp.elsewhere.example.
naptr.example.   60 IN NAPTR 10 10 "s" "SIPS+D2T" "" _sips._tcp.naptr.example.
naptr.example.   60 IN NAPTR 5  10 "u" "E2U+sip"  "!^.*$!sip:a@b!" .
_sip._udp.naptr.example.     60 IN SRV 0 0 5070 one.example.
_sip._tcp.elsewhere.example. 60 IN SRV 0 0 5071 two.example.
_sips._tcp.naptr.example.    60 IN SRV 0 0 5072 one.example.

srv.example.     60 IN A 192.0.2.99
_sip._udp.srv.example. 60 IN SRV 20 0 5060 three.example.
_sip._udp.srv.example. 60 IN SRV 10 0 5080 one.example.
_sip._udp.srv.example. 60 IN SRV 10 5 5081 two.example.
_sip._tcp.srv.example. 60 IN SRV 0 0 5090 one.example.

alias.example.   60 IN CNAME plain.example.
plain.example.   60 IN A 192.0.2.50
plain.example.   60 IN AAAA 2001:db8::50
_sip._udp.none.example. 60 IN SRV 0 0 0 .
none.example.    60 IN A 192.0.2.66
_sip._udp.hole.example. 60 IN SRV 0 0 5060 nobody.example.
_sip._udp.hole.example. 60 IN SRV 1 0 5060 one.example.
one.example.     60 IN A 192.0.2.1
two.example.     60 IN A 192.0.2.2
three.example.   60 IN A 192.0.2.3
three.example.   60 IN AAAA 2001:db8::3
`

// everything is what a gateway with all transports speaks.
func everything(string, bool) bool { return true }

// overIPv4 speaks only some transports, and IPv4 alone.
func overIPv4(transports ...string) func(string, bool) bool {
	return func(t string, ipv4 bool) bool { return ipv4 && slices.Contains(transports, t) }
}

func TestFind(t *testing.T) {
	dns := locatetest.Serve(t, zone)
	for _, c := range []struct {
		rule  string
		query Query
		want  string
	}{
		{"an address is a UDP target", Query{Host: "192.0.2.7"}, "udp 192.0.2.7:5060"},
		{"... an IPv6 one too", Query{Host: "[2001:db8::7]", Port: 5062}, "udp [2001:db8::7]:5062"},
		{"... with the transport of the URI", Query{Host: "192.0.2.7", Transport: "tls"}, "tls 192.0.2.7:5061"},
		{"... and over TLS for sips", Query{Host: "192.0.2.7", Secure: true}, "tls 192.0.2.7:5061"},
		{"... and over what we speak", Query{Host: "192.0.2.7", Speaks: overIPv4("tcp")}, "tcp 192.0.2.7:5060"},
		{"a port skips NAPTR and SRV", Query{Host: "srv.example", Port: 5066}, "udp 192.0.2.99:5066 (srv.example)"},
		{
			"NAPTR says which transports, by order and preference", Query{Host: "naptr.example"},
			"tls 192.0.2.1:5072 (one.example), tcp 192.0.2.2:5071 (two.example), udp 192.0.2.1:5070 (one.example)",
		},
		{"... of those that we speak", Query{Host: "naptr.example", Speaks: overIPv4("udp")}, "udp 192.0.2.1:5070 (one.example)"},
		{"... and TLS alone for sips", Query{Host: "naptr.example", Secure: true}, "tls 192.0.2.1:5072 (one.example)"},
		{"the transport of the URI skips NAPTR", Query{Host: "srv.example", Transport: "tcp"}, "tcp 192.0.2.1:5090 (one.example)"},
		{
			"SRV by priority, and those without weight behind where the lot falls so", Query{Host: "srv.example", Transport: "udp"},
			"udp 192.0.2.2:5081 (two.example), udp 192.0.2.1:5080 (one.example), udp 192.0.2.3:5060 (three.example), udp [2001:db8::3]:5060 (three.example)",
		},
		{
			"without NAPTR all transports that have SRV", Query{Host: "srv.example", Speaks: overIPv4("udp", "tcp")},
			"udp 192.0.2.2:5081 (two.example), udp 192.0.2.1:5080 (one.example), udp 192.0.2.3:5060 (three.example), tcp 192.0.2.1:5090 (one.example)",
		},
		{"without SRV the host itself", Query{Host: "plain.example"}, "udp 192.0.2.50:5060 (plain.example), udp [2001:db8::50]:5060 (plain.example)"},
		{"... at the port of TLS for sips", Query{Host: "plain.example", Secure: true, Speaks: overIPv4("tls")}, "tls 192.0.2.50:5061 (plain.example)"},
		{"an alias is followed", Query{Host: "alias.example", Port: 5060, Speaks: overIPv4("udp")}, "udp 192.0.2.50:5060 (alias.example)"},
		{"a host without an address is told", Query{Host: "hole.example", Transport: "udp", Speaks: overIPv4("udp")}, "udp nobody.example, udp 192.0.2.1:5060 (one.example)"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			r := New(Config{Servers: []netip.AddrPort{dns.Addr}, Random: func(n int) int { return n - 1 }})
			if c.query.Speaks == nil {
				c.query.Speaks = everything
			}
			targets, err := r.Find(t.Context(), c.query)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, target := range targets {
				got = append(got, target.String())
				if target.Addr.IsValid() == (target.Err != nil) {
					t.Errorf("%s: got error %v", target, target.Err)
				}
			}
			if text := strings.Join(got, ", "); text != c.want {
				t.Errorf("got  %s\nwant %s", text, c.want)
			}
		})
	}
}

func TestNothingIsFound(t *testing.T) {
	dns := locatetest.Serve(t, zone)
	for _, c := range []struct {
		rule  string
		query Query
		want  error
	}{
		{"the domain has no such server", Query{Host: "none.example", Transport: "udp"}, ErrNoServer},
		{"no transport in common", Query{Host: "plain.example", Secure: true, Speaks: overIPv4("udp")}, ErrNoTransport},
		{"no listener of the family", Query{Host: "2001:db8::1", Speaks: overIPv4("udp")}, ErrNoTransport},
	} {
		t.Run(c.rule, func(t *testing.T) {
			if c.query.Speaks == nil {
				c.query.Speaks = everything
			}
			r := New(Config{Servers: []netip.AddrPort{dns.Addr}})
			if targets, err := r.Find(t.Context(), c.query); !errors.Is(err, c.want) {
				t.Errorf("got %v, %v; want %v", targets, err, c.want)
			}
		})
	}
}

// clock is one that a test moves.
type clock struct{ now time.Time }

func TestAnswersAreRemembered(t *testing.T) {
	dns := locatetest.Serve(t, `
_sip._udp.a.example. 60 IN SRV 0 0 5060 h.example.
h.example. 1 IN A 192.0.2.1
`)
	at := clock{time.Unix(1e9, 0)}
	r := New(Config{Servers: []netip.AddrPort{dns.Addr}, Now: func() time.Time { return at.now }})
	look := func(want string, asked ...string) {
		t.Helper()
		targets, err := r.Find(t.Context(), Query{Host: "A.example", Transport: "udp", Speaks: overIPv4("udp")})
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(targets); got != "["+want+"]" {
			t.Errorf("got %s, want %s", got, want)
		}
		if got := dns.Asked(); !slices.Equal(got, asked) {
			t.Errorf("got questions %q, want %q", got, asked)
		}
	}
	const first, second = "udp 192.0.2.1:5060 (h.example)", "udp 192.0.2.2:5060 (h.example)"
	look(first, "SRV _sip._udp.a.example.", "A h.example.")
	look(first)
	dns.Set(t, `
_sip._udp.a.example. 60 IN SRV 0 0 5060 h.example.
h.example. 7200 IN A 192.0.2.2
`)
	at.now = at.now.Add(minTTL + time.Second) // a TTL of 1 s counts as 5 s
	look(second, "A h.example.")
	at.now = at.now.Add(time.Minute)
	look(second, "SRV _sip._udp.a.example.")
	at.now = at.now.Add(maxTTL + time.Second) // and one of two hours as one
	dns.Fail(true)
	targets, err := r.Find(t.Context(), Query{Host: "a.example", Transport: "udp", Speaks: overIPv4("udp")})
	if err != nil || fmt.Sprint(targets) != "["+second+"]" {
		t.Errorf("DNS fails: got %v, %v; want what it said last", targets, err)
	}
	at.now = at.now.Add(staleTime)
	if targets, err := r.Find(t.Context(), Query{Host: "a.example", Transport: "udp", Speaks: overIPv4("udp")}); err == nil {
		t.Errorf("DNS fails for long: got %v, want an error", targets)
	}
}

func TestCacheIsBounded(t *testing.T) {
	c := newCache(nil)
	for i := range 3 * maxAnswers {
		c.put(question{fmt.Sprint(i), 1}, nil, time.Minute)
	}
	if len(c.m) != maxAnswers {
		t.Errorf("got %d answers, want %d", len(c.m), maxAnswers)
	}
}

func TestLongAnswerComesOverTCP(t *testing.T) {
	var zone strings.Builder
	for i := range 60 {
		fmt.Fprintf(&zone, "_sip._udp.long.example. 60 IN SRV %d 0 5060 a-host-with-a-long-name-%d.example.\n", i, i)
	}
	dns := locatetest.Serve(t, zone.String())
	r := New(Config{Servers: []netip.AddrPort{dns.Addr}})
	records, err := r.srv(t.Context(), "_sip._udp.long.example")
	if err != nil || len(records) != 60 {
		t.Errorf("got %d records, %v", len(records), err)
	}
}

// TestWeights has each record come first as often as its weight says (RFC 2782).
func TestWeights(t *testing.T) {
	records := []record{{0, 1, 1, "a"}, {0, 3, 1, "b"}, {0, 0, 1, "c"}}
	first := map[string]int{}
	for lot := range 5 { // 0 to the sum of the weights
		r := New(Config{Random: func(int) int { return lot }})
		r.random = func(n int) int { return min(lot, n-1) }
		first[r.order(records)[0].host]++
	}
	if first["a"] != 1 || first["b"] != 3 || first["c"] != 1 {
		t.Errorf("got %v, want a: 1, b: 3, c: 1 of 5", first)
	}
}

// TestOrderIsAPermutation has every record come once, and none before one of a better priority.
func TestOrderIsAPermutation(t *testing.T) {
	r := New(Config{})
	err := quick.Check(func(weights []uint16) bool {
		var in []record
		for i, w := range weights {
			in = append(in, record{priority: w % 3, weight: w / 3, port: uint16(i)})
		}
		out := r.order(in)
		sorted := slices.IsSortedFunc(out, func(a, b record) int { return int(a.priority) - int(b.priority) })
		for _, want := range in {
			i := slices.Index(out, want)
			if i < 0 {
				return false
			}
			out = slices.Delete(out, i, i+1)
		}
		return sorted && len(out) == 0
	}, nil)
	if err != nil {
		t.Error(err)
	}
}

func TestWhatDNSSaysIsTold(t *testing.T) {
	dns := locatetest.Serve(t, zone)
	var heard []string
	r := New(Config{Servers: []netip.AddrPort{dns.Addr}, Tell: func(a Answer) {
		heard = append(heard, fmt.Sprintf("%s %s %v %v", a.Type, a.Name, a.Records, a.Err))
	}})
	find := func() {
		if _, err := r.Find(t.Context(), Query{Host: "hole.example", Transport: "udp", Speaks: overIPv4("udp")}); err != nil {
			t.Fatal(err)
		}
	}
	find()
	want := []string{
		"SRV _sip._udp.hole.example. [_sip._udp.hole.example. 60 IN SRV 0 0 5060 nobody.example. _sip._udp.hole.example. 60 IN SRV 1 0 5060 one.example.] <nil>",
		"A nobody.example. [] <nil>", "A one.example. [one.example. 60 IN A 192.0.2.1] <nil>",
	}
	if !slices.Equal(heard, want) {
		t.Errorf("told\n%s", strings.Join(heard, "\n"))
	}
	if find(); len(heard) != len(want) {
		t.Errorf("what is remembered is told again: %v", heard[len(want):])
	}
}
