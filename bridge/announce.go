package bridge

import (
	"slices"
	"sync"
	"time"

	"passerelle/config"
	"passerelle/rooms"
)

// How much is announced. Who comes into a large room, or with many others, is no news.
const (
	announceMost   = 20              // people in a room, beyond whom nobody is announced
	announceApart  = 3 * time.Second // from one announcement to the next; what comes sooner is not announced
	announceSettle = 2 * time.Second // after a phone has come in: whoever is told of then was there before
)

// movement is somebody who came or went.
type movement struct {
	who    string // id
	left   bool
	people int     // in the room now
	name   []int16 // as its bearer said it; nil if nobody asked
}

// announcer decides what one phone is told of those who come and go.
type announcer struct {
	own   string        // the phone's id
	since time.Duration // when it came in
	last  time.Duration // when it was told last; 0 is never
}

// tells reports whether m is announced, now on the gateway's clock.
func (a *announcer) tells(m movement, now time.Duration) bool {
	switch {
	case m.who == a.own, m.people > announceMost, now < a.since+announceSettle:
		return false
	case a.last > 0 && now < a.last+announceApart:
		return false
	}
	a.last = now
	return true
}

// announces is how the room of a call tells who comes and goes: as the room says, else as its engine does.
func (c *call) announces() config.Announce {
	same := func(name string) string { return name }
	if names, ok := c.rooms().Backend.(rooms.Namer); ok {
		same = names.RoomName
	}
	i := slices.IndexFunc(c.live.Rooms, func(r config.Room) bool {
		return r.Engine == c.to.engine && r.Announce != "" && same(r.Name) == same(c.to.room)
	})
	if i >= 0 {
		return c.live.Rooms[i].Announce
	}
	return c.rooms().Announce
}

// announce tells the phone of somebody who came or went. While the way to the room is lost, nobody can be known to.
func (c *call) announce(m movement) {
	if c.way.lost || !c.announcer.tells(m, c.gateway.Clock()) {
		return
	}
	if m.name != nil {
		c.speaker.tell(m)
		return
	}
	// A fourth, up or down.
	notes := []float64{659.3, 880}
	if m.left {
		notes = []float64{880, 659.3}
	}
	c.speaker.note(announceLevel, notes...)
}

// announceLevel is how loud those notes are, in dBov; speech is 8 dB louder.
const announceLevel = -29.0

// notices begins to hear who comes and goes; nil is never.
func (c *call) notices() (comings <-chan movement, stop func()) {
	c.announcer = announcer{own: c.seat.ID(), since: c.gateway.Clock()}
	if how := c.announces(); how == "" || how == config.AnnounceNone {
		return nil, func() {}
	}
	return c.room.board.follow()
}

// nameKey is the attribute of participants by which it is known whose name somebody said: it is another in each call.
const nameKey = "sip.callID"

// callerNames are what callers said that their names are, as long as their calls last. It may be used from any goroutine; none
// is there where it is nil.
type callerNames struct {
	mu   sync.Mutex
	said map[string][]int16 // by nameKey
}

// keep notes a name; nil forgets it.
func (n *callerNames) keep(key string, name []int16) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if name == nil {
		delete(n.said, key)
		return
	}
	if n.said == nil {
		n.said = make(map[string][]int16)
	}
	n.said[key] = name
}

// of returns a name; nil if there is none.
func (n *callerNames) of(key string) []int16 {
	if n == nil {
		return nil
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.said[key]
}

// follow returns who comes and goes from now on; stop ends that. A follower that is slow misses some.
func (b *board) follow() (comings <-chan movement, stop func()) {
	c := make(chan movement, 4)
	b.mu.Lock()
	b.followers[c] = struct{}{}
	b.mu.Unlock()
	return c, func() {
		b.mu.Lock()
		delete(b.followers, c)
		b.mu.Unlock()
	}
}

// moved notes who is there, and tells those who follow. Called with mu held.
func (b *board) moved(c rooms.Change) {
	name, there := b.present[c.Participant.ID]
	called := b.called[c.Participant.ID]
	delete(b.called, c.Participant.ID)
	switch {
	case c.Kind == rooms.Left && there:
		delete(b.present, c.Participant.ID)
		if called { // it has never come
			return
		}
	case c.Kind != rooms.Left && !there:
		name = b.names.of(c.Participant.Attributes[nameKey])
		b.present[c.Participant.ID] = name
	case c.Kind != rooms.Left && called:
	default:
		return
	}
	if c.Participant.Calling {
		b.called[c.Participant.ID] = true
		return
	}
	if c.Participant.Kind == rooms.Agent { // a recorder is announced by what it does
		return
	}
	for follower := range b.followers {
		select {
		case follower <- movement{c.Participant.ID, c.Kind == rooms.Left, len(b.present), name}:
		default: // it has enough to tell
		}
	}
}
