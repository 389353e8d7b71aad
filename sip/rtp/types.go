package rtp

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"time"

	"passerelle/codec"
)

// Config says how a line is opened. Ports is needed; the rest may be left zero.
type Config struct {
	Ports *Ports
	// DSCP marks what the line sends; 0 is 46 (Expedited Forwarding), negative is no mark.
	DSCP int
	// Clock is the gateway's monotonic clock, since it began; nil counts from Listen.
	Clock func() time.Duration
	// Now is the wall clock of sender reports; nil is time.Now.
	Now func() time.Time
	// Timeout is how long a peer that should send may be silent; 0 is 30 s, negative is for ever.
	Timeout time.Duration
	// Log hears of a new or moved latch and of strangers, once each; nil is silence.
	Log *slog.Logger
}

// Params is what offer and answer have agreed on.
type Params struct {
	// Remote is where the SDP says that the peer receives RTP. An unspecified address (0.0.0.0, ::)
	// or port 0 is a hold: nothing is sent.
	Remote netip.AddrPort
	// RemoteRTCP is where it receives RTCP; the zero value is Remote's next port, or Remote itself
	// with RTCPMux.
	RemoteRTCP netip.AddrPort
	// Signalling is where the peer's SIP comes from: besides Remote's, the one address that media
	// may come from (a phone behind NAT). The zero value is none.
	Signalling netip.Addr
	RTCPMux    bool // RTCP shares the RTP port (RFC 5761)
	// SRTP encrypts RTP and RTCP; nil is in clear. As long as its keys stay the same, so do the counts of packets
	// that go with them. With another key of ours we send another SSRC.
	SRTP *SRTP
	// DTLS makes the keys of SRTP on the line itself, in the place of SRTP; nil: it does not. As long as the peer's
	// certificate stays the same, so do the keys. Without RTCPMux there is no RTCP then.
	DTLS *DTLS

	Kind        codec.Kind
	PayloadType uint8
	// TelephoneEvent is the payload type of RFC 4733 events; 0 or -1 is none.
	TelephoneEvent int
	// EventClock is their clock in Hz; 0 is the clock of Kind.
	EventClock int
	PTime      time.Duration // of what we send; 0 is 20 ms

	// Send and Receive say what we may do, our side of the direction attribute (RFC 3264 section 6.1).
	Send, Receive bool

	contexts *contexts // of SRTP; nil: in clear
}

// checked fills in what may be left zero, and refuses what cannot be.
func (p Params) checked(local netip.Addr) (Params, error) {
	p.Remote, p.RemoteRTCP, p.Signalling = unmapped(p.Remote), unmapped(p.RemoteRTCP), place(p.Signalling)
	if p.DTLS != nil && p.DTLS.ICE != nil { // it is nowhere until a check comes
		nowhere := netip.IPv4Unspecified()
		if local.Is6() {
			nowhere = netip.IPv6Unspecified()
		}
		p.Remote, p.RemoteRTCP, p.Signalling = netip.AddrPortFrom(nowhere, 0), netip.AddrPort{}, netip.Addr{}
	}
	remote := p.Remote.Addr()
	switch {
	case p.Kind.ClockRate() == 0 || p.Kind == codec.ComfortNoise:
		return p, fmt.Errorf("%v is no coding of sound", p.Kind)
	case p.PayloadType > 127 || p.TelephoneEvent > 127:
		return p, fmt.Errorf("payload type %d or %d is over 127", p.PayloadType, p.TelephoneEvent)
	case p.TelephoneEvent > 0 && p.TelephoneEvent == int(p.PayloadType):
		return p, fmt.Errorf("sound and telephone-event share payload type %d", p.PayloadType)
	case p.RTCPMux && (likeRTCP(int(p.PayloadType)) || likeRTCP(p.TelephoneEvent)):
		return p, fmt.Errorf("payload type %d or %d cannot share a port with RTCP", p.PayloadType, p.TelephoneEvent)
	case !remote.IsValid():
		return p, errors.New("no remote address")
	case remote.IsMulticast():
		return p, fmt.Errorf("remote address %v is multicast", remote)
	case remote.Is4() != local.Is4() && !remote.IsUnspecified():
		return p, fmt.Errorf("remote address %v is of another family than the line's, %v", remote, local)
	}
	if p.TelephoneEvent <= 0 {
		p.TelephoneEvent = -1
	}
	if p.EventClock <= 0 {
		p.EventClock = p.Kind.ClockRate()
	}
	if p.PTime <= 0 {
		p.PTime = 20 * time.Millisecond
	}
	p.RemoteRTCP = p.control()
	if err := p.DTLS.checked(p); err != nil {
		return p, fmt.Errorf("DTLS: %w", err)
	}
	var err error
	if p.contexts, err = p.SRTP.contexts(); err != nil {
		return p, fmt.Errorf("SRTP: %w", err)
	}
	return p, nil
}

