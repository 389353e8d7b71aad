package doctor

import (
	"slices"
	"strings"

	"passerelle/bridge"
	"passerelle/config"
	"passerelle/sip/sdp"
)

// codecs compares what the other side speaks, as its answer to OPTIONS says, with what the trunk does.
func (s *sheet) codecs(r *response, ours []config.Codec, setting string) {
	if !strings.Contains(strings.ToLower(r.header("Content-Type")), "application/sdp") || len(r.body) == 0 {
		return
	}
	theirs, names, err := sdp.Spoken(r.body)
	if err != nil {
		s.warn("the description in its answer cannot be read: %s", err).do("nothing, as long as calls work")
		return
	}
	var both []string
	for _, kind := range bridge.KindsOf(ours) {
		if slices.Contains(theirs, kind) {
			both = append(both, kind.String())
		}
	}
	if len(both) == 0 {
		s.bad("no codec in common: it speaks %s, and %s is %s", names, setting, listed(namesOfCodecs(ours))).
			do("add one of its codecs to %s, or have PCMA switched on there", setting)
		return
	}
	s.ok("codecs in common: %s (it speaks %s)", listed(both), names)
}

func namesOfCodecs(all []config.Codec) []string {
	var names []string
	for _, c := range all {
		names = append(names, string(c))
	}
	return names
}
