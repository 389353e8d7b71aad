package ready

import (
	"bytes"
	"testing"

	"github.com/pion/rtp"

	"passerelle/codec"
)

// packet writes an RTP packet with an audio level.
func packet(t testing.TB, h rtp.Header, level *rtp.AudioLevelExtension, payload []byte) []byte {
	t.Helper()
	h.Version, h.PayloadType = 2, 111
	p := rtp.Packet{Header: h, Payload: payload}
	if level != nil {
		b, err := level.Marshal()
		if err == nil {
			err = p.SetExtension(1, b)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	b, err := p.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestPacketParser(t *testing.T) {
	h := rtp.Header{SequenceNumber: 7, Timestamp: 960, Marker: true, SSRC: 5}
	speech := []byte("\xf8speech")
	padded := append(packet(t, h, nil, speech), 0, 0, 3)
	padded[0] |= 1 << 5
	for name, c := range map[string]struct {
		packet []byte
		want   codec.Frame
		ok     bool
	}{
		"with a level": {packet(t, h, &rtp.AudioLevelExtension{Level: 33, Voice: true}, speech),
			codec.Frame{Level: 33, Voice: true, Payload: speech}, true},
		"with a level that is no voice": {packet(t, h, &rtp.AudioLevelExtension{Level: 90}, speech),
			codec.Frame{Level: 90, Payload: speech}, true},
		"without a level, it is guessed": {packet(t, h, nil, speech), codec.Frame{Level: guessedLevel, Voice: true, Payload: speech}, true},
		"without a level, DTX is silence": {packet(t, h, nil, []byte{8}),
			codec.Frame{Level: codec.Silence, Payload: []byte{8}}, true},
		"padding is not payload":  {padded, codec.Frame{Level: guessedLevel, Voice: true, Payload: speech}, true},
		"padding beyond the end":  {append(padded[:len(padded)-1:len(padded)-1], 200), codec.Frame{}, false},
		"too short for a header":  {padded[:11], codec.Frame{}, false},
		"only a header":           {packet(t, h, nil, nil), codec.Frame{Level: codec.Silence}, true},
		"an extension that ended": {packet(t, h, &rtp.AudioLevelExtension{Level: 33}, nil)[:15], codec.Frame{}, false},
	} {
		t.Run(name, func(t *testing.T) {
			p := Parser{Level: 1}
			got, ok := p.Frame(c.packet)
			if ok != c.ok {
				t.Fatalf("ok %v, want %v", ok, c.ok)
			}
			if !ok {
				return
			}
			w := c.want
			if got.Seq != 7 || got.Timestamp != 960 || !got.Marker || got.Kind != codec.Opus {
				t.Errorf("header %+v", got)
			}
			if got.Level != w.Level || got.Voice != w.Voice || !bytes.Equal(got.Payload, w.Payload) {
				t.Errorf("level %d, voice %v, payload %q, want %d, %v, %q", got.Level, got.Voice, got.Payload, w.Level, w.Voice, w.Payload)
			}
		})
	}
}

// FuzzPacket: a parser that has seen other packets reads the same as a new one, and both the same as
// pion's, which allocates.
func FuzzPacket(f *testing.F) {
	f.Add(packet(f, rtp.Header{SequenceNumber: 1}, &rtp.AudioLevelExtension{Level: 33, Voice: true}, []byte("speech")), []byte{0x80})
	f.Add(packet(f, rtp.Header{CSRC: []uint32{1, 2}}, nil, []byte{8}), packet(f, rtp.Header{}, nil, nil))
	f.Fuzz(func(t *testing.T, first, second []byte) {
		used := Parser{Level: 1}
		used.Frame(first)
		got, ok := used.Frame(second)
		fresh := Parser{Level: 1}
		want, wantOK := fresh.Frame(second)
		if ok != wantOK || ok && (got.Seq != want.Seq || got.Timestamp != want.Timestamp || got.Level != want.Level ||
			got.Voice != want.Voice || !bytes.Equal(got.Payload, want.Payload)) {
			t.Fatalf("after another packet: %+v, %v, want %+v, %v", got, ok, want, wantOK)
		}
		var p rtp.Packet
		if err := p.Unmarshal(second); ok != (err == nil) {
			t.Fatalf("ok %v, pion says %v", ok, err)
		}
		if ok && (got.Seq != p.SequenceNumber || got.Timestamp != p.Timestamp || !bytes.Equal(got.Payload, p.Payload)) {
			t.Fatalf("%+v, pion reads %+v", got, p)
		}
		if ok && got.Level > codec.Silence {
			t.Fatalf("level %d", got.Level)
		}
	})
}

func TestReadingAllocatesNothing(t *testing.T) {
	b := packet(t, rtp.Header{SequenceNumber: 7}, &rtp.AudioLevelExtension{Level: 33, Voice: true}, []byte("\xf8speech"))
	p := Parser{Level: 1}
	if got := testing.AllocsPerRun(1000, func() {
		p.Frame(b)
	}); got != 0 {
		t.Errorf("%v allocations a packet, want 0", got)
	}
}
