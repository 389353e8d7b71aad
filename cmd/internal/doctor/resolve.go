package doctor

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"

	"passerelle/config"
	"passerelle/sip"
	"passerelle/sip/locate"
)

// speaks reports over which transports and to which addresses a network sends.
func speaks(n *config.Network) func(transport string, ipv4 bool) bool {
	return func(transport string, ipv4 bool) bool {
		for _, l := range n.Listen {
			if a := l.Addr.Addr(); l.Transport == transport && (a.Is4() == ipv4 || a.Is6() && a.IsUnspecified()) {
				return true
			}
		}
		return false
	}
}

// resolve finds the targets of a server, and tells what DNS has said.
func (s *sheet) resolve(ctx context.Context, uri string, n *config.Network, setting string) []locate.Target {
	var mu sync.Mutex
	var said []locate.Answer
	resolver := locate.New(locate.Config{Servers: n.DNS, Tell: func(a locate.Answer) {
		mu.Lock()
		defer mu.Unlock()
		said = append(said, a)
	}})
	targets, err := sip.Locate(ctx, resolver, uri, speaks(n))
	mu.Lock()
	defer mu.Unlock()
	silent := error(nil)
	for _, a := range said {
		if a.Err != nil {
			silent = a.Err
		}
		for _, record := range a.Records {
			s.ok("DNS: %s", record)
		}
	}
	host := hostOf(uri)
	var nowhere *net.DNSError
	switch {
	case errors.Is(err, locate.ErrNoServer):
		s.bad("the domain %s says that it has no SIP server (SRV to \".\")", host).do("check the name in %s: ask the carrier for its SIP server", setting)
	case errors.Is(err, locate.ErrNoTransport):
		s.bad("network %s has no listener to reach %s from: %s", n.Name, host, transportsOf(n)).do("add the transport that %s asks for to the network's listen", setting)
	case err != nil && silent != nil:
		s.bad("DNS does not answer: %s", err).do("check /etc/resolv.conf, or networks[].dns, and the way to port 53")
	case err != nil:
		s.bad("%s leads nowhere: %s", host, err).do("check %s", setting)
	case silent != nil:
		s.warn("DNS does not answer every question: %s", silent).do("check /etc/resolv.conf, or networks[].dns")
	}
	for _, t := range targets {
		switch {
		case t.Err == nil:
		case t.Host == host && (silent == nil && len(said) > 0 || errors.As(t.Err, &nowhere) && nowhere.IsNotFound):
			s.bad("DNS knows no address of %s", host).do("check the name in %s", setting)
		case t.Host == host:
			s.bad("%s has no address: %s", host, t.Err).do("check the name in %s, and /etc/resolv.conf", setting)
		default:
			s.bad("DNS is wrong about %s: an SRV record leads to %s, which has no address", host, t.Host).
				do("have the record taken out or put right by whoever keeps the domain; calls lose time with it")
		}
	}
	return targets
}

// hostOf is the host of a SIP URI, as it is written.
func hostOf(uri string) string {
	_, rest, _ := strings.Cut(uri, ":")
	if at := strings.LastIndexByte(rest, '@'); at >= 0 {
		rest = rest[at+1:]
	}
	rest, _, _ = strings.Cut(rest, ";")
	rest, _, _ = strings.Cut(rest, "?")
	host, _ := hostPort(rest)
	return host
}

// transportsOf says where a network listens.
func transportsOf(n *config.Network) string {
	var all []string
	for _, l := range n.Listen {
		all = append(all, l.Transport+"://"+l.Addr.String())
	}
	return "it listens on " + listed(all)
}
