package sfu

import (
	"bytes"
	"testing"

	"passerelle/codec"
)

// BenchmarkSeatToBrowser is the whole way of a phone's packet to one browser: slot, SRTP, ICE and the
// socket. The browser, in the same process, is counted too.
func BenchmarkSeatToBrowser(b *testing.B) {
	h := newHouse(b, Config{})
	h.enter(b, visitor{room: "board", name: "Ada"})
	phone := sit(b, h, "board", "Phone")
	f := codec.Frame{Kind: codec.Opus, Level: 20, Voice: true, Payload: bytes.Repeat([]byte("x"), 80)}
	b.ReportAllocs()
	for b.Loop() {
		f.Seq++
		f.Timestamp += frameTime
		if err := phone.WriteFrame(&f); err != nil {
			b.Fatal(err)
		}
	}
}
