package bridge

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"passerelle/bridge/audio"
	"passerelle/codec/dtmf"
	"passerelle/sip/rtp"
)

// dialsKept is how many messages with digits of the room wait for those before them to be dialled. Each has 32 at most.
const dialsKept = 8

// dial takes digits of the room, which are for whatever the phone is: a menu behind a PBX, a door.
func (c *call) dial(digits string) {
	select {
	case c.dials <- digits:
	default:
		c.log.Warn("the room dials faster than the phone can be told")
	}
}

// dialOut dials towards the phone what the room wants dialled. What is returned ends it, and waits for that: a key
// that is down comes up first.
func (c *call) dialOut() (stop func()) {
	ctx, hush := context.WithCancel(c.dialog.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer func() {
			if p := recover(); p != nil {
				c.log.Error("dialling panicked", "panic", p, "stack", string(debug.Stack()))
			}
		}()
		for {
			select {
			case <-ctx.Done():
				return
			case digits := <-c.dials:
				if err := c.sendDigits(ctx, digits); err != nil && ctx.Err() == nil {
					c.log.Warn("not dialled towards the phone", "error", err)
				}
			}
		}
	}()
	return func() { hush(); <-ended }
}

// sendDigits sends events (RFC 4733), or the tones themselves where the phone takes none, and returns when all is said.
func (c *call) sendDigits(ctx context.Context, digits string) error {
	err := c.line.SendDigits(ctx, digits)
	if !errors.Is(err, rtp.ErrNoEvents) {
		return err
	}
	pcm, err := tones(c.gateway.Engine.MixRate(), digits)
	if err != nil {
		return err
	}
	playing := c.phone.Play(audio.Sound{PCM: pcm})
	select {
	case <-playing.Done():
	case <-ctx.Done():
		playing.Stop()
	}
	return nil
}

// toneLevel is the level of each of a key's two tones, in dBov: about -9 dBm0.
const toneLevel = -12

// tones are keys as they sound, one after the other.
func tones(rate int, digits string) ([]int16, error) {
	pause := make([]int16, rate*int(dtmf.Pause/time.Millisecond)/1000)
	var pcm []int16
	for i, key := range strings.ToUpper(digits) {
		low, high, err := dtmf.Frequencies(key)
		if err != nil {
			return nil, fmt.Errorf("character %d: %w", i+1, err)
		}
		pcm = slices.Concat(pcm, audio.Tone(rate, dtmf.Length, toneLevel, low, high), pause)
	}
	return pcm, nil
}
