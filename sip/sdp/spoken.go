package sdp

import (
	"slices"

	"passerelle/codec"
)

// Spoken returns what the first audio line of a description has: the kinds that we know, in its order, and the names of
// all that it has, for people. It is an error where there is no audio.
func Spoken(body []byte) (kinds []codec.Kind, names string, err error) {
	d, err := parse(body)
	if err != nil {
		return nil, "", err
	}
	for _, m := range d.MediaDescriptions {
		if m.MediaName.Media != "audio" {
			continue
		}
		formats := formatsOf(m)
		for _, f := range formats {
			if k := f.kind(); k != 0 && k != codec.ComfortNoise && !slices.Contains(kinds, k) {
				kinds = append(kinds, k)
			}
		}
		return kinds, describe(formats), nil
	}
	return nil, "", refuse(ErrNoAudio, "")
}
