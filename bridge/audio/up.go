package audio

import (
	"sync/atomic"
	"time"

	"passerelle/codec"
	"passerelle/codec/dtmf"
	"passerelle/codec/opus"
)

// One packet's way up, on the goroutine that reads it from the phone's socket:
//
//  1. Find its place: late ones are dropped, losses are concealed, jumps move our timestamp (place).
//  2. Decode it; listen for keys, where they come as tones; mute, and also while a key is down.
//  3. Ask the gate whether there is a voice in it (gate.go), and bring that to its level (gain.go).
//  4. Silence is a DTX packet, at once and then now and then, and goes into the look-back (hush).
//  5. A voice goes, with what the look-back holds when it begins, into Opus frames (say, framer.go).
//  6. Each is encoded and handed to the seat at once; the same sound goes to the phones beside (encode, toRing).

const (
	dtxEvery  = 400 * time.Millisecond
	restAfter = 2 * time.Second        // of silence the encoder is given back
	mostSound = 120 * time.Millisecond // in a packet from a phone
)

// up is a phone's way to its seat. It belongs to whoever holds Phone.mu.
type up struct {
	// As negotiated.
	kind    codec.Kind
	rate    int // of the sound, in Hz
	decoder codec.Decoder
	encoder encoder
	passed  *passed      // is the encoder where Opus comes in; else nil
	seat    codec.Writer // or nil

	time   timeline
	gate   gate
	gain   leveller
	frames framer
	past   lookBack
	ring   *ring
	keys   *dtmf.Detector // where keys come as tones; else nil
	press  func(key rune) // is told them
	heard  atomic.Bool    // there is a phone beside this one; set by the shard
	inRing bool           // what it got last is sound

	// The packet in hand.
	pcm     []int16
	span    int // samples
	at      uint32
	arrival time.Duration

	// What is sent.
	talking bool   // the gate is open
	marker  bool   // of the next packet
	sentEnd uint32 // our time at the end of the last packet
	spoke   uint32 // ... of the last that was sound
	dtxAt   uint32 // our time of the last DTX packet
	dtxSent bool   // since the gate closed
	seq     uint16 // of the next packet
	ringSeq uint16
	out     codec.Frame
	payload [opus.MaxPacket]byte

	count    upCounters
	levelNow atomic.Uint32
	openNow  atomic.Bool
}

// push takes one packet.
func (u *up) push(f *codec.Frame, silenced bool) {
	u.count.received.add(1)
	if f.Kind != u.kind && f.Kind != codec.ComfortNoise || !u.fits(f) {
		u.count.malformed.add(1)
		return
	}
	if !u.place(f, silenced) {
		return
	}
	switch {
	case f.Kind == codec.ComfortNoise:
		u.comfort(f)
	case u.passed != nil:
		u.relay(f, silenced)
	default:
		u.decode(f, silenced)
	}
}

// decode takes one packet whose place in time was found.
func (u *up) decode(f *codec.Frame, silenced bool) {
	n, err := u.decoder.Decode(u.pcm, f.Payload)
	if err != nil || n == 0 {
		u.count.malformed.add(1)
		return
	}
	pcm := u.pcm[:n]
	if u.keys != nil {
		u.keys.Hear(pcm, u.press)
	}
	if silenced || u.keyDown() {
		clear(pcm)
	}
	u.begins(f, n)
	u.hear(pcm)
}

// keyDown says whether what comes is a key's tone, which is not for the room.
func (u *up) keyDown() bool { return u.keys != nil && u.keys.Down() }

// hearKeys listens for keys from now on, or no more.
func (u *up) hearKeys(hear bool) {
	switch {
	case !hear:
		u.keys = nil
	case u.keys == nil:
		u.keys = dtmf.NewDetector(u.rate)
	}
}

