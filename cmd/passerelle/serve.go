package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"passerelle/bridge"
	"passerelle/bridge/audio"
	"passerelle/bridge/guess"
	"passerelle/bridge/outgoing"
	"passerelle/cmd/internal/cluster"
	"passerelle/cmd/internal/guard"
	"passerelle/config"
	"passerelle/sip/digest"
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
		source := sourceOf(c)
		cfg, err := config.Load(source)
		if err != nil {
			return err
		}
		level := new(slog.LevelVar)
		level.Set(cfg.Live.Log.Level)
		log := newLog(os.Stderr, level)
		// Before the welcome: whoever reads it may send a signal at once.
		signals := make(chan os.Signal, 2)
		signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
		defer signal.Stop(signals)
		again := make(chan os.Signal, 1)
		signal.Notify(again, syscall.SIGHUP)
		defer signal.Stop(again)
		h, err := build(cfg, debug, log)
		if err != nil {
			return err
		}
		for _, warning := range cfg.Warnings {
			log.Warn("configuration: " + warning.String())
		}
		h.again, h.source, h.level = again, source, level
		h.welcome(c.OutOrStdout())
		return h.serve(c.Context(), signals)
	}
	return c
}

// sourceOf is where a command finds the configuration.
func sourceOf(c *cobra.Command) config.Source {
	from := config.Source{Flags: c.Flags(), LookupEnv: os.LookupEnv}
	if f := c.Flags().Lookup("config"); f != nil {
		from.Path = f.Value.String()
	}
	return from
}

// house is everything that serves, with every port taken and nothing running yet.
type house struct {
	config  *config.Config
	log     *slog.Logger
	engine  *audio.Engine
	engines []*engine
	gateway *bridge.Gateway
	phones  []telephony
	proofs  *digest.Verifier
	desks   *registrar.Registrar
	guesses *guess.Memory // of wrong PINs
	lines   *lines
	cluster *cluster.Cluster // nil: this gateway is alone
	minutes *outgoing.Local  // of calls out

	callsOut *callsOut // that the admin's desk was asked for
	web      []*web
	knocks   *bridge.Knocks

	// What is in force, and how it is read again (reload.go).
	inForce atomic.Pointer[rules]
	adopts  sync.Mutex       // one file after the other; guards leaving
	leaving bool             // phones that are gone from the file still talk
	read    string           // the stamp of its file
	again   <-chan os.Signal // receives where it is to be read at once
	source  config.Source
	level   *slog.LevelVar // of log; nil: it stays
}

// build makes the house, from the engine room up. It takes the ports, so that one that is taken is known at
// once; after an error none is held.
func build(cfg *config.Config, debug string, log *slog.Logger) (h *house, err error) {
	began := time.Now()
	clock := func() time.Duration { return time.Since(began) }
	h = &house{config: cfg, log: log, knocks: bridge.NewKnocks(log), lines: newLines(log)}
	h.inForce.Store(&rules{Config: cfg, realm: realm(&cfg.Live)})
	h.read = stamp(cfg.File)
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
	voices, err := openVoices(cfg, h.engine.MixRate())
	if err != nil {
		return nil, err
	}
	logVoices(log, voices)

	networks, err := soundNetworks(cfg.Static.Networks)
	if err != nil {
		return nil, err
	}
	identity, err := rtp.NewIdentity()
	if err != nil {
		return nil, err
	}
	h.join()
	if h.guesses, err = openGuesses(cfg, log); err != nil {
		return nil, err
	}
	if h.minutes, err = openMinutes(cfg, log); err != nil {
		return nil, err
	}
	h.gateway = bridge.New(bridge.Config{
		Live: h.live, Engine: h.engine, Rooms: places, Voices: voices, Networks: networks,
		Identity: identity, Clock: clock, Knocks: h.knocks, Log: log,
		ServerOf: h.serverOf, Devices: h.devices, Errand: h.errand, Dial: h.dial, Servers: h.servers,
		Ledger: outgoing.NewLedger(h.quotas(), log),
		Guesses: guess.New(guess.Config{
			Counters: h.wrongPINs(), AMinute: h.guessesAMinute, Log: log,
		}),
	})

	h.callsOut = newCallsOut(h.gateway, log)

	if err := h.openDoors(); err != nil {
		return nil, err
	}

	if err := h.listenHTTP(debug); err != nil {
		return nil, err
	}
	return h, nil
}

// listenHTTP takes the ports of the page, of the admin's desk and of the counters, as far as they are wanted.
func (h *house) listenHTTP(debug string) error {
	if page := h.page(); page != nil {
		w, err := listenWeb(h.config.Static.HTTP, page, h.log)
		if err != nil {
			return err
		}
		h.web = append(h.web, w)
	}
	if h.config.Static.Admin != nil {
		desk, err := h.listenAdmin(*h.config.Static.Admin)
		if err != nil {
			return err
		}
		h.web = append(h.web, desk)
	}
	if debug != "" {
		counters, err := listenDebug(debug, h.counters, h.log)
		if err != nil {
			return err
		}
		h.web = append(h.web, counters)
	}
	return nil
}

// openDoors makes the registrar, takes the ports for SIP, and makes the trunks that we reach out to through them.
func (h *house) openDoors() error {
	if err := h.openRegistrar(); err != nil {
		return err
	}
	h.proofs = digest.NewVerifier(func() *digest.Realm { return h.inForce.Load().realm })
	if h.cluster != nil {
		h.proofs.CountIn(h.cluster.Guesses())
	}
	for i, network := range h.config.Static.Networks {
		t, err := h.listen(i, network)
		if err != nil {
			return err
		}
		h.phones = append(h.phones, t)
	}
	h.announce()
	h.put(h.config)
	return nil
}

// serve runs the house until a signal, drains it, and closes it, the door first and the engine room last.
func (h *house) serve(ctx context.Context, signals <-chan os.Signal) error {
	running, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	group, groupCtx := errgroup.WithContext(running)
	for _, t := range h.phones {
		group.Go(guard.Root("SIP on "+t.network, func() error { return t.server.Serve(groupCtx, h.gateway.On(t.network)) }))
	}
	for _, w := range h.web {
		group.Go(guard.Root(w.name, func() error { return w.run(groupCtx) }))
	}

	group.Go(guard.Root("the configuration", func() error { h.follow(groupCtx); return nil }))

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
	carry("registrar", h.desks.Run)
	carry("minutes of calls out", h.minutes.Run)
	carry("wrong PINs", h.guesses.Run)
	if h.cluster != nil {
		carry("bindings that are shared", h.desks.Share)
		carry("the other gateways", h.cluster.Run)
	}
	h.lines.run(groupCtx)
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
	h.callsOut.close()
	stopBelow()
	return errors.Join(err, floor.Wait())
}

// drain lets the calls end, for as long as the configuration says or until the next signal.
func (h *house) drain(ctx context.Context, s os.Signal, again <-chan os.Signal) {
	patience := h.live().Drain
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
	for _, t := range h.phones {
		t.server.Close()
	}
	for _, e := range h.engines {
		e.close()
	}
	if h.cluster != nil {
		h.cluster.Close()
	}
}

// counters is what --debug tells.
func (h *house) counters() counters {
	c := counters{Gateway: h.gateway.Stats(), Engine: h.engine.Stats(), Rooms: make(map[string]any), Trunks: h.inForce.Load().trunks(), Phones: h.desks.Stats()}
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

// newLog writes text for people and JSON for everything else.
func newLog(w *os.File, level slog.Leveler) *slog.Logger {
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
