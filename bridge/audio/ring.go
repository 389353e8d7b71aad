package audio

import (
	"sync/atomic"
	"time"
)

// packet is one frame of a source on its way into a mix. Its buffers are the ring's or the jitter buffer's, and
// are reused.
type packet struct {
	arrival   time.Duration
	timestamp uint32 // 48 kHz
	seq       uint16
	silence   bool // nothing follows until the next packet that is not silence
	buffers
}

// buffers are what a packet is kept in: one of the two.
type buffers struct {
	payload []byte // of a room's track: Opus
	pcm     []int16
}

// ring hands packets from one goroutine (the reader) to another (the shard) without a lock. When it is
// full, the newest is dropped: the shard has stood still for longer than anybody would listen to.
type ring struct {
	slots   []packet
	dropped atomic.Uint64

	_    [64]byte // the two ends do not share a cache line
	head atomic.Uint32
	_    [64]byte
	tail atomic.Uint32
}

// newRing returns a ring of size packets, a power of two.
func newRing(size int) *ring { return &ring{slots: make([]packet, size)} }

// free returns the slot to fill next, or nil. Called by the reader; push follows.
func (r *ring) free() *packet {
	tail := r.tail.Load()
	if tail-r.head.Load() == uint32(len(r.slots)) {
		r.dropped.Add(1)
		return nil
	}
	return &r.slots[tail%uint32(len(r.slots))]
}

// push hands over the slot that free returned. Called by the reader.
func (r *ring) push() { r.tail.Add(1) }

// filled returns how many packets wait. Called on the shard.
func (r *ring) filled() int { return int(r.tail.Load() - r.head.Load()) }

// peek returns the oldest packet, or nil. Called on the shard, which may swap buffers with it; pop follows.
func (r *ring) peek() *packet {
	head := r.head.Load()
	if head == r.tail.Load() {
		return nil
	}
	return &r.slots[head%uint32(len(r.slots))]
}

// pop gives the slot that peek returned back. Called on the shard.
func (r *ring) pop() { r.head.Add(1) }
