package bridge

import (
	"slices"
	"strings"
	"sync"
	"time"

	"passerelle/config"
	"passerelle/sip/rtp"
)

// keypad puts the keys of a phone in one row, whichever way they come: in RTP (RFC 4733), in INFO, or as tones. Some phones
// send each key both ways; it counts once. The line's reader and the dialog use it.
type keypad struct {
	mu      sync.Mutex
	pending []keyPress // that may come the other way too, oldest first; those of one way at a time, as a rule
}

// keyPress is one key that was counted.
type keyPress struct {
	key rune
	way keyWay
	at  time.Duration
}

// keyWay is how a key comes.
type keyWay uint8

const (
	byRTP keyWay = iota + 1
	byINFO
	byTone
)

const (
	// doubled is for how long after a key the same one, another way, is the same press of it.
	doubled = 2 * time.Second
	// keypadMemory bounds how many keys are remembered for that.
	keypadMemory = 32
)

// press reports whether a key counts. now is on the gateway's clock.
func (k *keypad) press(key rune, way keyWay, now time.Duration) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.pending = slices.DeleteFunc(k.pending, func(p keyPress) bool { return now-p.at > doubled })
	twin := slices.IndexFunc(k.pending, func(p keyPress) bool { return p.way != way && p.key == key })
	if twin >= 0 {
		k.pending = slices.Delete(k.pending, twin, twin+1)
		return false
	}
	if len(k.pending) < keypadMemory {
		k.pending = append(k.pending, keyPress{key, way, now})
	}
	return true
}

// heardDigit takes a key that came in RTP. Called by the line reader.
func (c *call) heardDigit(d rtp.Digit) {
	if !d.Ended {
		c.heardKey(d.Rune, byRTP)
	}
}

// heardInfo takes a key that came in INFO. Called by the dialog.
func (c *call) heardInfo(key rune) { c.heardKey(key, byINFO) }

// heardTone takes a key that came as sound. Called by the line reader.
func (c *call) heardTone(key rune) { c.heardKey(key, byTone) }

// keysAreTones says whether keys are to be looked for in the sound: as the trunk says, or where the phone has neither
// events nor INFO to send them in.
func (c *call) keysAreTones() bool {
	switch c.to.trunk.DTMF {
	case config.DTMFInband:
		return true
	case config.DTMFOff:
		return false
	}
	if c.media.TelephoneEvent > 0 {
		return false
	}
	for _, value := range c.invite.Header("Allow") {
		for method := range strings.SplitSeq(value, ",") {
			if strings.EqualFold(strings.TrimSpace(method), "INFO") {
				return false
			}
		}
	}
	return true
}

// heardKey keeps a key for the call's goroutine.
func (c *call) heardKey(key rune, way keyWay) {
	if !c.keypad.press(key, way, c.gateway.Clock()) {
		return
	}
	select {
	case c.keys <- key:
	default: // nobody types so fast
	}
}
