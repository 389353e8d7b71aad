// Package sfu keeps rooms of our own: browsers join them over WebRTC from the page in package page, and
// the gateway's phones take seats beside them. It does not know what a telephone call is, decodes no
// sound, and is made for one machine.
//
// A browser comes by its WebSocket (signal.go), gets its place (browser.go) and a connection (peer.go).
// Its voice is read in microphone.go, a phone's is written to seat.go; both go through voice.go into the
// slots of everybody else (ear.go, with choose.go and splice.go).
package sfu

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/pion/webrtc/v4"

	"passerelle/rooms"
	"passerelle/rooms/internal/ready"
	"passerelle/rooms/sfu/page"
)

// SFU keeps the rooms of this process. Its methods may be called from any goroutine.
type SFU struct {
	cfg         Config
	origin      origin
	ports       *ports
	certificate webrtc.Certificate
	pionLog     ready.Log
	guests      *guests
	doors       atomic.Pointer[doors]

	mu      sync.Mutex // before room.mu
	closed  bool
	rooms   map[string]*room
	sockets map[*socket]struct{} // all, joined or not

	done    chan struct{}
	work    sync.WaitGroup // announce, every WebSocket's handler and every peer
	closing sync.Once
	err     error // of Close
}

var (
	_ rooms.Backend   = (*SFU)(nil)
	_ rooms.Reception = (*SFU)(nil)
	_ rooms.Porter    = (*SFU)(nil)
)

// New binds the ports and returns an SFU without rooms. A port that cannot be had is a *ListenError.
// The SFU must be closed.
func New(cfg Config) (*SFU, error) {
	cfg = cfg.withDefaults()
	if err := cfg.check(); err != nil {
		return nil, fmt.Errorf("embedded rooms: %w", err)
	}
	s := &SFU{
		cfg: cfg, pionLog: ready.NewLog(cfg.Log), guests: newGuests(cfg.Clock),
		rooms: make(map[string]*room), sockets: make(map[*socket]struct{}),
		done: make(chan struct{}),
	}
	s.Rename(cfg.Named, cfg.AnyRoom)
	var err error
	if s.origin, err = newOrigin(cfg.PublicURL); err != nil {
		return nil, fmt.Errorf("embedded rooms: public_url: %w", err)
	}
	if s.certificate, err = ready.NewCertificate(); err != nil {
		return nil, err
	}
	if s.ports, err = listen(cfg.UDP, cfg.TCP, s.pionLog.NewLogger("ports")); err != nil {
		return nil, err
	}
	s.work.Go(s.announce)
	return s, nil
}

// doors are the rooms that may be opened; they do not change.
type doors struct {
	named map[string]Named
	pins  []pin
	any   bool
}

// Rename changes which rooms may be opened from now on, at once, and which passwords and PINs they have. Rooms that are open
// stay.
func (s *SFU) Rename(named []Named, anyRoom bool) {
	d := &doors{named: make(map[string]Named), pins: pinsOf(named), any: anyRoom}
	for _, n := range named {
		d.named[key(n.Name)] = n
	}
	s.doors.Store(d)
	for _, r := range s.allRooms() {
		r.renamed(d.named[r.key])
	}
}

// Addrs returns the ports as they were bound; tcp is the zero value where there is none.
func (s *SFU) Addrs() (udp, tcp netip.AddrPort) {
	_, port := s.ports.udp.here()
	return netip.AddrPortFrom(s.cfg.UDP.Addr(), port), s.ports.tcp
}

// Open joins a room as the listener of this gateway's phones; rooms have no password for phones.
func (s *SFU) Open(ctx context.Context, name string, l rooms.Listener) (rooms.Room, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("open room %q: %w", name, err)
	}
	for {
		r, err := s.enter(name)
		if err != nil {
			return nil, fmt.Errorf("open room %q: %w", name, err)
		}
		if g, err := r.addGateway(l); err == nil {
			return g, nil
		} // it closed since; another opens
	}
}

// Handler serves the page, and the WebSocket at page.SocketPath over which browsers join. Whoever trusts
// a proxy puts the browser's address into RemoteAddr first: limits are counted by it.
func (s *SFU) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+page.SocketPath, s.serveSocket)
	mux.Handle("/", page.Handler())
	return mux
}

