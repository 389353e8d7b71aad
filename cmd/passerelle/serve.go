package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"passerelle/bridge"
	"passerelle/bridge/audio"
	"passerelle/bridge/ivr"
	"passerelle/cmd/internal/guard"
	"passerelle/config"
	"passerelle/sip"
	"passerelle/sip/registrar"
	"passerelle/sip/rtp"
)

func serveCommand() *cobra.Command {
	var debug string
	c := &cobra.Command{
		Use:   "serve",
		Short: "Answer calls and keep rooms",
		Long: `Answers calls and keeps rooms, until SIGTERM or Ctrl-C: then new calls are refused, those that are up may go
on for the time that "drain" gives them, and a second signal ends them at once.

Without a configuration file everybody at a loopback or private address may call any room.`,
		Args: cobra.NoArgs,
	}
	config.AddFlags(c.Flags())
	c.Flags().StringVar(&debug, "debug", "", "serve counters and profiles at this address, such as 127.0.0.1:6060")
	c.RunE = func(c *cobra.Command, _ []string) error {
		cfg, err := config.Load(config.Source{Path: flagText(c, "config"), Flags: c.Flags(), LookupEnv: os.LookupEnv})
		if err != nil {
			return err
		}
		log := newLog(os.Stderr, cfg.Live.Log.Level)
		// Before the welcome: whoever reads it may send a signal at once.
		signals := make(chan os.Signal, 2)
		signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
		defer signal.Stop(signals)
		h, err := build(cfg, debug, log)
		if err != nil {
			return err
		}
		for _, warning := range cfg.Warnings {
			log.Warn("configuration: " + warning.String())
		}
		h.welcome(c.OutOrStdout())
		return h.serve(c.Context(), signals)
	}
	return c
}

func flagText(c *cobra.Command, name string) string {
	if f := c.Flags().Lookup(name); f != nil {
		return f.Value.String()
	}
	return ""
}

// house is everything that serves, with every port taken and nothing running yet.
type house struct {
	config  *config.Config
	log     *slog.Logger
	engine  *audio.Engine
	engines []*engine
	gateway *bridge.Gateway
	phones  *sip.Server
	desks   *registrar.Registrar // nil where no phone registers
	lines   *lines
	web     []*web
}

// build makes the house, from the engine room up. It takes the ports, so that one that is taken is known at
// once; after an error none is held.
func build(cfg *config.Config, debug string, log *slog.Logger) (h *house, err error) {
	began := time.Now()
	clock := func() time.Duration { return time.Since(began) }
	var live atomic.Pointer[config.Live]
	live.Store(&cfg.Live)

	h = &house{config: cfg, log: log}
	defer func(h *house) {
		if err != nil {
			h.close()
		}
	}(h)

	h.engine = audio.NewEngine(audio.Config{NoLimiter: !cfg.Static.Sound.Limiter, Clock: clock, Log: log})

	places := make(map[string]bridge.Rooms)
	for _, c := range cfg.Static.Engines {
		e, err := h.openEngine(c, clock)
		if err != nil {
			return nil, err
		}
		h.engines = append(h.engines, e)
		places[c.Name] = e.rooms
	}
	voices, err := ivr.Load(h.engine.MixRate())
	if err != nil {
		return nil, err
	}

	network := cfg.Static.Networks[0]
	ports, err := mediaPorts(network.Media)
	if err != nil {
		return nil, fmt.Errorf("networks[0].media: %w", err)
	}

	// What the gateway and the door know of trunks that we reach out to, which need the door.
	serverOf := func(src netip.Addr) string { return h.lines.serverOf(src) }
	h.gateway = bridge.New(bridge.Config{
		ServerOf: serverOf,
		Devices:  func(user string) [][]registrar.Binding { return h.desks.Devices(user) },
		Dial:     func(ctx context.Context, to sip.Dial) (*sip.Dialog, []byte, error) { return h.phones.Dial(ctx, to) },
		Live:     live.Load, Engine: h.engine, Rooms: places, Voices: voices, Ports: ports,
		Advertise: network.Advertise, KeysOverTLS: network.ANSSI, Clock: clock, Log: log,
	})

	if err := h.openDoor(network, live.Load, serverOf); err != nil {
		return nil, err
	}
	h.lines = reachOut(cfg.Live.Trunks, h.phones, log)

	if page := h.page(); page != nil {
		w, err := listenWeb(cfg.Static.HTTP, page, log)
		if err != nil {
			return nil, err
		}
		h.web = append(h.web, w)
	}
	if debug != "" {
		counters, err := listenDebug(debug, h.counters, log)
		if err != nil {
			return nil, err
		}
		h.web = append(h.web, counters)
	}
	return h, nil
}

