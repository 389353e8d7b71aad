package sip

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/emiago/sipgo"
)

// Handler takes calls.
type Handler interface {
	// ServeCall runs a call from its INVITE to its end, on a goroutine of its own. ctx ends with the
	// dialog, and context.Cause says why. Returning before the answer refuses the call (480),
	// returning after it hangs up. A panic ends this call only.
	ServeCall(ctx context.Context, d *Dialog)
}

// HandlerFunc is a Handler of one function.
type HandlerFunc func(ctx context.Context, d *Dialog)

// ServeCall calls f.
func (f HandlerFunc) ServeCall(ctx context.Context, d *Dialog) { f(ctx, d) }

// Server listens for calls, and makes them.
type Server struct {
	config Config
	log    *slog.Logger
	timing timing
	guard  *guard
	ua     *sipgo.UserAgent
	client *sipgo.Client

	bound   []Listener
	packets []*packetConn
	accepts []door
	streams *streams

	dialogs dialogs
	sick    sick
	tasks   tasks
	handler Handler
	serving chan struct{} // closed when Serve has begun
	drain   chan struct{} // closed when Serve is to end
	begin   func()
	finish  func()

	base context.Context //nolint:containedctx // of everything that Serve started; ends with ErrShutdown
}

// door is a socket that peers connect to.
type door struct {
	*net.TCPListener
	network string // "tcp", "tls", "ws" or "wss"
}

// Listen binds every listener of c. A port that is taken is a [*ListenError]. Nothing is read before
// [Server.Serve]; [Server.Close] is for a Server that is never served.
func Listen(c Config) (*Server, error) {
	c = c.withDefaults()
	g := newGuard(c)
	ua, client, err := newUserAgent(c.Log)
	if err != nil {
		return nil, err
	}
	s := &Server{
		config: c, log: c.Log, guard: g, ua: ua, client: client,
		timing:  timing{t1: c.T1, t2: 8 * c.T1},
		streams: newStreams(g, c),
		dialogs: dialogs{m: map[dialogID]*Dialog{}},
		sick:    sick{until: map[targetKey]time.Time{}},
		serving: make(chan struct{}),
		drain:   make(chan struct{}),
	}
	s.begin = sync.OnceFunc(func() { close(s.serving) })
	s.finish = sync.OnceFunc(func() { close(s.drain) })
	ua.TransactionLayer().OnRequest(s.onRequest)
	for _, l := range c.Listen {
		if err := s.bind(l); err != nil {
			return nil, errors.Join(err, s.Close())
		}
	}
	return s, nil
}

func (s *Server) bind(l Listener) error {
	l.Addr = netip.AddrPortFrom(l.Addr.Addr().Unmap(), l.Addr.Port())
	switch l.Network {
	case "udp":
		c, err := bindUDP(l, s.config.DSCP)
		if err != nil {
			return err
		}
		l.Addr = addrPort(c.LocalAddr())
		s.packets = append(s.packets, newPacketConn(c, s.guard, s.log, s.ua.TransportLayer().Pool("udp")))
	case "tcp", "tls", "ws", "wss":
		if isSecure(l.Network) && s.config.TLS.Server == nil {
			return &ListenError{Listener: l, Err: errNoCertificate}
		}
		t, err := bindTCP(l)
		if err != nil {
			return err
		}
		l.Addr = addrPort(t.Addr())
		s.accepts = append(s.accepts, door{t, l.Network})
	default:
		return &ListenError{Listener: l, Err: net.UnknownNetworkError(l.Network)}
	}
	s.bound = append(s.bound, l)
	return nil
}

// Addrs returns the listeners as they were bound, in the order of the configuration.
func (s *Server) Addrs() []Listener { return append([]Listener(nil), s.bound...) }

// Serve takes calls until ctx ends; then it hangs up what is still up, closes its sockets, and returns
// when every goroutine is gone. It is called once.
func (s *Server) Serve(ctx context.Context, h Handler) error {
	s.handler = h
	base, end := context.WithCancelCause(context.WithoutCancel(ctx))
	s.base = base
	var readers sync.WaitGroup
	tl := s.ua.TransportLayer()
	for _, p := range s.packets {
		readers.Go(func() { p.serve(tl) })
	}
	readers.Go(func() {
		defer recovered(s.log, "handover")
		_ = tl.ServeTCP(s.streams.over["tcp"]) // it ends when the handover is closed
	})
	readers.Go(func() {
		defer recovered(s.log, "handover")
		_ = tl.ServeTLS(s.streams.over["tls"]) // likewise; the connections in it are beyond their handshake
	})
	readers.Go(func() { s.streams.web.serve(base) })
	for _, l := range s.accepts {
		readers.Go(func() { s.streams.accept(base, l, l.network) })
	}
	if s.config.Registrar != nil {
		readers.Go(func() { s.keepAlive(base) })
	}
	s.begin()

	<-ctx.Done()
	s.finish()
	end(ErrShutdown)
	s.hangUpAll()
	err := s.Close()
	s.streams.closeAll()
	readers.Wait()
	s.tasks.close()
	for _, d := range s.dialogs.all() {
		d.post(d.abandon)
	}
	// Every transaction is terminated, and so nobody waits for one. sipgo's transports have nothing left
	// to close, and a message that is still on its way finds its connection, closed, in the pool.
	s.ua.TransactionLayer().Close()
	s.tasks.wait()
	return err
}

// hangUpAll ends the dialogs that are still up, and waits for the answers, but not for ever.
func (s *Server) hangUpAll() {
	late := time.NewTimer(s.config.Limits.ShutdownTime)
	defer late.Stop()
	all := s.dialogs.all()
	for _, d := range all {
		d.hangup(occasion{cause: ErrShutdown, reason: Reason{"Q.850", normalClearing, ErrShutdown.Error()}})
	}
	for _, d := range all {
		select {
		case <-d.done:
		case <-late.C:
			late.Reset(0) // for those after it
			d.post(d.abandon)
		}
	}
}

func (s *Server) draining() bool {
	select {
	case <-s.drain:
		return true
	default:
		return false
	}
}

// Close gives the ports back, where Serve is never called.
func (s *Server) Close() error {
	var err error
	for _, p := range s.packets {
		err = errors.Join(err, ignoreClosed(p.Close()))
	}
	for _, l := range s.accepts {
		err = errors.Join(err, ignoreClosed(l.Close()))
	}
	return err
}

func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// spawn runs f on a goroutine that Serve waits for; false if it waits for no more.
func (s *Server) spawn(name string, f func()) bool {
	if !s.tasks.enter() {
		return false
	}
	go func() {
		defer s.tasks.leave()
		defer recovered(s.log, name)
		f()
	}()
	return true
}
