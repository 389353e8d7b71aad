package audio

import (
	"math"
	"time"
)

// A source's packets wait here until their tick. Each tick, on the shard, pull does this:
//
//  1. Take what the ring holds, sort it by sequence number, and measure its arrival (take, place).
//  2. In silence, begin with the first packet when it has waited for the target delay (begin, due).
//  3. Fill the block: decode the next packet; recover or conceal what is lost; make something up and
//     wait while nothing is there (refill).
//  4. Where sequence numbers go on but timestamps jump, or a DTX packet says so, fall silent (fallSilent).
//  5. Once a second compare the delay with the target; what is too much is cut, too little filled up,
//     on silence if there is any (adjust.go), else by periods of the sound (stretch.go).
//
// The time in which sound is spoken is media time; its unit here is the 48 kHz RTP tick.

const (
	madeUpMost = 100 * time.Millisecond // then a loss is silence
	jumpLeast  = time.Second            // between what timestamps and arrivals say: another source
	seqJump    = 1000                   // likewise
)

// jitter is an adaptive jitter buffer. Only the ring and the counters are shared with other goroutines.
type jitter struct {
	in    *ring
	voice voice
	meter delayMeter
	rate  int   // of the mix
	scale int64 // media time a sample
	block int   // samples a tick
	count jitterCounters
	stall stall // of the shard that pulls, the last

	running bool      // a source is known
	slots   []slot    // a power of two of them
	waiting int       // of them held
	spare   []buffers // of packets that were played: only what waits has any
	seq     int64     // to play next
	high    int64     // newest
	highTS  int64     // its media time
	highAt  time.Duration

	playing bool
	resync  bool    // skip what should have been played already
	next    int64   // media time after left
	most    int     // samples that are decoded or made up at once
	buf     []int16 // room for that and an inserted block
	left    []int16 // of buf, to be played
	stalled int64   // made up while nothing was there: next did not move
	madeUp  int     // samples in a row
	adjust  adjuster
}

// slot is where a packet waits.
type slot struct {
	packet
	number int64 // sequence number of what it holds, or held last
	held   bool
}

// newJitter returns a jitter buffer for up to size packets behind a ring, for a mix at rate.
func newJitter(in *ring, v voice, rate, size int) *jitter {
	j := &jitter{
		in: in, voice: v, meter: newDelayMeter(), rate: rate, scale: int64(mediaRate / rate),
		block: samples(tickLength, rate), most: samples(v.most(), rate),
		buf: make([]int16, samples(v.most()+tickLength, rate)), slots: make([]slot, size),
	}
	for i := range j.slots {
		j.slots[i].number = math.MinInt64
	}
	j.adjust.reset()
	return j
}

// mediaRate is the clock of media time, in Hz.
const mediaRate = 48000

// mediaTime returns media time as a duration.
func mediaTime(ts int64) time.Duration {
	return time.Duration(ts/mediaRate)*time.Second + time.Duration(ts%mediaRate)*time.Second/mediaRate
}

// pull fills out, one tick's block, for the tick at now; false means that the source is silent and out
// was not touched. Called on the shard.
func (j *jitter) pull(now time.Duration, out []int16) bool {
	j.take()
	if !j.playing && !j.begin(now) {
		return false
	}
	for n := 0; n < len(out); {
		if len(j.left) == 0 && !j.refill(now) {
			j.fallSilent(out[n:])
			return true
		}
		c := copy(out[n:], j.left)
		j.left = j.left[c:]
		n += c
	}
	j.adjust.look(j.meter.base() + j.meter.target)
	return true
}

// skip says that ticks were not rendered: what they should have played is left out, or every stall
// would add to the delay for ever.
func (j *jitter) skip() {
	j.silence()
	j.resync = true
}

// hasFor says whether there is enough for so many ticks, of a packet each, or nothing to be heard.
func (j *jitter) hasFor(ticks int) bool { return !j.playing || j.waiting+j.in.filled() >= ticks }

// flush forgets the source, its clocks and all that waits.
func (j *jitter) flush() {
	for p := j.in.peek(); p != nil; p = j.in.peek() {
		j.in.pop()
	}
	j.forget()
}

func (j *jitter) forget() {
	j.silence()
	for i := range j.slots {
		if j.slots[i].held {
			j.release(&j.slots[i])
		}
	}
	j.running = false
	j.meter.restart()
}

// silence ends what is playing.
func (j *jitter) silence() {
	j.playing = false
	j.left = nil
	j.stalled = 0
	j.adjust.reset()
}

