package sip

import "strings"

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
	case "s":
		return "subject"
	case "t":
		return "to"
	case "v":
		return "via"
	}
	return name
}
