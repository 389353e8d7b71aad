package sfu

import (
	"hash/maphash"
	"net/netip"
	"time"
)

// What one microphone may send in a second: the shortest frames of Opus and its highest rate need as much.
// More would be sent on to everybody in the room.
const (
	microphonePackets = 400
	microphoneBytes   = 80_000
)

// pace bounds one microphone.
type pace struct {
	since          time.Duration
	packets, bytes int
}

// keeps says whether a packet of n bytes is still within the second's bounds.
func (p *pace) keeps(n int, now time.Duration) bool {
	if now-p.since >= time.Second {
		*p = pace{since: now}
	}
	p.packets++
	p.bytes += n
	return p.packets <= microphonePackets && p.bytes <= microphoneBytes
}

// What one address and port may send in a while; a browser sends less than a hundred packets a second.
// pion queues without bounds what comes faster than it reads.
const (
	floodWindow  = 100 * time.Millisecond
	floodPackets = 200
	floodCells   = 1 << 14
)

// flood counts the packets of each source in a table of fixed size: whoever shares a cell shares its
// bound. One goroutine at a time uses it.
type flood struct {
	seed  maphash.Seed
	since time.Time
	cells [floodCells]uint16
}

func newFlood() *flood { return &flood{seed: maphash.MakeSeed()} }

// passes says whether one more packet of a source is within the window's bound.
func (f *flood) passes(from netip.AddrPort, now time.Time) bool {
	if now.Sub(f.since) >= floodWindow {
		f.since = now
		clear(f.cells[:])
	}
	cell := &f.cells[maphash.Comparable(f.seed, from)%floodCells]
	if *cell >= floodPackets {
		return false
	}
	*cell++
	return true
}
