package sdp

import (
	"strconv"
	"strings"

	pion "github.com/pion/sdp/v3"

	"passerelle/codec"
)

// Bounds of maxaveragebitrate, in bit/s (RFC 7587 section 6.1).
const (
	leastBitrate = 6000
	mostBitrate  = 510000
)

// bitrateOf returns the most that a peer takes of kind, in bit/s; 0 if it does not say. Of what else a peer may
// write beside Opus, maxplaybackrate, stereo and cbr are hints on sound that we send at 16 kHz in mono anyway.
func bitrateOf(m *pion.MediaDescription, kind codec.Kind, payloadType uint8) int {
	if kind != codec.Opus {
		return 0
	}
	value, ok := parameter(m, payloadType, "maxaveragebitrate")
	if !ok {
		return 0
	}
	rate, err := strconv.ParseUint(value, 10, 32)
	if err != nil {
		return 0
	}
	return int(min(max(rate, leastBitrate), mostBitrate))
}

// parameter returns one parameter of a payload type's fmtp ("96 a=1; b=2"); names know no case.
func parameter(m *pion.MediaDescription, payloadType uint8, name string) (string, bool) {
	for _, a := range m.Attributes {
		if a.Key != "fmtp" {
			continue
		}
		number, list, _ := strings.Cut(strings.TrimSpace(a.Value), " ")
		if number != strconv.Itoa(int(payloadType)) {
			continue
		}
		for pair := range strings.SplitSeq(list, ";") {
			key, value, ok := strings.Cut(pair, "=")
			if ok && strings.EqualFold(strings.TrimSpace(key), name) {
				return strings.TrimSpace(value), true
			}
		}
	}
	return "", false
}
