package rtp

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/rtcp"
	pion "github.com/pion/rtp"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"

	"passerelle/codec"
)

// phone is a line under test, with all it gave to its callers.
type phone struct {
	*Line
	frames chan codec.Frame
	digits chan Digit
	end    chan error
	stop   context.CancelFunc
}

func (p *phone) PushFrame(f *codec.Frame) {
	kept := *f
	kept.Payload = append([]byte(nil), f.Payload...)
	p.frames <- kept
}

func newPhone(t testing.TB, addr string, c Config) *phone {
	t.Helper()
	ports, err := NewPorts(netip.MustParseAddr(addr), 0, 0)
	if err != nil {
		t.Skip(err)
	}
	c.Ports = ports
	l, err := Listen(c)
	if err != nil {
		t.Fatal(err)
	}
	p := &phone{Line: l, frames: make(chan codec.Frame, 4096), digits: make(chan Digit, 4096), end: make(chan error, 1)}
	t.Cleanup(func() {
		p.hangup()
		_ = l.Close()
		if ports.InUse() != 0 {
			t.Errorf("%d ports are held after Close", ports.InUse())
		}
	})
	return p
}

// run runs the line with its own reader, or another.
func (p *phone) run(audio codec.Reader) {
	ctx, stop := context.WithCancel(context.Background())
	p.stop = stop
	go func() { p.end <- p.Run(ctx, audio, func(d Digit) { p.digits <- d }) }()
}

// hangup stops Run and returns how it ended.
func (p *phone) hangup() error {
	if p.stop == nil {
		return nil
	}
	p.stop()
	p.stop = nil
	return <-p.end
}

// call is a plain PCMU call with whoever is at remote.
func call(remote netip.AddrPort) Params {
	return Params{Remote: remote, Signalling: remote.Addr(), Kind: codec.PCMU, TelephoneEvent: 101, Send: true, Receive: true}
}

func negotiate(t testing.TB, p *phone, with Params) {
	t.Helper()
	if err := p.Negotiate(with); err != nil {
		t.Fatal(err)
	}
}

// pcmu is the nth frame of a call.
func pcmu(n int) *codec.Frame {
	return &codec.Frame{Timestamp: uint32(160 * n), Marker: n == 0, Kind: codec.PCMU, Payload: []byte(strings.Repeat(string(rune('a'+n%26)), 160))}
}

// socket is a bare UDP socket, at an address of its own if one is named.
type socket struct{ *net.UDPConn }

func newSocket(t testing.TB, addr string) socket {
	t.Helper()
	c, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(addr), 0)))
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return socket{c}
}

func (s socket) addr() netip.AddrPort { return unmapped(s.LocalAddr().(*net.UDPAddr).AddrPort()) }

func (s socket) send(t testing.TB, to netip.AddrPort, data []byte) {
	t.Helper()
	if _, err := s.WriteToUDPAddrPort(data, to); err != nil {
		t.Fatal(err)
	}
}

// receive returns the next packet; nil if none is there within a time. What was sent on the loopback is
// there at once.
func (s socket) receive(within time.Duration) []byte {
	_ = s.SetReadDeadline(time.Now().Add(within))
	buf := make([]byte, 2048)
	n, _, err := s.ReadFromUDPAddrPort(buf)
	if err != nil {
		return nil
	}
	return buf[:n]
}

const (
	soon   = 5 * time.Second       // how long a test waits for what must come,
	atOnce = 20 * time.Millisecond // and for what must not
)

func next[T any](t testing.TB, from <-chan T) (got T) {
	t.Helper()
	select {
	case got = <-from:
	case <-time.After(soon):
		t.Fatal("nothing came")
	}
	return got
}

func none[T any](t testing.TB, from <-chan T) {
	t.Helper()
	select {
	case got := <-from:
		t.Errorf("got %v, want nothing", got)
	default:
	}
}

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
func await(t testing.TB, done func() bool) {
	t.Helper()
	for end := time.Now().Add(soon); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("waited for nothing")
		}
	}
}

func TestDeadPeer(t *testing.T) {
	tests := []struct {
		name string
		p    func(*Params)
		dead bool
	}{
		{"a peer that should send", func(*Params) {}, true},
		{"a peer that we hold", func(p *Params) { p.Receive = false }, false},
		{"a peer that holds us", func(p *Params) { p.Remote = netip.MustParseAddrPort("0.0.0.0:4000") }, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var in inbound
			p := agreed()
			tt.p(&p)
			if dead, _ := in.dead(time.Hour, 30*time.Second); dead {
				t.Error("dead before anything is agreed on")
			}
			in.agree(p, 1, 10*time.Second)
			if dead, again := in.dead(39*time.Second, 30*time.Second); dead || again != 40*time.Second {
				t.Errorf("before the time-out: got %v, again at %v", dead, again)
			}
			if dead, _ := in.dead(40*time.Second, 30*time.Second); dead != tt.dead {
				t.Errorf("after the time-out: got %v, want %v", dead, tt.dead)
			}
			if dead, _ := in.dead(time.Hour, -1); dead {
				t.Error("dead without a time-out")
			}
			in.agree(agreed(), 1, 50*time.Second)
			if dead, _ := in.dead(79*time.Second, 30*time.Second); dead {
				t.Error("the time begins anew with a re-INVITE")
			}
		})
	}
}

