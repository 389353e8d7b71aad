package ready

import (
	"fmt"

	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"
)

// What is spoken in rooms.
const (
	ClockRate  = 48000 // Hz, of RTP
	OpusType   = 111   // the payload type that we would choose; the peer's own is taken
	OpusFormat = "minptime=10;useinbandfec=1;usedtx=1"
)

// NewMediaEngine returns a pion that knows Opus, the audio level (RFC 6464) and mid.
func NewMediaEngine() (*webrtc.MediaEngine, error) {
	media := &webrtc.MediaEngine{}
	if err := media.RegisterCodec(webrtc.RTPCodecParameters{
		RTPCodecCapability: webrtc.RTPCodecCapability{
			MimeType: webrtc.MimeTypeOpus, ClockRate: ClockRate, Channels: 2, SDPFmtpLine: OpusFormat,
		},
		PayloadType: OpusType,
	}, webrtc.RTPCodecTypeAudio); err != nil {
		return nil, fmt.Errorf("register Opus: %w", err)
	}
	for _, uri := range []string{sdp.AudioLevelURI, sdp.SDESMidURI} {
		if err := media.RegisterHeaderExtension(webrtc.RTPHeaderExtensionCapability{URI: uri}, webrtc.RTPCodecTypeAudio); err != nil {
			return nil, fmt.Errorf("register %s: %w", uri, err)
		}
	}
	return media, nil
}
