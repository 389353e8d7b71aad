package livekittest

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"net/netip"
)

// Ports are taken in blocks below the range that the kernel gives to sockets that ask for none (32768 and up
// on Linux): what was free stays free while a server is down between two lives.
const (
	blockSize  = 32
	firstBlock = 20000 / blockSize
	lastBlock  = 32768/blockSize - 1
)

// errNoPorts: every block is taken.
var errNoPorts = errors.New("no block of ports is free")

// ports is a block of free ports on every loopback address. A listener on the block's first port of an
// address that nobody uses stands for the block, and keeps away other tests, in other programs too.
type ports struct {
	mark net.Listener
	next uint16
}

// takePorts takes a block until it is released.
func takePorts() (*ports, error) {
	mark := netip.AddrFrom4([4]byte{127, 255, 255, 1})
	count := lastBlock - firstBlock + 1
	for try, at := 0, rand.IntN(count); try < count; try, at = try+1, (at+1)%count {
		first := uint16((firstBlock + at) * blockSize)
		l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", netip.AddrPortFrom(mark, first).String())
		if err != nil {
			continue
		}
		if blockFree(first) {
			return &ports{mark: l, next: first + 1}, nil // the first is the mark's
		}
		_ = l.Close()
	}
	return nil, errNoPorts
}

// port returns a port of the block that was not handed out before.
func (p *ports) port() uint16 {
	p.next++
	return p.next - 1
}

func (p *ports) release() { _ = p.mark.Close() }

func blockFree(first uint16) bool {
	for port := first + 1; port < first+blockSize; port++ {
		u, err := net.ListenUDP("udp", &net.UDPAddr{Port: int(port)})
		if err != nil {
			return false
		}
		_ = u.Close()
		l, err := net.ListenTCP("tcp", &net.TCPAddr{Port: int(port)})
		if err != nil {
			return false
		}
		_ = l.Close()
	}
	return true
}
