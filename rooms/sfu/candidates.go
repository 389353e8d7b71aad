package sfu

import (
	"fmt"
	"net/netip"
)

// Type preferences of host candidates over UDP and over TCP (RFC 8445 section 5.1.2.1, RFC 6544
// section 4.2): TCP is for whom UDP does not reach.
const (
	preferUDP = 126
	preferTCP = 90
)

// passive is the direction preference of a TCP candidate that waits (RFC 6544 section 4.2).
const passive = 4 << 13

// candidates returns the addresses to send to, as values of a=candidate (RFC 8839 section 5.1,
// RFC 6544 section 4.5), the best first. pion writes its own, but knows only in part what is advertised.
func (p *ports) candidates(advertise []netip.Addr) []string {
	here, port := p.udp.here()
	udp, tcp := here, here
	switch {
	case len(advertise) > 0:
		udp, tcp = advertise, advertise
	case p.tcp.IsValid() && !p.tcp.Addr().IsUnspecified():
		tcp = []netip.Addr{p.tcp.Addr()}
	}
	var lines []string
	for i, a := range udp {
		lines = append(lines, fmt.Sprintf("u%d 1 udp %d %s %d typ host", i, priority(preferUDP, 65535-i), a, port))
	}
	if !p.tcp.IsValid() {
		return lines
	}
	for i, a := range tcp {
		lines = append(lines, fmt.Sprintf("t%d 1 tcp %d %s %d typ host tcptype passive",
			i, priority(preferTCP, passive|(8191-i)), a, p.tcp.Port()))
	}
	return lines
}

// priority is RFC 8445 section 5.1.2.1, for component 1.
func priority(kind, local int) int { return kind<<24 | local<<8 | 255 }
