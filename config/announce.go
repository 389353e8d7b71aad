package config

import "errors"

// Announce is how the phones in a room are told who comes and goes.
type Announce string

// The ways of it.
const (
	AnnounceTone Announce = "tone" // two notes, the default
	AnnounceName Announce = "name" // callers of a menu say their names, and the phones hear them; others by a tone
	AnnounceNone Announce = "none"
)

// parseAnnounce reads how people are announced.
func parseAnnounce(text string) (Announce, error) {
	switch how := Announce(text); how {
	case AnnounceTone, AnnounceName, AnnounceNone:
		return how, nil
	}
	return "", errors.New("tone, name or none is wanted")
}
