package ready

import (
	"github.com/pion/rtp"

	"passerelle/codec"
)

// Where a peer sends no audio level, a packet of more than dtxBytes counts as speech of guessedLevel.
const (
	dtxBytes     = 3 // the longest that libopus sends when it has nothing to say
	guessedLevel = 40
)

// Parser reads RTP packets into a frame of its own, without allocation.
type Parser struct {
	Level  uint8 // id of the audio level extension; 0 for none
	header rtp.Header
	out    codec.Frame
}

// Frame returns the frame in a packet, valid until the next call; its Payload lies in packet.
func (p *Parser) Frame(packet []byte) (*codec.Frame, bool) {
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
func (p *Parser) loudness(payload []byte) (level uint8, voice bool) {
	if p.Level != 0 {
		if e := p.header.GetExtension(p.Level); len(e) > 0 {
			return e[0] & 0x7f, e[0]&0x80 != 0
		}
	}
	if len(payload) <= dtxBytes {
		return codec.Silence, false
	}
	return guessedLevel, true
}
