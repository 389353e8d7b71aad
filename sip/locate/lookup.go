package locate

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// Config says whom to ask. The zero value asks whom this machine asks.
type Config struct {
	// Servers are asked one after the other. None: those of /etc/resolv.conf.
	Servers []netip.AddrPort

	// Random returns a number from 0 to n-1, for the weights of SRV records. Nil: one that nobody can guess.
	Random func(n int) int

	// Now is the clock of the cache. Nil: time.Now.
	Now func() time.Time

	// Tell, where set, is told each answer of DNS as it comes, from whoever asked. It must not block.
	Tell func(Answer)
}

// Answer is what DNS has said to one question.
type Answer struct {
	Name, Type string   // "_sip._udp.example.org.", "SRV"
	Records    []string // as a zone file has them, with their TTL; none: there are none
	Err        error    // why there is no answer
}

// Resolver finds servers, and remembers them for as long as DNS says. Its methods may be called from any goroutine.
type Resolver struct {
	asked  []string
	random func(n int) int
	tell   func(Answer)
	cache  cache
	system *net.Resolver
}

const (
	// askTime is how long one question to one server may take; each is asked twice.
	askTime = 2 * time.Second
	rounds  = 2
	// datagram is the largest answer over UDP, in bytes (RFC 9715); a larger one comes over TCP.
	datagram = 1232
)

// New returns a Resolver. It asks nothing yet.
func New(c Config) *Resolver {
	r := &Resolver{random: c.Random, tell: c.Tell, cache: newCache(c.Now), system: net.DefaultResolver}
	if r.tell == nil {
		r.tell = func(Answer) {}
	}
	if r.random == nil {
		r.random = rand.IntN
	}
	for _, s := range c.Servers {
		r.asked = append(r.asked, s.String())
	}
	if len(r.asked) > 0 { // what is not in DNS is in this machine's hosts file, or nowhere
		var d net.Dialer
		r.system = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return d.DialContext(ctx, network, r.asked[0])
		}}
	}
	return r
}

// naptr returns the NAPTR records of a domain in their order; none is no error.
func (r *Resolver) naptr(ctx context.Context, name string) ([]pointer, error) {
	answers, err := r.look(ctx, name, dns.TypeNAPTR)
	var pointers []pointer
	for _, rr := range answers {
		if n, ok := rr.(*dns.NAPTR); ok {
			pointers = append(pointers, pointer{n.Order, n.Preference, n.Flags, n.Service, n.Replacement})
		}
	}
	inOrder(pointers)
	return pointers, err
}

// srv returns the SRV records of a name; none is no error, and a root as the only host is ErrNoServer (RFC 2782).
func (r *Resolver) srv(ctx context.Context, name string) ([]record, error) {
	answers, err := r.look(ctx, name, dns.TypeSRV)
	var records []record
	for _, rr := range answers {
		if s, ok := rr.(*dns.SRV); ok {
			records = append(records, record{s.Priority, s.Weight, s.Port, s.Target})
		}
	}
	if len(records) == 1 && records[0].host == "." {
		return nil, ErrNoServer
	}
	return records, err
}

// addresses returns those of a host, of one family; one at least, or an error. What DNS does not know, this machine may
// (its hosts file, its search domains).
func (r *Resolver) addresses(ctx context.Context, host string, ipv4 bool) ([]netip.Addr, error) {
	network, kind := "ip6", dns.TypeAAAA
	if ipv4 {
		network, kind = "ip4", dns.TypeA
	}
	var addrs []netip.Addr
	if strings.Contains(strings.TrimSuffix(host, "."), ".") {
		answers, _ := r.look(ctx, host, kind) // an error is one of the system's too
		for _, rr := range answers {
			switch rr := rr.(type) {
			case *dns.A:
				addrs = append(addrs, addrOf(rr.A)...)
			case *dns.AAAA:
				addrs = append(addrs, addrOf(rr.AAAA)...)
			}
		}
	}
	if len(addrs) > 0 {
		return addrs, nil
	}
	found, err := r.system.LookupNetIP(ctx, network, host)
	for _, a := range found {
		addrs = append(addrs, a.Unmap().WithZone(""))
	}
	if err == nil && len(addrs) == 0 {
		err = fmt.Errorf("%s has no %s address", host, network)
	}
	return addrs, err
}

