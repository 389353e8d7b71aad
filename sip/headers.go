package sip

import (
	"strings"

	"github.com/emiago/sipgo/sip"
)

// received is a message of either kind, as far as headers and bodies go.
type received interface {
	Headers() []sip.Header
	Body() []byte
}

// headerValues returns the values of a header in their order, whether its name came long or compact.
func headerValues(m received, name string) []string {
	var values []string
	key := headerKey(name)
	for _, h := range m.Headers() {
		if headerKey(h.Name()) == key {
			values = append(values, h.Value())
		}
	}
	return values
}

// optionTags returns the option tags in a header that lists them: Require, Supported (RFC 3261 section 20.32).
func optionTags(m received, name string) []string {
	var tags []string
	for _, v := range headerValues(m, name) {
		for tag := range strings.SplitSeq(v, ",") {
			if tag = strings.TrimSpace(tag); tag != "" {
				tags = append(tags, tag)
			}
		}
	}
	return tags
}

// headerKey returns the one key for a header name in any case, long or compact (RFC 3261 section 7.3.3).
func headerKey(name string) string {
	name = strings.ToLower(name)
	if len(name) != 1 {
		return name
	}
	switch name {
	case "c":
		return "content-type"
	case "e":
		return "content-encoding"
	case "f":
		return "from"
	case "i":
		return "call-id"
	case "k":
		return "supported"
	case "l":
		return "content-length"
	case "m":
		return "contact"
	case "o":
		return "event"
	case "r":
		return "refer-to"
	case "s":
		return "subject"
	case "t":
		return "to"
	case "u":
		return "allow-events"
	case "v":
		return "via"
	case "x":
		return "session-expires"
	}
	return name
}
