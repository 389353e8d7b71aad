// Package codec knows what a packet's worth of sound is and how it is coded: the types that every
// part of the gateway passes from hand to hand. It does not know where sound comes from or goes to.
package codec

import "time"

// Kind says how the payload of a [Frame] is coded. The zero Kind is none.
type Kind uint8

// The codings of the gateway. G.722 and Opus count RTP time at a rate of their own (RFC 3551
// section 4.5.2, RFC 7587 section 4.1).
const (
	PCMU         Kind = iota + 1 // G.711 mu-law
	PCMA                         // G.711 A-law
	G722                         // G.722 at 64 kbit/s
	Opus                         // RFC 6716
	ComfortNoise                 // RFC 3389
)

// String returns the encoding name as RTP registers it.
func (k Kind) String() string {
	switch k {
	case PCMU:
		return "PCMU"
	case PCMA:
		return "PCMA"
	case G722:
		return "G722"
	case Opus:
		return "opus"
	case ComfortNoise:
		return "CN"
	}
	return "none"
}

// ClockRate returns the RTP clock of k in Hz; 0 for none. G.722's is 8000 although it samples at
// 16 kHz (RFC 3551 section 4.5.2).
func (k Kind) ClockRate() int {
	switch k {
	case PCMU, PCMA, G722, ComfortNoise:
		return 8000
	case Opus:
		return 48000
	}
	return 0
}

// SampleRate returns the rate in Hz at which k carries sound; 0 for none.
func (k Kind) SampleRate() int {
	if k == G722 {
		return 16000
	}
	return k.ClockRate()
}

// Silence is the level of digital silence, in -dBov (RFC 6464).
const Silence uint8 = 127

// Frame is one packet's worth of sound on its way through the gateway.
type Frame struct {
	Arrival   time.Duration // monotonic, since the gateway began; set by whoever read the packet
	Seq       uint16        // RTP sequence number
	Timestamp uint32        // RTP time, in the clock of Kind
	Marker    bool          // RTP marker: the first packet after silence (RFC 3551 section 4.1)
	Kind      Kind
	Level     uint8  // -dBov, 0 (loudest) to 127 (silence), RFC 6464
	Voice     bool   // whoever measured Level heard a voice in it
	Payload   []byte // the caller's; valid during the call only
}

// Writer takes frames away from the gateway: towards a phone or into a room. One goroutine at a time
// calls it, every 10 to 60 ms. WriteFrame must not block and must not keep the frame or its payload.
// An error is for the statistics; the caller goes on with the next frame.
type Writer interface{ WriteFrame(*Frame) error }

// Reader takes frames into the gateway, as the network delivers them: late, early, twice or never is
// fine. One goroutine at a time calls it. PushFrame copies what it needs and must not block.
type Reader interface{ PushFrame(*Frame) }

// Decoder turns payloads into sound. It belongs to one stream and to one goroutine at a time. All
// methods write 16-bit samples at the rate the Decoder was opened with to pcm, which must have room for
// the longest packet (120 ms), and return how many.
type Decoder interface {
	// Decode decodes one packet.
	Decode(pcm []int16, payload []byte) (samples int, err error)
	// Conceal makes up len(pcm) samples for a lost frame; it fades out when it is called in a row.
	Conceal(pcm []int16) (samples int, err error)
	// Recover makes up len(pcm) samples for a lost frame from the FEC in the packet that came next,
	// or conceals where there is none. Decode of next follows.
	Recover(pcm []int16, next []byte) (samples int, err error)
	// Reset forgets the stream's past.
	Reset()
	Close() error
}

// Encoder turns sound into payloads. It belongs to one stream and to one goroutine at a time.
type Encoder interface {
	// Encode codes all of pcm as one packet into dst and returns the packet's length in bytes.
	Encode(dst []byte, pcm []int16) (n int, err error)
	// Reset forgets the stream's past.
	Reset()
	Close() error
}
