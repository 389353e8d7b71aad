package livekit

import (
	"fmt"
	"math"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"

	"passerelle/codec"
)

// reportInterval is the time between the sender reports of a voice.
const reportInterval = 3 * time.Second

// voice is the one track that a phone publishes, as pion's TrackLocal. Its streams come and go with the peer
// connections; frames for which there is none are dropped. write is called from one goroutine at a time.
type voice struct {
	clock  func() time.Duration
	muted  atomic.Bool                           // nothing is sent
	stream atomic.Pointer[stream]                // nil while there is no way
	pc     atomic.Pointer[webrtc.PeerConnection] // for the sender reports

	loss lossMeter
}

// stream is the voice on one peer connection.
type stream struct {
	write  webrtc.TrackLocalWriter
	header rtp.Header
	level  [1]byte // the value of the audio level extension (RFC 6464 section 3)
	silent bool    // the frame before was not sent

	packets, octets uint32
	reported        time.Duration
}

var _ webrtc.TrackLocal = (*voice)(nil)

// trackID is the client's name of the track (cid); every phone has one track.
const trackID = "voice"

// ID is the track's, in the offer.
func (*voice) ID() string { return trackID }

// RID is empty: there is no simulcast.
func (*voice) RID() string { return "" }

// StreamID is the stream's, in the offer.
func (*voice) StreamID() string { return "phone" }

// Kind is audio.
func (*voice) Kind() webrtc.RTPCodecType { return webrtc.RTPCodecTypeAudio }

// Bind begins a stream (webrtc.TrackLocal).
func (v *voice) Bind(t webrtc.TrackLocalContext) (webrtc.RTPCodecParameters, error) {
	codecs := t.CodecParameters()
	if len(codecs) == 0 {
		return webrtc.RTPCodecParameters{}, webrtc.ErrUnsupportedCodec
	}
	s := &stream{
		write: t.WriteStream(), reported: v.clock(),
		// The sequence begins at random (RFC 3550 section 5.1), in the lower half, which leaves SRTP's roll-over
		// counter no doubt (RFC 3711 section 3.3.1).
		header: rtp.Header{
			Version: 2, PayloadType: uint8(codecs[0].PayloadType), SSRC: uint32(t.SSRC()), SequenceNumber: uint16(rand.N(1 << 15)),
		},
		silent: true,
	}
	for _, e := range t.HeaderExtensions() {
		if e.URI != sdp.AudioLevelURI {
			continue
		}
		if err := s.header.SetExtension(uint8(e.ID), s.level[:]); err != nil {
			return webrtc.RTPCodecParameters{}, fmt.Errorf("audio level: %w", err)
		}
	}
	v.stream.Store(s)
	return codecs[0], nil
}

// Unbind ends it.
func (v *voice) Unbind(t webrtc.TrackLocalContext) error {
	if s := v.stream.Load(); s != nil && s.header.SSRC == uint32(t.SSRC()) {
		v.stream.CompareAndSwap(s, nil)
	}
	return nil
}

// frame sends one packet, if there is a way and nobody has muted the voice. What is not sent leaves a hole in the
// timestamps and none in the sequence: nothing that was sent is missing.
func (v *voice) frame(f *codec.Frame) {
	s := v.stream.Load()
	if s == nil {
		return
	}
	if v.muted.Load() {
		s.silent = true
		return
	}
	s.header.SequenceNumber++
	s.header.Timestamp, s.header.Marker = f.Timestamp, f.Marker || s.silent
	s.silent = false
	s.level[0] = min(f.Level, codec.Silence)
	if f.Voice {
		s.level[0] |= 0x80
	}
	// What cannot be sent is lost, like anything on its way.
	if _, err := s.write.WriteRTP(&s.header, f.Payload); err != nil {
		return
	}
	s.packets++
	s.octets += uint32(len(f.Payload))
	if now := v.clock(); now-s.reported >= reportInterval {
		s.reported = now
		v.report(s, f.Timestamp)
	}
}

// report tells the server how our RTP time goes with the clock on the wall (RFC 3550 section 6.4.1).
func (v *voice) report(s *stream, timestamp uint32) {
	pc := v.pc.Load()
	if pc == nil {
		return
	}
	// One that cannot be sent is followed by the next.
	_ = pc.WriteRTCP([]rtcp.Packet{&rtcp.SenderReport{
		SSRC: s.header.SSRC, NTPTime: ntp(time.Now()), RTPTime: timestamp, PacketCount: s.packets, OctetCount: s.octets,
	}})
}

// ntp is a time as RFC 3550 section 4 writes it.
func ntp(t time.Time) uint64 {
	const from1900 = 2208988800 // s, to 1970
	n := t.UnixNano()
	return uint64(n/1e9+from1900)<<32 | uint64(n%1e9)<<32/1e9
}

// lossMeter is what the server says it lost of a voice: the mean of the last reports with the newest counting
// half, forgotten after a while. Its methods may be called from any goroutine.
type lossMeter struct {
	fraction atomic.Uint64 // bits of a float64
	at       atomic.Int64  // of the gateway's clock
}

// lossKept is how long a report counts.
const lossKept = 15 * time.Second

func (l *lossMeter) add(fraction float64, now time.Duration) {
	l.fraction.Store(math.Float64bits((l.now(now) + fraction) / 2))
	l.at.Store(int64(now))
}

func (l *lossMeter) now(now time.Duration) float64 {
	if at := time.Duration(l.at.Load()); at == 0 || now-at > lossKept {
		return 0
	}
	return math.Float64frombits(l.fraction.Load())
}
