package audio

import (
	"encoding/binary"
	"errors"
	"testing"
	"time"

	"passerelle/codec"
)

// FuzzPhone sends a phone any packets: each 12 bytes of the input say how one differs from what would
// follow. It never panics; the seat's sequence has no hole, and its timestamps only grow.
func FuzzPhone(f *testing.F) {
	f.Add([]byte("twelve bytes and twelve more of them and again some"))
	f.Add([]byte{0, 0, 0, 0, 0, 0, 0, 0, 160, 0, 7, 0, 1, 0, 160, 0, 0, 0, 20, 0, 160, 0, 7, 0, 255, 255, 96, 255, 255, 255, 20, 0, 240, 0, 7, 1})
	f.Add([]byte{0, 0, 0, 0, 0, 0, 0, 0, 200, 0, 9, 3, 232, 3, 0, 0, 0, 128, 0, 64, 160, 0, 9, 2})
	f.Fuzz(func(t *testing.T, in []byte) {
		if len(in) == 0 {
			return
		}
		h := newHandset(t, plainEngine(1), 20*ms)
		kinds := []codec.Kind{codec.PCMU, codec.PCMU, codec.PCMU, codec.ComfortNoise, codec.PCMA, codec.Opus}
		if in[0]&1 != 0 { // a phone of Opus
			if err := h.phone.Renegotiate(codec.Opus, 20*ms, 0); err != nil {
				t.Fatal(err)
			}
			kinds = []codec.Kind{codec.Opus, codec.Opus, codec.Opus, codec.ComfortNoise, codec.PCMA, codec.PCMU}
		}
		m := h.phone.engine.NewMix("room")
		beside := newHandset(t, h.phone.engine, 20*ms)
		h.phone.Join(m)
		beside.phone.Join(m)
		for n := int64(0); len(in) >= 12 && n < 500; in, n = in[12:], n+1 {
			size := int(binary.LittleEndian.Uint16(in[8:]) % 1000)
			value := in[10]
			payload := make([]byte, size)
			for i := range payload {
				payload[i] = value + byte(i)*(value&1)
			}
			p := codec.Frame{
				Seq:       h.seq + binary.LittleEndian.Uint16(in),
				Timestamp: h.ts + binary.LittleEndian.Uint32(in[2:]),
				Arrival:   h.now + time.Duration(binary.LittleEndian.Uint16(in[6:]))*ms,
				Kind:      kinds[in[11]%6],
				Marker:    in[11]&128 != 0,
				Payload:   payload,
			}
			h.phone.SetMuted(in[11]&64 != 0)
			h.phone.PushFrame(&p)
			h.now, h.seq, h.ts = p.Arrival, p.Seq+1, p.Timestamp+uint32(size)
			h.phone.engine.shards[0].tick(int64(h.now / tickLength))
		}
		if s := h.phone.engine.Stats(); s.Panics > 0 {
			t.Fatalf("%d panics", s.Panics)
		}
		contiguous(t, h.seat.frames)
		for i, got := range h.seat.frames {
			if i == 0 {
				continue
			}
			before := h.seat.frames[i-1]
			if step := int32(got.Timestamp - before.Timestamp); step <= 0 {
				t.Fatalf("packet %d: timestamp %d after %d", i, got.Timestamp, before.Timestamp)
			}
		}
	})
}

// FuzzTrack sends a track any packets, as FuzzPhone does. What comes out is sound of the right length,
// and the delay stays within bounds.
func FuzzTrack(f *testing.F) {
	f.Add([]byte("eight bytes of packets, and more of them and again some"))
	f.Add([]byte{0, 0, 0, 0, 0, 0, 40, 1, 1, 0, 192, 3, 0, 0, 20, 1, 255, 255, 64, 252, 255, 255, 20, 2})
	f.Fuzz(func(t *testing.T, in []byte) {
		e := plainEngine(1)
		m := e.NewMix("room")
		track := m.AddTrack("voice")
		line := &recorder{}
		p, err := e.NewPhone(PhoneConfig{Kind: codec.PCMU, Down: line})
		if err != nil {
			t.Fatal(err)
		}
		p.Join(m)
		var seq uint16
		var ts uint32
		var now time.Duration
		ticks := int64(0)
		for n := 0; len(in) >= 8 && n < 500; in, n = in[8:], n+1 {
			seq += binary.LittleEndian.Uint16(in)
			ts += binary.LittleEndian.Uint32(in[2:])
			now += time.Duration(in[6]) * ms
			payload := plainPayload(steady([]time.Duration{10, 20, 40, 60}[in[7]&3]*ms, 1000))
			switch in[7] >> 2 & 7 {
			case 1:
				payload = payload[:1]
			case 2:
				payload = payload[:8]
			case 3:
				payload = nil
			}
			track.PushFrame(&codec.Frame{Arrival: now, Seq: seq, Timestamp: ts, Kind: codec.Opus, Payload: payload})
			for ; time.Duration(ticks)*tickLength <= now; ticks++ {
				e.shards[0].tick(ticks)
			}
		}
		if s := e.Stats(); s.Panics > 0 {
			var p *PanicError
			errors.As(m.err, &p)
			t.Fatal(p, string(p.Stack))
		}
		if len(line.frames) != int(ticks) {
			t.Fatalf("%d packets in %d ticks", len(line.frames), ticks)
		}
		if s := track.Stats(); s.Target < 0 || s.Target > mostTarget {
			t.Fatalf("target %v", s.Target)
		}
	})
}
