package rtp

import (
	"encoding/binary"
	"testing"
	"time"

	"passerelle/codec"
)

type counts struct{ frames int }

func (c *counts) PushFrame(*codec.Frame) { c.frames++ }

// wire is a line and a bare socket as its peer, driven by hand: no goroutine, one packet at a time.
type wire struct {
	tb     testing.TB
	line   *phone
	peer   socket
	reader *reader
	heard  counts
	packet []byte
	frame  codec.Frame
	buf    [2048]byte
	seq    uint16
}

func newWire(tb testing.TB) *wire {
	w := &wire{tb: tb, line: newPhone(tb, "127.0.0.1", Config{}), peer: newSocket(tb, "127.0.0.1")}
	negotiate(tb, w.line, call(w.peer.addr()))
	w.reader = &reader{line: w.line.Line, audio: &w.heard}
	w.packet = sound(5, 0, 0)
	w.frame = *pcmu(0)
	if err := w.peer.SetReadDeadline(time.Time{}); err != nil {
		tb.Fatal(err)
	}
	return w
}

// judge gives the line the peer's next packet, without a socket.
func (w *wire) judge() {
	w.number()
	if err := w.reader.packet(w.peer.addr(), w.packet); err != nil {
		w.tb.Fatal(err)
	}
}

func (w *wire) number() {
	w.seq++
	binary.BigEndian.PutUint16(w.packet[2:], w.seq)
	binary.BigEndian.PutUint32(w.packet[4:], uint32(w.seq)*160)
}

// receive is judge from socket to socket.
func (w *wire) receive() {
	w.number()
	if _, err := w.peer.WriteToUDPAddrPort(w.packet, w.line.LocalAddr()); err != nil {
		w.tb.Fatal(err)
	}
	n, from, err := w.line.pair.rtp.ReadFromUDPAddrPort(w.reader.buf[:])
	if err == nil {
		err = w.reader.packet(from, w.reader.buf[:n])
	}
	if err != nil {
		w.tb.Fatal(err)
	}
}

// send writes a frame from socket to socket.
func (w *wire) send() {
	w.frame.Timestamp += 160
	if err := w.line.WriteFrame(&w.frame); err != nil {
		w.tb.Fatal(err)
	}
	if _, _, err := w.peer.ReadFromUDPAddrPort(w.buf[:]); err != nil {
		w.tb.Fatal(err)
	}
}

// echo is what two system calls and nothing else cost.
func (w *wire) echo() {
	if _, err := w.peer.WriteToUDPAddrPort(w.packet, w.line.LocalAddr()); err != nil {
		w.tb.Fatal(err)
	}
	if _, _, err := w.line.pair.rtp.ReadFromUDPAddrPort(w.reader.buf[:]); err != nil {
		w.tb.Fatal(err)
	}
}

func TestNothingIsAllocatedPerPacket(t *testing.T) {
	w := newWire(t)
	foreign, malformed := newSocket(t, "127.0.0.2"), []byte("no RTP whatsoever")
	for name, one := range map[string]func(){
		"receive": w.receive,
		"send":    w.send,
		"a stranger's packet": func() {
			if err := w.reader.packet(foreign.addr(), w.packet); err != nil {
				t.Fatal(err)
			}
		},
		"no RTP": func() {
			if err := w.reader.packet(w.peer.addr(), malformed); err != nil {
				t.Fatal(err)
			}
		},
		"statistics": func() { _ = w.line.Stats() },
	} {
		one()
		if got := testing.AllocsPerRun(500, one); got != 0 {
			t.Errorf("%s: got %v allocations, want 0", name, got)
		}
	}
	if w.heard.frames < 500 {
		t.Errorf("only %d packets were heard", w.heard.frames)
	}
}

func BenchmarkReceive(b *testing.B) { benchmark(b, (*wire).receive) }
func BenchmarkSend(b *testing.B)    { benchmark(b, (*wire).send) }
func BenchmarkJudge(b *testing.B)   { benchmark(b, (*wire).judge) }
func BenchmarkFloor(b *testing.B)   { benchmark(b, (*wire).echo) }

func benchmark(b *testing.B, one func(*wire)) {
	w := newWire(b)
	b.ReportAllocs()
	for b.Loop() {
		one(w)
	}
}
