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
	// peersKept is how many UDP peers sipgo's reader may remember before it is ended and begun again.
	peersKept = 8192
	// peersSettle is how long nothing is read before that, so that what was read has found its way back.
	peersSettle = 50 * time.Millisecond
	// readBackoff is the pause after a read error, doubled up to a second while they go on.
	readBackoff = 5 * time.Millisecond
)

// packetConn is a UDP socket behind the guard, as sipgo sees it: only what the guard passes can be read.
type packetConn struct {
	*net.UDPConn
	local  netip.AddrPort
	guard  *guard
	log    *slog.Logger
	closed chan struct{}
	close  func()

	// pooled is held for writing while sipgo's reader, and with it the socket's place in sipgo's pool, is
	// away; whoever looks the socket up there holds it for reading.
	pooled sync.RWMutex
	away   bool                        // pooled is held; the reading goroutine's
	peers  map[netip.AddrPort]struct{} // that the reader has heard of; the reading goroutine's
	keep   int                         // how many of them
	buf    []byte
}

func newPacketConn(c *net.UDPConn, g *guard, log *slog.Logger) *packetConn {
	closed := make(chan struct{})
	p := &packetConn{
		UDPConn: c, guard: g, log: log,
		local:  addrPort(c.LocalAddr()),
		closed: closed, close: sync.OnceFunc(func() { close(closed) }),
		peers: map[netip.AddrPort]struct{}{}, keep: peersKept,
		buf: make([]byte, 1<<16),
	}
	p.pooled.Lock() // until the first read
	p.away = true
	return p
}

// serve lets sipgo read until the socket is closed. A reader that ended for another reason (its time was up,
// a panic in it) is begun again.
func (p *packetConn) serve(l *sip.TransportLayer) {
	for !p.isClosed() {
		p.serveOnce(l)
		if !p.away {
			p.pooled.Lock()
			p.away = true
		}
	}
	p.pooled.Unlock()
	p.away = false
}

func (p *packetConn) serveOnce(l *sip.TransportLayer) {
	defer recovered(p.log, "read "+p.local.String())
	if err := l.ServeUDP(p); err != nil {
		p.log.Warn("the SIP reader ended", "listener", p.local, "error", err)
		p.wait(time.Second)
	}
}

// ReadFrom reads the next packet that the guard passes. It returns an error only where sipgo's reader is to
// end: when the socket is closed, and after keep peers.
func (p *packetConn) ReadFrom(b []byte) (int, net.Addr, error) {
	if p.away { // sipgo has put the socket back into its pool
		p.away = false
		p.pooled.Unlock()
	}
	if len(p.peers) >= p.keep {
		p.wait(peersSettle)
		clear(p.peers)
		p.pooled.Lock()
		p.away = true
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
			p.peers[src] = struct{}{}
			return copy(b, p.buf[:n]), net.UDPAddrFromAddrPort(src), nil
		}
	}
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

// lookup runs f while the socket is surely in sipgo's pool.
func (p *packetConn) lookup(f func() error) error {
	p.pooled.RLock()
	defer p.pooled.RUnlock()
	return f()
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
