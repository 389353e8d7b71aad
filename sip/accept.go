package sip

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// streams are the server's TCP and TLS connections, those that were accepted and those that we dialled, and the WebSockets
// in them. They go to sipgo through a listener for each of the two, the handover, so that sipgo neither accepts nor dials.
type streams struct {
	guard *guard
	log   *slog.Logger
	dscp  int
	over  map[string]*handover // by carrier
	web   *web
	tls   TLS
	// secure is the listeners' side of a handshake: one for all of them, so that sessions can be resumed.
	secure   *tls.Config
	browsers *tls.Config   // likewise, of wss: a browser is asked for no certificate
	knockers *rate.Limiter // of handshakes with strangers
	lost     func(Flow)    // is told of every connection that is closed; nil: nobody is

	mu        sync.Mutex
	conns     map[flow]*streamConn
	counts    map[netip.Prefix]int // of conns and of handshakes
	shaking   int                  // handshakes
	strangers int                  // of shaking
	closed    bool
	gone      sync.WaitGroup // of the connections that are open
}

// flow is a connection to a peer.
type flow struct {
	network string // "tcp", "tls", "ws" or "wss"
	remote  netip.AddrPort
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

func newStreams(g *guard, c Config) *streams {
	perSecond := g.limits.StrangersPerSecond
	s := &streams{
		guard: g, log: c.Log, dscp: c.DSCP, tls: c.TLS, secure: c.TLS.server(), browsers: secured(c.TLS.Server),
		over:     map[string]*handover{"tcp": newHandover(), "tls": newHandover()},
		knockers: rate.NewLimiter(rate.Limit(perSecond), 2*perSecond),
		conns:    map[flow]*streamConn{}, counts: map[netip.Prefix]int{},
	}
	if c.Registrar != nil {
		s.lost = c.Registrar.Lost
	}
	s.web = &web{streams: s, origins: c.Origins, over: newHandover()}
	return s
}

// accept takes connections from l until it is closed. Errors are waited out: none ends the server. It returns
// when the handshakes that it began are over.
func (s *streams) accept(ctx context.Context, l net.Listener, network string) {
	defer recovered(s.log, "accept on "+l.Addr().String())
	var handshakes sync.WaitGroup
	defer handshakes.Wait()
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
		if isSecure(network) {
			handshakes.Go(func() { s.shake(ctx, c, network) })
			continue
		}
		s.admit(ctx, c, network)
	}
}

// admit hands an accepted connection over, or closes it without a word.
func (s *streams) admit(ctx context.Context, c net.Conn, network string) {
	defer recovered(s.log, "accept")
	src := addrPort(c.RemoteAddr())
	if !s.guard.admits(src, network) {
		_ = c.Close()
		return
	}
	markTCP(c, s.dscp)
	var err error
	if network == "ws" {
		var release func()
		if release, err = s.reserve(src.Addr(), false); err == nil {
			err = s.web.open(ctx, &visitor{c, network, release})
		}
	} else {
		_, err = s.add(ctx, newStreamConn(c, network, "", s.guard, s.log, s.remove), true)
	}
	if err != nil {
		_ = c.Close()
		s.guard.knocked(src, network, err.Error())
	}
}

var (
	errTooMany = errors.New("too many connections")
	errNoWay   = errors.New("the WebSocket is gone, and nobody can be connected to through one")
)

// add counts a connection and hands it over to sipgo.
func (s *streams) add(ctx context.Context, sc *streamConn, counted bool) (*streamConn, error) {
	s.mu.Lock()
	from := network(sc.remote.Addr())
	limits := s.guard.limits
	if s.closed || counted && (len(s.conns)+s.shaking >= limits.Connections || s.counts[from] >= limits.ConnectionsPerAddress) {
		s.mu.Unlock()
		return nil, errTooMany
	}
	s.conns[flow{sc.network, sc.remote}] = sc
	s.counts[from]++
	s.gone.Add(1)
	s.mu.Unlock()
	over := s.over[carrier(sc.network)]
	select {
	case over.conns <- sc:
		return sc, nil
	case <-over.done:
	case <-ctx.Done():
	}
	_ = sc.Close()
	return nil, ErrShutdown
}

func (s *streams) remove(c *streamConn) {
	if s.lost != nil {
		s.lost(Flow{Network: c.network, Remote: c.remote, Local: c.local})
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if key := (flow{c.network, c.remote}); s.conns[key] == c {
		delete(s.conns, key)
	}
	s.uncount(network(c.remote.Addr()))
	s.gone.Done()
}

// uncount takes one connection of a source away. Called with mu held.
func (s *streams) uncount(from netip.Prefix) {
	if s.counts[from]--; s.counts[from] <= 0 {
		delete(s.counts, from)
	}
}

// live returns the open connection to a peer, or nil.
func (s *streams) live(f flow) *streamConn {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.conns[f]
}

// dial returns a connection to a peer: one that there is, or a new one from local, which may be unspecified. On
// TLS the peer must prove that it is host.
func (s *streams) dial(ctx context.Context, local netip.Addr, to flow, host string) (*streamConn, error) {
	if c := s.live(to); c != nil {
		return c, nil
	}
	if isWeb(to.network) {
		return nil, errNoWay
	}
	remote := to.remote
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: local.AsSlice()}}
	c, err := d.DialContext(ctx, "tcp", remote.String())
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", remote, err)
	}
	markTCP(c, s.dscp)
	if to.network == "tls" {
		secure, err := s.greet(ctx, c, host)
		if err != nil {
			_ = c.Close()
			return nil, fmt.Errorf("connect to %s: %w", remote, err)
		}
		c = secure
	}
	sc, err := s.add(ctx, newStreamConn(c, to.network, "", s.guard, s.log, s.remove), false)
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
	_ = s.web.over.Close()
	for _, over := range s.over {
		_ = over.Close()
	}
	var closing sync.WaitGroup
	for _, c := range open { // side by side: TLS says goodbye, to peers that may not listen
		closing.Go(func() {
			defer recovered(s.log, "close")
			_ = c.Close()
		})
	}
	closing.Wait()
	s.gone.Wait()
}
