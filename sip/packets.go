package sip

import (
	"bytes"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/emiago/sipgo/sip"
)

const (
	// peersKept is how many UDP peers a generation of the pool has; there are two.
	peersKept = 8192
	// readBackoff is the pause after a read error, doubled up to a second while they go on.
	readBackoff = 5 * time.Millisecond
)

// packetConn is a UDP socket behind the guard, as sipgo sees it: only what the guard passes can be read.
//
// Its place in sipgo's pool, under its own address and under its peers', is kept here: sipgo would never
// forget a peer, but everything at once when its reader ends, messages on their way included; it would then
// answer those from a socket of its own making.
type packetConn struct {
	*net.UDPConn
	local  netip.AddrPort
	guard  *guard
	log    *slog.Logger
	closed chan struct{}
	close  func()

	pool *sip.ConnectionPool
	conn *sip.UDPConnection // what the pool has

	// The reading goroutine's.
	buf        []byte
	last       string // the peer that the last read was from
	young, old map[string]struct{}
	keep       int
}

func newPacketConn(c *net.UDPConn, g *guard, log *slog.Logger, pool *sip.ConnectionPool) *packetConn {
	closed := make(chan struct{})
	p := &packetConn{
		UDPConn: c, guard: g, log: log,
		local:  addrPort(c.LocalAddr()),
		closed: closed, close: sync.OnceFunc(func() { close(closed) }),
		pool: pool, keep: peersKept,
		buf:   make([]byte, 1<<16),
		young: map[string]struct{}{},
	}
	p.conn = &sip.UDPConnection{PacketConn: p, PacketAddr: p.local.String(), Listener: true}
	p.pool.Add(p.local.String(), p.conn)
	return p
}

// serve lets sipgo read until the socket is closed. A reader that ended for another reason (it knows too
// many peers, a panic in it) is begun again.
func (p *packetConn) serve(l *sip.TransportLayer) {
	for !p.isClosed() {
		p.serveOnce(l)
	}
}

func (p *packetConn) serveOnce(l *sip.TransportLayer) {
	defer recovered(p.log, "read "+p.local.String())
	if err := l.ServeUDP(p); err != nil {
		p.log.Warn("the SIP reader ended", "listener", p.local, "error", err)
		p.wait(time.Second)
	}
}

// ReadFrom reads the next packet that the guard passes. It returns an error only where sipgo's reader is to
// end: when the socket is closed, and when a generation of peers is full, for the reader has a list of its
// own.
func (p *packetConn) ReadFrom(b []byte) (int, net.Addr, error) {
	// sipgo has just entered its own connection for these.
	p.pool.Add(p.local.String(), p.conn)
	if p.last != "" {
		p.pool.Add(p.last, p.conn)
		p.young[p.last] = struct{}{}
	}
	if len(p.young) >= p.keep {
		p.forget()
		return 0, nil, net.ErrClosed
	}
	for backoff := readBackoff; ; {
		n, src, err := p.ReadFromUDPAddrPort(p.buf)
		if p.isClosed() || errors.Is(err, net.ErrClosed) {
			return 0, nil, net.ErrClosed
		}
		if err != nil {
			p.log.Warn("read", "listener", p.local, "error", err)
			p.wait(backoff)
			backoff = min(2*backoff, time.Second)
			continue
		}
		backoff = readBackoff
		src = netip.AddrPortFrom(src.Addr().Unmap(), src.Port())
		if p.passes(src, p.buf[:n]) {
			addr := net.UDPAddrFromAddrPort(src)
			p.last = addr.String() // as sipgo names it
			return copy(b, p.buf[:n]), addr, nil
		}
	}
}

// forget takes the peers out of the pool that were not heard of for a generation.
func (p *packetConn) forget() {
	for peer := range p.old {
		if _, again := p.young[peer]; !again {
			p.pool.Delete(peer)
		}
	}
	p.old, p.young, p.last = p.young, map[string]struct{}{}, ""
}

// passes asks the guard, and sends its answer if it has one.
func (p *packetConn) passes(src netip.AddrPort, data []byte) bool {
	if len(bytes.Trim(data, "\r\n\x00 ")) == 0 {
		return false // a keep-alive
	}
	if !p.guard.admits(src, "udp") {
		return false
	}
	now := time.Now()
	if p.guard.pause(src, now) > 0 {
		p.guard.knocked(src, "udp", "flood")
		return false
	}
	v := p.guard.judge(packet{src: src, network: "udp", data: data}, now)
	if v.reply != nil {
		if _, err := p.WriteToUDPAddrPort(v.reply, v.replyTo); err != nil {
			p.log.Debug("answer of the guard", "peer", v.replyTo, "error", err)
		}
	} else if !v.pass {
		p.guard.knocked(src, "udp", v.why)
	}
	return v.pass
}

// Close closes the socket; sipgo's reader ends.
func (p *packetConn) Close() error {
	p.close()
	return p.UDPConn.Close()
}

func (p *packetConn) isClosed() bool {
	select {
	case <-p.closed:
		return true
	default:
		return false
	}
}

// wait pauses the reading goroutine, unless the socket is closed meanwhile.
func (p *packetConn) wait(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-p.closed:
	}
}