// take moves packets from the ring to their places.
func (j *jitter) take() {
	for p := j.in.peek(); p != nil; p = j.in.peek() {
		j.place(p)
		j.in.pop()
	}
}

// place sorts one packet in.
func (j *jitter) place(p *packet) {
	j.count.packets.add(1)
	seq := j.high + int64(int16(p.seq-uint16(j.high)))
	ts := j.highTS + int64(int32(p.timestamp-uint32(j.highTS)))
	if j.running && j.strange(seq, ts, p.arrival) {
		j.forget()
		j.count.restarts.add(1)
	}
	if !j.running {
		seq, ts = int64(p.seq), int64(p.timestamp)
		j.running = true
		j.seq, j.high, j.highTS, j.highAt = seq, seq, ts, p.arrival
	}
	slot := j.slot(seq)
	switch {
	case slot.number == seq && (slot.held || seq < j.seq):
		j.count.duplicates.add(1)
		return
	case seq < j.seq:
		j.count.late.add(1)
		j.measure(p, ts)
		return
	case seq >= j.seq+int64(len(j.slots)):
		j.makeRoom(seq)
	}
	slot.buffers, p.buffers = p.buffers, j.takeSpare()
	slot.arrival, slot.timestamp, slot.seq, slot.silence = p.arrival, p.timestamp, p.seq, p.silence
	slot.number, slot.held = seq, true
	j.waiting++
	j.measure(&slot.packet, ts)
	if seq >= j.high {
		j.high, j.highTS, j.highAt = seq, ts, p.arrival
	}
}

// measure tells the meter. Markers of silence have timestamps of no sound.
func (j *jitter) measure(p *packet, ts int64) {
	if !p.silence {
		j.meter.arrived(p.arrival, mediaTime(ts), j.stall.excuse(p.arrival), !j.playing)
	}
}

// strange says that a packet does not belong to the source that was heard so far.
func (j *jitter) strange(seq, ts int64, arrival time.Duration) bool {
	if seq > j.high+seqJump || seq < j.high-seqJump {
		return true
	}
	moved := mediaTime(ts - j.highTS)
	if seq < j.high && moved > jumpLeast {
		return true // 2^16 packets, or nearly, were kept back
	}
	if seq < j.seq && moved <= 0 && moved > -time.Minute {
		return false // late
	}
	lag := arrival - j.highAt - moved
	return lag > jumpLeast || lag < -jumpLeast
}

// slot returns where seq waits, if it does.
func (j *jitter) slot(seq int64) *slot { return &j.slots[seq&int64(len(j.slots)-1)] }

// makeRoom gives up what is so old that seq would not fit beside it.
func (j *jitter) makeRoom(seq int64) {
	for ; j.seq+int64(len(j.slots)) <= seq; j.seq++ {
		if s := j.slot(j.seq); s.held {
			j.release(s)
			j.count.dropped.add(1)
		}
	}
	j.silence()
}

func (j *jitter) release(s *slot) {
	s.held = false
	j.waiting--
	j.spare = append(j.spare, s.buffers)
	s.buffers = buffers{}
}

// takeSpare returns buffers for the reader to fill, or none: it makes some then.
func (j *jitter) takeSpare() (b buffers) {
	if n := len(j.spare); n > 0 {
		b, j.spare = j.spare[n-1], j.spare[:n-1]
	}
	return b
}

// head returns the oldest packet that waits, or nil.
func (j *jitter) head() *slot {
	if j.waiting == 0 {
		return nil
	}
	for seq := j.seq; seq < j.seq+int64(len(j.slots)); seq++ {
		if s := j.slot(seq); s.held {
			return s
		}
	}
	return nil
}

// leave takes a packet out, and counts what is missing before it.
func (j *jitter) leave(s *slot) {
	j.count.lost.add(uint64(s.number - j.seq))
	j.seq = s.number + 1
	j.release(s)
}

// media returns p's timestamp as media time.
func (j *jitter) media(p *slot) int64 {
	return j.highTS + int64(int32(p.timestamp-uint32(j.highTS)))
}

// begin looks in silence for a packet that is due, and makes it the next to be played.
func (j *jitter) begin(now time.Duration) bool {
	for p := j.head(); p != nil; p = j.head() {
		if p.silence {
			j.leave(p)
			continue
		}
		due := j.due(p)
		if now < due {
			break
		}
		j.resync = j.resync || now > due+mostTarget // nobody wants to hear what is that old
		if j.resync && now >= due+tickLength {
			j.leave(p)
			j.count.dropped.add(1)
			continue
		}
		j.playing, j.resync = true, false
		j.next = j.media(p)
		j.count.lost.add(uint64(p.number - j.seq))
		j.seq = p.number
		j.madeUp = 0
		return true
	}
	j.resync = false
	return false
}

