package rtp

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"

	"passerelle/codec"
)

func TestTwoLinesTalk(t *testing.T) {
	for _, addr := range []string{"127.0.0.1", "::1"} {
		t.Run(addr, func(t *testing.T) {
			a, b := newPhone(t, addr, Config{}), newPhone(t, addr, Config{})
			negotiate(t, a, call(b.LocalAddr()))
			negotiate(t, b, call(a.LocalAddr()))
			a.run(a)
			b.run(b)
			var first codec.Frame
			for n := range 20 {
				if err := a.WriteFrame(pcmu(n)); err != nil {
					t.Fatal(err)
				}
				if err := b.WriteFrame(pcmu(n)); err != nil {
					t.Fatal(err)
				}
				got := next(t, b.frames)
				if n == 0 {
					first = got
				}
				if got.Seq != first.Seq+uint16(n) || got.Timestamp != first.Timestamp+uint32(160*n) ||
					got.Kind != codec.PCMU || got.Marker != (n == 0) || string(got.Payload) != string(pcmu(n).Payload) {
					t.Fatalf("frame %d: got %+v after %+v", n, got, first)
				}
				next(t, a.frames)
			}
			if s := a.Stats(); s.PacketsSent != 20 || s.PacketsReceived != 20 || s.BytesReceived != 3200 || s.Lost != 0 ||
				!s.Latched || s.Remote != b.LocalAddr() || s.RemoteSSRC != b.Stats().SSRC || s.LastArrival == 0 || s.Drops != (Drops{}) {
				t.Errorf("got %+v", s)
			}
			if err := a.hangup(); err != nil {
				t.Errorf("Run: got %v, want nil", err)
			}
		})
	}
}

func TestComfortNoiseAndOthers(t *testing.T) {
	a, peer := newPhone(t, "127.0.0.1", Config{}), newSocket(t, "127.0.0.1")
	negotiate(t, a, call(peer.addr()))
	a.run(a)
	to := a.LocalAddr()
	peer.send(t, to, rtpPacket(8, 5, 1, 0, []byte("not agreed on"))) // does not latch
	peer.send(t, to, sound(5, 1, 0))
	peer.send(t, to, rtpPacket(8, 5, 2, 160, []byte("not agreed on")))
	peer.send(t, to, rtpPacket(13, 5, 3, 320, []byte{40}))
	peer.send(t, to, rtpPacket(0, 5, 4, 480, nil)) // keeps a NAT open
	peer.send(t, to, []byte("\x00\x01\x00\x00 STUN or so, no RTP at all"))
	peer.send(t, to, make([]byte, maxPacket+1))
	peer.send(t, to, sound(5, 9000, 0))
	peer.send(t, to, sound(5, 6, 800))
	peer.send(t, to, sound(5, 6, 800))
	for _, want := range []struct {
		kind codec.Kind
		seq  uint16
	}{{codec.PCMU, 1}, {codec.ComfortNoise, 3}, {codec.PCMU, 6}, {codec.PCMU, 6}} {
		if got := next(t, a.frames); got.Kind != want.kind || got.Seq != want.seq {
			t.Errorf("got %v %d, want %v %d", got.Kind, got.Seq, want.kind, want.seq)
		}
	}
	s := a.Stats()
	if want := (Drops{PayloadType: 2, Malformed: 2, Sequence: 1}); s.Drops != want || s.Lost != 1 || s.Duplicates != 1 {
		t.Errorf("got %+v, lost %d, duplicates %d; want %+v, 1, 1", s.Drops, s.Lost, s.Duplicates, want)
	}
}