// Mute mutes a participant for everybody, or lets it be heard again, as a moderator does. A phone gets an
// event, a browser is told.
func (s *SFU) Mute(room, participant string, muted bool) error {
	r, err := s.find(room)
	if err != nil {
		return err
	}
	return r.mute(participant, muted)
}

// Remove takes a participant out of its room, as a moderator does.
func (s *SFU) Remove(room, participant string) error {
	r, err := s.find(room)
	if err != nil {
		return err
	}
	defer r.sweep()
	return r.remove(participant)
}

// Stats are the numbers of an SFU at one moment.
type Stats struct{ Rooms, Browsers, Seats int }

// Stats counts who is there.
func (s *SFU) Stats() Stats {
	var n Stats
	for _, r := range s.allRooms() {
		r.mu.Lock()
		n.Rooms++
		n.Browsers += len(r.browsers)
		n.Seats += len(r.seats)
		r.mu.Unlock()
	}
	return n
}

// Run waits until ctx ends and closes the SFU.
func (s *SFU) Run(ctx context.Context) error {
	<-ctx.Done()
	return s.Close()
}

// Close tells everybody that the rooms are closed, frees the ports and waits for every goroutine. It may
// be called more than once.
func (s *SFU) Close() error {
	s.closing.Do(func() {
		close(s.done)
		s.mu.Lock()
		s.closed = true
		open := slices.Collect(maps.Values(s.rooms))
		clear(s.rooms)
		s.mu.Unlock()
		for _, r := range open {
			r.shut()
		}
		s.finishSockets()
		s.work.Wait()
		s.err = s.ports.close()
	})
	return s.err
}

// enter returns a room, which may be new.
func (s *SFU) enter(name string) (*room, error) {
	doors := s.doors.Load()
	named, known := doors.named[key(name)]
	if known {
		name = named.Name
	} else if !doors.any || !page.RoomName(name) {
		return nil, rooms.ErrNoRoom
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, rooms.ErrClosed
	}
	r := s.rooms[key(name)]
	if r == nil {
		if len(s.rooms) >= s.cfg.MaxRooms {
			return nil, rooms.ErrFull
		}
		r = &room{s: s, key: key(name), name: name, levels: make(map[string]uint8)}
		s.rooms[r.key] = r
		s.cfg.Log.Debug("room opened", "room", name)
	}
	return r, nil
}

// ways are how telephones come into a room.
func (s *SFU) ways(room string) []Way {
	if s.cfg.Ways == nil {
		return nil
	}
	return s.cfg.Ways(room)
}

// find returns a room that is open.
func (s *SFU) find(name string) (*room, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.rooms[key(name)]; r != nil {
		return r, nil
	}
	return nil, fmt.Errorf("room %q: %w", name, rooms.ErrNoRoom)
}

func (s *SFU) allRooms() []*room {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Values(s.rooms))
}

// endRoom ends one room for everybody.
func (s *SFU) endRoom(r *room) {
	s.mu.Lock()
	if s.rooms[r.key] == r {
		delete(s.rooms, r.key)
	}
	s.mu.Unlock()
	r.shut()
}

// same compares two passwords in a time that says nothing about either.
func same(want, got string) bool {
	a, b := sha256.Sum256([]byte(want)), sha256.Sum256([]byte(got))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1
}

// isBack says whether a resume token belongs to somebody whose place in a room is kept.
func (s *SFU) isBack(name, token string) bool {
	if token == "" {
		return false
	}
	r, err := s.find(name)
	if err != nil {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.returning(token) != nil
}

// key is what makes two names the same room: people write them by hand.
func key(name string) string { return strings.ToLower(name) }

// RoomName returns the name under which a room is known (rooms.Namer).
func (s *SFU) RoomName(name string) string { return key(name) }

// recovered is deferred at the root of a goroutine: a panic there is logged, and ends what after says.
func (s *SFU) recovered(what string, after func()) {
	if p := recover(); p != nil {
		s.cfg.Log.Error("panic", "in", what, "panic", p, "stack", string(debug.Stack()))
		after()
	}
}