func TestSignsOfLife(t *testing.T) {
	report := marshal(t, &rtcp.ReceiverReport{SSRC: 9})
	tests := []struct {
		name  string
		from  string
		data  []byte
		alive bool
	}{
		{"sound", exactA, sound(5, 2, 160), true},
		{"comfort noise", exactA, rtpPacket(13, 5, 2, 160, []byte{40}), true},
		{"an event", exactA, rtpPacket(101, 5, 2, 160, []byte{1, 0, 0, 160}), true},
		{"a report", "127.0.0.1:4001", report, true},
		{"a stranger's sound", strange, sound(5, 2, 160), false},
		{"a stranger's report", "127.0.0.2:4001", report, false},
		{"sound from another port", otherA, sound(5, 2, 160), false},
		{"no RTP", exactA, []byte("keepalive keepalive"), false},
		{"no RTCP", "127.0.0.1:4001", []byte("keepalive keepalive"), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var in inbound
			in.agree(agreed(), 1, 0)
			in.take(netip.MustParseAddrPort(exactA), sound(5, 1, 0), time.Second, new(codec.Frame))
			from := netip.MustParseAddrPort(tt.from)
			if from.Port()%2 == 0 || from.Port() == 9999 {
				in.take(from, tt.data, 20*time.Second, new(codec.Frame))
			} else if in.admitControl(from, tt.data, 20*time.Second) {
				in.control(tt.data, 20*time.Second)
			}
			if dead, _ := in.dead(31*time.Second, 30*time.Second); dead == tt.alive {
				t.Errorf("got dead %v", dead)
			}
		})
	}
}

func TestRunEndsWithADeadPeer(t *testing.T) {
	a, peer := newPhone(t, "127.0.0.1", Config{Timeout: 30 * time.Millisecond}), newSocket(t, "127.0.0.1")
	negotiate(t, a, call(peer.addr()))
	a.run(a)
	if err := next(t, a.end); !errors.Is(err, ErrDeadPeer) {
		t.Errorf("got %v, want ErrDeadPeer", err)
	}
	a.stop = nil
	if err := a.Run(context.Background(), nil, nil); !errors.Is(err, ErrRan) {
		t.Errorf("a second Run: got %v, want ErrRan", err)
	}
}

func TestRunEndsWithTheLine(t *testing.T) {
	a := newPhone(t, "127.0.0.1", Config{})
	a.run(a)
	for range 2 {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := next(t, a.end); !errors.Is(err, ErrClosed) {
		t.Errorf("got %v, want ErrClosed", err)
	}
	a.stop = nil
	if err := a.WriteFrame(pcmu(0)); !errors.Is(err, ErrClosed) {
		t.Errorf("WriteFrame: got %v, want ErrClosed", err)
	}
}

type panics struct{}

func (panics) PushFrame(*codec.Frame) { panic("a decoder's mistake") }

func TestAPanicEndsOneLine(t *testing.T) {
	a, b := newPhone(t, "127.0.0.1", Config{}), newPhone(t, "127.0.0.1", Config{})
	peer := newSocket(t, "127.0.0.1")
	for _, p := range []*phone{a, b} {
		negotiate(t, p, call(peer.addr()))
	}
	a.run(panics{})
	b.run(b)
	peer.send(t, a.LocalAddr(), sound(5, 1, 0))
	if err := next(t, a.end); err == nil || !strings.Contains(err.Error(), "a decoder's mistake") {
		t.Errorf("got %v, want the panic", err)
	}
	a.stop = nil
	peer.send(t, b.LocalAddr(), sound(5, 1, 0))
	next(t, b.frames)
}

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

func TestReports(t *testing.T) {
	for _, mux := range []bool{false, true} {
		a, b := newPhone(t, "127.0.0.1", Config{}), newPhone(t, "127.0.0.1", Config{})
		pa, pb := call(b.LocalAddr()), call(a.LocalAddr())
		pa.RTCPMux, pb.RTCPMux = mux, mux
		negotiate(t, a, pa)
		negotiate(t, b, pb)
		a.run(a)
		b.run(b)
		for n := range 5 {
			_, _ = a.WriteFrame(pcmu(n)), b.WriteFrame(pcmu(n))
			next(t, a.frames)
			next(t, b.frames)
		}
		a.report(a.clock(), false) // SR
		await(t, func() bool { return b.Stats().Reports == 1 })
		b.report(b.clock(), false) // answers it
		await(t, func() bool { return a.Stats().Reports == 1 })
		if s := a.Stats(); s.RoundTrip <= 0 || s.RoundTrip > time.Second || s.RemoteLost != 0 {
			t.Errorf("mux %v: got round trip %v, lost %d", mux, s.RoundTrip, s.RemoteLost)
		}
		if s := b.Stats(); s.Drops != (Drops{}) || s.PacketsReceived != 5 {
			t.Errorf("mux %v: got %+v", mux, s)
		}
	}
}

func TestBye(t *testing.T) {
	a, peer := newPhone(t, "127.0.0.1", Config{}), newSocket(t, "127.0.0.1")
	p := call(peer.addr())
	p.RTCPMux = true
	negotiate(t, a, p)
	if err := a.WriteFrame(pcmu(0)); err != nil {
		t.Fatal(err)
	}
	ssrc := a.Stats().SSRC
	_ = a.Close()
	var sent pion.Packet
	if err := sent.Unmarshal(peer.receive(soon)); err != nil || sent.SSRC != ssrc {
		t.Fatalf("got %v, %v", sent, err)
	}
	packets, err := rtcp.Unmarshal(peer.receive(soon))
	if err != nil || len(packets) != 3 {
		t.Fatalf("got %v, %v, want a report, a name and a BYE", packets, err)
	}
	if bye, ok := packets[2].(*rtcp.Goodbye); !ok || bye.Sources[0] != ssrc {
		t.Errorf("got %v", packets[2])
	}

	silent := newPhone(t, "127.0.0.1", Config{})
	negotiate(t, silent, p)
	_ = silent.Close()
	if got := peer.receive(atOnce); got != nil {
		t.Errorf("who has said nothing says no BYE: got %x", got)
	}
}
