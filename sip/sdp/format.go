package sdp

import (
	"slices"
	"strconv"
	"strings"

	pion "github.com/pion/sdp/v3"

	"passerelle/codec"
)

// format is one payload type of an m-line and what it stands for.
type format struct {
	payloadType uint8
	name        string // encoding name as written; "" if nobody said
	clock       int    // Hz
	channels    string // "" if not written
}

// formatsOf returns the payload types of an audio line in its order, each once. Its rtpmap wins over the static table
// (devices give 11 to other things than L16/44100), and the first rtpmap of a payload type over later ones.
func formatsOf(m *pion.MediaDescription) []format {
	mapped := make(map[uint8]format, len(m.MediaName.Formats))
	for _, a := range m.Attributes {
		if a.Key != "rtpmap" {
			continue
		}
		f, ok := parseRTPMap(a.Value)
		if _, known := mapped[f.payloadType]; ok && !known {
			mapped[f.payloadType] = f
		}
	}
	formats := make([]format, 0, len(m.MediaName.Formats))
	for _, text := range m.MediaName.Formats {
		number, err := strconv.ParseUint(text, 10, 7)
		if err != nil || slices.ContainsFunc(formats, func(f format) bool { return f.payloadType == uint8(number) }) {
			continue
		}
		f, ok := mapped[uint8(number)]
		if !ok {
			f = staticFormat(uint8(number))
		}
		formats = append(formats, f)
	}
	return formats
}

// parseRTPMap reads "101 telephone-event/8000" (RFC 8866 section 6.6).
func parseRTPMap(value string) (format, bool) {
	number, encoding, _ := strings.Cut(value, " ")
	payloadType, err := strconv.ParseUint(number, 10, 7)
	if err != nil {
		return format{}, false
	}
	name, rest, _ := strings.Cut(strings.TrimSpace(encoding), "/")
	rate, channels, _ := strings.Cut(rest, "/")
	clock, err := strconv.ParseUint(rate, 10, 31)
	if err != nil || !isToken(name) || (channels != "" && !isToken(channels)) {
		return format{}, false
	}
	return format{uint8(payloadType), name, int(clock), channels}, true
}

// staticFormat returns what a payload type means without rtpmap (RFC 3551 section 6), as far as telephones use them.
func staticFormat(payloadType uint8) format {
	f := format{payloadType: payloadType, clock: 8000}
	switch payloadType {
	case 0:
		f.name = "PCMU"
	case 3:
		f.name = "GSM"
	case 4:
		f.name = "G723"
	case 8:
		f.name = "PCMA"
	case 9:
		f.name = "G722"
	case 13:
		f.name = "CN"
	case 15:
		f.name = "G728"
	case 18:
		f.name = "G729"
	}
	return f
}

// kind returns the coding that f names, 0 if it is none of ours. Encoding names know no case (RFC 8866 section 6.6).
func (f format) kind() codec.Kind {
	mono := f.channels == "" || f.channels == "1"
	switch strings.ToLower(f.name) {
	case "pcmu":
		if mono && f.clock == 8000 {
			return codec.PCMU
		}
	case "pcma":
		if mono && f.clock == 8000 {
			return codec.PCMA
		}
	case "g722": // its clock is 8000 (RFC 3551 section 4.5.2), which some old devices did not believe
		if mono && (f.clock == 8000 || f.clock == 16000) {
			return codec.G722
		}
	case "opus": // "/2" always (RFC 7587 section 7), but often forgotten
		if (mono || f.channels == "2") && f.clock == 48000 {
			return codec.Opus
		}
	case "cn":
		if mono && f.clock == 8000 {
			return codec.ComfortNoise
		}
	}
	return 0
}

// isEvent reports whether f is RFC 4733 telephone-event at clock Hz.
func (f format) isEvent(clock int) bool {
	return strings.EqualFold(f.name, "telephone-event") && f.clock == clock
}

// findKind returns the first format of kind.
func findKind(formats []format, kind codec.Kind) (format, bool) {
	i := slices.IndexFunc(formats, func(f format) bool { return f.kind() == kind })
	if i < 0 {
		return format{}, false
	}
	return formats[i], true
}

// findEvent returns the first telephone-event at clock Hz.
func findEvent(formats []format, clock int) (format, bool) {
	i := slices.IndexFunc(formats, func(f format) bool { return f.isEvent(clock) })
	if i < 0 {
		return format{}, false
	}
	return formats[i], true
}

// describe names formats for a person, a dozen at most.
func describe(formats []format) string {
	var names []string
	for _, f := range formats {
		name := printable(f.name, 20)
		if name == "" {
			name = "payload type " + strconv.Itoa(int(f.payloadType))
		}
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	if len(names) > 12 {
		names = append(names[:12], "...")
	}
	if len(names) == 0 {
		return "nothing"
	}
	return strings.Join(names, " ")
}
