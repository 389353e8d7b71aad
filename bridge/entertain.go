package bridge

import (
	"context"
	"errors"
	"time"

	"passerelle/bridge/ivr"
	"passerelle/codec"
	"passerelle/sip/rtp"
)

// longestEcho bounds an echo test: somebody may have forgotten to hang up.
const longestEcho = 5 * time.Minute

var (
	errSaid = errors.New("all has been said")
	errEcho = errors.New("the echo test has lasted long enough")
)

// entertain is a call that leads to no room: an announcement, or an echo test.
func (c *call) entertain(ctx context.Context) error {
	c.alone()
	if c.to.echo {
		return c.echo(ctx)
	}
	after := ivr.Goodbye
	if c.to.emergency {
		after = c.to.announce // twice: nobody may miss it
	}
	c.speaker.say(c.to.announce, after)
	c.speaker.finish(ctx)
	if err := ctx.Err(); err != nil {
		return err
	}
	return errSaid
}

// echo sends back what the phone says, through all that a room's sound goes through. Any key breaks it off, tells how the
// line is, and begins again.
func (c *call) echo(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, longestEcho, errEcho)
	defer cancel()
	voice := c.booth.AddTrack("echo")
	defer voice.Close()
	defer c.phone.SetUp(nil)
	for report := []ivr.Prompt{ivr.Echo}; ; report = c.quality() {
		c.phone.SetUp(nil)
		c.speaker.hush()
		c.speaker.say(report...)
		c.speaker.finish(ctx)
		c.phone.SetUp(&mirror{voice, c.gateway.Clock})
		select {
		case <-c.keys:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// mirror is a seat in front of a mirror: what is sent to it comes back.
type mirror struct {
	voice codec.Reader
	clock func() time.Duration
}

// WriteFrame gives the frame back as if it had arrived now.
func (m *mirror) WriteFrame(f *codec.Frame) error {
	back := *f
	back.Arrival = m.clock()
	m.voice.PushFrame(&back)
	return nil
}

// quality says how the line is: the codec, what is lost on the way to us, and how long the way there and back is.
func (c *call) quality() []ivr.Prompt {
	c.renewing.Lock()
	kind := c.media.Kind
	c.renewing.Unlock()
	coding := map[codec.Kind]ivr.Prompt{
		codec.PCMA: ivr.CodecPCMA, codec.PCMU: ivr.CodecPCMU, codec.G722: ivr.CodecG722, codec.Opus: ivr.CodecOpus,
	}
	s := c.line.Stats()
	c.log.Info("echo test", "codec", kind.String(), "received", s.PacketsReceived, "lost", s.Lost,
		"jitter", s.Jitter.Round(time.Microsecond), "round_trip", s.RoundTrip.Round(time.Microsecond))
	return []ivr.Prompt{coding[kind], lossWords(s), delayWords(s.RoundTrip)}
}

// lossWords says how much of what a phone sent never arrived.
func lossWords(s rtp.Stats) ivr.Prompt {
	sent := s.Lost + s.PacketsReceived
	switch {
	case s.Lost == 0:
		return ivr.LossNone
	case s.Lost*100 < sent:
		return ivr.LossLittle
	case s.Lost*20 <= sent:
		return ivr.LossSome
	}
	return ivr.LossMuch
}

// delayWords says how long the way there and back is. Below 150 ms nobody notices it; above 400 ms people interrupt each
// other (ITU-T G.114 draws these lines for one way; the room's is still to come).
func delayWords(roundTrip time.Duration) ivr.Prompt {
	switch {
	case roundTrip == 0:
		return ivr.DelayUnknown
	case roundTrip < 150*time.Millisecond:
		return ivr.DelayShort
	case roundTrip < 400*time.Millisecond:
		return ivr.DelayMedium
	}
	return ivr.DelayLong
}
