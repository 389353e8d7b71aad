package sfu

import (
	"errors"
	"fmt"
	"io"
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

// What the UDP sockets are given.
const (
	socketBuffer = 4 << 20 // bytes, as far as the kernel lets us
	dscpEF       = 46 << 2 // expedited forwarding, RFC 3246, as the byte in the IP header
)

// lookInterval is the time between two looks at the addresses of this machine, at least; forgetAfter how
// long the socket of an address that has gone is kept, in case it comes back with its browsers.
const (
	lookInterval = 5 * time.Second
	forgetAfter  = time.Hour
)

var errNoAddress = errors.New("this machine has no address")

// udpPort is the one UDP port of all browsers, as pion's ice.UDPMux. Where it is to listen everywhere it
// is a socket for each address, all with the same number: an answer must leave from the address that was
// asked, which one socket for all cannot promise. Addresses that come later get their socket when the next
// browser joins.
type udpPort struct {
	asked     netip.AddrPort
	log       logging.LeveledLogger
	addresses func() ([]netip.Addr, error) // of this machine

	mu      sync.Mutex
	closed  bool
	sockets []udpSocket
	present []netip.Addr // those of the sockets that this machine has at the moment, the best first
	looked  time.Time
	readers sync.WaitGroup
}

type udpSocket struct {
	at   netip.AddrPort
	mux  *ice.UDPMuxDefault
	seen time.Time // when this machine had the address last
}

var _ ice.UDPMux = (*udpPort)(nil)

// bind binds the port for the first time.
func (p *udpPort) bind() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	addrs, err := p.wanted()
	if err != nil {
		return err
	}
	tries := 1
	if p.asked.Port() == 0 {
		tries = 10 // a port that is free at one address may be taken at another
	}
	for range tries {
		var conns []*net.UDPConn
		if conns, err = bindAll(addrs, p.asked.Port()); err != nil {
			continue
		}
		for _, c := range conns {
			p.add(c)
		}
		p.looked = time.Now()
		return nil
	}
	return err
}

// look binds the port at addresses that this machine has not had before.
func (p *udpPort) look() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || !p.asked.Addr().IsUnspecified() || time.Since(p.looked) < lookInterval {
		return
	}
	p.looked = time.Now()
	addrs, err := p.wanted()
	if err != nil {
		p.log.Warnf("%v", err)
		return
	}
	number := p.sockets[0].at.Port()
	p.present = nil
	for _, a := range addrs {
		at := netip.AddrPortFrom(a, number)
		if i := slices.IndexFunc(p.sockets, func(s udpSocket) bool { return s.at == at }); i >= 0 {
			p.sockets[i].seen = p.looked
			p.present = append(p.present, a)
			continue
		}
		if c, err := bindUDP(at); err == nil {
			p.add(c)
		} else {
			p.log.Warnf("a new address cannot be used: %v", err)
		}
	}
	p.forget()
}

// forget closes the sockets of addresses that went long ago. Called with mu held.
func (p *udpPort) forget() {
	p.sockets = slices.DeleteFunc(p.sockets, func(s udpSocket) bool {
		old := p.looked.Sub(s.seen) > forgetAfter && len(p.present) > 0
		if old {
			_ = s.mux.Close()
		}
		return old
	})
}

// wanted returns the addresses to listen at.
func (p *udpPort) wanted() ([]netip.Addr, error) {
	if !p.asked.Addr().IsUnspecified() {
		return []netip.Addr{p.asked.Addr()}, nil
	}
	return p.addresses()
}

// add begins to read a socket. Called with mu held.
func (p *udpPort) add(c *net.UDPConn) {
	at := c.LocalAddr().(*net.UDPAddr).AddrPort()
	p.readers.Add(1)
	mux := ice.NewUDPMuxDefault(ice.UDPMuxParams{Logger: p.log, UDPConn: newSteady(c, p.readers.Done)})
	p.sockets = append(p.sockets, udpSocket{at, mux, time.Now()})
	p.present = append(p.present, at.Addr())
}

// here returns the port, and the addresses of this machine where it listens, the best first.
func (p *udpPort) here() ([]netip.Addr, uint16) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.present), p.sockets[0].at.Port()
}

// GetConn returns the packets that come for one browser to one of the addresses.
func (p *udpPort) GetConn(ufrag string, addr net.Addr) (net.PacketConn, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if at, ok := addr.(*net.UDPAddr); ok && !p.closed {
		for _, s := range p.sockets {
			if s.at == at.AddrPort() {
				return s.mux.GetConn(ufrag, addr)
			}
		}
	}
	return nil, io.ErrClosedPipe
}

// RemoveConnByUfrag forgets one browser.
func (p *udpPort) RemoveConnByUfrag(ufrag string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.sockets {
		s.mux.RemoveConnByUfrag(ufrag)
	}
}

// GetListenAddresses returns where the port listens.
func (p *udpPort) GetListenAddresses() []net.Addr {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []net.Addr
	for _, s := range p.sockets {
		all = append(all, net.UDPAddrFromAddrPort(s.at))
	}
	return all
}

// Close frees the port and waits until nobody reads it any more.
func (p *udpPort) Close() error {
	p.mu.Lock()
	p.closed = true
	var err error
	for _, s := range p.sockets {
		err = errors.Join(err, s.mux.Close())
	}
	p.mu.Unlock()
	p.readers.Wait()
	return err
}

// bindAll binds one port at many addresses; port 0 is whichever the first is given.
func bindAll(addrs []netip.Addr, port uint16) ([]*net.UDPConn, error) {
	var conns []*net.UDPConn
	for _, a := range addrs {
		c, err := bindUDP(netip.AddrPortFrom(a, port))
		if errors.Is(err, syscall.EADDRNOTAVAIL) && len(addrs) > 1 {
			continue // an address that is not usable yet, such as a tentative one
		}
		if err != nil {
			for _, c := range conns {
				_ = c.Close()
			}
			return nil, err
		}
		conns = append(conns, c)
		port = c.LocalAddr().(*net.UDPAddr).AddrPort().Port()
	}
	if len(conns) == 0 {
		return nil, errNoAddress
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
