package livekit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/interceptor"
	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"

	"passerelle/rooms/internal/ready"
)

// How long pion waits.
const (
	iceDisconnected = 5 * time.Second
	iceFailed       = 10 * time.Second // more; also the time for a connection to come about
	iceKeepalive    = 2 * time.Second
	dtlsTimeout     = 10 * time.Second
)

// What RTP is here.
const (
	clockRate  = 48000
	opusType   = 111
	opusFormat = "minptime=10;useinbandfec=1;usedtx=1"
	maxPacket  = 1500 // bytes
)

// socketBuffer is what the UDP socket of all media is given, in bytes, as far as the kernel lets us.
const socketBuffer = 8 << 20

// media is what all peer connections share: a UDP socket, a certificate, and pion's settings.
type media struct {
	api  *webrtc.API
	cert webrtc.Certificate
	mux  *ice.UDPMuxDefault
}

func newMedia(at netip.AddrPort, log *slog.Logger) (*media, error) {
	if !at.IsValid() {
		at = netip.AddrPortFrom(netip.IPv4Unspecified(), 0)
	}
	cert, err := ready.NewCertificate()
	if err != nil {
		return nil, err
	}
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(at))
	if err != nil {
		return nil, &ListenError{Addr: at, Err: err}
	}
	// The kernel grants what it grants; a refusal costs quality under load, nothing else.
	_ = conn.SetReadBuffer(socketBuffer)
	_ = conn.SetWriteBuffer(socketBuffer)
	pionLog := ready.NewLog(log)
	m := &media{cert: cert, mux: ice.NewUDPMuxDefault(ice.UDPMuxParams{Logger: pionLog.NewLogger("udp"), UDPConn: conn})}
	if m.api, err = newAPI(m.mux, pionLog); err != nil {
		return nil, errors.Join(err, m.close())
	}
	return m, nil
}

// newAPI returns a pion that knows Opus and the audio level, and no interceptor: a phone's track is not sent
// again when a packet is lost (its FEC is for that), and the room's tracks are reported on by their reader.
func newAPI(mux ice.UDPMux, log ready.Log) (*webrtc.API, error) {
	engine := &webrtc.MediaEngine{}
	if err := engine.RegisterCodec(webrtc.RTPCodecParameters{
		RTPCodecCapability: webrtc.RTPCodecCapability{
			MimeType: webrtc.MimeTypeOpus, ClockRate: clockRate, Channels: 2, SDPFmtpLine: opusFormat,
		},
		PayloadType: opusType,
	}, webrtc.RTPCodecTypeAudio); err != nil {
		return nil, fmt.Errorf("register Opus: %w", err)
	}
	for _, uri := range []string{sdp.AudioLevelURI, sdp.SDESMidURI} {
		if err := engine.RegisterHeaderExtension(webrtc.RTPHeaderExtensionCapability{URI: uri}, webrtc.RTPCodecTypeAudio); err != nil {
			return nil, fmt.Errorf("register %s: %w", uri, err)
		}
	}
	set := webrtc.SettingEngine{LoggerFactory: log}
	set.SetICEUDPMux(mux)
	set.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4, webrtc.NetworkTypeUDP6})
	set.SetIncludeLoopbackCandidate(true)
	set.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled) // else a multicast socket for every phone
	set.SetICETimeouts(iceDisconnected, iceFailed, iceKeepalive)
	// ICE has proved the server's address, a cookie would prove it again (RFC 6347 section 4.2.1).
	set.SetDTLSInsecureSkipHelloVerify(true)
	set.SetDTLSConnectContextMaker(func() (context.Context, func()) {
		return context.WithTimeout(context.Background(), dtlsTimeout)
	})
	return webrtc.NewAPI(webrtc.WithMediaEngine(engine), webrtc.WithInterceptorRegistry(&interceptor.Registry{}),
		webrtc.WithSettingEngine(set)), nil
}

// newPeer makes a peer connection; with relay it speaks through TURN servers only.
func (m *media) newPeer(servers []webrtc.ICEServer, relay bool) (*webrtc.PeerConnection, error) {
	c := webrtc.Configuration{
		Certificates: []webrtc.Certificate{m.cert}, ICEServers: servers,
		BundlePolicy: webrtc.BundlePolicyMaxBundle, RTCPMuxPolicy: webrtc.RTCPMuxPolicyRequire,
	}
	if relay {
		c.ICETransportPolicy = webrtc.ICETransportPolicyRelay
	}
	pc, err := m.api.NewPeerConnection(c)
	if err != nil {
		return nil, fmt.Errorf("make a peer connection: %w", err)
	}
	return pc, nil
}

// close frees the socket.
func (m *media) close() error { return m.mux.Close() }
