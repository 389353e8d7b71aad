package bridge

import (
	"math"

	"passerelle/bridge/audio"
	"passerelle/bridge/ivr"
	"passerelle/config"
	"passerelle/rooms"
)

// keymap is what the keys of a call mean: what its menu says, else its trunk, else what all callers have.
func keymap(live *config.Live, to destination) ivr.Keymap {
	keys := live.Keys
	if to.trunk != nil && to.trunk.Keys != nil {
		keys = *to.trunk.Keys
	}
	if to.menu != nil && to.menu.Keys != nil {
		keys = *to.menu.Keys
	}
	return ivr.Keymap{
		ivr.ToggleMute: keys.Mute, ivr.Hand: keys.Hand, ivr.Softer: keys.Softer, ivr.Louder: keys.Louder, ivr.SayHelp: keys.Help,
	}
}

// command does what a caller asks of the gateway by keys.
func (c *call) command(what ivr.Command) {
	switch what {
	case ivr.ToggleMute:
		c.toggleMute()
	case ivr.Hand:
		c.hand = !c.hand
		c.send(rooms.Message{Kind: either(c.hand, rooms.HandRaised, rooms.HandLowered)})
		c.speaker.say(either(c.hand, ivr.HandRaised, ivr.HandLowered))
	case ivr.Softer:
		c.turn(-volumeStep, ivr.SoftestAlready)
	case ivr.Louder:
		c.turn(volumeStep, ivr.LoudestAlready)
	case ivr.SayHelp:
		c.speaker.say(ivr.Help(c.inCall.Map)...)
	}
}

const (
	volumeStep = 3     // dB
	volumeNote = 880.0 // Hz, of the note that tells of the volume as it was at the beginning
	noteLevel  = -24.0 // dBov; softer than speech
)

// turn changes the volume of what the phone hears. A note tells of it, higher the louder; at the end, words do.
func (c *call) turn(by int, already ivr.Prompt) {
	if c.volume+by > audio.MaxVolume || c.volume+by < -audio.MaxVolume {
		c.speaker.say(already)
		return
	}
	c.volume += by
	c.phone.SetVolume(c.volume)
	c.speaker.note(noteLevel, volumeNote*math.Pow(2, float64(c.volume)/24))
}
