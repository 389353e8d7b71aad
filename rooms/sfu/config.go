package sfu

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"time"
)

// Config says where the rooms listen and who may open which. Only UDP is needed; the zero value of
// everything else works.
type Config struct {
	// UDP is the one port of all browsers' sound. The unspecified address means every address of this
	// machine, IPv4 and IPv6. Port 0 takes a free one.
	UDP netip.AddrPort
	// TCP is the port for browsers whose network lets no UDP through; the zero value is none.
	TCP netip.AddrPort
	// Advertise are the addresses that browsers are told to send to, instead of the machine's own.
	Advertise []netip.Addr
	// Named are rooms with properties of their own.
	Named []Named
	// AnyRoom lets whoever comes first open a room that Named does not have.
	AnyRoom bool
	// Ways tells whoever is in a room how telephones come there; nil tells nothing. It must not block.
	Ways func(room string) []Way
	// PublicURL is where the page is seen from outside ("https://rooms.example.org"); a WebSocket must
	// come from there. Empty means from the host that it was sent to.
	PublicURL string
	// Slots is how many voices a browser hears at once, 32 at most; 0 means 8.
	Slots int
	// MaxRooms and MaxParticipants (of one room, phones included) are limits; 0 means 1000 and 200.
	MaxRooms, MaxParticipants int
	// Dial calls a number into a room, for a moderator; nil means that nobody can. It returns when the call is over, or
	// with a reason for which DialFailure has a word, or when ctx ends, which hangs up. progress may be called from any
	// goroutine until then, and does not block. MayDial says whether the configuration allows it now.
	Dial    func(ctx context.Context, room, number string, progress func(DialState)) error
	MayDial func() bool
	// Clock is the time since the gateway began, of the frames' Arrival; nil means since New.
	Clock func() time.Duration
	// Log is where the rooms and pion write; nil means nowhere.
	Log *slog.Logger
}

// Way is how telephones come into a room, as the page shows it.
type Way struct {
	Number string `json:"number,omitempty"` // for people, such as +33 1 23 45 67 89
	URI    string `json:"uri,omitempty"`    // for SIP telephones
	PIN    string `json:"pin,omitempty"`    // asked for then
}

// Named is a room that the configuration knows.
type Named struct {
	Name     string
	Password string // asked of browsers; empty for none
	// PIN and ModeratorPIN open the room to telephones (Find); empty for none. No two rooms have the same.
	PIN, ModeratorPIN string
	// Moderator is the password that makes a browser a moderator; it opens the room as well. Empty for none.
	Moderator string
	// WaitingRoom lets nobody but moderators in whom no moderator has admitted. Who knocks waits for WaitingTimeout at
	// most; 0 means ten minutes.
	WaitingRoom    bool
	WaitingTimeout time.Duration
	// KeepMuted says that whom a moderator has muted cannot unmute itself.
	KeepMuted bool
}

// maxSlots bounds what every browser costs.
const maxSlots = 32

// check says what is wrong with c, which has its defaults.
func (c Config) check() error {
	switch {
	case !c.UDP.IsValid():
		return errors.New("udp: no address to listen at")
	case c.Slots < 1 || c.Slots > maxSlots:
		return fmt.Errorf("slots: %d, want 1 to %d", c.Slots, maxSlots)
	case c.MaxRooms < 1 || c.MaxParticipants < 1:
		return errors.New("limits: want at least one room and one participant")
	}
	for _, a := range c.Advertise {
		if !a.IsValid() || a.IsUnspecified() || a.Zone() != "" {
			return fmt.Errorf("advertise: %v is no address to send to", a)
		}
	}
	return nil
}

// withDefaults returns c with every field set.
func (c Config) withDefaults() Config {
	if c.Slots == 0 {
		c.Slots = 8
	}
	if c.MaxRooms == 0 {
		c.MaxRooms = 1000
	}
	if c.MaxParticipants == 0 {
		c.MaxParticipants = 200
	}
	if c.Dial == nil || c.MayDial == nil {
		c.MayDial = func() bool { return false }
	}
	if c.Clock == nil {
		begin := time.Now()
		c.Clock = func() time.Duration { return time.Since(begin) }
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}
