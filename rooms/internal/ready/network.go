package ready

import (
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/pion/transport/v5"
	"github.com/pion/transport/v5/stdnet"
)

// interfacesKept is for how long a list of this machine's interfaces is believed.
const interfacesKept = 5 * time.Second

// Network is the system's network as pion asks for it. All connections share one list of the machine's interfaces,
// which pion would make anew for each, and whoever has the ports opens the sockets. It may be used from any
// goroutine.
type Network struct {
	transport.Net

	at     netip.Addr
	listen func(netip.Addr) (*net.UDPConn, error)

	mu   sync.Mutex
	list []*transport.Interface
	made time.Time // the list
}

// NewNetwork returns the network at one address of this machine, or at all of them where that is unspecified.
// listen opens a socket at an address for a connection, which closes it.
func NewNetwork(at netip.Addr, listen func(netip.Addr) (*net.UDPConn, error)) *Network {
	return &Network{Net: &stdnet.Net{}, at: at, listen: listen}
}

// Interfaces returns those that this machine has, or had a few seconds ago. Nobody may change them.
func (n *Network) Interfaces() ([]*transport.Interface, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.list != nil && time.Since(n.made) < interfacesKept {
		return n.list, nil
	}
	if n.at.IsValid() && !n.at.IsUnspecified() {
		n.list = only(n.at)
	} else {
		system, err := stdnet.NewNet()
		if err != nil {
			return nil, fmt.Errorf("list the interfaces of this machine: %w", err)
		}
		if n.list, err = system.Interfaces(); err != nil {
			return nil, fmt.Errorf("list the interfaces of this machine: %w", err)
		}
	}
	n.made = time.Now()
	return n.list, nil
}

// only is an interface with one address.
func only(at netip.Addr) []*transport.Interface {
	one := transport.NewInterface(net.Interface{Index: 1, Name: "media", Flags: net.FlagUp})
	if at.IsLoopback() {
		one.Flags |= net.FlagLoopback
	}
	one.AddAddress(&net.IPNet{IP: at.AsSlice(), Mask: net.CIDRMask(at.BitLen(), at.BitLen())})
	return []*transport.Interface{one}
}

// ListenUDP opens a socket at an address; its port is the listener's choice.
func (n *Network) ListenUDP(_ string, at *net.UDPAddr) (transport.UDPConn, error) {
	conn, err := n.listen(at.AddrPort().Addr().Unmap())
	if err != nil {
		return nil, err
	}
	return plain{conn}, nil
}

// plain is a socket as it is: from one that it knows pion would ask with every packet how congested the way was.
type plain struct{ *net.UDPConn }

// ReadFromAddrPort and WriteToAddrPort are how pion reads and writes without allocation (ice.AddrPortReaderWriter).
func (p plain) ReadFromAddrPort(b []byte) (int, netip.AddrPort, error) {
	return p.ReadFromUDPAddrPort(b)
}

// WriteToAddrPort writes one packet.
func (p plain) WriteToAddrPort(b []byte, to netip.AddrPort) (int, error) {
	return p.WriteToUDPAddrPort(b, to)
}
