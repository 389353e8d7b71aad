package sfu

import (
	"context"
	"fmt"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/interceptor"
	"github.com/pion/interceptor/pkg/report"
	"github.com/pion/webrtc/v4"

	"passerelle/rooms/internal/ready"
)

// How long pion waits. A browser's checks and its microphone come every few seconds at least.
const (
	iceDisconnected = 8 * time.Second
	iceFailed       = 12 * time.Second // more; also the time for a connection to come about
	iceKeepalive    = 2 * time.Second
	dtlsTimeout     = 20 * time.Second
	reportInterval  = 3 * time.Second // of the sender reports for slots
)

// opusType is the payload type that we would choose; a browser's own is taken.
const opusType = ready.OpusType

// newAPI returns a pion for one connection, p, that knows Opus, the two header extensions that we use, and
// our ports. ctx ends the DTLS handshake.
func (s *SFU) newAPI(ctx context.Context, p *peer) (*webrtc.API, error) {
	media, err := ready.NewMediaEngine()
	if err != nil {
		return nil, err
	}
	chain := &interceptor.Registry{}
	senderReports, err := report.NewSenderInterceptor(report.SenderInterval(reportInterval),
		report.WithSenderLoggerFactory(s.pionLog))
	if err != nil {
		return nil, fmt.Errorf("prepare sender reports: %w", err)
	}
	chain.Add(senderReports)
	chain.Add(slotMaker{p.ear}) // the last is the outermost: it writes through all others
	settings := s.settings(ctx)
	settings.BufferFactory = (&streams{tooMany: p.end}).buffer
	return webrtc.NewAPI(webrtc.WithMediaEngine(media), webrtc.WithInterceptorRegistry(chain),
		webrtc.WithSettingEngine(settings)), nil
}

// settings returns how pion is to use the network.
func (s *SFU) settings(ctx context.Context) webrtc.SettingEngine {
	set := webrtc.SettingEngine{LoggerFactory: s.pionLog}
	set.SetLite(true)
	set.SetICEUDPMux(s.ports.udp)
	networks := []webrtc.NetworkType{webrtc.NetworkTypeUDP4, webrtc.NetworkTypeUDP6}
	if s.ports.tcpMux != nil {
		set.SetICETCPMux(s.ports.tcpMux)
		networks = append(networks, webrtc.NetworkTypeTCP4, webrtc.NetworkTypeTCP6)
	}
	set.SetNetworkTypes(networks)
	set.SetIncludeLoopbackCandidate(true)
	set.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled) // else a multicast socket for every browser
	set.DisableActiveTCP(true)
	set.SetICETimeouts(iceDisconnected, iceFailed, iceKeepalive)
	// The browser begins DTLS as soon as it can send. ICE has proved its address, a cookie would prove it
	// again (RFC 6347 section 4.2.1).
	_ = set.SetAnsweringDTLSRole(webrtc.DTLSRoleServer)
	set.SetDTLSInsecureSkipHelloVerify(true)
	set.SetDTLSConnectContextMaker(func() (context.Context, func()) {
		return context.WithTimeout(ctx, dtlsTimeout)
	})
	return set
}
