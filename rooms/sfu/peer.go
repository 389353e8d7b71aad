package sfu

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/pion/interceptor"
	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"
)

// peer is one browser's connection, from its offer until it is closed; a browser that comes back brings
// another. Its goroutine is run, which alone closes it.
//
//	newPeer: offer -> answer
//	run: connected -> the ear hears; a track comes -> readMicrophone; failed or told to quit -> close
type peer struct {
	s   *SFU
	pc  *webrtc.PeerConnection
	ear *ear

	changed     chan struct{}                // the connection's state did
	microphones chan microphone              // one
	told        atomic.Pointer[senderReport] // the browser's newest about its microphone

	quitOnce sync.Once
	quit     chan struct{}
	cancel   context.CancelFunc // of DTLS
	readers  sync.WaitGroup
}

// newPeer answers an offer. The peer must be run.
func (s *SFU) newPeer(ctx context.Context, offer string) (*peer, string, error) {
	offer, err := readOffer(offer, s.cfg.Slots)
	if err != nil {
		return nil, "", err
	}
	s.ports.udp.look()
	life, cancel := context.WithCancel(context.WithoutCancel(ctx))
	p := &peer{
		s: s, ear: &ear{}, cancel: cancel,
		changed: make(chan struct{}, 1), microphones: make(chan microphone, 1), quit: make(chan struct{}),
	}
	ready := false
	defer func() { // a panic of pion's included
		if !ready {
			p.close()
		}
	}()
	api, err := s.newAPI(life, p)
	if err != nil {
		return nil, "", err
	}
	p.pc, err = api.NewPeerConnection(webrtc.Configuration{
		Certificates: []webrtc.Certificate{s.certificate},
		BundlePolicy: webrtc.BundlePolicyMaxBundle, RTCPMuxPolicy: webrtc.RTCPMuxPolicyRequire,
	})
	if err != nil {
		return nil, "", fmt.Errorf("open a peer connection: %w", err)
	}
	answer, err := p.answer(ctx, offer)
	ready = err == nil
	return p, answer, err
}

// answer agrees on the offer: our lines are made first, and matched to the browser's in order.
func (p *peer) answer(ctx context.Context, offer string) (string, error) {
	p.pc.OnConnectionStateChange(func(webrtc.PeerConnectionState) { p.poke() })
	p.pc.OnTrack(func(t *webrtc.TrackRemote, r *webrtc.RTPReceiver) {
		select {
		case p.microphones <- microphone{t, r}:
		default: // one microphone is all that was agreed on
		}
	})
	if _, err := p.pc.AddTransceiverFromKind(webrtc.RTPCodecTypeAudio,
		webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly}); err != nil {
		return "", fmt.Errorf("prepare the microphone: %w", err)
	}
	description := webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: offer}
	parsed, err := description.Unmarshal()
	if err != nil {
		return "", fmt.Errorf("%w: %w", errOffer, err)
	}
	for n := range len(parsed.MediaDescriptions) - 1 {
		if err := p.addSlot(n); err != nil {
			return "", err
		}
	}
	if err := p.pc.SetRemoteDescription(description); err != nil {
		return "", fmt.Errorf("%w: %w", errOffer, err)
	}
	answer, err := p.pc.CreateAnswer(nil)
	if err != nil {
		return "", fmt.Errorf("%w: %w", errOffer, err)
	}
	gathered := webrtc.GatheringCompletePromise(p.pc)
	if err := p.pc.SetLocalDescription(answer); err != nil {
		return "", fmt.Errorf("%w: %w", errOffer, err)
	}
	select { // until pion listens on the ports; no network is asked
	case <-gathered:
	case <-ctx.Done():
		return "", ctx.Err()
	}
	return writeAnswer(p.pc.LocalDescription().SDP, p.s.ports.candidates(p.s.cfg.Advertise))
}

