// Package locate finds the servers of a SIP URI, as RFC 3263 has it: which transports, ports and addresses a request
// may go to, the best first. It knows names and DNS, and neither sends a request nor judges how one fared.
package locate

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// The way of a URI, in [Resolver.Find]:
//
//  1. an address says it all: there is nothing to look up;
//  2. a port that is named is the port: only the host's addresses are looked up;
//  3. which transports: the URI's parameter, else the domain's NAPTR records, else all that we speak;
//  4. which hosts and ports: the SRV records of each, in the order of RFC 2782;
//  5. where there are none: the host itself, at the default port;
//  6. the addresses of each host.

// Query is what a SIP URI says of where it leads.
type Query struct {
	Host      string // a name, or an address with or without brackets
	Port      int    // 0 if the URI names none
	Transport string // "udp", "tcp", "tls", or "" where the URI leaves it open
	Secure    bool   // a SIPS URI, or one that must be treated so: TLS only
	// Speaks tells whether we can send over a transport to an address of this family at all. Needed.
	Speaks func(transport string, ipv4 bool) bool
}

// Target is one place where a request may go.
type Target struct {
	Transport string         // "udp", "tcp" or "tls"
	Addr      netip.AddrPort // not valid where Err is set
	Host      string         // whose address it is: the host of the URI, or of an SRV record
	Err       error          // why the host has no address
}

// String is the target for a log: "udp 192.0.2.1:5060 (sip1.example.org)".
func (t Target) String() string {
	if !t.Addr.IsValid() {
		return t.Transport + " " + t.Host
	}
	if t.Host == t.Addr.Addr().String() {
		return t.Transport + " " + t.Addr.String()
	}
	return t.Transport + " " + t.Addr.String() + " (" + t.Host + ")"
}

// What there may be to say of a domain.
var (
	ErrNoServer    = errors.New("the domain says that it has no such server")
	ErrNoTransport = errors.New("no transport that both sides speak")
)

const (
	maxServers = 16 // hosts that are looked up for one URI
	maxTargets = 16 // that one URI may have
)

// Find returns the targets of a URI, one at least, in the order in which they are to be tried (RFC 3263 section 4).
// A host whose address cannot be found is among them, with the reason.
func (r *Resolver) Find(ctx context.Context, q Query) ([]Target, error) {
	host := strings.Trim(q.Host, "[]")
	if a, err := netip.ParseAddr(host); err == nil {
		a = a.Unmap().WithZone("")
		transport := q.plain(a.Is4())
		if transport == "" {
			return nil, ErrNoTransport
		}
		port := q.Port
		if port == 0 {
			port = defaultPort(transport)
		}
		return []Target{{Transport: transport, Addr: netip.AddrPortFrom(a, uint16(port)), Host: a.String()}}, nil
	}
	servers, err := r.servers(ctx, q, host)
	if err != nil {
		return nil, err
	}
	var targets []Target
	for _, s := range servers {
		targets = append(targets, r.targets(ctx, q, s)...)
	}
	if len(targets) == 0 {
		return nil, ErrNoTransport
	}
	return targets[:min(len(targets), maxTargets)], nil
}

// server is a host that may take a request.
type server struct {
	transport string
	host      string
	port      uint16
}

// servers returns the hosts for a domain name: steps 2 to 5.
func (r *Resolver) servers(ctx context.Context, q Query, host string) ([]server, error) {
	plain := q.plain(true)
	if plain == "" {
		plain = q.plain(false)
	}
	switch {
	case plain == "":
		return nil, ErrNoTransport
	case q.Port != 0:
		return []server{{plain, host, uint16(q.Port)}}, nil
	case !strings.Contains(strings.TrimSuffix(host, "."), "."): // this machine's own name for something
		return []server{{plain, host, uint16(defaultPort(plain))}}, nil
	}
	var servers []server
	var failed []error
	for _, s := range r.services(ctx, q, host) {
		found, err := r.srv(ctx, s.name)
		if err != nil { // not "there is none": to go on as if there were none could lead to somebody else
			failed = append(failed, fmt.Errorf("look up %s: %w", s.name, err))
		}
		for _, f := range r.order(found) {
			servers = append(servers, server{s.transport, strings.TrimSuffix(f.host, "."), f.port})
		}
	}
	switch {
	case len(servers) > 0:
		return servers[:min(len(servers), maxServers)], nil
	case len(failed) > 0:
		return nil, errors.Join(failed...)
	}
	return []server{{plain, host, uint16(defaultPort(plain))}}, nil
}

// service is a name that may have SRV records.
type service struct{ transport, name string }

