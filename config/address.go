package config

import (
	"errors"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// addresses reads what this machine listens on.
type addresses struct {
	every netip.Addr // what "all of this machine's" is
}

// newAddresses finds out whether this machine has IPv6; a socket on :: takes IPv4 too.
func newAddresses() addresses {
	c, err := net.ListenUDP("udp6", &net.UDPAddr{IP: net.IPv6loopback})
	if err != nil {
		return addresses{netip.IPv4Unspecified()}
	}
	_ = c.Close() // nothing was sent
	return addresses{netip.IPv6Unspecified()}
}

// parseAddrPort reads "address:port" or ":port".
func (a addresses) parseAddrPort(text string) (netip.AddrPort, error) {
	host, number, err := net.SplitHostPort(text)
	if err != nil {
		return netip.AddrPort{}, errors.New("address:port is wanted, such as 192.0.2.1:5060, [2001:db8::1]:5060 or :5060")
	}
	port, err := parsePort(number)
	if err != nil {
		return netip.AddrPort{}, err
	}
	addr, err := a.parseHost(host)
	return netip.AddrPortFrom(addr, port), err
}

func (a addresses) parseHost(host string) (netip.Addr, error) {
	switch host {
	case "":
		return a.every, nil
	case "localhost":
		return netip.AddrFrom4([4]byte{127, 0, 0, 1}), nil
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return netip.Addr{}, errors.New("an IP address of this machine is wanted, not a name")
	}
	if addr.IsMulticast() {
		return netip.Addr{}, errors.New("an address of this machine is wanted, not one of a group")
	}
	return addr.Unmap(), nil
}

func parsePort(text string) (uint16, error) {
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return 0, errors.New("a port from 0 to 65535 is wanted")
	}
	return uint16(port), nil
}

// parseBind reads "port" or "address:port".
func (a addresses) parseBind(text string) (netip.AddrPort, error) {
	if port, err := parsePort(text); err == nil {
		return netip.AddrPortFrom(a.every, port), nil
	}
	return a.parseAddrPort(text)
}

// parseBindOrOff is parseBind, or "off", which gives no valid address.
func (a addresses) parseBindOrOff(text string) (netip.AddrPort, error) {
	if text == "off" {
		return netip.AddrPort{}, nil
	}
	return a.parseBind(text)
}

// parseListener reads "udp://address:port", or the same with tcp, tls, ws or wss.
func (a addresses) parseListener(text string) (Listener, error) {
	transport, rest, ok := strings.Cut(text, "://")
	if !ok || !slices.Contains([]string{"udp", "tcp", "tls", "ws", "wss"}, transport) {
		return Listener{}, errors.New("udp://, tcp://, tls://, ws:// or wss:// with address:port is wanted, such as udp://192.0.2.1:5060")
	}
	addr, err := a.parseAddrPort(rest)
	return Listener{Transport: transport, Addr: addr}, err
}

// parseDNS reads a DNS server, at port 53 where it names none.
func parseDNS(text string) (netip.AddrPort, error) {
	if addr, err := netip.ParseAddr(text); err == nil {
		return netip.AddrPortFrom(addr.Unmap(), 53), nil
	}
	server, err := netip.ParseAddrPort(text)
	if err != nil || server.Port() == 0 {
		return netip.AddrPort{}, errors.New("the address of a DNS server is wanted, such as 192.0.2.53 or 192.0.2.53:5353")
	}
	return netip.AddrPortFrom(server.Addr().Unmap(), server.Port()), nil
}

// parseAdvertise reads "auto", an address or a host name.
func parseAdvertise(text string) (Advertise, error) {
	if text == "auto" {
		return Advertise{}, nil
	}
	if addr, err := netip.ParseAddr(text); err == nil {
		if addr.IsUnspecified() || addr.IsMulticast() || addr.Zone() != "" {
			return Advertise{}, errors.New("an address that peers can send to is wanted")
		}
		return Advertise{Addr: addr.Unmap()}, nil
	}
	if !isHostName(text) {
		return Advertise{}, errors.New("auto, an address or a host name is wanted")
	}
	return Advertise{Host: text}, nil
}

// isHostName reports whether text is a DNS name, one that cannot be mistaken for an address.
func isHostName(text string) bool {
	labels := strings.Split(strings.TrimSuffix(text, "."), ".")
	for _, label := range labels {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for _, c := range []byte(label) {
			if !isLetterOrDigit(c) && c != '-' {
				return false
			}
		}
	}
	last := labels[len(labels)-1]
	return len(text) <= 253 && strings.Trim(last, "0123456789") != ""
}

// parseRange reads "address:first-last" or "first-last", whose address is not valid.
func (a addresses) parseRange(text string) (Media, error) {
	var media Media
	ports := text
	if i := strings.LastIndexByte(text, ':'); i >= 0 {
		addr, err := a.parseHost(strings.TrimSuffix(strings.TrimPrefix(text[:i], "["), "]"))
		if err != nil {
			return Media{}, err
		}
		media.Addr, ports = addr, text[i+1:]
	}
	first, last, _ := strings.Cut(ports, "-")
	var err1, err2 error
	media.First, err1 = parsePort(first)
	media.Last, err2 = parsePort(last)
	if err1 != nil || err2 != nil {
		return Media{}, errors.New("ports such as 20000-23999, or 192.0.2.1:20000-23999, are wanted")
	}
	return media, nil
}

// parseMedia reads a range that holds a pair of ports.
func (a addresses) parseMedia(text string) (Media, error) {
	media, err := a.parseRange(text)
	if err != nil || media.First == 0 && media.Last == 0 {
		return media, err
	}
	// RTP has the even port of a pair (RFC 3550 section 11).
	if even := int(media.First) + int(media.First)%2; even < 2 || even+1 > int(media.Last) {
		return Media{}, errors.New("there is no pair in it, an even port and the odd one after it")
	}
	return media, nil
}

// parsePorts reads a range of every address, or of the one that it names; 0 is any free ports.
func (a addresses) parsePorts(text string) (Media, error) {
	if text == "0" {
		text = "0-0"
	}
	media, err := a.parseRange(text)
	switch {
	case err != nil:
		return Media{}, err
	case media.First > media.Last, media.First == 0 && media.Last != 0:
		return Media{}, errors.New("there is no port in it")
	case !media.Addr.IsValid():
		media.Addr = a.every
	}
	return media, nil
}
