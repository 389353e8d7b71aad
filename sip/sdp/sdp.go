// Package sdp knows how two ends agree on one stream of sound: offer and answer (RFC 3264), keys included (RFC 4568),
// as pure functions over session descriptions (RFC 8866), but for the keys that it makes. It does not know how descriptions travel, nor which ports are free.
package sdp

import (
	"net/netip"
	"time"

	"passerelle/codec"
)

// Limits on what a peer may make us read. A description beyond them is refused as a whole.
const (
	MaxBody    = 64 << 10 // bytes in a description
	MaxMedia   = 16       // m-lines in a description
	MaxFormats = 64       // formats (payload types) on an m-line
)

// Origin is what identifies our side's descriptions in one dialog (RFC 8866 section 5.2).
type Origin struct {
	ID      uint64 // stays the same as long as the dialog lives
	Version uint64 // one more for every description that differs from the one before (RFC 3264 section 8)
}

// Local is our side of the agreement: where we want sound sent, and what we speak.
type Local struct {
	Origin  Origin
	Address netip.AddrPort // where our RTP is received, as the peer shall see it
	RTCP    netip.AddrPort // where our RTCP is received; the zero AddrPort is the port after Address
	// Codecs are what we speak, the one we like best first; at least one. A kind that is not listed is
	// never agreed on; codec.ComfortNoise in the list allows RFC 3389 packets beside the chosen codec.
	Codecs []codec.Kind
	// PTime is the sound in one packet when the peer does not say: 10, 20, 30, 40 or 60 ms. Zero is 20 ms.
	PTime time.Duration
	// Direction is what we want at most: SendOnly puts the peer on hold.
	Direction Direction
	// RTCPMux makes our offers ask for RTCP on the RTP port (RFC 5761). Answers take it where it is offered.
	RTCPMux bool
	// Security is what we want of SRTP.
	Security Security

	agreed *Crypto // in this dialog before
	shaken *DTLS   // likewise
}

// Media is what both sides have agreed on, as we are to carry it out.
type Media struct {
	// Remote is where our RTP goes. It is not valid when the peer gave no address (c=0.0.0.0, an old way
	// of holding): nothing is sent then, and Direction says so. With ICE it is not valid either: checks show where.
	Remote netip.AddrPort
	// RemoteRTCP is where our RTCP goes; not valid when Remote is not. It is Remote with RTCPMux.
	RemoteRTCP  netip.AddrPort
	RTCPMux     bool
	Kind        codec.Kind
	PayloadType uint8 // of Kind, in both directions, as the offer gave it
	// PTime is the sound that we put into one packet: 10, 20, 30, 40 or 60 ms, never 30 with Opus.
	PTime time.Duration
	// Bitrate is the most that the peer takes of Opus, in bit/s; 0 if it does not say.
	Bitrate int
	// TelephoneEvent is the payload type of RFC 4733 digits, at the RTP clock of Kind if there are such; -1 if there
	// are none.
	TelephoneEvent int
	EventClock     int // RTP clock of TelephoneEvent in Hz; 0 if there is none
	// ComfortNoise is the payload type of RFC 3389 packets; -1 if there are none.
	ComfortNoise int
	// Crypto has the keys of SRTP; nil is plain RTP.
	Crypto *Crypto
	// DTLS says that the keys of SRTP are made where the sound goes, in the place of Crypto; nil: they are not.
	DTLS *DTLS
	// Direction is ours: RecvOnly is what a peer gets who offers sendonly, the polite way of holding.
	Direction Direction
	// PeerName is the user name on the peer's o= line, printable ASCII of at most 64 bytes, "" for "-":
	// room systems write their model there. It proves nothing.
	PeerName string
	// Refused are the m-lines that were offered alive and answered with port 0, in order, as
	// "video RTP/AVP": for the log.
	Refused []string
}
