package rtp

import (
	"fmt"
	"net"
	"net/netip"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

const (
	// expedited is the DSCP of voice (RFC 4594 section 4.1).
	expedited = 46
	// maxPacket is the longest UDP payload that we read or send, in bytes: what Ethernet carries.
	maxPacket = 1472
	// receiveBuffer holds about two seconds of packets for a reader that is held up, in bytes. It is
	// small on purpose: what a stranger sprays fills it too.
	receiveBuffer = 128 << 10
)

// tune sets the buffer and the mark of a socket. A system that refuses the mark is an error: sound
// without it suffers where nobody looks.
func tune(c *net.UDPConn, addr netip.Addr, dscp int) error {
	if err := c.SetReadBuffer(receiveBuffer); err != nil {
		return fmt.Errorf("set receive buffer: %w", err)
	}
	if dscp < 0 {
		return nil
	}
	// The DSCP is the upper six bits of the old octet (RFC 2474 section 3).
	var err error
	if addr.Is4() {
		err = ipv4.NewConn(c).SetTOS(dscp << 2)
	} else {
		err = ipv6.NewConn(c).SetTrafficClass(dscp << 2)
	}
	if err != nil {
		return fmt.Errorf("set DSCP %d: %w", dscp, err)
	}
	return nil
}

// unmapped writes an IPv4 address in one way only, so that addresses can be compared.
func unmapped(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}

// place is an address without its zone, which no SDP names.
func place(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }
