package sdp

import (
	"net/netip"
	"strconv"
	"strings"

	pion "github.com/pion/sdp/v3"
)

// addressOf returns where the m-line wants its packets. It is not valid if the peer gave the unspecified address,
// which holds the stream (RFC 3264 section 8.4).
func addressOf(d *description, m *pion.MediaDescription, local Local) (netip.AddrPort, error) {
	connection := m.ConnectionInformation
	if connection == nil {
		connection = d.ConnectionInformation
	}
	if connection == nil || connection.Address == nil {
		return netip.AddrPort{}, refuse(ErrSyntax, "no c= line") // RFC 8866 section 5.7
	}
	text, _, _ := strings.Cut(connection.Address.Address, "/") // a TTL is for multicast
	if strings.HasSuffix(strings.ToLower(text), ".invalid") {
		return netip.AddrPort{}, nil // how IPv6 says "none yet" (RFC 6157 section 3.1)
	}
	addr, err := netip.ParseAddr(text)
	if err != nil || addr.Zone() != "" {
		// A name would have to be looked up while a call waits, and wherever its owner likes.
		return netip.AddrPort{}, refuse(ErrAddress, "%s is not an IP address", printable(text, 40))
	}
	addr = addr.Unmap()
	if addr.IsUnspecified() {
		return netip.AddrPort{}, nil
	}
	if addr.IsMulticast() || addr == netip.AddrFrom4([4]byte{255, 255, 255, 255}) {
		return netip.AddrPort{}, refuse(ErrAddress, "%s is not unicast", addr)
	}
	if addr.Is4() != local.Address.Addr().Unmap().Is4() {
		return netip.AddrPort{}, refuse(ErrAddress, "there %s, here %s", family(addr), family(local.Address.Addr()))
	}
	return netip.AddrPortFrom(addr, uint16(m.MediaName.Port.Value)), nil
}

// family names the address family as c= does.
func family(addr netip.Addr) string {
	if addr.Unmap().Is4() {
		return "IP4"
	}
	return "IP6"
}

// rtcpOf returns where the m-line wants RTCP without rtcp-mux: as a=rtcp says (RFC 3605), else at the next port
// (RFC 3550 section 11).
func rtcpOf(m *pion.MediaDescription, rtp netip.AddrPort) netip.AddrPort {
	if !rtp.IsValid() {
		return netip.AddrPort{}
	}
	value, _ := m.Attribute("rtcp")
	fields := strings.Fields(value)
	if len(fields) == 0 {
		return nextPort(rtp)
	}
	port, err := strconv.ParseUint(fields[0], 10, 16)
	if err != nil || port == 0 {
		return nextPort(rtp)
	}
	addr := rtp.Addr()
	if len(fields) == 4 {
		other, err := netip.ParseAddr(fields[3])
		if err == nil && other.Zone() == "" && other.Unmap().Is4() == addr.Is4() && other.Unmap().IsGlobalUnicast() {
			addr = other.Unmap()
		}
	}
	return netip.AddrPortFrom(addr, uint16(port))
}

// nextPort returns the port after that of RTP; there is none after the last.
func nextPort(rtp netip.AddrPort) netip.AddrPort {
	if !rtp.IsValid() || rtp.Port() == 65535 {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(rtp.Addr(), rtp.Port()+1)
}
