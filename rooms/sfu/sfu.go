// Package sfu keeps rooms of our own: browsers join them over WebRTC from the page in package page, and
// the gateway's phones take seats beside them. It does not know what a telephone call is, decodes no
// sound, and is made for one machine.
package sfu

import (
	"context"
	"errors"
	"net/http"
	"net/netip"

	"passerelle/rooms"
	"passerelle/rooms/sfu/page"
)

// SFU keeps the rooms of this process. Its methods may be called from any goroutine.
type SFU struct {
	cfg Config
}

var _ rooms.Backend = (*SFU)(nil)

// New binds the ports and returns an SFU without rooms. A port that cannot be had is a *ListenError.
// The SFU must be closed.
func New(cfg Config) (*SFU, error) {
	return &SFU{cfg: cfg.withDefaults()}, nil
}

// Addrs returns the ports as they were bound; tcp is the zero value where there is none.
func (s *SFU) Addrs() (udp, tcp netip.AddrPort) { return s.cfg.UDP, s.cfg.TCP }

// Open joins the room as the listener of this gateway's phones.
func (s *SFU) Open(ctx context.Context, name string, l rooms.Listener) (rooms.Room, error) {
	return nil, rooms.ErrNoRoom
}

// Handler serves the page, and the WebSocket at page.SocketPath over which browsers join. Whoever trusts
// a proxy puts the browser's address into RemoteAddr first: limits are counted by it.
func (s *SFU) Handler() http.Handler { return page.Handler() }

// Mute mutes a participant for everybody, or lets it be heard again, as a moderator would.
func (s *SFU) Mute(room, participant string, muted bool) error {
	return errors.ErrUnsupported
}

// Remove takes a participant out of its room, as a moderator would.
func (s *SFU) Remove(room, participant string) error { return errors.ErrUnsupported }

// Stats are the numbers of an SFU at one moment.
type Stats struct{ Rooms, Browsers, Seats int }

// Stats counts who is there.
func (s *SFU) Stats() Stats { return Stats{} }

// Run waits until ctx ends and closes the SFU.
func (s *SFU) Run(ctx context.Context) error {
	<-ctx.Done()
	return s.Close()
}

// Close tells everybody that the rooms are closed, frees the ports and waits for every goroutine. It may
// be called more than once.
func (s *SFU) Close() error { return nil }
