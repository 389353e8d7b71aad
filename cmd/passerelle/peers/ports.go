package peers

import (
	"math/rand/v2"
	"net"
	"net/netip"
	"testing"
)

// Loopback returns the address where everybody lives.
func Loopback() netip.Addr { return netip.AddrFrom4([4]byte{127, 0, 0, 1}) }

// Stranger returns an address of this machine that no configuration here names.
func Stranger() netip.Addr { return netip.AddrFrom4([4]byte{127, 66, 6, 66}) }

// Port numbers are handed out in blocks, below the range that the kernel gives to sockets that ask for
// none (32768 and up on Linux).
const (
	blockSize  = 32
	firstBlock = 20000 / blockSize
	lastBlock  = 32768/blockSize - 1
)

// Ports returns n consecutive ports, the first even, that nobody on the loopback address holds, over UDP
// or TCP. They are the test's until it ends: a socket on a loopback address that nobody uses stands for
// each block, and keeps away every other test, in this program and in others.
func Ports(t testing.TB, n int) (first uint16) {
	t.Helper()
	blocks := (n + blockSize - 1) / blockSize
	count := lastBlock - firstBlock + 1 - blocks
	for try, at := 0, rand.IntN(count); try < count; try, at = try+1, (at+1)%count {
		start := firstBlock + at
		if held := reserve(start, blocks); held != nil {
			t.Cleanup(func() { release(held) })
			return uint16(start * blockSize)
		}
	}
	t.Fatalf("no %d ports in a row are free", n)
	return 0
}

// reserve takes the blocks' marks and looks whether the ports themselves are free; nil if not.
func reserve(start, blocks int) (held []net.Listener) {
	mark := netip.AddrFrom4([4]byte{127, 255, 255, 1})
	for block := start; block < start+blocks; block++ {
		l, err := net.Listen("tcp", netip.AddrPortFrom(mark, uint16(block*blockSize)).String())
		if err != nil {
			release(held)
			return nil
		}
		held = append(held, l)
	}
	for port := start * blockSize; port < (start+blocks)*blockSize; port++ {
		if busy(uint16(port)) {
			release(held)
			return nil
		}
	}
	return held
}

func release(held []net.Listener) {
	for _, l := range held {
		_ = l.Close()
	}
}

func busy(port uint16) bool {
	at := netip.AddrPortFrom(Loopback(), port).String()
	u, err := net.ListenPacket("udp", at)
	if err != nil {
		return true
	}
	_ = u.Close()
	l, err := net.Listen("tcp", at)
	if err != nil {
		return true
	}
	_ = l.Close()
	return false
}

// loopbackPort is an address to send from; 0 takes a free port.
func loopbackPort(port uint16) netip.AddrPort { return netip.AddrPortFrom(Loopback(), port) }
