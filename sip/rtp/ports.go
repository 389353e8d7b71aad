package rtp

import (
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
	"sync"
	"syscall"
)

// Ports is a bounded range of port pairs on one address: even for RTP, the odd one above it for RTCP
// (RFC 3550 section 11). It may be used from any goroutine.
type Ports struct {
	addr  netip.Addr
	first uint16 // even; 0 leaves the choice to the system

	mu    sync.Mutex
	held  []bool // by pair; empty where the system chooses
	inUse int
	next  int // the pair to try first: all others have rested longer
}

// NewPorts takes the pairs from first to last on addr. First and last 0 leave the choice to the system.
// It fails where addr is not of this machine.
func NewPorts(addr netip.Addr, first, last uint16) (*Ports, error) {
	if !addr.IsValid() {
		return nil, errors.New("media ports: no address")
	}
	p := &Ports{addr: addr.Unmap()}
	if first != 0 || last != 0 {
		even := uint32(first) + uint32(first)%2
		pairs := (int(last) + 1 - int(even)) / 2
		if even < 2 || pairs < 1 {
			return nil, fmt.Errorf("media ports: no even and odd pair in %d-%d", first, last)
		}
		p.first, p.held = uint16(even), make([]bool, pairs)
	}
	if err := p.probe(); err != nil {
		return nil, fmt.Errorf("media ports: %w", err)
	}
	return p, nil
}

// Free returns how many pairs are not in use by this gateway.
func (p *Ports) Free() int {
	if len(p.held) == 0 {
		return math.MaxInt
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.held) - p.inUse
}

// InUse returns how many pairs are held by open lines.
func (p *Ports) InUse() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.inUse
}

// probe binds any port, to learn at start and not in the first call that the address is not ours.
func (p *Ports) probe() error {
	c, err := p.bind(0)
	if err != nil {
		return err
	}
	return c.Close()
}

// pair is a bound pair of sockets.
type pair struct {
	ports     *Ports
	index     int // in Ports.held; -1 where the system chose
	rtp, rtcp *net.UDPConn
}

// open binds the next free pair, in turn, so that a pair just given back rests longest: late packets
// of its last call do not meet the next one. Pairs with a port that somebody else holds are passed over.
func (p *Ports) open() (pair, error) {
	if len(p.held) == 0 {
		return p.openAny()
	}
	for range p.held {
		i, ok := p.take()
		if !ok {
			return pair{}, ErrNoPorts
		}
		rtp, rtcp, err := p.bindPair(p.first + uint16(2*i))
		if err == nil {
			return pair{p, i, rtp, rtcp}, nil
		}
		p.give(i)
		if !errors.Is(err, syscall.EADDRINUSE) {
			return pair{}, err
		}
	}
	return pair{}, ErrNoPorts
}

// openAny lets the system choose an even port whose neighbour is free.
func (p *Ports) openAny() (pair, error) {
	var err error
	for range 64 {
		var rtp, rtcp *net.UDPConn
		if rtp, err = p.bind(0); err != nil {
			return pair{}, err
		}
		port := rtp.LocalAddr().(*net.UDPAddr).Port
		if port%2 == 0 {
			if rtcp, err = p.bind(uint16(port + 1)); err == nil {
				p.count(+1)
				return pair{p, -1, rtp, rtcp}, nil
			}
		}
		_ = rtp.Close()
	}
	return pair{}, errors.Join(ErrNoPorts, err)
}

// close frees the sockets first and then their place in the range.
func (p pair) close() error {
	err := errors.Join(p.rtp.Close(), p.rtcp.Close())
	if p.index < 0 {
		p.ports.count(-1)
	} else {
		p.ports.give(p.index)
	}
	return err
}

// take marks the next pair that is not in use.
func (p *Ports) take() (index int, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for range p.held {
		i := p.next
		p.next = (p.next + 1) % len(p.held)
		if !p.held[i] {
			p.held[i] = true
			p.inUse++
			return i, true
		}
	}
	return 0, false
}

func (p *Ports) give(index int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held[index] = false
	p.inUse--
}

func (p *Ports) count(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.inUse += n
}

func (p *Ports) bindPair(even uint16) (rtp, rtcp *net.UDPConn, err error) {
	if rtp, err = p.bind(even); err != nil {
		return nil, nil, err
	}
	if rtcp, err = p.bind(even + 1); err != nil {
		_ = rtp.Close()
		return nil, nil, err
	}
	return rtp, rtcp, nil
}

func (p *Ports) bind(port uint16) (*net.UDPConn, error) {
	c, err := net.ListenUDP(network(p.addr), net.UDPAddrFromAddrPort(netip.AddrPortFrom(p.addr, port)))
	if err != nil {
		return nil, err
	}
	return c, nil
}

// network keeps the families apart: an IPv6 line neither takes nor sends IPv4.
func network(addr netip.Addr) string {
	if addr.Is4() {
		return "udp4"
	}
	return "udp6"
}
