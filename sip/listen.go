package sip

import (
	"context"
	"fmt"
	"net"
	"net/netip"

	"github.com/emiago/sipgo/sip"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

// bindUDP binds one UDP listener. An unspecified IPv6 address does not take IPv4 along: that is a listener of
// its own.
func bindUDP(l Listener, dscp int) (*net.UDPConn, error) {
	c, err := net.ListenUDP("udp"+family(l.Addr.Addr()), net.UDPAddrFromAddrPort(l.Addr))
	if err != nil {
		return nil, &ListenError{Listener: l, Err: err}
	}
	if l.Addr.Addr().Is4() {
		err = ipv4.NewPacketConn(c).SetTOS(dscp << 2)
	} else {
		err = ipv6.NewPacketConn(c).SetTrafficClass(dscp << 2)
	}
	if err != nil {
		_ = c.Close()
		return nil, &ListenError{Listener: l, Err: fmt.Errorf("mark with DSCP %d: %w", dscp, err)}
	}
	return c, nil
}

// bindTCP binds one TCP listener.
func bindTCP(l Listener) (*net.TCPListener, error) {
	t, err := net.ListenTCP("tcp"+family(l.Addr.Addr()), net.TCPAddrFromAddrPort(l.Addr))
	if err != nil {
		return nil, &ListenError{Listener: l, Err: err}
	}
	return t, nil
}

// markTCP sets the DSCP of a connection. One that can not be marked is used all the same.
func markTCP(c net.Conn, dscp int) {
	if addrPort(c.LocalAddr()).Addr().Is4() {
		_ = ipv4.NewConn(c).SetTOS(dscp << 2)
		return
	}
	_ = ipv6.NewConn(c).SetTrafficClass(dscp << 2)
}

// isStream reports whether a network carries connections, and not datagrams.
func isStream(network string) bool { return network != "udp" }

// isSecure reports whether it is encrypted.
func isSecure(network string) bool { return network == "tls" || network == "wss" }

// isWeb reports whether it is WebSockets (RFC 7118).
func isWeb(network string) bool { return network == "ws" || network == "wss" }

// carrier is what sipgo takes a network for: a WebSocket is a connection as others are, once the messages are cut.
func carrier(network string) string {
	switch network {
	case "ws":
		return "tcp"
	case "wss":
		return "tls"
	}
	return network
}

// transportParam is the transport parameter of a URI at which we are reached (RFC 7118 section 5.2.2: that of a secure
// WebSocket is ws too).
func transportParam(network string) string {
	if network == "wss" {
		return "ws"
	}
	return network
}

// defaultPort is the port of a SIP URI that names none (RFC 3261 section 19.1.2).
func defaultPort(network string) int {
	if network == "tls" {
		return sip.DefaultTlsPort
	}
	return sip.DefaultUdpPort
}

func family(a netip.Addr) string {
	if a.Is4() {
		return "4"
	}
	return "6"
}

// addrPort returns the address of a UDP or TCP socket; IPv4 is IPv4, also where it came mapped into IPv6.
func addrPort(a net.Addr) netip.AddrPort {
	var ap netip.AddrPort
	switch a := a.(type) {
	case *net.UDPAddr:
		ap = a.AddrPort()
	case *net.TCPAddr:
		ap = a.AddrPort()
	}
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}

// routeTo returns the address that packets to peer leave from. Connecting a UDP socket sends nothing.
func routeTo(ctx context.Context, peer netip.AddrPort) (netip.Addr, error) {
	if peer.Port() == 0 {
		peer = netip.AddrPortFrom(peer.Addr(), 9)
	}
	var d net.Dialer
	c, err := d.DialContext(ctx, "udp", peer.String())
	if err != nil {
		return netip.Addr{}, fmt.Errorf("route to %s: %w", peer.Addr(), err)
	}
	defer c.Close()
	return addrPort(c.LocalAddr()).Addr(), nil
}