// FIELD: a third socket that sprays before, during and after gets nothing and is not heard.
func TestThirdSocket(t *testing.T) {
	for _, addr := range []string{"127.0.0.1", "127.0.0.2"} {
		t.Run(addr, func(t *testing.T) {
			var now atomic.Int64 // the line's clock, so that a slow machine does not open the latch
			clock := func() time.Duration { return time.Duration(now.Load()) }
			a, peer, third := newPhone(t, "127.0.0.1", Config{Clock: clock}), newSocket(t, "127.0.0.1"), newSocket(t, addr)
			spray := func(ssrc uint32, seq uint16) {
				for i := range uint16(50) {
					third.send(t, a.LocalAddr(), sound(ssrc, seq+i, 0))
					third.send(t, a.LocalAddr(), rtpPacket(101, ssrc, seq+i, uint32(i)*800, event{code: 1, end: true, duration: 800}.append(nil)))
					third.send(t, a.LocalRTCP(), marshal(t, &rtcp.SenderReport{SSRC: ssrc}))
				}
			}
			spray(666, 1)
			negotiate(t, a, call(peer.addr()))
			spray(666, 51)
			a.run(a)
			spray(666, 101)
			for n := range uint16(40) {
				now.Add(int64(20 * time.Millisecond))
				peer.send(t, a.LocalAddr(), sound(5, n, uint32(n)*160))
				spray(666, 151+n*50)
				spray(5, n) // with the right SSRC and number even
				if err := a.WriteFrame(pcmu(int(n))); err != nil {
					t.Fatal(err)
				}
				// The socket is a queue: when the peer's packet has come, all before it have.
				for {
					if got := next(t, a.frames); got.Seq == n {
						break
					}
					t.Error("a frame that the peer did not send")
				}
			}
			a.report(a.clock(), false)
			none(t, a.digits)
			s := a.Stats()
			if s.PacketsReceived != 40 || s.Drops.Foreign+s.Drops.Unlatched < 1000 || s.Remote != peer.addr() || s.RemoteSSRC != 5 {
				t.Errorf("got %+v", s)
			}
			if got := third.receive(atOnce); got != nil {
				t.Errorf("the third socket got %x", got)
			}
			if err := a.hangup(); err != nil {
				t.Error(err)
			}
			spray(5, 41)
			if err := a.Close(); err != nil {
				t.Error(err)
			}
			if got := third.receive(atOnce); got != nil {
				t.Errorf("the third socket got %x after the end", got)
			}
			none(t, a.frames)
		})
	}
}

func TestSymmetricRTP(t *testing.T) {
	var now time.Duration
	a := newPhone(t, "127.0.0.1", Config{Clock: func() time.Duration { return now }})
	told, real := newSocket(t, "127.0.0.1"), newSocket(t, "127.0.0.1")
	negotiate(t, a, call(told.addr()))
	r := &reader{line: a.Line, audio: a}
	send := func() {
		if err := a.WriteFrame(pcmu(0)); err != nil {
			t.Fatal(err)
		}
	}
	send()
	if told.receive(soon) == nil {
		t.Error("before the latch we send to where the SDP says")
	}
	for n := range uint16(27) { // 520 ms
		if err := r.packet(real.addr(), sound(5, n, uint32(n)*160)); err != nil {
			t.Fatal(err)
		}
		now += 20 * time.Millisecond
	}
	send()
	if real.receive(soon) == nil || told.receive(atOnce) != nil {
		t.Error("after the latch we send to where the peer sends from")
	}
}

func TestHold(t *testing.T) {
	a, peer := newPhone(t, "127.0.0.1", Config{}), newSocket(t, "127.0.0.1")
	p := call(peer.addr())
	held := p
	held.Remote = netip.MustParseAddrPort("0.0.0.0:4000")
	sendOnly, receiveOnly := p, p
	sendOnly.Receive, receiveOnly.Send = false, false
	negotiate(t, a, p)
	a.run(a)
	peer.send(t, a.LocalAddr(), sound(5, 1, 0))
	next(t, a.frames)
	tests := []struct {
		name            string
		params          Params
		sends, receives bool
	}{
		{"no address", held, false, true},
		{"sendonly", sendOnly, true, false},
		{"recvonly", receiveOnly, false, true},
		{"resumed", p, true, true},
	}
	seq := uint16(2)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			negotiate(t, a, tt.params)
			if err := a.WriteFrame(pcmu(1)); err != nil {
				t.Fatal(err)
			}
			if got := peer.receive(atOnce) != nil; got != tt.sends {
				t.Errorf("sent %v, want %v", got, tt.sends)
			}
			before := a.Stats()
			peer.send(t, a.LocalAddr(), sound(5, seq, uint32(seq)*160))
			seq++
			await(t, func() bool { return a.Stats().PacketsReceived > before.PacketsReceived })
			if tt.receives {
				next(t, a.frames)
			}
			none(t, a.frames)
			after := a.Stats()
			if got := after.Drops.Held > before.Drops.Held; got == tt.receives {
				t.Errorf("held %v, want %v", got, !tt.receives)
			}
			err := a.SendDigits(context.Background(), "")
			if !tt.sends {
				err = a.SendDigits(context.Background(), "1")
			}
			if errors.Is(err, ErrHeld) == tt.sends {
				t.Errorf("digits: got %v", err)
			}
		})
	}
	if s := a.Stats(); s.SendDrops.Held != 2 || s.Lost != 0 {
		t.Errorf("got %+v", s)
	}
}

