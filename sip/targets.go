package sip

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/emiago/sipgo/sip"

	"passerelle/sip/locate"
)

// Where a request of ours goes that no dialog has a path for (RFC 3263): the targets of its URI are tried one after the
// other, until one takes it. What counts as not taking it (section 4.3) is a connection that cannot be made, silence, and 503.

// largeRequest is the size in bytes beyond which a request does not go over UDP, if that can be helped (RFC 3261
// section 18.1.1).
const largeRequest = 1300

// destination is where a URI leads, before anybody was asked.
type destination struct {
	uri       sip.Uri
	transport string // "" where the URI leaves it open
}

// parseURI reads the URI of a request.
func parseURI(to string) (uri sip.Uri, err error) {
	if !printable(to) {
		return uri, fmt.Errorf("%q is no SIP URI", to)
	}
	if err := sip.ParseUri(to, &uri); err != nil {
		return uri, fmt.Errorf("%q is no SIP URI: %w", to, err)
	}
	if uri.Scheme != "sip" && uri.Scheme != "sips" || uri.Host == "" || uri.Wildcard || uri.Port < 0 || uri.Port > 65535 {
		return uri, fmt.Errorf("%q is no SIP URI", to)
	}
	return uri, nil
}

// parseTarget reads the URI of a request and the transport that it asks for.
func parseTarget(to string) (destination, error) {
	uri, err := parseURI(to)
	if err != nil {
		return destination{}, err
	}
	transport, _ := uri.UriParams.Get("transport")
	switch transport = strings.ToLower(transport); {
	case uri.Scheme == "sips" && (transport == "tcp" || transport == "tls"):
		return destination{uri, "tls"}, nil // RFC 3261 section 26.2.2
	case transport == "", uri.Scheme == "sip" && (transport == "udp" || transport == "tcp" || transport == "tls"):
		return destination{uri, transport}, nil
	}
	return destination{}, fmt.Errorf("transport %q is not supported", transport)
}

// Locate returns the targets of a URI, in the order in which [Server.Dial] would try them; r says whom to ask, speaks
// what can be sent, nil is everything.
func Locate(ctx context.Context, r *locate.Resolver, uri string, speaks func(transport string, ipv4 bool) bool) ([]locate.Target, error) {
	to, err := parseTarget(uri)
	if err != nil {
		return nil, err
	}
	if speaks == nil {
		speaks = func(string, bool) bool { return true }
	}
	return r.Find(ctx, to.query(speaks))
}

// query is what DNS is asked of a destination.
func (d destination) query(speaks func(transport string, ipv4 bool) bool) locate.Query {
	return locate.Query{
		Host: d.uri.Host, Port: d.uri.Port, Transport: d.transport, Secure: d.uri.Scheme == "sips", Speaks: speaks,
	}
}

// TargetsError says which targets of a URI were tried, and how each failed.
type TargetsError struct{ Tried []Tried }

// Tried is a target that did not take a request.
type Tried struct {
	Target string // "udp 192.0.2.1:5060 (sip1.example.org)"
	Err    error
}

func (e *TargetsError) Error() string {
	var b strings.Builder
	for i, t := range e.Tried {
		if i > 0 {
			b.WriteString("; ")
		}
		fmt.Fprintf(&b, "%s: %v", t.Target, t.Err)
	}
	return b.String()
}

// Unwrap returns how each failed.
func (e *TargetsError) Unwrap() []error {
	all := make([]error, 0, len(e.Tried))
	for _, t := range e.Tried {
		all = append(all, t.Err)
	}
	return all
}

// eachTarget calls try with the targets of a URI, one after the other, until it returns nil or an error that another
// target would not change. from is the way to the target, its connection made; quiet is how long the target may be
// silent before it is given up. After Limits.SetupTime no target is tried any more.
func (s *Server) eachTarget(ctx context.Context, to destination, try func(from origin, quiet time.Duration) error) error {
	deadline := time.Now().Add(s.config.Limits.SetupTime)
	setup, cancel := context.WithDeadlineCause(ctx, deadline, errSetupTime)
	defer cancel()
	targets, err := s.config.Locate.Find(setup, to.query(s.speaks))
	if errors.Is(err, locate.ErrNoTransport) {
		return errors.Join(ErrNoListener, err)
	}
	if err != nil {
		return err
	}
	failed := &TargetsError{}
	for i, t := range s.sick.last(targets) {
		quiet := time.Until(deadline)
		if quiet <= 0 {
			failed.Tried = append(failed.Tried, Tried{t.String(), errSetupTime})
			continue
		}
		if i < len(targets)-1 {
			quiet = min(quiet, s.config.Limits.TargetTime)
		}
		from, err := s.leaveFor(setup, t, hostOf(to.uri.Host), quiet)
		tried := err == nil
		if tried {
			err = try(from, quiet)
		}
		switch {
		case err == nil:
			s.sick.well(t)
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case tried && !elsewhere(err):
			return err
		}
		s.sick.fell(t)
		failed.Tried = append(failed.Tried, Tried{t.String(), err})
	}
	return failed
}

