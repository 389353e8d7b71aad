package audio

import (
	"fmt"
	"time"

	"passerelle/codec"
	"passerelle/codec/g722"
	"passerelle/codec/opus"
)

// line is what a phone's line takes. A new one replaces it; it does not change.
type line struct {
	kind    codec.Kind
	packet  int           // samples a packet
	payload int           // bytes a packet; Opus has as many as it needs
	bitrate int           // of Opus, at most, in bit/s; 0 is any
	encoder codec.Encoder // the shard's; nil for G.711, whose encoder has no state and is everybody's
}

// bytesPerMillisecond is true of G.711 and of G.722, and is their RTP clock in kHz too.
const bytesPerMillisecond = 8

// newLine returns a line for a phone in mixes of e; its encoder begins anew.
func (e *Engine) newLine(kind codec.Kind, ptime time.Duration, bitrate int) (*line, error) {
	rate := soundRate(kind, e.rate)
	if rate == 0 {
		return nil, fmt.Errorf("phone line: %w: %s in a mix at %d Hz", ErrKind, kind, e.rate)
	}
	switch ptime {
	case 0:
		ptime = tickLength
	case 10 * time.Millisecond, 20 * time.Millisecond, 30 * time.Millisecond, 40 * time.Millisecond, 60 * time.Millisecond:
	default:
		return nil, fmt.Errorf("phone line: %w: %v", ErrPTime, ptime)
	}
	l := &line{kind: kind, packet: samples(ptime, rate), payload: int(ptime/time.Millisecond) * bytesPerMillisecond, bitrate: bitrate}
	switch kind {
	case codec.G722:
		l.encoder = g722.NewEncoder()
	case codec.Opus:
		if ptime == 30*time.Millisecond { // Opus has no such frame (RFC 6716 section 2.1.4)
			return nil, fmt.Errorf("phone line: %w: %v of Opus", ErrPTime, ptime)
		}
		enc, err := e.newSpeaker(rate, bitrate)
		if err != nil {
			return nil, fmt.Errorf("phone line: %w", err)
		}
		l.encoder = enc
	}
	return l, nil
}

// same says whether another line takes the same.
func (l *line) same(other *line) bool {
	return l.kind == other.kind && l.packet == other.packet && l.bitrate == other.bitrate
}

// packetizer cuts a stream of ticks into packets of the line's own size. Phones are sent to without a
// pause, silence included: they and what stands between take a pause for the end. Called on the shard.
type packetizer struct {
	line   *line
	epoch  int64 // tick of timestamp 0
	last   int64 // tick
	began  bool
	marker bool   // of the next packet
	kept   []byte // for the next packet
	sound  []int16
	keptTS uint32
	packet []byte // of Opus

	written, errors counter
}

// change puts another line in the place of the one before.
func (d *packetizer) change(l *line) {
	d.line = l
	d.interrupt()
	if l.kind == codec.Opus && d.packet == nil {
		d.packet = make([]byte, opus.MaxPacket)
	}
}

// advance moves on to tick n; false means that it is over. RTP time is counted in ticks: those that were
// never rendered, or in which the phone was in no mix, count too.
func (d *packetizer) advance(n int64) bool {
	if !d.began {
		d.began, d.epoch, d.last = true, n, n-2
	}
	if n <= d.last {
		return false // the phone moved to a shard whose clock is behind
	}
	if n != d.last+1 {
		d.interrupt()
	}
	d.last = n
	return true
}

// write sends tick n's payload, or keeps it until there is enough.
func (d *packetizer) write(out codec.Writer, n int64, payload []byte, f *codec.Frame) {
	if !d.advance(n) {
		return
	}
	ts := uint32(n-d.epoch) * uint32(len(payload))
	if len(d.kept) == 0 {
		for ; len(payload) >= d.line.payload; payload = payload[d.line.payload:] {
			d.send(out, ts, payload[:d.line.payload], f)
			ts += uint32(d.line.payload)
		}
		d.keptTS = ts
	}
	d.kept = append(d.kept, payload...)
	for len(d.kept) >= d.line.payload {
		d.send(out, d.keptTS, d.kept[:d.line.payload], f)
		d.keptTS += uint32(d.line.payload)
		d.kept = d.kept[:copy(d.kept, d.kept[d.line.payload:])]
	}
}

// speak sends tick n's sound as Opus, whose packets cannot be cut or joined, or keeps it until there is
// enough.
func (d *packetizer) speak(out codec.Writer, n int64, pcm []int16, f *codec.Frame) error {
	if !d.advance(n) {
		return nil
	}
	const tick = uint32(tickLength / time.Millisecond * mediaRate / 1000)
	if len(d.sound) == 0 {
		d.keptTS = uint32(n-d.epoch) * tick
	}
	units := tick / uint32(len(pcm)) // a sample
	d.sound = append(d.sound, pcm...)
	rest := d.sound
	var failed error
	for size := d.line.packet; len(rest) >= size; rest = rest[size:] {
		n, err := d.line.encoder.Encode(d.packet, rest[:size])
		if err == nil {
			d.send(out, d.keptTS, d.packet[:n], f)
		} else {
			failed = err
		}
		d.keptTS += uint32(size) * units
	}
	d.sound = d.sound[:copy(d.sound, rest)]
	return failed
}

// interrupt gives up what is kept: what comes next does not follow it.
func (d *packetizer) interrupt() {
	d.kept, d.sound = d.kept[:0], d.sound[:0]
	d.marker = true
}

func (d *packetizer) send(out codec.Writer, ts uint32, payload []byte, f *codec.Frame) {
	*f = codec.Frame{Timestamp: ts, Marker: d.marker, Kind: d.line.kind, Payload: payload}
	d.marker = false
	if err := out.WriteFrame(f); err != nil {
		d.errors.add(1)
		return
	}
	d.written.add(1)
}
