package sdp

import (
	"slices"
	"strconv"
	"strings"
	"time"

	pion "github.com/pion/sdp/v3"

	"passerelle/codec"
)

const defaultPTime = 20 * time.Millisecond

// packetTimes are the lengths of packets that we send.
func packetTimes(kind codec.Kind) []time.Duration {
	if kind == codec.Opus { // has no frame of 30 ms (RFC 6716 section 2.1.4)
		return []time.Duration{10e6, 20e6, 40e6, 60e6}
	}
	return []time.Duration{10e6, 20e6, 30e6, 40e6, 60e6}
}

// packetTime returns the sound to put into one packet: what the peer asks for, else ours, within its maximum
// (RFC 8866 section 6.4 and 6.5), rounded down to what we can.
func packetTime(m *pion.MediaDescription, kind codec.Kind, ours time.Duration) time.Duration {
	want := ours
	if want == 0 {
		want = defaultPTime
	}
	if asked := milliseconds(m, "ptime"); asked > 0 {
		want = asked
	}
	if limit := milliseconds(m, "maxptime"); limit > 0 {
		want = min(want, limit)
	}
	times := packetTimes(kind)
	for _, t := range slices.Backward(times) {
		if t <= want {
			return t
		}
	}
	return times[0]
}

// milliseconds returns an attribute that is a positive number, 0 if it is missing or is none. RFC 8866 allows a
// fraction.
func milliseconds(m *pion.MediaDescription, key string) time.Duration {
	value, _ := m.Attribute(key)
	whole, _, _ := strings.Cut(value, ".")
	number, err := strconv.ParseUint(strings.TrimSpace(whole), 10, 16)
	if err != nil {
		return 0
	}
	return time.Duration(number) * time.Millisecond
}
