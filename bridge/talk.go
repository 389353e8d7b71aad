package bridge

import (
	"context"
	"errors"
	"fmt"
	"time"

	"passerelle/bridge/ivr"
	"passerelle/rooms"
	"passerelle/sip/sdp"
)

// lossInterval is how often the encoder learns what the room loses.
const lossInterval = 2 * time.Second

// talk goes on until one side ends the call, and says why it did. Meanwhile it tells the caller what
// happens to the room, the room what the caller's keys say, and the phone what the room wants of it.
func (c *call) talk(ctx context.Context) error {
	changed, stop := c.room.board.read()
	defer stop()
	comings, stop := c.notices()
	defer stop()
	loss := time.NewTicker(lossInterval)
	defer loss.Stop()
	c.stayedAlone = newAlarm(c.rooms().AloneTimeout)
	defer c.stayedAlone.off()
	star := newAlarm(ivr.StarTimeout)
	defer star.off()
	c.way = newWay(c.speaker.say)
	c.inCall.Map = keymap(c.live, c.to)
	defer c.way.lasts.off()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-c.room.mix.Done():
			c.gateway.open.forget(c.room)
			return fmt.Errorf("the sound of the room ended: %w", c.room.mix.Err())
		case event, open := <-c.seat.Events():
			switch {
			case !open:
				return c.gone()
			case event.Kind == rooms.Removed:
				return rooms.ErrRemoved
			}
			c.obey(event)
		case c.next = <-c.moves:
			return errMoved
		case <-changed:
			if err := c.learn(c.room.board.latest()); err != nil {
				return err
			}
		case m := <-comings:
			c.announce(m)
		case <-c.back:
			c.remind()
		case <-c.way.lasts.rings():
			c.way.tell()
		case <-c.stayedAlone.rings():
			return errAlone
		case <-c.lastMinute.rings():
			c.warn()
		case key := <-c.keys:
			c.press(key)
			star.off()
			if c.inCall.Pending() {
				star.on()
			}
		case <-star.rings():
			star.off()
			c.pass(c.inCall.Late())
		case <-loss.C:
			c.phone.SetLoss(c.seat.Loss())
		}
	}
}

// obey does what the room asks of the phone. Text has no way to a phone.
func (c *call) obey(event rooms.Event) {
	switch event.Kind {
	case rooms.Muted, rooms.Unmuted:
		muted := event.Kind == rooms.Muted
		c.phone.SetMuted(muted)
		c.kept = event.Held
		if muted != c.muted {
			c.speaker.say(either(muted, c.mutedWords(), []ivr.Prompt{ivr.UnmutedByModerator})...)
			c.moderated = true
		}
		c.muted = muted
		c.publish()
	case rooms.Lowered:
		c.hand = false
		c.speaker.say(ivr.HandLowered)
	case rooms.Interrupted, rooms.Resumed:
		c.interrupted = event.Kind == rooms.Interrupted
		c.lose(c.interrupted || c.known.reconnecting)
		if !c.way.lost {
			c.company(false)
		}
	case rooms.Digit:
		c.dial(event.Text)
	}
}

// mutedWords tell a caller that a moderator has muted it, and what it can do about that.
func (c *call) mutedWords() []ivr.Prompt {
	return either(c.kept, ivr.HeldBy, ivr.MutedBy)(c.inCall.Map)
}

// excuse tells a caller who offered video, on arrival in the first room of the call, that it is heard and not seen. Whoever
// takes the place of another is in mid-conversation.
func (c *call) excuse() {
	if c.replacing == nil && sdp.OffersVideo(c.invite.Body) {
		c.speaker.say(ivr.SoundOnly)
	}
}

// learn tells the caller what is new in the room.
func (c *call) learn(n news) error {
	switch {
	case n.encrypted:
		return rooms.ErrEncrypted
	case n.ended: // with our ear gone, nobody would be heard any more
		c.gateway.open.forget(c.room)
		c.way.lost = c.way.lost || n.reconnecting
		return c.gone()
	}
	first := !c.informed
	if n.recording != c.known.recording {
		c.speaker.say(begun(n.recording, first, ivr.RecordingRuns, ivr.RecordingStarted, ivr.RecordingStopped))
	}
	if n.transcribing != c.known.transcribing {
		c.speaker.say(begun(n.transcribing, first, ivr.TranscriptionRuns, ivr.TranscriptionStarted, ivr.TranscriptionStopped))
	}
	c.lose(c.interrupted || n.reconnecting)
	// A room that we are not connected to is empty for all we know, and says nothing about who is there.
	if !c.way.lost {
		c.company(first)
	}
	c.known, c.informed = n, true
	return nil
}