var errSetupTime = errors.New("no time is left to try it")

// elsewhere reports whether a request that failed so is to be sent to the next target (RFC 3263 section 4.3).
func elsewhere(err error) bool {
	var status *StatusError
	return errors.Is(err, ErrNoAnswer) || errors.Is(err, sip.ErrTransactionTransport) ||
		errors.As(err, &status) && status.Code == sip.StatusServiceUnavailable
}

// speaks reports whether there is a listener that requests over a transport can leave from.
func (s *Server) speaks(transport string, ipv4 bool) bool {
	_, ok := s.listenerFor(transport, ipv4)
	return ok
}

// listenerFor returns the first listener of a transport and an address family.
func (s *Server) listenerFor(transport string, ipv4 bool) (Listener, bool) {
	for _, l := range s.bound {
		if l.Network == transport && l.Addr.Addr().Is4() == ipv4 {
			return l, true
		}
	}
	return Listener{}, false
}

// leaveFor finds the socket that a target is reached from. Over TCP and TLS a connection is made, if there is none; on
// TLS the target must prove that it is host.
func (s *Server) leaveFor(ctx context.Context, t locate.Target, host string, within time.Duration) (origin, error) {
	if t.Err != nil {
		return origin{}, t.Err
	}
	l, ok := s.listenerFor(t.Transport, t.Addr.Addr().Is4())
	if !ok {
		return origin{}, ErrNoListener
	}
	o := origin{src: t.Addr, local: l.Addr, network: t.Transport}
	if isStream(t.Transport) {
		ctx, cancel := context.WithTimeout(ctx, within)
		defer cancel()
		c, err := s.streams.dial(ctx, l.Addr.Addr(), flow{t.Transport, o.src}, host)
		if err != nil {
			return origin{}, err
		}
		o.local = c.local
	}
	return o, nil
}

// overTCP returns the way to a UDP target over TCP, for what is too large, where there is one. UDP is what remains
// (RFC 3261 section 18.1.1).
func (s *Server) overTCP(ctx context.Context, from origin, size int) origin {
	if from.network != "udp" || size <= largeRequest || !s.speaks("tcp", from.src.Addr().Is4()) {
		return from
	}
	t := locate.Target{Transport: "tcp", Addr: from.src}
	better, err := s.leaveFor(ctx, t, "", s.config.Limits.TargetTime/2)
	if err != nil {
		s.log.Debug("a large request goes over UDP", "size", size, "error", err)
		return from
	}
	return better
}

// sickTime is how long a target that failed is tried after the others.
const sickTime = 30 * time.Second

// maxSick is how many of those are remembered.
const maxSick = 256

// sick remembers which targets failed lately, so that not every call has to find out.
type sick struct {
	mu    sync.Mutex
	until map[targetKey]time.Time
}

type targetKey struct {
	transport string
	addr      netip.AddrPort
}

func targetOf(t locate.Target) targetKey { return targetKey{t.Transport, t.Addr} }

func (k *sick) fell(t locate.Target) {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := time.Now()
	for key, until := range k.until {
		if now.After(until) || len(k.until) >= maxSick {
			delete(k.until, key)
		}
	}
	k.until[targetOf(t)] = now.Add(sickTime)
}

func (k *sick) well(t locate.Target) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.until, targetOf(t))
}

// last returns the targets in their order, those that failed lately at the end.
func (k *sick) last(targets []locate.Target) []locate.Target {
	k.mu.Lock()
	defer k.mu.Unlock()
	var ordered, failed []locate.Target
	for _, t := range targets {
		if time.Now().Before(k.until[targetOf(t)]) {
			failed = append(failed, t)
			continue
		}
		ordered = append(ordered, t)
	}
	return append(ordered, failed...)
}
