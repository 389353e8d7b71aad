package sip

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"
)

// streams are the server's TCP connections, those that were accepted and those that we dialled. They go to
// sipgo through one listener, the handover, so that sipgo neither accepts nor dials.
type streams struct {
	guard *guard
	log   *slog.Logger
	dscp  int
	over  *handover

	mu     sync.Mutex
	conns  map[netip.AddrPort]*streamConn // by remote address
	counts map[netip.Prefix]int
	closed bool
	gone   sync.WaitGroup // of the connections that are open
}

// handover is the net.Listener that sipgo gets its connections from.
type handover struct {
	conns chan net.Conn
	done  chan struct{}
	stop  func()
}

func newHandover() *handover {
	h := &handover{conns: make(chan net.Conn), done: make(chan struct{})}
	h.stop = sync.OnceFunc(func() { close(h.done) })
	return h
}

// Accept returns the next connection.
func (h *handover) Accept() (net.Conn, error) {
	select {
	case c := <-h.conns:
		return c, nil
	case <-h.done:
		return nil, net.ErrClosed
	}
}

// Close ends Accept.
func (h *handover) Close() error { h.stop(); return nil }

// Addr is no address: connections of all listeners come through here.
func (h *handover) Addr() net.Addr { return &net.TCPAddr{} }

func newStreams(g *guard, log *slog.Logger, dscp int) *streams {
	return &streams{
		guard: g, log: log, dscp: dscp, over: newHandover(),
		conns: map[netip.AddrPort]*streamConn{}, counts: map[netip.Prefix]int{},
	}
}

// accept takes connections from l until it is closed. Errors are waited out: none ends the server.
func (s *streams) accept(ctx context.Context, l net.Listener) {
	defer recovered(s.log, "accept on "+l.Addr().String())
	backoff := readBackoff
	for ctx.Err() == nil {
		c, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			s.log.Warn("accept", "listener", l.Addr(), "error", err)
			select {
			case <-time.After(backoff):
			case <-ctx.Done():
			}
			backoff = min(2*backoff, time.Second)
			continue
		}
		backoff = readBackoff
		s.admit(ctx, c)
	}
}

// admit hands an accepted connection over, or closes it without a word.
func (s *streams) admit(ctx context.Context, c net.Conn) {
	defer recovered(s.log, "accept")
	src := addrPort(c.RemoteAddr())
	if !s.guard.admits(src, "tcp") {
		_ = c.Close()
		return
	}
	if _, err := s.add(ctx, c, true); err != nil {
		_ = c.Close()
		s.guard.knocked(src, "tcp", err.Error())
	}
}

var errTooMany = errors.New("too many connections")

// add wraps a connection, counts it and hands it over to sipgo.
func (s *streams) add(ctx context.Context, c net.Conn, counted bool) (*streamConn, error) {
	markTCP(c, s.dscp)
	sc := newStreamConn(c, s.guard, s.log, s.remove)
	s.mu.Lock()
	from := network(sc.remote.Addr())
	limits := s.guard.limits
	if s.closed || counted && (len(s.conns) >= limits.Connections || s.counts[from] >= limits.ConnectionsPerAddress) {
		s.mu.Unlock()
		return nil, errTooMany
	}
	s.conns[sc.remote] = sc
	s.counts[from]++
	s.gone.Add(1)
	s.mu.Unlock()
	select {
	case s.over.conns <- sc:
		return sc, nil
	case <-s.over.done:
	case <-ctx.Done():
	}
	_ = sc.Close()
	return nil, ErrShutdown
}

func (s *streams) remove(c *streamConn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conns[c.remote] == c {
		delete(s.conns, c.remote)
	}
	from := network(c.remote.Addr())
	if s.counts[from]--; s.counts[from] <= 0 {
		delete(s.counts, from)
	}
	s.gone.Done()
}

// live returns the open connection to a remote address, or nil.
func (s *streams) live(remote netip.AddrPort) *streamConn {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.conns[remote]
}

// dial returns a connection to remote: one that there is, or a new one from local, which may be unspecified.
func (s *streams) dial(ctx context.Context, local netip.Addr, remote netip.AddrPort) (*streamConn, error) {
	if c := s.live(remote); c != nil {
		return c, nil
	}
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: local.AsSlice()}}
	c, err := d.DialContext(ctx, "tcp", remote.String())
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", remote, err)
	}
	sc, err := s.add(ctx, c, false)
	if err != nil {
		_ = c.Close()
		return nil, err
	}
	select { // sipgo reads once it has the connection in its pool
	case <-sc.reading:
		return sc, nil
	case <-sc.closed:
		return nil, fmt.Errorf("connect to %s: %w", remote, net.ErrClosed)
	case <-ctx.Done():
		_ = sc.Close()
		return nil, context.Cause(ctx)
	}
}

// closeAll closes every connection and waits until nobody reads any more.
func (s *streams) closeAll() {
	s.mu.Lock()
	s.closed = true
	open := make([]*streamConn, 0, len(s.conns))
	for _, c := range s.conns {
		open = append(open, c)
	}
	s.mu.Unlock()
	_ = s.over.Close()
	for _, c := range open {
		_ = c.Close()
	}
	s.gone.Wait()
}
