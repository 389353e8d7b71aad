package bridge

import (
	"context"
	"errors"
	"time"

	"passerelle/bridge/ivr"
	"passerelle/rooms"
	"passerelle/sip"
	"passerelle/sip/rtp"
)

// hangupTimeout bounds how long the BYE of a call may take.
const hangupTimeout = 5 * time.Second

// Reasons of the gateway's own why a call that is up ends.
var (
	errEnded   = errors.New("whoever runs the gateway has ended the call")
	errDrained = errors.New("the gateway closes")
	errTimeUp  = errors.New("the call has lasted as long as it may (max_call)")
	errTold    = errors.New("the caller was told")         // beside the error that it was told of
	errLost    = errors.New("the way to the room is lost") // a backend has tried to find it for long
	errAlone   = errors.New("the caller stayed alone in the room (alone_timeout)")

	errTransferred = errors.New("the call was transferred")
	errReplaced    = errors.New("another call took its place")
)

// transferredTimeout is how long a phone that has transferred its call may take to hang up by itself.
const transferredTimeout = 2 * time.Second

// ending is one way in which a call that is up ends.
type ending struct {
	why      error
	words    []ivr.Prompt // to a caller who is still there; none where it knows, or was told
	reason   string       // in the Reason header of our BYE (RFC 3326)
	expected bool         // nobody has to look at it
}

// endings are those that belong to the life of a gateway.
func endings() []ending {
	spoken := func(why error, words ivr.Prompt) ending {
		return ending{why, []ivr.Prompt{words, ivr.Goodbye}, why.Error(), true}
	}
	silent := func(why error, reason string) ending { return ending{why, nil, reason, true} }
	return []ending{
		silent(sip.ErrBye, ""), silent(sip.ErrHangup, ""), silent(sip.ErrShutdown, ""), silent(sip.ErrNoACK, ""),
		silent(sip.ErrExpired, ""), silent(sip.ErrGone, ""), silent(sip.ErrDisagreed, ""),
		silent(rtp.ErrDeadPeer, "no RTP arrives"), silent(errPartner, ""),
		{rtp.ErrFingerprint, nil, rtp.ErrFingerprint.Error(), false}, {rtp.ErrHandshake, nil, rtp.ErrHandshake.Error(), false},
		silent(ivr.ErrGaveUp, "no right PIN was entered"),
		silent(errNoConsent, errNoConsent.Error()),
		silent(errTransferred, errTransferred.Error()), silent(errReplaced, errReplaced.Error()),
		spoken(rooms.ErrRemoved, ivr.Removed),
		spoken(rooms.ErrNoRoom, ivr.RoomClosed), spoken(rooms.ErrClosed, ivr.RoomClosed),
		spoken(rooms.ErrEncrypted, ivr.Encrypted), spoken(rooms.ErrFull, ivr.RoomFull),
		spoken(rooms.ErrDenied, ivr.Denied), spoken(rooms.ErrUnanswered, ivr.Unanswered),
		silent(errSaid, errSaid.Error()), spoken(errEcho, ivr.TimeUp),
		spoken(errTimeUp, ivr.TimeUp), spoken(errSpent, ivr.TimeUp), spoken(errAlone, ivr.StayedAlone),
		{errLost, []ivr.Prompt{ivr.Failed, ivr.Goodbye}, errLost.Error(), false},
		{why: errTold},
		{errEnded, []ivr.Prompt{ivr.Goodbye}, errEnded.Error(), true},
		{errDrained, []ivr.Prompt{ivr.Goodbye}, errDrained.Error(), true},
		{context.Canceled, []ivr.Prompt{ivr.Goodbye}, "hung up", true}, // a call out, by who asked for it
	}
}

// endingOf returns the first ending that an error is; what is none of them is trouble.
func endingOf(why error) ending {
	for _, e := range endings() {
		if errors.Is(why, e.why) {
			return e
		}
	}
	return ending{why: why, words: []ivr.Prompt{ivr.Failed, ivr.Goodbye}}
}

// farewell tells a caller who is still there why the call ends.
func (c *call) farewell(why error) {
	ctx := c.dialog.Context()
	words := endingOf(why).words
	if ctx.Err() != nil || len(words) == 0 {
		return
	}
	c.alone()
	c.speaker.hush()
	c.speaker.say(words...)
	c.speaker.finish(ctx)
}

// hangup sends the BYE if the call has not ended on the phone's side. The phone is told why.
func (c *call) hangup(ctx context.Context, why error) {
	if c.answered == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), hangupTimeout)
	defer cancel()
	if errors.Is(why, errTransferred) { // it is being told so, and hangs up as a rule
		select {
		case <-c.dialog.Context().Done():
		case <-time.After(transferredTimeout):
		}
	}
	if err := c.dialog.Hangup(ctx, endingOf(why).reason); err != nil {
		c.log.Info("hang-up was not confirmed", "error", err)
	}
}

// reject refuses the INVITE if err came before the answer, and returns err.
func (c *call) reject(ctx context.Context, err error) error {
	switch {
	case err == nil || c.answered > 0:
		return err
	case errors.Is(err, sip.ErrCancelled), errors.Is(err, sip.ErrNoPRACK), errors.Is(err, sip.ErrDisagreed): // it is refused already
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), hangupTimeout)
	defer cancel()
	if sent := c.dialog.Reject(ctx, c.refusal(err)); sent != nil {
		return errors.Join(err, sent)
	}
	return err
}