// await waits for what another goroutine does without telling.
func TestMark(t *testing.T) {
	a := newPhone(t, "127.0.0.1", Config{})
	for _, c := range []*net.UDPConn{a.pair.rtp, a.pair.rtcp} {
		if tos, err := ipv4.NewConn(c).TOS(); err != nil || tos != 46<<2 {
			t.Errorf("got TOS %#x, %v, want EF", tos, err)
		}
	}
	b := newPhone(t, "::1", Config{DSCP: 34})
	if class, err := ipv6.NewConn(b.pair.rtp).TrafficClass(); err != nil || class != 34<<2 {
		t.Errorf("got traffic class %#x, %v, want AF41", class, err)
	}
}

func TestNegotiateRefuses(t *testing.T) {
	tests := []struct {
		name string
		p    func(*Params)
		ok   bool
	}{
		{"a plain call", func(*Params) {}, true},
		{"a hold by address", func(p *Params) { p.Remote = netip.MustParseAddrPort("0.0.0.0:4000") }, true},
		{"a hold by an address of the other family", func(p *Params) { p.Remote = netip.MustParseAddrPort("[::]:4000") }, true},
		{"no coding", func(p *Params) { p.Kind = 0 }, false},
		{"comfort noise alone", func(p *Params) { p.Kind = codec.ComfortNoise }, false},
		{"a payload type over 127", func(p *Params) { p.PayloadType = 128 }, false},
		{"one payload type for two", func(p *Params) { p.PayloadType = 101 }, false},
		{"payload type 72 beside RTCP", func(p *Params) { p.PayloadType, p.RTCPMux = 72, true }, false},
		{"no address", func(p *Params) { p.Remote = netip.AddrPort{} }, false},
		{"a multicast address", func(p *Params) { p.Remote = netip.MustParseAddrPort("224.0.1.1:4000") }, false},
		{"an address of the other family", func(p *Params) { p.Remote = netip.MustParseAddrPort("[::1]:4000") }, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := newPhone(t, "127.0.0.1", Config{})
			p := call(netip.MustParseAddrPort(exactA))
			tt.p(&p)
			if err := a.Negotiate(p); (err == nil) != tt.ok {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestAnotherClockIsAnotherSSRC(t *testing.T) {
	a := newPhone(t, "127.0.0.1", Config{})
	p := call(netip.MustParseAddrPort(exactA))
	negotiate(t, a, p)
	before := a.Stats().SSRC
	p.Kind, p.PayloadType = codec.PCMA, 8
	negotiate(t, a, p)
	if a.Stats().SSRC != before {
		t.Error("the same clock: want the same SSRC")
	}
	p.Kind, p.PayloadType = codec.Opus, 111
	negotiate(t, a, p)
	if a.Stats().SSRC == before {
		t.Error("48000 Hz instead of 8000: want another SSRC (RFC 7160)")
	}
	if err := a.WriteFrame(pcmu(0)); !errors.Is(err, ErrKind) {
		t.Errorf("a frame of the coding before: got %v, want ErrKind", err)
	}
	if err := a.WriteFrame(&codec.Frame{Kind: codec.Opus, Payload: make([]byte, maxPacket)}); !errors.Is(err, ErrTooLong) {
		t.Errorf("a frame too long: got %v, want ErrTooLong", err)
	}
}

func TestAKeyWhoseEndIsLostEndsWhileSoundGoesOn(t *testing.T) {
	var now atomic.Int64
	a := newPhone(t, "127.0.0.1", Config{Clock: func() time.Duration { return time.Duration(now.Load()) }})
	peer := newSocket(t, "127.0.0.1")
	negotiate(t, a, call(peer.addr()))
	a.run(a)
	peer.send(t, a.LocalAddr(), rtpPacket(101, 5, 0, 160, event{code: 1, duration: 160}.append(nil)))
	if d := next(t, a.digits); d.Rune != '1' || d.Ended {
		t.Fatalf("got %+v, want a key that goes down", d)
	}
	for n := uint16(1); n <= 10; n++ {
		now.Add(int64(20 * time.Millisecond))
		peer.send(t, a.LocalAddr(), sound(5, n, uint32(n)*160))
		next(t, a.frames)
	}
	if d := next(t, a.digits); d.Rune != '1' || !d.Ended {
		t.Errorf("got %+v, want the key's end", d)
	}
}
