package ready

import (
	"errors"
	"net"
	"net/netip"
	"testing"

	"github.com/pion/transport/v5"
)

func listenAt(at netip.Addr) (*net.UDPConn, error) {
	return net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(at, 0)))
}

// everywhere returns the addresses of a network's interfaces.
func everywhere(t *testing.T, n *Network) (addrs []string, list []*transport.Interface) {
	t.Helper()
	list, err := n.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range list {
		all, err := i.Addrs()
		if err != nil {
			continue // it has none
		}
		for _, a := range all {
			addrs = append(addrs, a.String())
		}
	}
	return addrs, list
}

func TestNetworkAtOneAddress(t *testing.T) {
	for at, want := range map[string]string{"127.0.0.2": "127.0.0.2/32", "::1": "::1/128", "192.0.2.7": "192.0.2.7/32"} {
		got, list := everywhere(t, NewNetwork(netip.MustParseAddr(at), listenAt))
		if len(got) != 1 || got[0] != want {
			t.Errorf("at %s: got %v, want %s alone", at, got, want)
		}
		if loopback := list[0].Flags&net.FlagLoopback != 0; loopback != netip.MustParseAddr(at).IsLoopback() {
			t.Errorf("at %s: its interface is loopback: %v", at, loopback)
		}
	}
}

func TestNetworkListsItsInterfacesOnce(t *testing.T) {
	for _, at := range []netip.Addr{{}, netip.IPv4Unspecified(), netip.IPv6Unspecified()} {
		n := NewNetwork(at, listenAt)
		addrs, first := everywhere(t, n)
		if len(addrs) == 0 {
			t.Fatal("this machine has no address at all")
		}
		if _, second := everywhere(t, n); &second[0] != &first[0] {
			t.Error("a second look: want the list of the first")
		}
		n.made = n.made.Add(-interfacesKept)
		if _, third := everywhere(t, n); &third[0] == &first[0] {
			t.Error("a look after its time: want a list of its own")
		}
	}
}

func TestNetworkTellsWhyItDoesNotListen(t *testing.T) {
	full := errors.New("no port is free")
	n := NewNetwork(netip.Addr{}, func(netip.Addr) (*net.UDPConn, error) { return nil, full })
	if conn, err := n.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}); conn != nil || !errors.Is(err, full) {
		t.Errorf("got %v, %v, want the listener's error and no socket", conn, err)
	}
}

// What pion reads and writes through costs no allocation.
func TestSocketOfANetwork(t *testing.T) {
	n := NewNetwork(netip.Addr{}, listenAt)
	var ends [2]plain
	for i := range ends {
		c, err := n.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		ends[i] = c.(plain)
	}
	to, from := ends[0].LocalAddr().(*net.UDPAddr).AddrPort(), ends[1].LocalAddr().(*net.UDPAddr).AddrPort()
	sent, buf := make([]byte, 120), make([]byte, 2048)
	got := testing.AllocsPerRun(100, func() {
		if _, err := ends[1].WriteToAddrPort(sent, to); err != nil {
			t.Fatal(err)
		}
		n, at, err := ends[0].ReadFromAddrPort(buf)
		if err != nil || n != len(sent) || at.Port() != from.Port() {
			t.Fatalf("got %d bytes from %v, %v; want %d from %v", n, at, err, len(sent), from)
		}
	})
	if got != 0 {
		t.Errorf("got %v allocations a packet, want none", got)
	}
}
