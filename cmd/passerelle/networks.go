package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"

	"passerelle/bridge"
	"passerelle/config"
	"passerelle/sip"
	"passerelle/sip/locate"
	"passerelle/sip/rtp"
)

// telephony is SIP on one network. Each has a server of its own: what is known on one is nothing on another.
type telephony struct {
	network string
	server  *sip.Server
}

// listen takes the ports for SIP of a network, the i-th of the configuration.
func (h *house) listen(i int, n config.Network) (telephony, error) {
	setting := fmt.Sprintf("networks[%d]", i)
	secure, err := signalling(n, h.live, h.log)
	if err != nil {
		return telephony{}, fmt.Errorf("%s.tls: %w", setting, err)
	}
	secure.Suites = func(peer netip.AddrPort) []uint16 {
		r := h.inForce.Load()
		return bridge.Suites(&r.Live, n.Name, peer.Addr(), r.serverOf)
	}
	server, err := sip.Listen(sip.Config{
		TLS:       secure,
		Listen:    listeners(n),
		Advertise: advertised(n.Advertise),
		Origins:   n.Origins,
		Known: func(src netip.AddrPort) bool {
			r := h.inForce.Load()
			return bridge.Known(&r.Live, n.Name, src.Addr()) || h.gateway.Talks(src.Addr()) || r.serverOf(src.Addr()) != "" ||
				h.cluster != nil && h.cluster.Knows(src.Addr())
		},
		Digest:    h.proofs,
		Registrar: h.desks,
		Challenged: func(src netip.AddrPort, peer string) bool {
			r := h.inForce.Load()
			return peer == "" && bridge.Challenged(&r.Live, n.Name, src.Addr()) && r.serverOf(src.Addr()) == ""
		},
		Vouched: h.vouched,
		Help: func(src netip.AddrPort, user string) bool {
			return bridge.CallsForHelp(h.live(), n.Name, src.Addr(), user)
		},
		Registers:   func() bool { return len(h.live().Phones) > 0 },
		MayRegister: func(account string) bool { return isPhone(h.live(), n.Name, account) },
		Options:     h.gateway.Ready,
		Load:        h.gateway.Load,
		Unanswered:  h.knocks.Unanswered,
		Locate:      locate.New(locate.Config{Servers: n.DNS}),
		UserAgent:   "Passerelle/" + version,
		Log:         h.log,
	})
	var listen *sip.ListenError
	if errors.As(err, &listen) {
		return telephony{}, taken(setting+".listen", listen.Listener.String(), listen.Err)
	}
	return telephony{n.Name, server}, err
}

// soundNetworks are the networks as the gateway knows them.
func soundNetworks(networks []config.Network) (map[string]bridge.Network, error) {
	all := make(map[string]bridge.Network)
	for i, n := range networks {
		ports, err := mediaPorts(n.Media)
		if err != nil {
			return nil, fmt.Errorf("networks[%d].media: %w", i, err)
		}
		all[n.Name] = bridge.Network{Ports: ports, Advertise: n.Advertise, KeysOverTLS: n.ANSSI}
	}
	return all, nil
}

// listeners are the sockets for SIP. A socket speaks one address family: all addresses of the machine are two.
func listeners(n config.Network) []sip.Listener {
	var all []sip.Listener
	for _, l := range n.Listen {
		for _, addr := range families(l.Addr.Addr()) {
			all = append(all, sip.Listener{Network: l.Transport, Addr: netip.AddrPortFrom(addr, l.Addr.Port())})
		}
	}
	return all
}

// signalling is the TLS of a network's listeners.
func signalling(n config.Network, live func() *config.Live, log *slog.Logger) (secure sip.TLS, err error) {
	if n.TLS == nil {
		return secure, nil
	}
	if secure.Server, err = proof(*n.TLS, log); err != nil {
		return secure, err
	}
	secure.Client = &tls.Config{GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		return secure.Server.GetCertificate(nil)
	}}
	secure.Expects = func(src netip.AddrPort) bool { return bridge.Expected(live(), n.Name, src.Addr()) }
	secure.Peer = func(src netip.AddrPort, chain []*x509.Certificate) string {
		return bridge.Certified(live(), n.Name, src.Addr(), chain)
	}
	return secure, nil
}

// mediaPorts are the ranges for RTP, likewise.
func mediaPorts(m config.Media) (ports bridge.Ports, err error) {
	for _, addr := range families(m.Addr) {
		family := &ports.IPv6
		if addr.Is4() {
			family = &ports.IPv4
		}
		if *family, err = rtp.NewPorts(addr, m.First, m.Last); err != nil {
			return bridge.Ports{}, err
		}
	}
	return ports, nil
}

// families returns what an address stands for: the unspecified IPv6 address is the unspecified IPv4 address too.
func families(addr netip.Addr) []netip.Addr {
	if addr == netip.IPv6Unspecified() {
		return []netip.Addr{netip.IPv4Unspecified(), addr}
	}
	return []netip.Addr{addr}
}

func advertised(a config.Advertise) string {
	if a.Addr.IsValid() {
		return a.Addr.String()
	}
	return a.Host
}
