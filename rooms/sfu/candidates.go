package sfu

import (
	"fmt"
	"net/netip"
	"slices"
)

// Type preferences of host candidates over UDP and over TCP (RFC 8445 section 5.1.2.1, RFC 6544
// section 4.2): TCP is for whom UDP does not reach.
const (
	preferUDP = 126
	preferTCP = 90
)

// candidates returns the addresses to send to, as values of a=candidate (RFC 8839 section 5.1,
// RFC 6544 section 4.5), the best first.
func (p *ports) candidates(advertise []netip.Addr) []string {
	udp, port := advertise, p.udp[0].Port()
	if len(udp) == 0 {
		for _, a := range p.udp {
			udp = append(udp, a.Addr())
		}
	}
	var lines []string
	for i, a := range udp {
		local := 65535 - i
		lines = append(lines, fmt.Sprintf("u%d 1 udp %d %s %d typ host", i, priority(preferUDP, local), a, port))
	}
	if !p.tcp.IsValid() {
		return lines
	}
	tcp := advertise
	switch {
	case len(tcp) > 0:
	case p.tcp.Addr().IsUnspecified():
		tcp = udp
	default:
		tcp = []netip.Addr{p.tcp.Addr()}
	}
	for i, a := range tcp {
		const passive = 4 << 13 // direction preference, RFC 6544 section 4.2
		local := passive | (8191 - i)
		lines = append(lines, fmt.Sprintf("t%d 1 tcp %d %s %d typ host tcptype passive", i, priority(preferTCP, local), a, p.tcp.Port()))
	}
	return slices.Clip(lines)
}

// priority is RFC 8445 section 5.1.2.1, for component 1.
func priority(kind, local int) int { return kind<<24 | local<<8 | 255 }
