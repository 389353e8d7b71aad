package rtp

import (
	"encoding/binary"
	"time"
)

// event is the payload of a telephone-event packet (RFC 4733 section 2.3).
type event struct {
	code     uint8
	end      bool
	reserved bool
	volume   uint8  // -dBm0, 0 to 63
	duration uint16 // since the event or its segment began, in the event's clock
}

// eventSize is the payload's length in bytes.
const eventSize = 4

// parseEvent reads the first event of a payload. A packet may hold more (RFC 4733 section 2.5.1.5), each
// of them shorter than a packet: no key is pressed that quickly, and they are not read.
func parseEvent(payload []byte) (e event, ok bool) {
	if len(payload) < eventSize {
		return event{}, false
	}
	return event{
		code:     payload[0],
		end:      payload[1]&0x80 != 0,
		reserved: payload[1]&0x40 != 0,
		volume:   payload[1] & 0x3f,
		duration: binary.BigEndian.Uint16(payload[2:]),
	}, true
}

// append writes the payload.
func (e event) append(dst []byte) []byte {
	flags := e.volume & 0x3f
	if e.end {
		flags |= 0x80
	}
	if e.reserved {
		flags |= 0x40
	}
	return binary.BigEndian.AppendUint16(append(dst, e.code, flags), e.duration)
}

// keys are the DTMF events in the order of their codes (RFC 4733 section 3.2).
const keys = "0123456789*#ABCD"

const (
	// eventTimeout is how long after its last packet an event is over although its end was lost. The
	// packets of one event come every 20 to 50 ms.
	eventTimeout = 200 * time.Millisecond
	// eventMemory is how long after an event an earlier timestamp is a late packet; after that the
	// peer has begun to count from elsewhere.
	eventMemory = 2 * time.Second
)

// keypad makes digits of event packets: each key once, however many packets tell of it, come twice, or
// never come. It is pure: packets and times come as arguments.
//
//	new       the first packet with a later timestamp, marked or not, begins a key
//	same      its timestamp, or a segment that follows on 0xFFFF (section 2.5.1.3), prolongs it
//	ended     the end bit, eventTimeout, or the next key ends it; further ends are repeats
//	older     a timestamp before the key's is a late packet of the last key
type keypad struct {
	clock int // Hz

	any     bool // a key has been seen: the fields below hold
	down    bool
	code    uint8
	start   uint32 // timestamp of the segment
	before  uint32 // duration of the segments before
	segment uint16 // duration of the segment so far
	heard   time.Duration
}

// digits is what one packet told: nothing, or up to an end, a begin and an end.
type digits struct {
	list [3]Digit
	n    int
}

func (d *digits) add(one Digit) {
	d.list[d.n] = one
	d.n++
}

// packet takes the packet of one event.
func (k *keypad) packet(timestamp uint32, e event, now time.Duration) (told digits) {
	if int(e.code) >= len(keys) {
		return told
	}
	ahead := int32(timestamp - k.start)
	switch {
	case k.any && ahead < 0 && now < k.heard+eventMemory:
		return told
	case k.any && ahead == 0:
		if e.code != k.code {
			return told
		}
	case k.down && e.code == k.code && k.follows(ahead):
		k.before += uint32(ahead)
		k.start, k.segment = timestamp, 0
	default:
		k.release(&told)
		*k = keypad{clock: k.clock, any: true, down: true, code: e.code, start: timestamp}
		told.add(Digit{Rune: rune(keys[e.code])})
	}
	k.segment, k.heard = max(k.segment, e.duration), now
	if e.end {
		k.release(&told)
	}
	return told
}

// follows reports whether a segment that begins so far after the last one prolongs it: at its full
// length, give or take one packet.
func (k *keypad) follows(ahead int32) bool {
	slack := int32(k.clock / 20)
	return ahead > 0xFFFF-slack && ahead < 0xFFFF+slack && int32(k.segment) > 0xFFFF-2*slack
}

// expire ends a key whose end was lost.
func (k *keypad) expire(now time.Duration) (told digits) {
	if k.down && now >= k.heard+eventTimeout {
		k.release(&told)
	}
	return told
}

// release ends the key that is down, if one is.
func (k *keypad) release(told *digits) {
	if !k.down {
		return
	}
	k.down = false
	held := uint64(k.before) + uint64(k.segment)
	told.add(Digit{
		Rune:     rune(keys[k.code]),
		Ended:    true,
		Duration: time.Duration(held) * time.Second / time.Duration(max(1, k.clock)),
	})
}
