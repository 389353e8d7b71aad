package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"passerelle/bridge"
	"passerelle/cmd/internal/guard"
	"passerelle/config"
	"passerelle/rooms/livekit"
	"passerelle/rooms/meet"
	"passerelle/rooms/sfu"
)

// engine is one place where rooms live, with its ports taken. Exactly one of sfu and cluster is set.
type engine struct {
	name    string
	sfu     *sfu.SFU
	cluster *livekit.Cluster
	desk    *meet.Reception // beside cluster
	asked   bool            // a menu asks for PINs there
	rooms   bridge.Rooms
	log     *slog.Logger
}

// run keeps the rooms until ctx is done.
func (e *engine) run(ctx context.Context) error {
	if e.cluster == nil {
		return e.sfu.Run(ctx)
	}
	var checking sync.WaitGroup
	checking.Go(func() { e.check(ctx) })
	err := e.cluster.Run(ctx)
	checking.Wait()
	if e.desk != nil {
		e.desk.Close()
	}
	return err
}

// checkTimeout is how long the cluster and Meet may take to say whether PINs can be looked up.
const checkTimeout = 10 * time.Second

// check says what keeps PINs from being found, before a caller finds out.
func (e *engine) check(ctx context.Context) {
	if !e.asked {
		return
	}
	bounded, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	err := guard.Root("the check of PINs", func() error { return e.desk.Check(bounded) })()
	if err != nil && ctx.Err() == nil {
		e.log.Warn("PINs may not be found", "error", err)
	}
}

// close gives the ports back, where run is never called.
func (e *engine) close() {
	if e.cluster != nil {
		e.cluster.Close()
		return
	}
	e.sfu.Close()
}

// stats is what --debug tells of the rooms.
func (e *engine) stats() any {
	if e.cluster != nil {
		return e.cluster.Stats()
	}
	return e.sfu.Stats()
}

// openEngine takes the ports of an engine.
func (h *house) openEngine(c config.Engine, clock func() time.Duration) (*engine, error) {
	e := &engine{name: c.Name, log: h.log.With("engine", c.Name), rooms: bridge.Rooms{AloneTimeout: c.AloneTimeout, MaxCall: c.MaxCall, Announce: c.Announce}}
	var err error
	if c.LiveKit == nil {
		e.sfu, err = h.openEmbedded(c, clock)
		e.rooms.Backend, e.rooms.Reception = e.sfu, e.sfu
		return e, err
	}
	e.cluster, err = h.openCluster(c, clock)
	e.rooms.Backend = e.cluster
	if err == nil {
		e.asked = asksForPINs(h.config, c.Name)
		e.desk = h.openReception(c)
		e.rooms.Reception = e.desk
	}
	return e, err
}

// asksForPINs reports whether a menu finds its rooms in an engine.
func asksForPINs(c *config.Config, engine string) bool {
	return slices.ContainsFunc(c.Live.Menus, func(m config.Menu) bool { return m.Engine == engine })
}

// openEmbedded takes the ports of our own rooms.
func (h *house) openEmbedded(engine config.Engine, clock func() time.Duration) (*sfu.SFU, error) {
	c := sfu.Config{
		UDP: engine.Embedded.UDP, TCP: engine.Embedded.TCP, AnyRoom: h.config.Live.AnyRoom, MaxParticipants: engine.Embedded.People,
		Clock: clock, Log: h.log, Dial: h.dialFrom(engine.Name), MayDial: h.mayModeratorsDial, Ways: h.waysInto,
	}
	if url := engine.Embedded.PublicURL; url != nil {
		c.PublicURL = url.String()
	} else if url := h.config.Static.HTTP.PublicURL; url != nil {
		c.PublicURL = url.String()
	}
	c.Named = named(&h.config.Live, engine.Name)
	s, err := sfu.New(c)
	var listen *sfu.ListenError
	if errors.As(err, &listen) {
		return nil, taken("engines: {name: "+engine.Name+", embedded: {"+listen.Setting+"}}", listen.Addr.String(), listen.Err)
	}
	return s, err
}

// named are the rooms of an engine that have properties of their own.
func named(live *config.Live, engine string) []sfu.Named {
	var all []sfu.Named
	for _, room := range live.Rooms {
		if room.Engine == engine {
			all = append(all, sfu.Named{
				Name: room.Name, Password: room.Password.Reveal(), PIN: room.PIN.Reveal(), ModeratorPIN: room.ModeratorPIN.Reveal(),
				Moderator: room.ModeratorPassword.Reveal(), WaitingRoom: room.WaitingRoom, WaitingTimeout: room.WaitingTimeout,
				KeepMuted: room.KeepMuted,
			})
		}
	}
	return all
}

// openCluster takes the port for the media of a LiveKit cluster.
func (h *house) openCluster(engine config.Engine, clock func() time.Duration) (*livekit.Cluster, error) {
	cluster, err := livekit.New(livekit.Config{
		URL: engine.LiveKit.URL, Key: engine.LiveKit.Key.Reveal(), Secret: engine.LiveKit.Secret.Reveal(),
		UDP: livekit.Ports(engine.LiveKit.UDP), Clock: clock, Log: h.log.With("engine", engine.Name),
	})
	var listen *livekit.ListenError
	if errors.As(err, &listen) {
		return nil, taken("engines: {name: "+engine.Name+", livekit: {udp}}", listen.Addr.String(), listen.Err)
	}
	if err != nil {
		return nil, fmt.Errorf("engine %s: %w", engine.Name, err)
	}
	return cluster, nil
}

// openReception finds the rooms of a cluster by their PINs, and knocks where Meet keeps the door.
func (h *house) openReception(engine config.Engine) *meet.Reception {
	c := meet.Config{
		LiveKit: engine.LiveKit.URL, Key: engine.LiveKit.Key.Reveal(), Secret: engine.LiveKit.Secret.Reveal(),
		Log: h.log.With("engine", engine.Name),
	}
	if m := engine.Meet; m != nil {
		c.Meet, c.RoomkitToken, c.Lobby = m.URL, m.RoomkitToken.Reveal(), m.Lobby
		c.LobbyTimeout = m.LobbyTimeout
	}
	return meet.New(c)
}

// page serves the page of our own rooms; nil if there are none.
func (h *house) page() http.Handler {
	for _, e := range h.engines {
		if e.sfu != nil {
			return e.sfu.Handler()
		}
	}
	return nil
}