// openDoor makes the registrar, and takes the ports of SIP.
func (h *house) openDoor(network config.Network, live func() *config.Live, serverOf func(netip.Addr) string) error {
	secure, err := signalling(network, live, h.log)
	if err != nil {
		return err
	}
	if h.desks, err = openRegistrar(h.config, h.log); err != nil {
		return err
	}
	h.phones, err = sip.Listen(sip.Config{
		Digest:    accounts(live()),
		Registrar: h.desks,
		Challenged: func(src netip.AddrPort, peer string) bool {
			return peer == "" && bridge.Challenged(live(), src.Addr()) && serverOf(src.Addr()) == ""
		},
		MayRegister: func(account string) bool { return isPhone(live(), account) },
		TLS:         secure,
		Listen:      listeners(network),
		Advertise:   advertised(network.Advertise),
		Known: func(src netip.AddrPort) bool {
			return bridge.Known(live(), src.Addr()) || serverOf(src.Addr()) != ""
		},
		Options:   h.gateway.Ready,
		UserAgent: "Passerelle/" + version,
		Log:       h.log,
	})
	if err != nil {
		var listen *sip.ListenError
		if errors.As(err, &listen) {
			return taken("networks[0].listen", listen.Listener.String(), listen.Err)
		}
		return err
	}
	return nil
}

// serve runs the house until a signal, drains it, and closes it, the door first and the engine room last.
func (h *house) serve(ctx context.Context, signals <-chan os.Signal) error {
	running, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	group, groupCtx := errgroup.WithContext(running)
	group.Go(guard.Root("SIP", func() error { return h.phones.Serve(groupCtx, h.gateway) }))
	for _, w := range h.web {
		group.Go(guard.Root(w.name, func() error { return w.run(groupCtx) }))
	}

	below, stopBelow := context.WithCancel(context.WithoutCancel(ctx))
	defer stopBelow()
	var floor errgroup.Group
	carry := func(name string, run func(context.Context) error) {
		floor.Go(func() error {
			err := guard.Root(name, func() error { return run(below) })()
			if err != nil {
				stop(err) // nothing stands without its floor
			}
			return err
		})
	}
	carry("audio engine", h.engine.Run)
	if h.desks != nil {
		carry("registrar", h.desks.Run)
	}
	h.lines.run(groupCtx, h.log)
	defer h.lines.leave()
	for _, e := range h.engines {
		carry("rooms of "+e.name, e.run)
	}

	select {
	case s := <-signals:
		h.drain(groupCtx, s, signals)
	case <-groupCtx.Done():
	}
	stop(nil)
	err := group.Wait()
	stopBelow()
	return errors.Join(err, floor.Wait())
}

// drain lets the calls end, for as long as the configuration says or until the next signal.
func (h *house) drain(ctx context.Context, s os.Signal, again <-chan os.Signal) {
	patience := h.config.Live.Drain
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if calls := h.gateway.Stats().Calls; calls > 0 {
		h.log.Info("closing: new calls are refused", "signal", s.String(), "calls", calls, "drain", patience)
	}
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		h.lines.leave()
		if err := guard.Root("drain", func() error { h.gateway.Drain(ctx); return nil })(); err != nil {
			h.log.Error("the calls are ended", "error", err)
		}
	}()
	select {
	case <-again:
		h.log.Info("closing now")
		cancel()
	case <-drained:
	}
	<-drained
}

