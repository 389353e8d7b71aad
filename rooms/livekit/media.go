package livekit

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"sync"
	"syscall"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/interceptor"
	"github.com/pion/webrtc/v4"

	"passerelle/rooms/internal/ready"
)

// How long pion waits.
const (
	iceDisconnected = 3 * time.Second  // without a packet: the phone is told, and a new way is looked for
	iceFailed       = 10 * time.Second // more; also the time for a connection to come about
	iceKeepalive    = time.Second
	dtlsTimeout     = 10 * time.Second
)

const maxPacket = 1500 // bytes

// socketBuffer is what a UDP socket is given, in bytes, as far as the kernel lets us.
const socketBuffer = 1 << 20

// media is what all peer connections share: a certificate, and pion's settings.
type media struct {
	cfg    Config
	cert   webrtc.Certificate
	engine *webrtc.MediaEngine
	log    ready.Log
	net    *ready.Network

	mu   sync.Mutex
	next uint16 // port to try first
}

func newMedia(cfg Config) (*media, error) {
	cert, err := ready.NewCertificate()
	if err != nil {
		return nil, err
	}
	engine, err := ready.NewMediaEngine()
	if err != nil {
		return nil, err
	}
	m := &media{cfg: cfg, cert: cert, engine: engine, log: ready.NewQuietLog(cfg.Log), next: cfg.UDP.First}
	m.net = ready.NewNetwork(cfg.UDP.Addr, m.listen)
	addr := cfg.UDP.Addr
	if !addr.IsValid() {
		addr = netip.IPv4Unspecified()
	}
	conn, err := m.listen(addr) // what cannot be had now cannot be had later
	if err != nil {
		return nil, err
	}
	return m, conn.Close()
}

// Ports are the local UDP ports for media, one for each participant at each address: a cluster may have all its
// media on one address and port, and then nothing but our own port tells our participants apart. The zero value is
// any port of every address.
type Ports struct {
	Addr        netip.Addr
	First, Last uint16 // inclusive; both 0 leave them to the system
}

// listen takes the next free port at an address.
func (m *media) listen(addr netip.Addr) (*net.UDPConn, error) {
	p := m.cfg.UDP
	m.mu.Lock()
	defer m.mu.Unlock()
	var err error
	for range int(p.Last-p.First) + 1 {
		at := netip.AddrPortFrom(addr, m.next)
		if m.next++; m.next > p.Last || m.next < p.First {
			m.next = p.First
		}
		var conn *net.UDPConn
		if conn, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(at)); err == nil {
			// The kernel grants what it grants; a refusal costs quality under load, nothing else.
			_ = conn.SetReadBuffer(socketBuffer)
			_ = conn.SetWriteBuffer(socketBuffer)
			return conn, nil
		}
		if !errors.Is(err, syscall.EADDRINUSE) {
			break
		}
	}
	return nil, &ListenError{Addr: netip.AddrPortFrom(addr, p.First), Err: err}
}

// relayPause is for how long a direct way is preferred to one through a TURN server that was found first.
const relayPause = 500 * time.Millisecond

// settings returns how pion is to use the network, and what it needs to know of our habits.
func (m *media) settings(relay bool) webrtc.SettingEngine {
	set := webrtc.SettingEngine{LoggerFactory: m.log}
	set.SetNet(m.net)
	set.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4, webrtc.NetworkTypeUDP6})
	set.SetIncludeLoopbackCandidate(loopback(m.cfg.URL))     // each address costs a socket
	set.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled) // else a multicast socket for every phone
	set.SetICETimeouts(iceDisconnected, iceFailed, iceKeepalive)
	set.SetPrflxAcceptanceMinWait(0) // there is nothing better to wait for
	set.SetRelayAcceptanceMinWait(relayPause)
	if relay {
		set.SetRelayAcceptanceMinWait(0)
	}
	set.DetachDataChannels() // pion would read each with 64 kB of its own
	// ICE has proved the server's address, a cookie would prove it again (RFC 6347 section 4.2.1).
	set.SetDTLSInsecureSkipHelloVerify(true)
	set.SetDTLSConnectContextMaker(func() (context.Context, func()) {
		return context.WithTimeout(context.Background(), dtlsTimeout)
	})
	return set
}

// loopback reports whether a server lives on this machine, by its URL.
func loopback(server *url.URL) bool {
	host := server.Hostname()
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

// newPeer makes a peer connection; with relay it speaks through TURN servers only. It has no interceptor: a phone's
// packet that is lost is not sent again (its FEC is for that), and the reports are written by the voice.
func (m *media) newPeer(servers []webrtc.ICEServer, relay bool) (*webrtc.PeerConnection, error) {
	api := webrtc.NewAPI(webrtc.WithMediaEngine(m.engine), webrtc.WithInterceptorRegistry(&interceptor.Registry{}),
		webrtc.WithSettingEngine(m.settings(relay)))
	c := webrtc.Configuration{
		Certificates: []webrtc.Certificate{m.cert}, ICEServers: servers,
		BundlePolicy: webrtc.BundlePolicyMaxBundle, RTCPMuxPolicy: webrtc.RTCPMuxPolicyRequire,
	}
	if relay {
		c.ICETransportPolicy = webrtc.ICETransportPolicyRelay
	}
	p, err := api.NewPeerConnection(c)
	if err != nil {
		return nil, fmt.Errorf("make a peer connection: %w", err)
	}
	return p, nil
}
