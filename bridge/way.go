package bridge

import (
	"time"

	"passerelle/bridge/audio"
	"passerelle/bridge/ivr"
)

// worthTelling is for how long the way to the room must be lost for the caller to hear of it. A LiveKit session that
// another one replaces costs a few milliseconds of sound; the words would lie over the room for seven seconds.
const worthTelling = time.Second

// way is what a caller knows of the way to the room: a word when it has been lost for a while, and one when it is
// back after that. It belongs to talk.
type way struct {
	say   func(...ivr.Prompt) *audio.Player
	lost  bool
	lasts *alarm        // rings when that is worth telling
	told  *audio.Player // that it is lost; nil where the caller does not know
}

func newWay(say func(...ivr.Prompt) *audio.Player) way {
	return way{say: say, lasts: newAlarm(worthTelling)}
}

// change notes that the way is lost, or back. That it is lost is said no longer than it is true.
func (w *way) change(lost bool) {
	if lost == w.lost {
		return
	}
	w.lost = lost
	if lost {
		w.lasts.on()
		return
	}
	w.lasts.off()
	if w.told != nil {
		w.told.Stop()
		w.told = nil
		w.say(ivr.ReconnectedBack)
	}
}

// tell tells the caller that it is lost: the alarm rang.
func (w *way) tell() {
	w.lasts.off()
	w.told = w.say(ivr.Reconnecting)
}