// close gives back what build took, where serve is never called.
func (h *house) close() {
	for _, w := range h.web {
		w.close()
	}
	if h.phones != nil {
		h.phones.Close()
	}
	for _, e := range h.engines {
		e.close()
	}
}

// counters is what --debug tells.
func (h *house) counters() counters {
	c := counters{Gateway: h.gateway.Stats(), Engine: h.engine.Stats(), Rooms: make(map[string]any), Trunks: h.lines.stats()}
	if h.desks != nil {
		c.Phones = h.desks.Stats()
	}
	c.Goroutines, c.Heap = process()
	for _, e := range h.engines {
		c.Rooms[e.name] = e.stats()
	}
	return c
}

// taken says in one sentence which setting names a port that cannot be had, and what to do.
func taken(setting, address string, err error) error {
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%s is taken by another program: stop it, or choose another port with %s", address, setting)
	}
	if errors.Is(err, syscall.EADDRNOTAVAIL) {
		return fmt.Errorf("%s is not an address of this machine: choose another with %s", address, setting)
	}
	return fmt.Errorf("%s cannot be listened on (%s): %w", address, setting, err)
}

// listeners are the sockets for SIP. A socket speaks one address family: all addresses of the machine are two.
func listeners(n config.Network) []sip.Listener {
	var all []sip.Listener
	for _, l := range n.Listen {
		for _, addr := range families(l.Addr.Addr()) {
			all = append(all, sip.Listener{Network: l.Transport, Addr: netip.AddrPortFrom(addr, l.Addr.Port())})
		}
	}
	return all
}

// signalling is the TLS of a network's listeners.
func signalling(n config.Network, live func() *config.Live, log *slog.Logger) (secure sip.TLS, err error) {
	if n.TLS == nil {
		return secure, nil
	}
	if secure.Server, err = proof(*n.TLS, log); err != nil {
		return secure, fmt.Errorf("networks[0].tls: %w", err)
	}
	secure.Expects = func(src netip.AddrPort) bool { return bridge.Expected(live(), src.Addr()) }
	secure.Peer = func(src netip.AddrPort, chain []*x509.Certificate) string {
		return bridge.Certified(live(), src.Addr(), chain)
	}
	return secure, nil
}

// mediaPorts are the ranges for RTP, likewise.
func mediaPorts(m config.Media) (ports bridge.Ports, err error) {
	for _, addr := range families(m.Addr) {
		family := &ports.IPv6
		if addr.Is4() {
			family = &ports.IPv4
		}
		if *family, err = rtp.NewPorts(addr, m.First, m.Last); err != nil {
			return bridge.Ports{}, err
		}
	}
	return ports, nil
}

// families returns what an address stands for: the unspecified IPv6 address is the unspecified IPv4 address too.
func families(addr netip.Addr) []netip.Addr {
	if addr == netip.IPv6Unspecified() {
		return []netip.Addr{netip.IPv4Unspecified(), addr}
	}
	return []netip.Addr{addr}
}

func advertised(a config.Advertise) string {
	if a.Addr.IsValid() {
		return a.Addr.String()
	}
	return a.Host
}

// newLog writes text for people and JSON for everything else.
func newLog(w *os.File, level slog.Level) *slog.Logger {
	if isTerminal(w) {
		return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: level}))
	}
	return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level, ReplaceAttr: readable}))
}

// readable writes durations as "1.2s", where JSON would count nanoseconds.
func readable(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindDuration {
		a.Value = slog.StringValue(a.Value.Duration().String())
	}
	return a
}
