package sdp

import (
	"slices"

	"passerelle/codec"
)

// numbering gives payload types to what we offer: those that the dialog knows, else the usual ones, else free ones.
type numbering struct {
	known []format // in use by the dialog, and given out
}

// kind returns the format for kind.
func (n *numbering) kind(kind codec.Kind) format {
	if f, ok := findKind(n.known, kind); ok {
		return f
	}
	f := format{name: kind.String(), clock: kind.ClockRate()}
	switch kind {
	case codec.PCMU:
		f.payloadType = 0
	case codec.PCMA:
		f.payloadType = 8
	case codec.G722:
		f.payloadType = 9
	case codec.ComfortNoise:
		f.payloadType = 13
	case codec.Opus:
		f.payloadType, f.channels = 96, "2" // RFC 7587 section 7
	}
	return n.give(f)
}

// event returns the format for telephone-event at clock Hz.
func (n *numbering) event(clock int) format {
	if f, ok := findEvent(n.known, clock); ok {
		return f
	}
	f := format{payloadType: 101, name: "telephone-event", clock: clock}
	if clock != 8000 { // 101 is what old devices expect at 8000
		f.payloadType = 102
	}
	return n.give(f)
}

// give takes the payload type of f, or the first dynamic one that is free (RFC 3551 section 6).
func (n *numbering) give(f format) format {
	taken := func(number uint8) bool {
		return slices.ContainsFunc(n.known, func(k format) bool { return k.payloadType == number })
	}
	// An m-line has at most MaxFormats of the 128, so there is a free one.
	for number := uint8(96); taken(f.payloadType); number = (number + 1) % 128 {
		f.payloadType = number
	}
	n.known = append(n.known, f)
	return f
}
