package bridge

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"passerelle/bridge/audio"
	"passerelle/codec/dtmf"
	"passerelle/sip/rtp"
)

// dialsKept is how many messages with digits of the room wait for those before them to be dialled. Each has 32 at most.
const dialsKept = 8

// dialpad dials towards a phone what the room wants dialled, on a goroutine that lives while there is something to dial.
type dialpad struct {
	mu      sync.Mutex
	ctx     context.Context //nolint:containedctx // of whoever dials; nil: not yet, or no longer
	waiting []string
	busy    bool
	running sync.WaitGroup
}

// dial takes digits of the room, which are for whatever the phone is: a menu behind a PBX, a door.
func (c *call) dial(digits string) {
	p := &c.dialpad
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.waiting) == dialsKept {
		c.log.Warn("the room dials faster than the phone can be told")
		return
	}
	p.waiting = append(p.waiting, digits)
	c.dialOn()
}

// dialOut begins to dial. What is returned ends it, and waits for that: a key that is down comes up first.
func (c *call) dialOut() (stop func()) {
	ctx, hush := context.WithCancel(c.dialog.Context())
	p := &c.dialpad
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ctx = ctx
	c.dialOn()
	return func() {
		hush()
		p.mu.Lock()
		p.ctx = nil
		p.mu.Unlock()
		p.running.Wait()
	}
}

// dialOn dials what waits, unless that is being done. Called with the pad's mu held.
func (c *call) dialOn() {
	p := &c.dialpad
	if p.busy || p.ctx == nil || len(p.waiting) == 0 {
		return
	}
	p.busy = true
	ctx := p.ctx
	p.running.Go(func() {
		defer func() {
			if r := recover(); r != nil {
				c.log.Error("dialling panicked", "panic", r, "stack", string(debug.Stack()))
			}
		}()
		for digits, ok := p.next(ctx); ok; digits, ok = p.next(ctx) {
			if err := c.sendDigits(ctx, digits); err != nil && ctx.Err() == nil {
				c.log.Warn("not dialled towards the phone", "error", err)
			}
		}
	})
}

// next returns what is to be dialled; false where nothing is, and who asked is done.
func (p *dialpad) next(ctx context.Context) (digits string, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.waiting) == 0 || ctx.Err() != nil {
		p.busy = false
		return "", false
	}
	digits, p.waiting = p.waiting[0], p.waiting[1:]
	return digits, true
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
