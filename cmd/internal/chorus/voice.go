package chorus

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"time"
)

// Voice is one phone of a [Chorus]: what it sends, and the book of what it hears. The chorus' goroutine owns it.
type Voice struct {
	Line
	room *room
	slot int // of the tick's, in which it sends

	ssrc      uint32
	seq       uint16
	timestamp uint32
	marked    bool
	at        int    // the frame of the speech that is said next
	until     int    // the tick in which its turn ends; 0 while it has none
	chirping  int    // frames of a chirp that are still to be sent
	turns     []turn // the last may go on

	up, down path
	ear      ear
	record   *Recording // nil where nobody listens
}

// Line is what a call agreed on.
type Line struct {
	Remote, RTCP netip.AddrPort // the peer's end
	PayloadType  uint8
	Room         string // whose phones hear each other
	Listen       bool   // keep what is heard
	Counted      bool   // the book begins with the first packet, and not with Begin
}

// Recording is what a listener has kept.
type Recording struct {
	Packets []Heard
	payload []byte
}

// Heard is one packet that was kept.
type Heard struct {
	At        time.Duration // on the chorus' clock
	Timestamp uint32
	Payload   []byte
}

// mostKept bounds a recording: two minutes of packets.
const mostKept = 6000

func (r *Recording) keep(at time.Duration, packet []byte) {
	if len(r.Packets) == mostKept {
		return
	}
	begin := len(r.payload)
	if cap(r.payload)-begin < len(packet) {
		r.payload, begin = make([]byte, 0, 64<<10), 0
	}
	r.payload = append(r.payload, packet[headerSize:]...)
	r.Packets = append(r.Packets, Heard{at, binary.BigEndian.Uint32(packet[4:]), r.payload[begin:len(r.payload):len(r.payload)]})
}

func newVoice(l Line, n int, network Network) *Voice {
	v := &Voice{
		Line: l, ssrc: rand.Uint32(), seq: uint16(rand.Uint32()), timestamp: rand.Uint32(),
		up: network.path(uint64(2 * n)), down: network.path(uint64(2*n + 1)),
	}
	if l.Listen {
		v.record = &Recording{}
	}
	return v
}

// due is when the voice sends in a tick, on the chorus' clock.
func (v *Voice) due(tick int) time.Duration {
	return time.Duration(tick)*frameTime + time.Duration(v.slot)*slotTime
}

// speak begins a turn.
func (v *Voice) speak(tick, until int) {
	v.until = until
	if v.chirping == 0 { // or it begins after the chirp
		v.turn(tick, v.at)
	}
}

// cry begins a chirp, which interrupts what the voice says.
func (v *Voice) cry(tick int) {
	v.chirping = chirpFrames
	v.turn(tick, -1)
}

// turn ends what was said, and notes what is.
func (v *Voice) turn(tick, frame int) {
	if len(v.turns) == keptTurns {
		v.turns = v.turns[1:]
	}
	v.turns = append(v.turns, turn{from: tick, to: tick, frame: frame})
}

// next returns what is sent in a tick.
func (v *Voice) next(tick int, sound *Sound) []byte {
	if v.chirping > 0 {
		v.chirping--
		v.turns[len(v.turns)-1].to = tick + 1
		payload := sound.chirp.frame(chirpFrames - 1 - v.chirping)
		if v.chirping == 0 && v.until > tick+1 {
			v.turn(tick+1, v.at)
		}
		return payload
	}
	if v.until <= tick {
		return sound.noise.frame(tick % sound.noise.frames())
	}
	v.turns[len(v.turns)-1].to = tick + 1
	payload := sound.speech.frame(v.at)
	v.at = (v.at + 1) % sound.speech.frames()
	return payload
}

// header writes the RTP header of the next packet.
func (v *Voice) header(b []byte) {
	b[0], b[1] = 0x80, v.PayloadType
	if !v.marked {
		b[1] |= 0x80
		v.marked = true
	}
	binary.BigEndian.PutUint16(b[2:], v.seq)
	binary.BigEndian.PutUint32(b[4:], v.timestamp)
	binary.BigEndian.PutUint32(b[8:], v.ssrc)
	v.seq++
	v.timestamp += frameBytes
}
