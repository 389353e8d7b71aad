package sfu

import "time"

// Who gets a slot when none is free. A voice that pauses for less than pause is still speaking; one that
// speaks keeps its slot for at least hold, and longer unless somebody is louder by margin.
const (
	pause  = 300 * time.Millisecond
	hold   = 2 * time.Second
	margin = 6 // dB
)

// claim is a slot as its occupant holds it.
type claim struct {
	free     bool
	silent   time.Duration // since the occupant spoke last
	held     time.Duration // since it got the slot
	loudness int           // of the occupant, in dB above silence (0 to 127)
}

// choose returns the slot for a voice that has none, or -1. speaks says whether the voice speaks at this
// moment, and how loud. A free slot is anybody's. Otherwise whoever speaks gets the slot of whoever has
// been silent for longest; where all speak, that of the quietest, if it was held for long enough.
func choose(claims []claim, speaks bool, loudness int) int {
	victim := -1
	for i, c := range claims {
		if c.free {
			return i
		}
		if c.silent >= pause && (victim < 0 || c.silent > claims[victim].silent) {
			victim = i
		}
	}
	if !speaks || victim >= 0 {
		if !speaks {
			return -1
		}
		return victim
	}
	for i, c := range claims {
		if c.held >= hold && c.loudness+margin <= loudness && (victim < 0 || c.loudness < claims[victim].loudness) {
			victim = i
		}
	}
	return victim
}
