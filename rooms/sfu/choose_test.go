package sfu

import (
	"testing"
	"time"
)

func TestChoose(t *testing.T) {
	const s = time.Second
	speaker := claim{held: 10 * s, loudness: 90}
	for name, c := range map[string]struct {
		claims   []claim
		speaks   bool
		loudness int
		want     int
	}{
		"a free slot is anybody's":                           {[]claim{speaker, {free: true}}, false, 0, 1},
		"who does not speak takes nobody's slot":             {[]claim{{silent: 60 * s, held: 60 * s}}, false, 90, -1},
		"who speaks takes the slot of the longest silent":    {[]claim{{silent: 3 * s}, {silent: 9 * s}, speaker}, true, 70, 1},
		"a pause between words is not silence":               {[]claim{{silent: 200 * time.Millisecond, loudness: 90}}, true, 90, -1},
		"an onset does not wait while somebody is silent":    {[]claim{speaker, {silent: s, held: s}}, true, 60, 1},
		"where all speak the louder takes the quietest":      {[]claim{speaker, {held: 3 * s, loudness: 80}}, true, 90, 1},
		"a little louder is not louder":                      {[]claim{{held: 3 * s, loudness: 80}}, true, 85, -1},
		"a slot that was just given is kept":                 {[]claim{{held: s, loudness: 70}}, true, 100, -1},
		"of those who speak only the old ones can be turned": {[]claim{{held: s, loudness: 70}, {held: 3 * s, loudness: 80}}, true, 100, 1},
	} {
		t.Run(name, func(t *testing.T) {
			if got := choose(c.claims, c.speaks, c.loudness); got != c.want {
				t.Errorf("choose = %d, want %d", got, c.want)
			}
		})
	}
}
