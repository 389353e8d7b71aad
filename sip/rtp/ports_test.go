package rtp

import (
	"errors"
	"net"
	"net/netip"
	"testing"
)

var loopback = netip.MustParseAddr("127.0.0.1")

// freeRange finds so many pairs in a row that nobody holds, at an even port.
func freeRange(t *testing.T, pairs int) uint16 {
	t.Helper()
	any, err := NewPorts(loopback, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	for range 100 {
		p, err := any.open()
		if err != nil {
			t.Fatal(err)
		}
		first := p.rtp.LocalAddr().(*net.UDPAddr).Port
		_ = p.close()
		if first+2*pairs < 1<<16 && free(first, 2*pairs) {
			return uint16(first)
		}
	}
	t.Skip("no row of free ports")
	return 0
}

func free(first, n int) bool {
	for port := first; port < first+n; port++ {
		c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port})
		if err != nil {
			return false
		}
		_ = c.Close()
	}
	return true
}

func open(t *testing.T, p *Ports) (pair, uint16) {
	t.Helper()
	got, err := p.open()
	if err != nil {
		t.Fatal(err)
	}
	return got, uint16(got.rtp.LocalAddr().(*net.UDPAddr).Port)
}

func TestPortsInTurn(t *testing.T) {
	first := freeRange(t, 3)
	p, err := NewPorts(loopback, first, first+5)
	if err != nil {
		t.Fatal(err)
	}
	a, portA := open(t, p)
	b, portB := open(t, p)
	if portA != first || portB != first+2 || p.InUse() != 2 || p.Free() != 1 {
		t.Errorf("got %d, %d, in use %d, free %d", portA, portB, p.InUse(), p.Free())
	}
	if rtcp := a.rtcp.LocalAddr().(*net.UDPAddr).Port; rtcp != int(first)+1 {
		t.Errorf("RTCP: got port %d, want %d", rtcp, first+1)
	}
	if err := a.close(); err != nil {
		t.Error(err)
	}
	c, portC := open(t, p)
	if portC != first+4 {
		t.Errorf("a pair given back must rest: got %d, want %d", portC, first+4)
	}
	d, portD := open(t, p)
	if portD != first {
		t.Errorf("then it is in turn again: got %d, want %d", portD, first)
	}
	_, err = Listen(Config{Ports: p})
	var answer interface{ SIPStatus() (int, string) }
	if !errors.Is(err, ErrNoPorts) || !errors.As(err, &answer) {
		t.Fatalf("exhausted: got %v, want ErrNoPorts with an answer", err)
	}
	if code, _ := answer.SIPStatus(); code != 503 {
		t.Errorf("got %d, want 503", code)
	}
	for _, one := range []pair{b, c, d} {
		_ = one.close()
	}
	if p.InUse() != 0 || p.Free() != 3 {
		t.Errorf("after all: in use %d, free %d", p.InUse(), p.Free())
	}
}

func TestPortsOfOthersArePassedOver(t *testing.T) {
	first := freeRange(t, 3)
	for _, taken := range []uint16{first, first + 3} { // one RTP port, one RTCP port
		c, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(loopback, taken)))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	p, err := NewPorts(loopback, first, first+5)
	if err != nil {
		t.Fatal(err)
	}
	got, port := open(t, p)
	if port != first+4 || p.InUse() != 1 {
		t.Errorf("got %d, in use %d; want %d, 1", port, p.InUse(), first+4)
	}
	if _, err := p.open(); !errors.Is(err, ErrNoPorts) {
		t.Errorf("got %v, want ErrNoPorts", err)
	}
	_ = got.close()
}

func TestPortsRange(t *testing.T) {
	tests := []struct {
		name        string
		first, last uint16
		free        int // 0 is refused
	}{
		{"even to odd", 30000, 30003, 2},
		{"odd to even", 29999, 30004, 2},
		{"to the last port of all", 65534, 65535, 1},
		{"one port", 30000, 30000, 0},
		{"an odd and an even one", 30001, 30002, 0},
		{"backwards", 30010, 30000, 0},
		{"port 0", 0, 10, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := NewPorts(loopback, tt.first, tt.last)
			if (err == nil) != (tt.free > 0) {
				t.Fatalf("got %v", err)
			}
			if err == nil && p.Free() != tt.free {
				t.Errorf("got %d pairs, want %d", p.Free(), tt.free)
			}
		})
	}
	for _, addr := range []netip.Addr{{}, netip.MustParseAddr("192.0.2.1")} {
		if _, err := NewPorts(addr, 0, 0); err == nil {
			t.Errorf("%v is not ours: want an error", addr)
		}
	}
}
