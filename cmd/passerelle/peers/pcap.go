package peers

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// DigitsPCAP writes DIR/digits.pcap: mu-law speech with keys pressed on the way, as a real phone sends it.
// One SSRC, one sequence; while a key is down its events (RFC 4733) take the place of the sound.
func DigitsPCAP(t testing.TB, dir string, ulaw []byte, digits string, at time.Duration) string {
	t.Helper()
	w := pcapWriter{seq: 1000}
	w.header()
	const frame, held, between = 20, 160, 340 // milliseconds; of a key: how long it is down, and until the next
	begin := int(at.Milliseconds())
	for ms := 0; (ms+frame)*8 <= len(ulaw); ms += frame {
		key, since := (ms-begin)/between, (ms-begin)%between
		if ms < begin || key >= len(digits) || since >= held {
			w.rtp(ms, 0, ms == 0, uint32(8000+ms*8), ulaw[ms*8:(ms+frame)*8])
			continue
		}
		// The timestamp is the key's beginning, and stands still (section 2.2.2).
		timestamp := uint32(8000 + (ms-since)*8)
		event := byte(strings.IndexByte("0123456789*#ABCD", digits[key]))
		if since < held-frame {
			w.rtp(ms, 101, since == 0, timestamp, telephoneEvent(event, false, (since+frame)*8))
			continue
		}
		for range 3 { // the end is said three times (section 2.5.1.4)
			w.rtp(ms, 101, false, timestamp, telephoneEvent(event, true, held*8))
		}
	}
	path := filepath.Join(dir, "digits.pcap")
	if err := os.WriteFile(path, w.out, 0o644); err != nil {
		t.Fatalf("write a phone's packets: %v", err)
	}
	return path
}

// telephoneEvent returns the payload of RFC 4733 section 2.3; the duration is in 1/8000 s.
func telephoneEvent(event byte, end bool, duration int) []byte {
	flags := byte(10) // -10 dBm0
	if end {
		flags |= 0x80
	}
	return binary.BigEndian.AppendUint16([]byte{event, flags}, uint16(duration))
}

// pcapWriter collects RTP packets as Ethernet frames between two ports of the loopback address.
type pcapWriter struct {
	out []byte
	seq uint16
}

func (w *pcapWriter) header() {
	for _, field := range []uint32{0xa1b2c3d4, 4<<16 | 2, 0, 0, 65535, 1} { // version 2.4, Ethernet
		w.out = binary.LittleEndian.AppendUint32(w.out, field)
	}
}

func (w *pcapWriter) rtp(ms int, payloadType byte, marker bool, timestamp uint32, payload []byte) {
	p := []byte{0x80, payloadType}
	if marker {
		p[1] |= 0x80
	}
	p = binary.BigEndian.AppendUint16(p, w.seq)
	p = binary.BigEndian.AppendUint32(p, timestamp)
	p = binary.BigEndian.AppendUint32(p, 0x5eed0001)
	p = append(p, payload...)
	w.seq++

	frame := make([]byte, 14+20+8, 14+20+8+len(p))
	frame[12] = 8 // IPv4
	frame[14], frame[22], frame[23] = 0x45, 64, 17
	binary.BigEndian.PutUint16(frame[16:], uint16(28+len(p)))
	copy(frame[26:], []byte{127, 0, 0, 1, 127, 0, 0, 1})
	binary.BigEndian.PutUint16(frame[34:], 10000)
	binary.BigEndian.PutUint16(frame[36:], 10002)
	binary.BigEndian.PutUint16(frame[38:], uint16(8+len(p)))
	frame = append(frame, p...)
	for _, field := range []uint32{1700000000 + uint32(ms/1000), uint32(ms % 1000 * 1000), uint32(len(frame)), uint32(len(frame))} {
		w.out = binary.LittleEndian.AppendUint32(w.out, field)
	}
	w.out = append(w.out, frame...)
}