// due returns the earliest tick at which p may begin. Where packets are not a whole number of ticks,
// the block needs the next one too.
func (j *jitter) due(p *slot) time.Duration {
	const tickSteps = int(tickLength / (2500 * time.Microsecond))
	steps := j.voice.span(&p.packet) * 400 / j.rate
	more := time.Duration(tickSteps-gcd(tickSteps, steps)) * 2500 * time.Microsecond
	return j.meter.base() + mediaTime(j.media(p)) + j.meter.target + more
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// refill puts something into left; false means that the source falls silent here.
func (j *jitter) refill(now time.Duration) bool {
	for {
		p := j.head()
		if p == nil {
			return j.wait()
		}
		gap := j.media(p) - j.next
		if waited := min(gap, j.stalled); waited > 0 {
			// What was made up while waiting stood for what is lost.
			j.next += waited
			j.stalled -= waited
			gap -= waited
		}
		whole := int(gap/j.scale) / (j.rate / 400) * (j.rate / 400)
		switch {
		case whole > 0 && p.number == j.seq:
			return false // nothing is missing: nothing was said
		case whole > 0:
			return j.bridge(p, whole)
		case p.silence:
			return false
		}
		if j.decode(p, now) {
			return true
		}
	}
}

// wait makes up a block while nothing is there.
func (j *jitter) wait() bool {
	if !j.makeUp(j.block, nil) {
		return false
	}
	j.stalled += int64(j.block) * j.scale
	return true
}

// bridge makes up what is lost before p: from p's FEC where it reaches.
func (j *jitter) bridge(p *slot, lost int) bool {
	n, from := lost, &p.packet
	if span := j.voice.span(&p.packet); lost > span {
		n, from = min(lost-span, j.block), nil
	}
	if !j.makeUp(n, from) {
		return false
	}
	j.next += int64(n) * j.scale
	return true
}

// makeUp puts n samples into left for what is lost, as long as it is not too much.
func (j *jitter) makeUp(n int, next *packet) bool {
	if j.madeUp >= samples(madeUpMost, j.rate) {
		return false
	}
	pcm := j.buf[:min(n, j.most)]
	var err error
	if next != nil {
		err = j.voice.recover(pcm, next)
		j.count.recovered.add(1)
	} else {
		err = j.voice.conceal(pcm)
		j.count.concealed.add(1)
	}
	if err != nil {
		clear(pcm)
	}
	j.madeUp += len(pcm)
	j.left = j.adjust.blend(pcm)
	return true
}

// decode puts p's sound into left; false means that there is none: it is malformed, or is left out.
func (j *jitter) decode(p *slot, now time.Duration) bool {
	ts := j.media(p)
	n, err := j.voice.decode(j.buf[:j.most], &p.packet)
	if err != nil || n == 0 {
		// As if it had never come: the next finds a hole before it.
		j.release(p)
		p.number = math.MinInt64
		j.count.dropped.add(1)
		return false
	}
	j.leave(p)
	if j.stalled > 0 {
		j.count.inserted.add(uint64(j.stalled / (int64(j.block) * j.scale)))
		j.adjust.again() // there is more delay now than was measured
		j.adjust.lack = 0
	}
	j.stalled, j.madeUp = 0, 0
	j.next = ts + int64(n)*j.scale
	transit := now - mediaTime(ts)
	j.count.delay.Store(int64(transit - j.meter.base()))
	j.count.target.Store(int64(j.meter.target))
	j.adjust.played(transit)
	j.left = j.fit(j.buf[:n])
	return len(j.left) > 0
}

// fallSilent ends the sound with a short fade and fills out with silence.
func (j *jitter) fallSilent(out []int16) {
	n := min(len(out), j.rate/100)
	if j.madeUp < samples(madeUpMost, j.rate) && n > 0 {
		pcm := j.buf[:j.rate/100]
		if err := j.voice.conceal(pcm); err != nil {
			clear(pcm)
		}
		for i := range n {
			out[i] = int16(int(pcm[i]) * (n - i) / (n + 1))
		}
		out = out[n:]
	}
	clear(out)
	j.silence()
}