// begins makes f, of n samples, the packet in hand.
func (u *up) begins(f *codec.Frame, n int) {
	u.span = n
	u.at, u.arrival = u.time.heard(f, u.theirs(n)), f.Arrival
	if behind := int32(u.sentEnd - u.at); behind > 0 {
		// A DTX packet or a filled-up frame stands here already.
		u.time.our += uint32(behind)
		u.at += uint32(behind)
	}
}

// fits says whether a payload is one that can be decoded: not longer than a packet of Opus may be, or than
// mostSound of the others.
func (u *up) fits(f *codec.Frame) bool {
	most := samples(mostSound, bytesPerMillisecond*1000)
	if f.Kind == codec.Opus {
		most = opus.MaxPacket
	}
	return len(f.Payload) > 0 && len(f.Payload) <= most
}

// place brings the timeline to where f begins; false means that f is not wanted.
func (u *up) place(f *codec.Frame, silenced bool) bool {
	where, gap := u.time.look(f)
	switch where {
	case tooLate:
		u.count.late.add(1)
		return false
	case lost:
		switch {
		case f.Kind == codec.ComfortNoise:
			u.jump(gap)
		case u.passed != nil:
			u.miss(f, gap, silenced)
		default:
			u.conceal(int(gap)*u.rate/u.time.clock, silenced || u.keyDown())
		}
	case later:
		u.count.jumps.add(1)
		u.jump(gap)
	case begins:
		if u.time.running {
			u.count.rebased.add(1)
		}
		u.jump(gap)
	case beginsOn:
		u.count.rebased.add(1)
	}
	return true
}

// conceal makes up n samples, in packets as the phone sent them. The decoder knows what was said before a
// mute, and must not repeat it.
func (u *up) conceal(n int, silenced bool) {
	u.count.concealed.add(1)
	if !u.talking {
		// Nobody would hear it.
		u.time.pass(u.theirs(n))
		u.past.clear()
		return
	}
	for n > 0 {
		pcm := u.pcm[:min(n, max(u.span, u.rate/100))]
		if _, err := u.decoder.Conceal(pcm); err != nil || silenced {
			clear(pcm)
		}
		u.gain.level(pcm, false)
		u.say(pcm, u.time.our)
		u.time.pass(u.theirs(len(pcm)))
		u.ringSeq++ // the mix makes it up itself, when it is due
		n -= len(pcm)
	}
}

// jump moves our time over a gap in which nothing was said. The encoder forgets what was before a long one.
func (u *up) jump(gap uint32) {
	if u.talking {
		u.flush()
		u.marker = true
		u.silenceRing()
	}
	if u.time.span(int32(gap)) > gapConcealed {
		u.encoder.Reset()
	}
	u.time.pass(gap)
	u.past.clear()
}

// comfort takes a comfort noise packet (RFC 3389): silence, until the phone sends sound again.
func (u *up) comfort(f *codec.Frame) {
	u.time.heard(f, 0)
	u.time.quiet = true
	u.gate.shut()
	u.close()
	u.past.clear()
	u.dtx(u.time.our)
}

// hear takes the sound of the packet in hand.
func (u *up) hear(pcm []int16) {
	voice, open := u.gate.hear(pcm)
	u.gain.level(pcm, voice)
	u.out.Voice = voice
	if !open {
		u.close()
		u.hush(pcm)
		return
	}
	if !u.talking {
		u.open(u.gate.onset(len(pcm)))
	}
	u.say(pcm, u.at)
	u.toRing(pcm, u.at)
}

// open begins to talk, with the last samples of what was heard before.
func (u *up) open(before int) {
	u.talking, u.marker = true, true
	u.openNow.Store(true)
	if pcm := u.past.take(before); len(pcm) > 0 {
		at := u.at - u.ours(len(pcm))
		u.say(pcm, at)
		u.toRing(pcm, at)
	}
}

// close ends the talk, if there is one.
func (u *up) close() {
	if !u.talking {
		return
	}
	u.flush()
	u.silenceRing()
	u.talking, u.dtxSent, u.spoke = false, false, u.sentEnd
	u.openNow.Store(false)
}

