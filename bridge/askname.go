package bridge

import (
	"context"
	"sync"
	"time"

	"passerelle/bridge/ivr"
	"passerelle/codec"
	"passerelle/codec/opus"
	"passerelle/config"
)

// How long a caller has for its name.
const (
	nameMost    = 3 * time.Second
	namePatient = 3 * time.Second // until it begins
	nameSilence = time.Second     // ... and after it has
	nameTone    = 1000.0          // Hz, after which it is to be said
)

// askName asks a caller for its name, where the room announces names. Who says nothing, or presses a key first, has none.
// The name is sound, kept in memory and nowhere else, and forgotten when the call has left the room.
func (c *call) askName(ctx context.Context) error {
	if c.announces() != config.AnnounceName {
		return nil
	}
	c.alone()
	heard, err := newDictation(c.gateway.Engine.MixRate(), c.gateway.Clock)
	if err != nil {
		c.log.Warn("the caller is not asked for its name", "error", err)
		return nil
	}
	defer heard.decoder.Close()
	c.speaker.say(ivr.SayName)
	asked := c.speaker.play(ivr.Notes(c.speaker.voices.Rate(), noteLevel, nameTone))
	for waiting := true; waiting; {
		select {
		case <-asked.Done():
			waiting = false
		case key := <-c.keys:
			if !c.ofMenu(key) { // who cannot speak, or does not want to, need not wait
				c.speaker.hush()
				return nil
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	c.phone.SetUp(heard)
	defer c.phone.SetUp(nil)
	look := time.NewTicker(100 * time.Millisecond)
	defer look.Stop()
	for begun := c.gateway.Clock(); ; {
		select {
		case <-look.C:
			if !heard.done(begun) {
				continue
			}
		case <-c.keys: // pound, or any other
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		c.phone.SetUp(nil) // nobody writes any more
		c.gateway.open.names.keep(c.nameKey(), ivr.Master(heard.pcm, c.gateway.Engine.MixRate()))
		return nil
	}
}

// forgetName forgets it, but for those who are to hear that the caller has left.
func (c *call) forgetName() { c.gateway.open.names.keep(c.nameKey(), nil) }

func (c *call) nameKey() string { return c.participant().Attributes[nameKey] }

// dictation is a seat that writes down what is said to it.
type dictation struct {
	decoder codec.Decoder
	rate    int // Hz
	clock   func() time.Duration

	mu    sync.Mutex
	block []int16
	pcm   []int16
	first uint32        // RTP time of the first packet of it
	last  time.Duration // when somebody spoke last; 0 is never
}

func newDictation(rate int, clock func() time.Duration) (*dictation, error) {
	decoder, err := opus.NewDecoder(rate)
	if err != nil {
		return nil, err
	}
	return &dictation{
		decoder: decoder, rate: rate, clock: clock,
		block: make([]int16, rate*120/1000), pcm: make([]int16, 0, rate*int(nameMost/time.Second)),
	}, nil
}

// WriteFrame puts what is said where it belongs; what is too much is not kept.
func (d *dictation) WriteFrame(f *codec.Frame) error {
	if !f.Voice {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.last == 0 {
		d.first = f.Timestamp
	}
	d.last = d.clock()
	n, err := d.decoder.Decode(d.block, f.Payload)
	if err != nil {
		return err
	}
	at := int(f.Timestamp-d.first) / (codec.Opus.ClockRate() / d.rate)
	if at < 0 || at+n > cap(d.pcm) {
		return nil
	}
	if at+n > len(d.pcm) {
		d.pcm = d.pcm[:at+n]
	}
	copy(d.pcm[at:], d.block[:n])
	return nil
}

// done reports whether all has been said, of what was to be said from begun on.
func (d *dictation) done(begun time.Duration) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.clock()
	if d.last == 0 {
		return now > begun+namePatient
	}
	return now > d.last+nameSilence || now > begun+namePatient+nameMost
}
