package sfu

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/logging"
)

// What the TCP port is given.
const (
	tcpWriteBuffer = 128 << 10 // bytes a browser behind TCP may lag; then its packets are dropped
	tcpReadBuffer  = 32        // packets
	tcpFirstPacket = 10 * time.Second
	tcpAll         = 4096 // connections, of everybody
	tcpPerAddress  = 64   // ... and from one address
)

// ports are the two ports of the browsers' sound.
type ports struct {
	udp *udpPort
	tcp netip.AddrPort // as bound; the zero value is none

	tcpMux *ice.TCPMuxDefault // nil for none
}

// listen binds both ports.
func listen(udp, tcp netip.AddrPort, log logging.LeveledLogger) (*ports, error) {
	p := &ports{udp: &udpPort{asked: udp, log: log, addresses: interfaceAddrs}}
	if err := p.udp.bind(); err != nil {
		return nil, &ListenError{Setting: "udp", Addr: udp, Err: err}
	}
	if !tcp.IsValid() {
		return p, nil
	}
	at := net.TCPAddrFromAddrPort(tcp)
	if tcp.Addr().IsUnspecified() {
		at.IP = nil // IPv4 and IPv6
	}
	l, err := net.ListenTCP("tcp", at)
	if err != nil {
		return nil, errors.Join(&ListenError{Setting: "tcp", Addr: tcp, Err: err}, p.udp.Close())
	}
	p.tcp = netip.AddrPortFrom(tcp.Addr(), l.Addr().(*net.TCPAddr).AddrPort().Port())
	p.tcpMux = ice.NewTCPMuxDefault(ice.TCPMuxParams{
		Listener: newFenced(l, tcpAll, tcpPerAddress), Logger: log,
		ReadBufferSize: tcpReadBuffer, WriteBufferSize: tcpWriteBuffer,
		FirstStunBindTimeout: tcpFirstPacket, AliveDurationForConnFromStun: tcpFirstPacket,
	})
	return p, nil
}

// close frees the ports and waits until nobody reads them any more.
func (p *ports) close() error {
	err := p.udp.Close()
	if p.tcpMux != nil {
		err = errors.Join(err, p.tcpMux.Close())
	}
	return err
}

// fenced is a TCP listener that closes at once what is more than its limits.
type fenced struct {
	*net.TCPListener
	all, each int

	mu   sync.Mutex
	open int
	from map[netip.Addr]int
}

func newFenced(l *net.TCPListener, all, each int) *fenced {
	return &fenced{TCPListener: l, all: all, each: each, from: make(map[netip.Addr]int)}
}

// Accept returns the next connection within the limits.
func (f *fenced) Accept() (net.Conn, error) {
	for {
		c, err := f.AcceptTCP()
		if errors.Is(err, net.ErrClosed) {
			return nil, err
		}
		if err != nil {
			time.Sleep(10 * time.Millisecond) //nolint:forbidigo // out of files, most likely: there is no event to wait for
			continue
		}
		from := c.RemoteAddr().(*net.TCPAddr).AddrPort().Addr().Unmap()
		if !f.enter(from) {
			_ = c.Close()
			continue
		}
		return &fencedConn{TCPConn: c, leave: sync.OnceFunc(func() { f.leave(from) })}, nil
	}
}

func (f *fenced) enter(from netip.Addr) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.open >= f.all || f.from[from] >= f.each {
		return false
	}
	f.open++
	f.from[from]++
	return true
}

func (f *fenced) leave(from netip.Addr) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.open--
	if f.from[from]--; f.from[from] == 0 {
		delete(f.from, from)
	}
}

type fencedConn struct {
	*net.TCPConn
	leave func()
}

// Close closes the connection and makes room for another.
func (c *fencedConn) Close() error {
	c.leave()
	return c.TCPConn.Close()
}