func addrOf(ip net.IP) []netip.Addr {
	a, ok := netip.AddrFromSlice(ip)
	if !ok {
		return nil
	}
	return []netip.Addr{a.Unmap()}
}

// look returns the records of one type that a name has, from the cache or from DNS; none is no error. Where DNS does
// not answer, what it said last is better than nothing (RFC 8767).
func (r *Resolver) look(ctx context.Context, name string, kind uint16) ([]dns.RR, error) {
	key := question{strings.ToLower(dns.Fqdn(name)), kind}
	known, state := r.cache.get(key)
	if state == fresh {
		return known, nil
	}
	answers, ttl, err := r.ask(ctx, key)
	r.tell(answerOf(key, answers, err))
	switch {
	case err == nil:
		r.cache.put(key, answers, ttl)
		return answers, nil
	case state == stale:
		return known, nil
	}
	return nil, err
}

// answerOf is an answer for people.
func answerOf(q question, records []dns.RR, err error) Answer {
	a := Answer{Name: q.name, Type: dns.TypeToString[q.kind], Err: err}
	for _, rr := range records {
		a.Records = append(a.Records, strings.ReplaceAll(rr.String(), "\t", " "))
	}
	return a
}

// ask asks each server in turn, twice.
func (r *Resolver) ask(ctx context.Context, q question) ([]dns.RR, time.Duration, error) {
	servers, err := r.whom()
	if err != nil {
		return nil, 0, err
	}
	var failed error
	for range rounds {
		for _, server := range servers {
			res, err := exchange(ctx, server, q)
			if ctx.Err() != nil {
				return nil, 0, context.Cause(ctx)
			}
			if err == nil {
				answers, ttl := read(res, q.kind)
				return answers, ttl, nil
			}
			failed = err
		}
	}
	return nil, 0, failed
}

// whom returns the servers to ask, as the system has them now.
func (r *Resolver) whom() ([]string, error) {
	if len(r.asked) > 0 {
		return r.asked, nil
	}
	c, err := dns.ClientConfigFromFile("/etc/resolv.conf")
	if err != nil {
		return nil, fmt.Errorf("DNS servers: %w", err)
	}
	if len(c.Servers) == 0 {
		return nil, errors.New("no DNS server in /etc/resolv.conf")
	}
	var servers []string
	for _, s := range c.Servers {
		servers = append(servers, net.JoinHostPort(s, c.Port))
	}
	return servers, nil
}

// exchange asks one server, over TCP where the answer is too long for UDP.
func exchange(ctx context.Context, server string, q question) (*dns.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	ask := new(dns.Msg).SetQuestion(q.name, q.kind)
	ask.SetEdns0(datagram, false)
	res, _, err := (&dns.Client{Net: "udp", Timeout: askTime}).ExchangeContext(ctx, ask, server)
	if err == nil && res.Truncated {
		res, _, err = (&dns.Client{Net: "tcp", Timeout: askTime}).ExchangeContext(ctx, ask, server)
	}
	switch {
	case err != nil:
		return nil, fmt.Errorf("DNS server %s: %w", server, err)
	case res.Rcode != dns.RcodeSuccess && res.Rcode != dns.RcodeNameError:
		return nil, fmt.Errorf("DNS server %s: %s", server, dns.RcodeToString[res.Rcode])
	case len(res.Question) != 1 || !strings.EqualFold(res.Question[0].Name, q.name) || res.Question[0].Qtype != q.kind:
		return nil, fmt.Errorf("DNS server %s answers another question", server)
	}
	return res, nil
}

// read returns the records of a type in an answer, and how long they, or that there are none, may be remembered.
func read(res *dns.Msg, kind uint16) ([]dns.RR, time.Duration) {
	var records []dns.RR
	least := uint32(1<<32 - 1)
	for _, rr := range res.Answer {
		least = min(least, rr.Header().Ttl) // of the aliases (CNAME) on the way, too
		if rr.Header().Rrtype == kind && len(records) < maxRecords {
			records = append(records, rr)
		}
	}
	if len(records) > 0 {
		return records, time.Duration(least) * time.Second
	}
	for _, rr := range res.Ns { // RFC 2308 section 5
		if soa, ok := rr.(*dns.SOA); ok {
			return nil, time.Duration(min(soa.Hdr.Ttl, soa.Minttl)) * time.Second
		}
	}
	return nil, 0
}
