package livekittest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
)

// relayHost is where a relay takes the place of its server, on the same ports.
const relayHost = "127.0.0.2"

// datagram is the most that a relay carries at once.
const datagram = 2048

// Relay is the network between people and their server. It can be cut: then nothing passes, and nobody is
// told. Its methods may be called from any goroutine.
type Relay struct {
	tcp    net.Listener
	udp    *net.UDPConn
	server netip.AddrPort // for datagrams
	http   string         // for connections
	work   sync.WaitGroup

	mu      sync.Mutex // guards all below
	flowing chan struct{}
	isCut   bool
	lose    int    // every so many datagrams towards the server; 0 for none
	first   uint16 // the ports that may send to the server; both 0 for any
	last    uint16
	passed  int // of them
	conns   map[net.Conn]bool
	paths   map[netip.AddrPort]*net.UDPConn // by sender: our socket towards the server
	shut    bool
}

// openRelay relays the server's port for HTTP and the one for media.
func openRelay(http, udp uint16) (*Relay, error) {
	r := &Relay{
		server: netip.AddrPortFrom(netip.MustParseAddr(host), udp), http: loopback(http),
		flowing: make(chan struct{}), conns: make(map[net.Conn]bool), paths: make(map[netip.AddrPort]*net.UDPConn),
	}
	close(r.flowing)
	at := netip.MustParseAddr(relayHost)
	var err error
	if r.tcp, err = new(net.ListenConfig).Listen(context.Background(), "tcp", netip.AddrPortFrom(at, http).String()); err != nil {
		return nil, fmt.Errorf("relay: %w", err)
	}
	if r.udp, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(at, udp))); err != nil {
		_ = r.tcp.Close()
		return nil, fmt.Errorf("relay: %w", err)
	}
	r.work.Go(r.accept) // both end with their sockets; close waits
	r.work.Go(r.up)
	return r, nil
}

// Cut stops everything that passes. Connections stay open, silently.
func (r *Relay) Cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.isCut {
		r.isCut, r.flowing = true, make(chan struct{})
	}
}

// Mend lets everything pass again; what connections held back comes first, datagrams are lost.
func (r *Relay) Mend() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.isCut {
		r.isCut = false
		close(r.flowing)
	}
}

// Lose drops one in every so many datagrams on their way to the server; 0 drops none.
func (r *Relay) Lose(oneIn int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lose = oneIn
}

// Only lets datagrams to the server from no ports but those from first to last, as a firewall does.
func (r *Relay) Only(first, last uint16) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.first, r.last = first, last
}

// Break resets every connection, as a middlebox does that has lost its table.
func (r *Relay) Break() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for c := range r.conns {
		if tcp, ok := c.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
		_ = c.Close()
	}
}

func (r *Relay) close() {
	r.Mend()
	r.mu.Lock()
	r.shut = true
	for c := range r.conns {
		_ = c.Close()
	}
	for _, path := range r.paths {
		_ = path.Close()
	}
	r.mu.Unlock()
	_ = errors.Join(r.tcp.Close(), r.udp.Close())
	r.work.Wait()
}

// wait waits while the relay is cut.
func (r *Relay) wait() {
	r.mu.Lock()
	flowing := r.flowing
	r.mu.Unlock()
	<-flowing
}

// accept takes connections.
func (r *Relay) accept() {
	for {
		from, err := r.tcp.Accept()
		if err != nil {
			return
		}
		if !r.keep(from) {
			_ = from.Close()
			return
		}
		r.work.Go(func() { r.connect(from) })
	}
}

// connect carries one connection both ways, until either side closes.
func (r *Relay) connect(from net.Conn) {
	defer r.forget(from)
	r.wait()
	to, err := new(net.Dialer).DialContext(context.Background(), "tcp", r.http)
	if err != nil {
		return
	}
	defer r.forget(to)
	if !r.keep(to) {
		return
	}
	var both sync.WaitGroup
	both.Go(func() { r.carry(to, from) })
	both.Go(func() { r.carry(from, to) })
	both.Wait()
}

func (r *Relay) carry(to, from net.Conn) {
	defer to.Close()
	defer from.Close()
	b := make([]byte, 16<<10)
	for {
		n, err := from.Read(b)
		r.wait()
		if n > 0 {
			if _, err := to.Write(b[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// keep remembers a connection for close; false if that has been called.
func (r *Relay) keep(c net.Conn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.shut {
		return false
	}
	r.conns[c] = true
	return true
}

func (r *Relay) forget(c net.Conn) {
	_ = c.Close()
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.conns, c)
}

// up carries datagrams to the server, from a socket for each sender.
func (r *Relay) up() {
	b := make([]byte, datagram)
	for {
		n, from, err := r.udp.ReadFromUDPAddrPort(b)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if path := r.path(from); err == nil && path != nil {
			_, _ = path.Write(b[:n])
		}
	}
}

// path returns the socket for a sender's next datagram; nil if it does not pass.
func (r *Relay) path(from netip.AddrPort) *net.UDPConn {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.isCut || r.shut {
		return nil
	}
	if r.last != 0 && (from.Port() < r.first || from.Port() > r.last) {
		return nil
	}
	if r.passed++; r.lose > 0 && r.passed%r.lose == 0 {
		return nil
	}
	if path := r.paths[from]; path != nil {
		return path
	}
	path, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(r.server))
	if err != nil {
		return nil
	}
	r.paths[from] = path
	r.work.Go(func() { r.down(path, from) })
	return path
}

// down carries datagrams back. Errors are the server's absence, told by ICMP; it comes back.
func (r *Relay) down(path *net.UDPConn, to netip.AddrPort) {
	b := make([]byte, datagram)
	for {
		n, err := path.Read(b)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		r.mu.Lock()
		pass := err == nil && !r.isCut
		r.mu.Unlock()
		if pass {
			_, _ = r.udp.WriteToUDPAddrPort(b[:n], to)
		}
	}
}