// addSlot promises the browser one more stream. The track is for the SDP only: what a slot sends goes
// through slotMaker.
func (p *peer) addSlot(n int) error {
	id := fmt.Sprintf("slot%d", n+1)
	track, err := webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{
		MimeType: webrtc.MimeTypeOpus, ClockRate: clockRate, Channels: 2}, id, id)
	if err != nil {
		return fmt.Errorf("prepare %s: %w", id, err)
	}
	if _, err := p.pc.AddTransceiverFromTrack(track,
		webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly}); err != nil {
		return fmt.Errorf("prepare %s: %w", id, err)
	}
	return nil
}

// slotMaker is an interceptor that changes nothing: it learns how to write to each stream that pion opens.
// Writing there saves the copy and the two allocations a packet of a track.
type slotMaker struct{ ear *ear }

// NewInterceptor is called once for each peer connection.
func (m slotMaker) NewInterceptor(string) (interceptor.Interceptor, error) {
	return &slotTap{ear: m.ear}, nil
}

type slotTap struct {
	interceptor.NoOp
	ear *ear
}

// BindLocalStream is called for each slot, while the local description is set.
func (t *slotTap) BindLocalStream(info *interceptor.StreamInfo, w interceptor.RTPWriter) interceptor.RTPWriter {
	t.ear.add(newSlot(info.SSRC, info.PayloadType, w))
	return w
}

// poke wakes run. It is called by pion.
func (p *peer) poke() {
	select {
	case p.changed <- struct{}{}:
	default:
	}
}

// end tells run to close the connection.
func (p *peer) end() { p.quitOnce.Do(func() { close(p.quit) }) }

// run is the peer's life. It returns when everything of it has ended.
func (p *peer) run(b *browser) {
	defer p.close()
	defer b.room.mediaDown(b, p)
	for _, sender := range p.pc.GetSenders() {
		p.readers.Go(func() { p.readReports(sender) })
	}
	connected := false
	for {
		select {
		case <-p.quit:
			return
		case m := <-p.microphones:
			p.readers.Go(func() { p.readMicrophone(b, m) })
			p.readers.Go(func() { p.readSenderReports(m) })
		case <-p.changed:
			switch p.pc.ConnectionState() {
			case webrtc.PeerConnectionStateConnected:
				if !connected {
					connected = true
					b.room.mediaUp(b, p)
				}
			case webrtc.PeerConnectionStateFailed, webrtc.PeerConnectionStateClosed:
				return
			}
		}
	}
}

// close closes the connection and waits for all that belongs to it. A handshake under way ends with its
// context, ICE with its agent: pion leaks both if it is not waited for.
func (p *peer) close() {
	p.end()
	p.cancel()
	if p.pc == nil {
		return
	}
	if err := p.pc.GracefulClose(); err != nil {
		p.s.cfg.Log.Debug("close a browser's connection", "err", err)
	}
	p.readers.Wait()
}

// readReports reads what the browser says about one slot, until the connection closes.
func (p *peer) readReports(sender *webrtc.RTPSender) {
	defer p.s.recovered("a browser's reports", p.end)
	slot := uint32(sender.GetParameters().Encodings[0].SSRC)
	buf := make([]byte, maxPacket)
	for {
		n, _, err := sender.Read(buf)
		if err != nil {
			return
		}
		packets, err := rtcp.Unmarshal(buf[:n])
		if err != nil {
			continue
		}
		now := p.s.cfg.Clock()
		for _, packet := range packets {
			for _, r := range receptionReports(packet) {
				if r.SSRC == slot { // one packet may speak of many, and comes to all of them
					p.ear.lost(slot, float64(r.FractionLost)/256, now)
				}
			}
		}
	}
}

func receptionReports(packet rtcp.Packet) []rtcp.ReceptionReport {
	switch r := packet.(type) {
	case *rtcp.ReceiverReport:
		return r.Reports
	case *rtcp.SenderReport:
		return r.Reports
	}
	return nil
}