// services returns where to look for SRV records: section 4.1. A NAPTR that cannot be asked for is as none: many who
// pass DNS on know nothing of it.
func (r *Resolver) services(ctx context.Context, q Query, host string) []service {
	var services []service
	if q.Transport == "" {
		pointers, _ := r.naptr(ctx, host)
		for _, p := range pointers {
			if t := p.transport(); t != "" && q.takes(t) {
				services = append(services, service{t, p.replacement})
			}
		}
	}
	if len(services) > 0 {
		return services
	}
	for _, t := range transports() {
		if q.takes(t) {
			services = append(services, service{t, srvName(t, host)})
		}
	}
	return services
}

// targets returns the addresses of a host, of the families that we can send to, IPv4 first.
func (r *Resolver) targets(ctx context.Context, q Query, s server) []Target {
	var targets []Target
	var failed []error
	for _, ipv4 := range []bool{true, false} {
		if !q.Speaks(s.transport, ipv4) {
			continue
		}
		addrs, err := r.addresses(ctx, s.host, ipv4)
		if err != nil {
			failed = append(failed, err)
		}
		for _, a := range addrs {
			targets = append(targets, Target{Transport: s.transport, Addr: netip.AddrPortFrom(a, s.port), Host: s.host})
		}
	}
	if len(targets) == 0 && len(failed) > 0 {
		return []Target{{Transport: s.transport, Host: s.host, Err: errors.Join(failed...)}}
	}
	return targets
}

// plain returns the transport where neither port nor DNS says which: the first that is taken.
func (q Query) plain(ipv4 bool) string {
	for _, t := range transports() {
		if q.wants(t) && q.Speaks(t, ipv4) {
			return t
		}
	}
	return ""
}

// wants reports whether the URI leaves a transport open.
func (q Query) wants(transport string) bool {
	if q.Secure {
		return transport == "tls"
	}
	return q.Transport == "" || q.Transport == transport
}

// takes reports whether both sides do.
func (q Query) takes(transport string) bool {
	return q.wants(transport) && (q.Speaks(transport, true) || q.Speaks(transport, false))
}

// transports are those that there are, in the order in which we like them where the domain has no wish.
func transports() []string { return []string{"udp", "tcp", "tls"} }

// defaultPort is the port of a transport where neither URI nor SRV names one (RFC 3261 section 19.1.2).
func defaultPort(transport string) int {
	if transport == "tls" {
		return 5061
	}
	return 5060
}

// srvName is where the SRV records of a transport are (RFC 3263 section 4.1).
func srvName(transport, host string) string {
	switch transport {
	case "udp":
		return "_sip._udp." + host
	case "tls":
		return "_sips._tcp." + host
	}
	return "_sip._tcp." + host
}

// pointer is a NAPTR record.
type pointer struct {
	order, preference uint16
	flags, service    string
	replacement       string
}

// transport returns what a pointer is for; "" where that is nothing of ours.
func (p pointer) transport() string {
	if !strings.EqualFold(p.flags, "s") || strings.Trim(p.replacement, ".") == "" {
		return ""
	}
	switch strings.ToUpper(p.service) {
	case "SIP+D2U":
		return "udp"
	case "SIP+D2T":
		return "tcp"
	case "SIPS+D2T":
		return "tls"
	}
	return ""
}

// inOrder sorts pointers by order and preference.
func inOrder(pointers []pointer) {
	slices.SortStableFunc(pointers, func(a, b pointer) int {
		if a.order != b.order {
			return int(a.order) - int(b.order)
		}
		return int(a.preference) - int(b.preference)
	})
}

// record is an SRV record.
type record struct {
	priority, weight, port uint16
	host                   string
}

// order brings SRV records into the order in which they are to be tried (RFC 2782): by priority, and within one by
// lot, where a weight is so many lots.
func (r *Resolver) order(records []record) []record {
	left := slices.Clone(records)
	slices.SortStableFunc(left, func(a, b record) int {
		if a.priority != b.priority {
			return int(a.priority) - int(b.priority)
		}
		return min(int(a.weight), 1) - min(int(b.weight), 1) // those without weight first: they have a small chance
	})
	ordered := make([]record, 0, len(left))
	for len(left) > 0 {
		n, sum := 0, 0
		for n < len(left) && left[n].priority == left[0].priority {
			sum += int(left[n].weight)
			n++
		}
		lot, drawn := r.random(sum+1), 0
		for running := int(left[0].weight); running < lot; running += int(left[drawn].weight) {
			drawn++
		}
		ordered = append(ordered, left[drawn])
		left = slices.Delete(left, drawn, drawn+1)
	}
	return ordered
}
