package audio

import (
	"fmt"
	"time"

	"passerelle/codec"
)

// line is what a phone's line takes. A new one replaces it; it does not change.
type line struct {
	kind    codec.Kind
	payload int // bytes a packet
}

// bytesPerMillisecond is true of G.711 and of G.722, and is their RTP clock in kHz too.
const bytesPerMillisecond = 8

func newLine(kind codec.Kind, ptime time.Duration) (*line, error) {
	switch kind {
	case codec.PCMU, codec.PCMA:
	default:
		return nil, fmt.Errorf("phone line: %w: %s", ErrKind, kind)
	}
	switch ptime {
	case 0:
		ptime = tickLength
	case 10 * time.Millisecond, 20 * time.Millisecond, 30 * time.Millisecond, 40 * time.Millisecond, 60 * time.Millisecond:
	default:
		return nil, fmt.Errorf("phone line: %w: %v", ErrPTime, ptime)
	}
	return &line{kind: kind, payload: int(ptime/time.Millisecond) * bytesPerMillisecond}, nil
}

// packetizer cuts a stream of tick-sized payloads into packets of the line's own size. Phones are sent to
// without a pause, silence included: they and what stands between take a pause for the end. Called on
// the shard.
type packetizer struct {
	line   *line
	epoch  int64 // tick of timestamp 0
	last   int64 // tick
	began  bool
	marker bool // of the next packet
	kept   []byte
	keptTS uint32

	written, errors counter
}

// write sends tick n's payload, or keeps it until there is enough. RTP time is counted in ticks: those
// that were never rendered, or in which the phone was in no mix, count too.
func (d *packetizer) write(out codec.Writer, n int64, payload []byte, f *codec.Frame) {
	if !d.began {
		d.began, d.epoch, d.last = true, n, n-2
	}
	if n <= d.last {
		return // the phone moved to a shard whose clock is behind
	}
	if n != d.last+1 {
		d.interrupt()
	}
	d.last = n
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

// interrupt gives up what is kept: what comes next does not follow it.
func (d *packetizer) interrupt() {
	d.kept = d.kept[:0]
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
