//go:build peers

package peers

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"syscall"
	"time"
)

// Voice is one phone of a [Chorus]: what it sends, and the book of what it hears.
type Voice struct {
	remote netip.AddrPort // the gateway's end of this call
	to     syscall.SockaddrInet4
	silent bool
	at     int // the frame of the speech that is said next

	ssrc      uint32
	seq       uint16
	timestamp uint32

	ear Ear
}

// Ear is what phones hear, counted. Times are the system's, taken when a packet reached the socket: how busy the
// load generator is does not move them.
type Ear struct {
	Sent, Received  int
	Sounding        int // received, and not digital silence
	Missing         int // of the sequence between the first and the last
	Late, Duplicate int
	Jumps           int           // times that the timestamp did not step with the sequence
	Gaps            int           // longer than 60 ms between two packets
	Longest         time.Duration // of all that was between two packets
	Lost            int           // of ours on the way to the gateway, as it reports

	last      time.Duration // arrival of the last packet, on the system's clock; 0 before the first
	highest   uint16
	timestamp uint32
	base      int // what the gateway had reported when the book was opened
	reported  int
}

// longGap is what a listener notices.
const longGap = 60 * time.Millisecond

func newVoice(remote netip.AddrPort, frame int, silent bool) *Voice {
	return &Voice{
		remote: remote, to: syscall.SockaddrInet4{Port: int(remote.Port()), Addr: remote.Addr().As4()}, silent: silent, at: frame,
		ssrc: rand.Uint32(), seq: uint16(rand.Uint32()), timestamp: rand.Uint32(),
	}
}

// packet writes the next packet of 20 ms.
func (v *Voice) packet(b, mulaw []byte) []byte {
	p := append(b[:12], mulaw...)
	p[0], p[1] = 0x80, 0
	binary.BigEndian.PutUint16(p[2:], v.seq)
	binary.BigEndian.PutUint32(p[4:], v.timestamp)
	binary.BigEndian.PutUint32(p[8:], v.ssrc)
	v.seq++
	v.timestamp += uint32(len(mulaw))
	v.ear.Sent++
	return p
}

// hear takes one RTP packet that came at a time of the system's clock.
func (e *Ear) hear(at time.Duration, packet []byte) {
	seq, timestamp := binary.BigEndian.Uint16(packet[2:]), binary.BigEndian.Uint32(packet[4:])
	e.Received++
	if sounds(packet[12:]) {
		e.Sounding++
	}
	if e.last == 0 {
		e.last, e.highest, e.timestamp = at, seq, timestamp
		return
	}
	gap := at - e.last
	e.last = max(e.last, at)
	e.Longest = max(e.Longest, gap)
	if gap > longGap {
		e.Gaps++
	}
	step := int16(seq - e.highest)
	if int32(timestamp-e.timestamp) != int32(step)*160 {
		e.Jumps++
	}
	switch {
	case step == 0:
		e.Duplicate++
		return
	case step < 0:
		e.Late++
		e.Missing--
		return
	}
	e.Missing += int(step) - 1
	e.highest, e.timestamp = seq, timestamp
}

// sounds says whether mu-law is anything but digital silence.
func sounds(mulaw []byte) bool {
	for i := 0; i < len(mulaw); i += 8 {
		if mulaw[i]|0x80 != 0xff {
			return true
		}
	}
	return false
}

// open begins a new book; the streams go on.
func (e *Ear) open() {
	*e = Ear{last: e.last, highest: e.highest, timestamp: e.timestamp, base: e.reported, reported: e.reported}
}

// closed returns the book as of now, a gap that has not ended included.
func (e Ear) closed(now time.Duration) Ear {
	if gap := now - e.last; e.last != 0 && gap > longGap {
		e.Gaps++
		e.Longest = max(e.Longest, gap)
	}
	e.Lost = max(0, e.reported-e.base)
	return e
}

// plus adds up two books.
func (e Ear) plus(o Ear) Ear {
	e.Sent, e.Received, e.Sounding, e.Missing = e.Sent+o.Sent, e.Received+o.Received, e.Sounding+o.Sounding, e.Missing+o.Missing
	e.Late, e.Duplicate, e.Jumps, e.Gaps = e.Late+o.Late, e.Duplicate+o.Duplicate, e.Jumps+o.Jumps, e.Gaps+o.Gaps
	e.Lost, e.Longest = e.Lost+o.Lost, max(e.Longest, o.Longest)
	return e
}
