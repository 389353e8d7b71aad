package livekittest

import (
	"bytes"
	"net"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"passerelle/codec"
)

// prepare makes both peer connections.
func (p *Person) prepare() error {
	media := &webrtc.MediaEngine{}
	if err := media.RegisterCodec(webrtc.RTPCodecParameters{RTPCodecCapability: webrtc.RTPCodecCapability{
		MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2, SDPFmtpLine: "minptime=10;useinbandfec=1",
	}, PayloadType: 111}, webrtc.RTPCodecTypeAudio); err != nil {
		return err
	}
	for _, uri := range []string{audioLevel, "urn:ietf:params:rtp-hdrext:sdes:mid"} {
		if err := media.RegisterHeaderExtension(webrtc.RTPHeaderExtensionCapability{URI: uri}, webrtc.RTPCodecTypeAudio); err != nil {
			return err
		}
	}
	set := webrtc.SettingEngine{}
	set.SetIncludeLoopbackCandidate(true)
	set.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	set.SetIPFilter(func(ip net.IP) bool { return ip.IsLoopback() })
	api := webrtc.NewAPI(webrtc.WithMediaEngine(media), webrtc.WithSettingEngine(set))
	var err error
	if p.pub, err = api.NewPeerConnection(webrtc.Configuration{}); err != nil {
		return err
	}
	if p.sub, err = api.NewPeerConnection(webrtc.Configuration{}); err != nil {
		return err
	}
	if p.voice, err = webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus}, "mic", "person"); err != nil {
		return err
	}
	sender, err := p.pub.AddTrack(p.voice)
	if err != nil {
		return err
	}
	if p.channel, err = p.pub.CreateDataChannel("_reliable", nil); err != nil {
		return err
	}
	p.pub.OnConnectionStateChange(func(s webrtc.PeerConnectionState) {
		if s == webrtc.PeerConnectionStateConnected {
			p.once.Do(func() {
				p.level = levelID(sender.GetParameters().HeaderExtensions)
				close(p.published)
			})
		}
	})
	p.sub.OnTrack(func(t *webrtc.TrackRemote, r *webrtc.RTPReceiver) {
		p.hear(t, levelID(r.GetParameters().HeaderExtensions))
	})
	p.sub.OnDataChannel(func(d *webrtc.DataChannel) {
		d.OnMessage(func(m webrtc.DataChannelMessage) { p.told(m.Data) })
	})
	return nil
}

// audioLevel is the extension of RFC 6464.
const audioLevel = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"

// levelID returns the id that was agreed on for the audio level; 0 for none.
func levelID(all []webrtc.RTPHeaderExtensionParameter) uint8 {
	for _, e := range all {
		if e.URI == audioLevel {
			return uint8(e.ID)
		}
	}
	return 0
}

// hear passes a track's packets on until it ends. Called by pion on a goroutine of its own.
func (p *Person) hear(t *webrtc.TrackRemote, level uint8) {
	p.mu.Lock()
	p.ssrcs[uint32(t.SSRC())] = struct{}{}
	p.mu.Unlock()
	buf := make([]byte, 1500)
	for {
		n, _, err := t.Read(buf)
		if err != nil {
			return
		}
		var packet rtp.Packet
		if err := packet.Unmarshal(buf[:n]); err != nil || len(packet.Payload) == 0 || Filler(packet.Payload) {
			continue
		}
		f := codec.Frame{
			Seq: packet.SequenceNumber, Timestamp: packet.Timestamp, Marker: packet.Marker, Kind: codec.Opus,
			Level: codec.Silence, Payload: append([]byte(nil), packet.Payload...),
		}
		if e := packet.GetExtension(level); level != 0 && len(e) > 0 {
			f.Level, f.Voice = e[0]&0x7f, e[0]&0x80 != 0
		}
		select {
		case p.heard <- f:
		default:
			select {
			case <-p.heard:
			default:
			}
		}
	}
}

// Filler reports whether a payload is the silence that LiveKit itself sends where a track begins or is muted.
func Filler(payload []byte) bool {
	return len(payload) > 3 && bytes.HasPrefix(payload, []byte{0xf8, 0xff, 0xfe}) && len(bytes.Trim(payload[3:], "\x00")) == 0
}