// hush says that silence begins, at once, and then keeps it for the look-back and says now and then that it
// goes on. Those DTX packets stand for the time just before the look-back, which may still be sent.
func (u *up) hush(pcm []int16) {
	if !u.dtxSent && u.dtx(u.at) {
		u.past.clear()
		return
	}
	u.past.put(pcm)
	u.dtx(u.time.our - u.ours(u.past.size()) - dtxLength)
}

// dtx sends a DTX packet for our time at; false means that none is due.
func (u *up) dtx(at uint32) bool {
	if int32(at-u.sentEnd) < 0 || u.dtxSent && int32(at-u.dtxAt) < int32(dtxUnits) {
		return false
	}
	if u.dtxSent && int32(at-u.spoke) > int32(restUnits) {
		u.encoder.Rest()
	}
	u.dtxSent, u.dtxAt = true, at
	u.levelNow.Store(uint32(codec.Silence))
	if u.seat == nil {
		return true
	}
	n := u.encoder.DTXPayload(u.payload[:])
	u.out.Level, u.out.Voice = codec.Silence, false
	u.marker = false
	u.send(at, u.payload[:n])
	u.sentEnd = at + 1
	u.count.dtx.add(1)
	return true
}

// In our time.
const (
	dtxUnits  = uint32(dtxEvery / time.Millisecond * mediaRate / 1000)
	restUnits = uint32(restAfter / time.Millisecond * mediaRate / 1000)
	dtxLength = 20 * mediaRate / 1000
)

// toRing hands sound that begins at our time at to the phones beside, a tick's worth at a time. Each
// piece is said to have arrived when it would have, had it been a packet.
func (u *up) toRing(pcm []int16, at uint32) {
	if !u.heard.Load() {
		return
	}
	u.inRing = true
	for tick := samples(tickLength, u.rate); len(pcm) > 0; {
		piece := pcm[:min(tick, len(pcm))]
		pcm = pcm[len(piece):]
		if p := u.nextInRing(at); p != nil {
			p.silence = false
			p.pcm = append(p.pcm[:0], piece...)
			u.ring.push()
		}
		at += u.ours(len(piece))
	}
}

// silenceRing tells the phones beside that silence begins.
func (u *up) silenceRing() {
	u.inRing = false
	if !u.heard.Load() {
		return
	}
	if p := u.nextInRing(u.sentEnd); p != nil {
		p.silence = true
		p.pcm = p.pcm[:0]
		u.ring.push()
	}
}

func (u *up) nextInRing(at uint32) *packet {
	u.ringSeq++
	p := u.ring.free()
	if p != nil {
		p.seq, p.timestamp = u.ringSeq, at
		p.arrival = u.arrival + mediaTime(int64(int32(at-u.at)))
	}
	return p
}

// ours returns samples as our time.
func (u *up) ours(n int) uint32 { return uint32(n * (mediaRate / u.rate)) }

// theirs returns samples as the phone's time.
func (u *up) theirs(n int) uint32 { return uint32(n * u.time.clock / u.rate) }

// encode codes one Opus frame that begins at our time at, and hands it to the seat.
func (u *up) encode(pcm []int16, at uint32) {
	u.out.Level = level(power(pcm))
	u.levelNow.Store(uint32(u.out.Level))
	u.sentEnd = at + u.ours(len(pcm))
	if u.seat == nil {
		return
	}
	n, err := u.encoder.Encode(u.payload[:], pcm)
	if err != nil {
		u.count.errors.add(1)
		return
	}
	u.send(at, u.payload[:n])
}

// send hands a payload to the seat. What the seat refused was never sent: the next packet has
// its number.
func (u *up) send(at uint32, payload []byte) {
	u.out.Seq, u.out.Timestamp, u.out.Marker = u.seq, at, u.marker
	u.out.Payload = payload
	if err := u.seat.WriteFrame(&u.out); err != nil {
		u.count.errors.add(1)
		return
	}
	u.marker = false
	u.seq++
	u.count.sent.add(1)
}