// gone says why the call has a room no more.
func (c *call) gone() error {
	if c.way.lost {
		return errLost
	}
	return rooms.ErrClosed
}

// remind tells a phone that was on hold what it could not hear, as far as it still holds.
func (c *call) remind() {
	for _, is := range []struct {
		so    bool
		words []ivr.Prompt
	}{
		{c.way.told != nil, []ivr.Prompt{ivr.Reconnecting}}, {c.known.recording, []ivr.Prompt{ivr.RecordingRuns}},
		{c.known.transcribing, []ivr.Prompt{ivr.TranscriptionRuns}},
		{c.muted, either(c.moderated, c.mutedWords(), []ivr.Prompt{ivr.Muted})},
	} {
		if is.so {
			c.speaker.say(is.words...)
		}
	}
}

// company notes whether anybody else is in the room. Before the host comes there is music, where the menu
// says so; whoever stays alone does not keep the room open for ever.
func (c *call) company(first bool) {
	if c.room.board.others(c.seat.ID()) {
		c.stayedAlone.off()
		c.speaker.resume()
		return
	}
	c.stayedAlone.on()
	if first && c.to.menu != nil && c.to.menu.WaitForHost {
		c.speaker.say(ivr.FirstHere)
		c.speaker.hold()
	}
}

// lose notes whether the way to the room is lost. Who is there cannot be known then.
func (c *call) lose(lost bool) {
	c.way.change(lost)
	if lost {
		c.stayedAlone.off()
	}
}

// lateKey is for how long after the menu a pound key still belongs to it: the PIN was whole without.
const lateKey = 3 * time.Second

// ofMenu reports whether a key belongs to the menu that the caller has just come from.
func (c *call) ofMenu(key rune) bool {
	return key == '#' && c.to.menu != nil && c.gateway.Clock()-c.admitted < lateKey
}

// press does what a key of the phone means: a command of our own, or a digit for the room.
func (c *call) press(key rune) {
	if c.ofMenu(key) {
		return
	}
	command, digits := c.inCall.Press(key)
	c.pass(digits)
	c.command(command)
}

// toggleMute mutes or unmutes the phone by its own wish, in step with the room. A room may have a phone that a moderator
// has muted ask first.
func (c *call) toggleMute() {
	err := c.seat.SetMuted(!c.muted)
	if errors.Is(err, rooms.ErrHeld) {
		c.kept, c.moderated = true, true
		c.speaker.say(c.mutedWords()...)
		return
	}
	c.muted, c.moderated = !c.muted, false
	c.publish()
	c.phone.SetMuted(c.muted)
	if err != nil {
		c.log.Warn("the room was not told of the mute", "muted", c.muted, "error", err)
	}
	c.speaker.say(either(c.muted, ivr.Muted, ivr.Unmuted))
}

// pass sends digits on to the room.
func (c *call) pass(digits string) {
	if digits != "" {
		c.send(rooms.Message{Kind: rooms.Digits, Text: digits})
	}
}

func (c *call) send(m rooms.Message) {
	if err := c.seat.Send(m); err != nil {
		c.log.Warn("message not passed on to the room", "error", err)
	}
}

func either[T any](is bool, yes, no T) T {
	if is {
		return yes
	}
	return no
}

// begun chooses the words for something that runs, starts or stops.
func begun(is, first bool, runs, started, stopped ivr.Prompt) ivr.Prompt {
	switch {
	case is && first:
		return runs
	case is:
		return started
	default:
		return stopped
	}
}

// alarm rings once after a while, unless it is turned off before. A length of 0 never rings.
type alarm struct {
	after time.Duration
	timer *time.Timer // nil while it is off
}

func newAlarm(after time.Duration) *alarm { return &alarm{after: after} }

// on begins the while, if it has not begun.
func (a *alarm) on() {
	if a.after > 0 && a.timer == nil {
		a.timer = time.NewTimer(a.after)
	}
}

func (a *alarm) off() {
	if a.timer != nil {
		a.timer.Stop()
		a.timer = nil
	}
}

// rings receives when the while is over.
func (a *alarm) rings() <-chan time.Time {
	if a.timer == nil {
		return nil
	}
	return a.timer.C
}
