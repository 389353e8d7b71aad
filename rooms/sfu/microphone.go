package sfu

import (
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"

	"passerelle/rooms/internal/ready"
)

// receiverInterval is the time between our reports about a microphone. A browser adapts its FEC to them.
const receiverInterval = time.Second

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
		parse    = ready.Parser{Level: m.levelExtension()}
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
		f, ok := parse.Frame(buf[:n])
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
