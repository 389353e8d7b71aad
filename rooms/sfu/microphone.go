package sfu

import (
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"

	"passerelle/codec"
)

// receiverInterval is the time between our reports about a microphone. A browser adapts its FEC to them.
const receiverInterval = time.Second

// Where a browser sends no audio level, a packet of more than dtxBytes counts as speech of guessedLevel.
const (
	dtxBytes     = 3 // the longest that libopus sends when it has nothing to say
	guessedLevel = 40
)

// microphone is the track that a browser sends.
type microphone struct {
	track    *webrtc.TrackRemote
	receiver *webrtc.RTPReceiver
}

// levelExtension returns the id that was agreed on for the audio level of RFC 6464; 0 for none.
func (m microphone) levelExtension() uint8 {
	for _, e := range m.receiver.GetParameters().HeaderExtensions {
		if e.URI == sdp.AudioLevelURI {
			return uint8(e.ID)
		}
	}
	return 0
}

// readMicrophone is the goroutine of a browser's voice. It ends with the connection, and the connection
// with it.
func (p *peer) readMicrophone(b *browser, m microphone) {
	defer p.end()
	defer p.s.recovered("a browser's microphone", p.end)
	v := b.room.addVoice(b, p)
	if v == nil {
		return
	}
	defer b.room.endVoice(b, v)
	var (
		parse    = packetParser{level: m.levelExtension()}
		stream   reception
		pace     pace
		reported time.Duration
		buf      = make([]byte, maxPacket)
		ssrc     = uint32(m.track.SSRC())
	)
	for {
		n, _, err := m.track.Read(buf)
		if err != nil {
			return
		}
		now := p.s.cfg.Clock()
		f, ok := parse.frame(buf[:n])
		if !ok {
			continue
		}
		stream.packet(f.Seq, f.Timestamp, now)
		if now-reported >= receiverInterval {
			reported = now
			p.report(&stream, ssrc, now)
		}
		if len(f.Payload) == 0 || !pace.keeps(n, now) {
			continue // padding, to probe the network; or nothing that a microphone sends
		}
		f.Arrival = now
		v.forward(f, now)
	}
}

// report tells the browser how its microphone arrives.
func (p *peer) report(stream *reception, ssrc uint32, now time.Duration) {
	r := stream.report(ssrc)
	if sr := p.told.Load(); sr != nil {
		r.LastSenderReport, r.Delay = sr.middle, sr.delay(now)
	}
	rr := &rtcp.ReceiverReport{SSRC: p.ear.slots[0].ssrc, Reports: []rtcp.ReceptionReport{r}}
	if err := p.pc.WriteRTCP([]rtcp.Packet{rr}); err != nil {
		p.s.cfg.Log.Debug("report to a browser", "err", err)
	}
}

// readSenderReports reads what the browser says about its microphone, until the connection closes.
func (p *peer) readSenderReports(m microphone) {
	defer p.s.recovered("a browser's sender reports", p.end)
	buf := make([]byte, maxPacket)
	for {
		n, _, err := m.receiver.Read(buf)
		if err != nil {
			return
		}
		packets, err := rtcp.Unmarshal(buf[:n])
		if err != nil {
			continue
		}
		for _, packet := range packets {
			if sr, ok := packet.(*rtcp.SenderReport); ok && sr.SSRC == uint32(m.track.SSRC()) {
				p.told.Store(&senderReport{middle: uint32(sr.NTPTime >> 16), at: p.s.cfg.Clock()})
			}
		}
	}
}

// packetParser reads RTP packets into a frame of its own, without allocation.
type packetParser struct {
	level  uint8 // id of the audio level extension; 0 for none
	header rtp.Header
	out    codec.Frame
}

// frame returns the frame in a packet, valid until the next call; its Payload lies in packet.
func (p *packetParser) frame(packet []byte) (*codec.Frame, bool) {
	n, err := p.header.Unmarshal(packet)
	if err != nil {
		return nil, false
	}
	payload := packet[n:]
	if p.header.Padding { // RFC 3550 section 5.1
		if len(payload) == 0 {
			return nil, false
		}
		pad := int(payload[len(payload)-1])
		if pad == 0 || pad > len(payload) {
			return nil, false
		}
		payload = payload[:len(payload)-pad]
	}
	level, voice := p.loudness(payload)
	p.out = codec.Frame{
		Seq: p.header.SequenceNumber, Timestamp: p.header.Timestamp, Marker: p.header.Marker,
		Kind: codec.Opus, Level: level, Voice: voice, Payload: payload,
	}
	return &p.out, true
}

// loudness returns the level that the sender measured (RFC 6464 section 3), or a guess.
func (p *packetParser) loudness(payload []byte) (level uint8, voice bool) {
	if p.level != 0 {
		if e := p.header.GetExtension(p.level); len(e) > 0 {
			return e[0] & 0x7f, e[0]&0x80 != 0
		}
	}
	if len(payload) <= dtxBytes {
		return codec.Silence, false
	}
	return guessedLevel, true
}
