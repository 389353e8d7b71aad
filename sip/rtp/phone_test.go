package rtp

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

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

func await(t testing.TB, done func() bool) {
	t.Helper()
	for end := time.Now().Add(soon); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("waited for nothing")
		}
	}
}
