package bridge

import (
	"context"
	"errors"
	"time"

	"passerelle/bridge/ivr"
)

// consentAsks is how often somebody is asked to press a key, and consentWait how long the key may take each time, from the end of
// the sentence.
const (
	consentAsks = 3
	consentWait = 5 * time.Second
)

// errNoConsent is why somebody who has answered is not seated: it may be a voice box.
var errNoConsent = errors.New("the key that joins was not pressed")

// consent asks whoever has answered to press a key, and waits for that.
func (c *call) consent(ctx context.Context, key string) error {
	c.alone()
	defer c.speaker.hush()
	for range consentAsks {
		said := c.speaker.say(ivr.Consent(key)...).Done()
		wait := newAlarm(consentWait)
		for asked := false; !asked; {
			select {
			case pressed := <-c.keys:
				if string(pressed) == key {
					return nil
				}
			case <-said:
				said = nil
				wait.on()
			case <-wait.rings():
				asked = true
			case <-ctx.Done():
				wait.off()
				return context.Cause(ctx)
			}
		}
	}
	return errNoConsent
}