// control is where RTCP goes: where the peer says if that can be, else next to RTP. Port 0 is nowhere.
func (p Params) control() netip.AddrPort {
	to := p.RemoteRTCP.Addr()
	switch {
	case p.RTCPMux:
		return p.Remote
	case to.IsValid() && !to.IsMulticast() && to.Is4() == p.Remote.Addr().Is4():
		return p.RemoteRTCP
	case p.Remote.Port() == 0:
		return p.Remote
	}
	return netip.AddrPortFrom(p.Remote.Addr(), p.Remote.Port()+1)
}

// likeRTCP reports whether a payload type looks like RTCP on a shared port (RFC 5761 section 4).
func likeRTCP(payloadType int) bool { return payloadType >= 64 && payloadType <= 95 }

// Digit is a key of the peer's telephone (RFC 4733 section 3.2), told twice: when it goes down, with
// Ended false, and when it comes up again, with Ended true and its Duration.
type Digit struct {
	Rune     rune // 0-9, *, #, A-D
	Ended    bool
	Duration time.Duration // how long it was held; 0 while it is down
}

// LogValue keeps digits, which may be a PIN, out of the log.
func (Digit) LogValue() slog.Value { return slog.StringValue("a digit") }

// Stats is what a line has seen, at one instant. Counts only grow, over all SSRCs of the call.
type Stats struct {
	// Remote is where we send: the latched source, or before that what the SDP says. It is zero
	// while there is nowhere to send.
	Remote  netip.AddrPort
	Latched bool
	// SDP is where the SDP says that the peer is. Elsewhere is where the last packet came from that was dropped since it
	// came from there; zero if none was.
	SDP, Elsewhere netip.AddrPort
	Sends, Hears   bool // what we may do, as was agreed

	SSRC       uint32 // ours
	RemoteSSRC uint32 // the peer's, once latched

	PacketsSent     uint64
	BytesSent       uint64 // payload
	DigitsSent      uint64
	PacketsReceived uint64 // from the latched source, duplicates included
	BytesReceived   uint64 // payload
	DigitsReceived  uint64

	Lost       uint64 // never arrived
	Late       uint64 // arrived after a later packet
	Duplicates uint64 // arrived more than once

	Jitter      time.Duration // of arrivals (RFC 3550 section 6.4.1)
	RoundTrip   time.Duration // from the peer's reports; 0 while unknown
	LastArrival time.Duration // of anything valid, RTP or RTCP, on the gateway's clock

	// Remote* is what the peer last reported of our stream.
	RemoteLoss   float64 // fraction lost since the report before, 0 to 1
	RemoteLost   int     // in all; duplicates can make it negative
	RemoteJitter time.Duration
	Reports      uint64 // RTCP packets taken from the peer

	Drops     Drops
	SendDrops SendDrops
}

// Drops counts arrivals that went no further, by reason.
type Drops struct {
	Foreign     uint64 // from an address that may not send to this line
	Unlatched   uint64 // from an address that might, but another source has the line
	Unauthentic uint64 // where SRTP was agreed on: not encrypted with the peer's key, or heard before
	Malformed   uint64 // neither RTP nor RTCP nor an event
	PayloadType uint64 // of a payload type that was not agreed on
	Sequence    uint64 // of a sequence number far from the last
	Held        uint64 // while we do not receive
}

// SendDrops counts what was not sent, by reason.
type SendDrops struct {
	Held   uint64 // while we do not send, or have nowhere to send, or no keys yet
	Events uint64 // sound, while an event took its place (RFC 4733 section 2.5.1.2)
	Errors uint64 // refused by the network
	Kind   uint64 // not coded as agreed, or too long
}
