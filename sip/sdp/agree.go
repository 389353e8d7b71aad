package sdp

import (
	"net/netip"
	"slices"
	"strings"

	pion "github.com/pion/sdp/v3"

	"passerelle/codec"
)

// agree reads one audio line of the peer, but for its keys. choose picks the format among those of the line; own are
// those that we offered, nil if the peer's line is the offer.
func agree(d *description, m *pion.MediaDescription, local Local, choose func([]format) (format, bool), own []format) (Media, error) {
	// 1. Where to.
	ice := usesICE(d, m)
	remote, err := addressOf(d, m, local)
	if ice {
		remote, err = netip.AddrPort{}, nil // c= is a guess of the peer's, or nothing at all
	}
	if err != nil {
		return Media{}, err
	}
	// 2. In which coding.
	theirs := formatsOf(m)
	chosen, ok := choose(theirs)
	if !ok {
		return Media{}, refuse(ErrNoCodec, "there %s, here %s", describe(theirs), describeKinds(local.Codecs))
	}
	media := Media{
		Remote:         remote,
		Kind:           chosen.kind(),
		PayloadType:    chosen.payloadType,
		TelephoneEvent: -1,
		ComfortNoise:   -1,
		PeerName:       peerName(d.userName),
	}
	media.PTime = packetTime(m, media.Kind, local.PTime)
	media.Bitrate = bitrateOf(m, media.Kind, media.PayloadType)
	// 3. With what beside it. Digits share the RTP clock of the sound (RFC 4733 section 2.1); phones of Opus that have
	// them at 8000 Hz alone mean these.
	clock := media.Kind.ClockRate()
	for _, at := range []int{clock, 8000} {
		if event, ok := findEvent(theirs, at); ok && (own == nil || hasEvent(own, at)) {
			media.TelephoneEvent, media.EventClock = int(event.payloadType), at
			break
		}
	}
	if noise, ok := findKind(theirs, codec.ComfortNoise); ok && clock == noise.clock &&
		slices.Contains(local.Codecs, codec.ComfortNoise) {
		media.ComfortNoise = int(noise.payloadType)
	}
	// 4. Which way. A peer without an address cannot receive (RFC 3264 section 8.4).
	direction := directionOf(d.Attributes, m.Attributes)
	if !remote.IsValid() && !ice {
		direction |= SendOnly
	}
	media.Direction = direction.reverse() | local.Direction
	// 5. RTCP. Payload types 64 to 95 look like RTCP on a shared port (RFC 5761 section 4).
	_, mux := m.Attribute("rtcp-mux")
	media.RTCPMux = mux && (media.PayloadType < 64 || media.PayloadType > 95)
	media.RemoteRTCP = remote
	if !media.RTCPMux {
		media.RemoteRTCP = rtcpOf(m, remote)
	}
	return media, nil
}

// hasEvent reports whether telephone-event at clock Hz is among formats.
func hasEvent(formats []format, clock int) bool {
	_, ok := findEvent(formats, clock)
	return ok
}

// describeKinds names kinds for a person.
func describeKinds(kinds []codec.Kind) string {
	names := make([]string, len(kinds))
	for i, kind := range kinds {
		names[i] = kind.String()
	}
	return strings.Join(names, " ")
}

// peerName returns what the o= line's user name tells, "" for nothing.
func peerName(user string) string {
	if user == "-" {
		return ""
	}
	return printable(user, 64)
}

// refused names the m-lines that were alive and have been given up, all but the one at accepted.
func refused(names []pion.MediaName, accepted int) []string {
	var lines []string
	for i, name := range names {
		if i != accepted && name.Port.Value != 0 {
			lines = append(lines, printable(name.Media+" "+strings.Join(name.Protos, "/"), 40))
		}
	}
	return lines
}
