package config

import (
	"errors"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // a container may have no time zones

	"github.com/nyaruka/phonenumbers"
)

// parseRegion reads a country whose numbering plan is known.
func parseRegion(text string) (string, error) {
	if phonenumbers.GetCountryCodeForRegion(text) == 0 {
		return "", errors.New("a country of two letters is wanted, such as FR")
	}
	return text, nil
}

// parseOutside reads the digits that are dialled before a number that leaves the house.
func parseOutside(text string) (string, error) {
	if text == "" || len(text) > 3 || strings.Trim(text, "0123456789") != "" {
		return "", errors.New("1 to 3 digits are wanted")
	}
	return text, nil
}

// parseExtension reads what extensions are to the world.
func parseExtension(text string) (string, error) {
	before, after, found := strings.Cut(text, "{ext}")
	digits, plus := strings.CutPrefix(before, "+")
	if !found || !plus || digits == "" || len(before+after) > 15 || strings.Trim(digits+after, "0123456789") != "" {
		return "", errors.New("a + and digits with {ext} for the extension are wanted, such as +3312345{ext}")
	}
	return text, nil
}

// parseTransport reads what SIP comes over.
func parseTransport(text string) (string, error) {
	if !slices.Contains([]string{"udp", "tcp", "tls", "ws", "wss"}, text) {
		return "", errors.New("udp, tcp, tls, ws or wss is wanted")
	}
	return text, nil
}

// parseHeaderName reads the name of a header (RFC 3261 section 25.1, token).
func parseHeaderName(text string) (string, error) {
	if text == "" || strings.ContainsFunc(text, func(c rune) bool {
		return c > 127 || !isLetterOrDigit(byte(c)) && !strings.ContainsRune("-.!%*_+`'~", c)
	}) {
		return "", errors.New("the name of a header is wanted, such as X-Line")
	}
	return text, nil
}

// parseAnnouncement reads what a caller is told instead of a room.
func parseAnnouncement(text string) (string, error) {
	if !slices.Contains([]string{"closed", "unassigned", "emergency"}, text) {
		return "", errors.New("closed, unassigned or emergency is wanted")
	}
	return text, nil
}

// parseOn reads a setting that is on where it is.
func parseOn(text string) (bool, error) {
	if text != "on" {
		return false, errors.New("on is wanted; leave the setting out for off")
	}
	return true, nil
}

// parseZone reads a time zone by its name in the database of time zones.
func parseZone(text string) (*time.Location, error) {
	zone, err := time.LoadLocation(text)
	if err != nil || text == "" {
		return nil, errors.New("a time zone is wanted, such as Europe/Paris")
	}
	return zone, nil
}
