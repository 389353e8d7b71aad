package sfu

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/logging"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

// What the sockets are given.
const (
	socketBuffer = 4 << 20 // bytes, as far as the kernel lets us
	dscpEF       = 46 << 2 // expedited forwarding, RFC 3246, as the byte in the IP header

	tcpWriteBuffer = 128 << 10 // bytes a browser behind TCP may lag; then its packets are dropped
	tcpReadBuffer  = 32        // packets
	tcpFirstPacket = 10 * time.Second
	tcpAll         = 4096 // connections, of everybody
	tcpPerAddress  = 64   // ... and from one address
)

// ports are the two ports of the browsers' sound. UDP is one socket for each address, all with the same
// port: an answer must leave from the address that was asked, which one socket for all cannot promise.
type ports struct {
	udpMux  ice.UDPMux
	tcpMux  *ice.TCPMuxDefault
	readers sync.WaitGroup

	udp []netip.AddrPort // as bound
	tcp netip.AddrPort   // as bound; the zero value is none
}

// listen binds both ports.
func listen(udp, tcp netip.AddrPort, log logging.LeveledLogger) (*ports, error) {
	p := &ports{}
	conns, err := listenUDP(udp)
	if err != nil {
		return nil, &ListenError{Setting: "udp", Addr: udp, Err: err}
	}
	var listener *net.TCPListener
	if tcp.IsValid() {
		if listener, err = net.ListenTCP("tcp", net.TCPAddrFromAddrPort(bothFamilies(tcp))); err != nil {
			closeAll(conns)
			return nil, &ListenError{Setting: "tcp", Addr: tcp, Err: err}
		}
	}
	muxes := make([]ice.UDPMux, 0, len(conns))
	for _, c := range conns {
		p.udp = append(p.udp, c.LocalAddr().(*net.UDPAddr).AddrPort())
		p.readers.Add(1)
		muxes = append(muxes, ice.NewUDPMuxDefault(ice.UDPMuxParams{Logger: log, UDPConn: newSteady(c, p.readers.Done)}))
	}
	p.udpMux = ice.NewMultiUDPMuxDefault(muxes...)
	if listener != nil {
		p.tcp = listener.Addr().(*net.TCPAddr).AddrPort()
		p.tcp = netip.AddrPortFrom(p.tcp.Addr().Unmap(), p.tcp.Port())
		p.tcpMux = ice.NewTCPMuxDefault(ice.TCPMuxParams{
			Listener: newFenced(listener, tcpAll, tcpPerAddress), Logger: log,
			ReadBufferSize: tcpReadBuffer, WriteBufferSize: tcpWriteBuffer,
			FirstStunBindTimeout: tcpFirstPacket, AliveDurationForConnFromStun: tcpFirstPacket,
		})
	}
	return p, nil
}

// close frees the ports and waits until nobody reads them any more.
func (p *ports) close() error {
	err := p.udpMux.Close()
	if p.tcpMux != nil {
		err = errors.Join(err, p.tcpMux.Close())
	}
	p.readers.Wait()
	return err
}

// listenUDP binds a port at an address; at each of the machine's, if it is unspecified.
func listenUDP(at netip.AddrPort) ([]*net.UDPConn, error) {
	if !at.Addr().IsUnspecified() {
		c, err := bindUDP(at)
		if err != nil {
			return nil, err
		}
		return []*net.UDPConn{c}, nil
	}
	addrs, err := interfaceAddrs()
	if err != nil {
		return nil, err
	}
	const tries = 10 // a port that is free at one address may be taken at another
	for range tries {
		var conns []*net.UDPConn
		if conns, err = bindAll(addrs, at.Port()); err == nil || at.Port() != 0 {
			return conns, err
		}
	}
	return nil, err
}

// bindAll binds one port at many addresses; port 0 is whichever the first is given.
func bindAll(addrs []netip.Addr, port uint16) ([]*net.UDPConn, error) {
	var conns []*net.UDPConn
	for _, a := range addrs {
		c, err := bindUDP(netip.AddrPortFrom(a, port))
		if errors.Is(err, syscall.EADDRNOTAVAIL) {
			continue // an address that is not usable yet, such as a tentative one
		}
		if err != nil {
			closeAll(conns)
			return nil, err
		}
		conns = append(conns, c)
		port = c.LocalAddr().(*net.UDPAddr).AddrPort().Port()
	}
	if len(conns) == 0 {
		return nil, errors.New("this machine has no address")
	}
	return conns, nil
}

func bindUDP(at netip.AddrPort) (*net.UDPConn, error) {
	c, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(at))
	if err != nil {
		return nil, err
	}
	// The kernel grants what it grants; a refusal costs quality under load, nothing else.
	_ = c.SetReadBuffer(socketBuffer)
	_ = c.SetWriteBuffer(socketBuffer)
	if at.Addr().Is4() {
		_ = ipv4.NewConn(c).SetTOS(dscpEF)
	} else {
		_ = ipv6.NewConn(c).SetTrafficClass(dscpEF)
	}
	return c, nil
}

// bothFamilies makes 0.0.0.0 the address that stands for IPv4 and IPv6.
func bothFamilies(at netip.AddrPort) netip.AddrPort {
	if at.Addr() == netip.IPv4Unspecified() {
		return netip.AddrPortFrom(netip.Addr{}, at.Port())
	}
	return at
}

// interfaceAddrs returns the addresses of this machine that a browser could reach: the outward ones
// first, IPv4 before IPv6, loopback last.
func interfaceAddrs() ([]netip.Addr, error) {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return nil, fmt.Errorf("list the addresses of this machine: %w", err)
	}
	var addrs []netip.Addr
	for _, a := range all {
		prefix, err := netip.ParsePrefix(a.String())
		if err != nil || prefix.Addr().IsLinkLocalUnicast() || prefix.Addr().IsMulticast() {
			continue
		}
		addrs = append(addrs, prefix.Addr().Unmap())
	}
	rank := func(a netip.Addr) int {
		switch {
		case a.IsLoopback():
			return 2
		case a.Is6():
			return 1
		}
		return 0
	}
	slices.SortStableFunc(addrs, func(a, b netip.Addr) int { return rank(a) - rank(b) })
	return addrs, nil
}

func closeAll(conns []*net.UDPConn) {
	for _, c := range conns {
		_ = c.Close()
	}
}
