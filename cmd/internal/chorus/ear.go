package chorus

import (
	"encoding/binary"
	"time"

	"passerelle/codec/score"
)

// LongGap is a pause between two packets that a listener notices.
const LongGap = 60 * time.Millisecond

// Book is what a phone has heard since its book was opened, counted packet by packet. Times are the system's, taken
// when a packet reached the socket: how busy the load generator is does not move them.
type Book struct {
	Sent     int // by the phone
	Refused  int // of those, by our own system: the generator's fault
	Received int
	Missing  int           // of the sequence, never received or more than 64 packets late
	Bursts   int           // of missing packets, one after another
	Late     int           // behind a later one
	Twice    int           // duplicates
	Jumps    int           // times that the timestamp did not step with the sequence: a tick was skipped
	Gaps     int           // longer than LongGap between two packets
	Longest  time.Duration // of all that was between two packets
	Reported int           // of ours, lost on the way to the peer, as its RTCP says
	Jitter   time.Duration // RFC 3550 section 6.4.1

	// Lag counts packets by how much later they came than the fastest, in milliseconds; the last is
	// for everything above.
	Lag [lagClasses]uint32
	// Transit is how much later than by its timestamp the fastest packet came, on the chorus' clock.
	Transit time.Duration
}

const lagClasses = 256

// Expected is how many packets should have come between the first and the last.
func (b *Book) Expected() int { return b.Received - b.Twice + b.Missing }

// Clean says that nothing was lost or late for the ear.
func (b *Book) Clean() bool {
	return b.Received > 0 && b.Missing == 0 && b.Gaps == 0 && b.Reported == 0 && b.Jumps == 0
}

// tooLate counts the packets that a jitter buffer of so many milliseconds throws away.
func (b *Book) tooLate(depth int) (n int) {
	for _, packets := range b.Lag[min(depth+1, lagClasses):] {
		n += int(packets)
	}
	return n
}

// Playout is what the listener's jitter buffer makes of a book.
type Playout struct {
	Depth time.Duration // that the buffer waits, beyond the fastest packet
	Path  score.Path
}

// leastDepth is what no phone goes below: a packet.
const leastDepth = 20

// Playout returns the jitter buffer that is best in hindsight, the one of fixed depth with the highest R, and what is
// heard behind it. delay is from the sending of a packet to the arrival of the fastest; before is the fraction of packets
// that were lost before they got a sequence number of this stream, on the talkers' way to a gateway.
func (b *Book) Playout(delay time.Duration, before float64, equipment score.Equipment) Playout {
	var best Playout
	ratio := score.BurstRatio(b.Missing, b.Bursts, b.Expected())
	for depth := leastDepth; depth < lagClasses; depth++ {
		late := b.tooLate(depth)
		path := score.Path{
			Delay:      frameTime + delay + time.Duration(depth)*time.Millisecond,
			Loss:       1 - (1-before)*(1-float64(b.Missing+late)/float64(max(1, b.Expected()))),
			BurstRatio: ratio, Equipment: equipment,
		}
		if best.Depth == 0 || path.R() > best.Path.R()+0.01 {
			best = Playout{time.Duration(depth) * time.Millisecond, path}
		}
		if late == 0 {
			break // deeper is only later
		}
	}
	return best
}

// ear keeps the book.
type ear struct {
	Book
	began     bool
	last      time.Duration // arrival of the last packet
	highest   uint16
	seen      uint64 // bit i: highest - i was received
	counted   int    // bits of seen that belong to this book
	losing    bool   // the packet that left seen last was missing
	timestamp uint32 // of highest
	time      int64  // extended timestamp of highest, from the first packet's
	base      int    // what had been reported when the book was opened
	reported  int
	transit   time.Duration // of the last packet
}

// open begins a new book; the stream goes on.
func (e *ear) open() {
	fastest := e.Transit
	e.Book = Book{Transit: fastest}
	e.base, e.counted, e.losing = e.reported, 0, false
}

// book returns the book as of now, a gap that has not ended included.
func (e *ear) book(now time.Duration) Book {
	c := *e
	c.leave(c.counted)
	if gap := now - c.last; c.began && gap > LongGap {
		c.Gaps++
		c.Longest = max(c.Longest, gap)
	}
	c.Reported = max(0, c.reported-c.base)
	return c.Book
}

// restart is a step of the sequence that only another source makes.
const restart = 3000

// hear takes one packet that came at a time of the chorus' clock. rate is of its timestamps, in Hz.
func (e *ear) hear(at time.Duration, packet []byte, rate int) {
	seq, timestamp := binary.BigEndian.Uint16(packet[2:]), binary.BigEndian.Uint32(packet[4:])
	step := int(int16(seq - e.highest))
	if !e.began || step > restart || step < -restart {
		if e.began {
			e.Jumps++
		}
		e.began, e.highest, e.timestamp, e.seen, e.counted, e.time = true, seq, timestamp, 1, 1, 0
		e.Received++
		e.last, e.transit = at, at
		e.Transit = at
		e.Lag[0]++
		return
	}
	e.Received++
	gap := at - e.last
	e.last = max(e.last, at)
	e.Longest = max(e.Longest, gap)
	if gap > LongGap {
		e.Gaps++
	}
	e.time64(at, int64(int32(timestamp-e.timestamp)), rate)
	switch {
	case step > 0:
		if int64(int32(timestamp-e.timestamp)) != int64(step)*int64(rate/50) {
			e.Jumps++
		}
		e.time += int64(int32(timestamp - e.timestamp))
		e.forward(step)
		e.highest, e.timestamp = seq, timestamp
	case step > -64 && e.seen>>(-step)&1 == 1:
		e.Twice++
	default:
		e.Late++
		if step > -64 {
			e.seen |= 1 << -step
		}
	}
}

// time64 looks at how late a packet is, whose timestamp is so far from the highest one's.
func (e *ear) time64(at time.Duration, ahead int64, rate int) {
	transit := at - time.Duration(e.time+ahead)*time.Second/time.Duration(rate)
	d := transit - e.transit
	e.transit = transit
	e.Jitter += (max(d, -d) - e.Jitter) / 16
	e.Transit = min(e.Transit, transit)
	e.Lag[min(int((transit-e.Transit)/time.Millisecond), lagClasses-1)]++
}

// forward moves the window of sequence numbers.
func (e *ear) forward(step int) {
	for range step {
		if e.counted == 64 {
			e.leave(1)
		}
		e.seen <<= 1
		e.counted++
	}
	e.seen |= 1
}

// leave takes the oldest packets out of the window, and counts those that have not come.
func (e *ear) leave(n int) {
	for range n {
		e.counted--
		missing := e.seen>>e.counted&1 == 0
		if missing {
			e.Missing++
			if !e.losing {
				e.Bursts++
			}
		}
		e.losing = missing
	}
}
