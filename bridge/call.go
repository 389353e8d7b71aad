package bridge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"passerelle/bridge/audio"
	"passerelle/rooms"
	"passerelle/sip"
	"passerelle/sip/rtp"
	"passerelle/sip/sdp"
)

const (
	// hangupTimeout bounds how long the BYE of a call may take.
	hangupTimeout = 5 * time.Second
	// lossInterval is how often the encoder learns what the room loses.
	lossInterval = 2 * time.Second
)

// call is one call, from its INVITE to its end.
type call struct {
	gateway *Gateway
	dialog  *sip.Dialog
	invite  sip.Invite
	log     *slog.Logger
	began   time.Duration

	to       destination
	session  sdp.Session
	media    sdp.Media
	line     *rtp.Line
	phone    *audio.Phone
	answered time.Duration // 0 until it is

	renewing sync.Mutex // held by reoffer

	sound atomic.Pointer[sound] // set once line and phone are there, for the statistics
}

// sound is the two ends of a call's sound.
type sound struct {
	line  *rtp.Line
	phone *audio.Phone
}

func newCall(g *Gateway, d *sip.Dialog) *call {
	invite := d.Invite()
	return &call{
		gateway: g, dialog: d, invite: invite, began: g.Clock(),
		log: g.Log.With("call", invite.CallID),
	}
}

// serve takes the call from its INVITE to its end. An error before step 8 refuses the INVITE; after it,
// the error is why the call ended. What a step opens its defer closes, so that the teardown is this
// function read upwards.
func (c *call) serve(ctx context.Context) (err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer func() { // why it was given up, and not only that it was
		if err != nil && c.answered == 0 && ctx.Err() != nil {
			err = context.Cause(ctx)
		}
	}()

	// 1. Where does it go, and is there room for it?
	to, err := route(c.gateway.Live(), c.invite.Source.Addr(), c.invite.RequestURI.User)
	if err != nil {
		return err
	}
	c.to = to
	if err := c.gateway.admit(c, cancel); err != nil {
		return err
	}
	defer c.gateway.dismiss(c)
	defer func() { c.hangup(ctx, err) }()

	// 2. A line for the phone.
	ports, err := c.gateway.Ports.towards(c.invite.Source.Addr())
	if err != nil {
		return err
	}
	c.line, err = rtp.Listen(rtp.Config{Ports: ports, Clock: c.gateway.Clock, Log: c.log})
	if err != nil {
		return fmt.Errorf("open a phone line: %w", err)
	}
	defer c.line.Close()

	// 3. What the phone and we both speak.
	answer, err := c.agree(ctx, c.invite.Body)
	if err != nil {
		return err
	}
	if err := c.dialog.Ring(ctx); err != nil {
		return fmt.Errorf("ring: %w", err)
	}

	// 4. The room, shared with the other phones in it.
	// 5. A seat of its own.
	room, seat, err := c.sit(ctx)
	if err != nil {
		return err
	}
	defer c.gateway.rooms.leave(room)
	defer seat.Close()

	// 6. The sound between the two.
	c.phone, err = c.gateway.Engine.NewPhone(audio.PhoneConfig{
		Kind: c.media.Kind, PTime: c.media.PTime, Up: seat, Down: c.line, Log: c.log,
	})
	if err != nil {
		return fmt.Errorf("join line and seat: %w", err)
	}
	defer c.phone.Close()
	c.sound.Store(&sound{c.line, c.phone})
	c.phone.Hold(!c.media.Direction.Sends())
	c.phone.Join(room.mix)
	agreed := c.media // step 7 hands c.media to the dialog

	// 7. From here on the phone may change its mind (hold, another address, another codec).
	c.dialog.OnOffer(c.reoffer)

	// 8. Answer.
	if err := c.dialog.Answer(ctx, answer); err != nil {
		return fmt.Errorf("answer: %w", err)
	}
	c.answered = c.gateway.Clock()
	c.logStart(agreed)

	// 9. Talk. What comes of it the teardown tells the phone, once its seat is free.
	return c.talk(ctx, room, seat)
}

// sit takes a seat; where the room has ended since it was opened, in the next of that name.
func (c *call) sit(ctx context.Context) (*openRoom, rooms.Seat, error) {
	who := participant(c.invite, c.to.trunk)
	for again := false; ; again = true {
		room, err := c.gateway.rooms.enter(ctx, c.to)
		if err != nil {
			return nil, nil, err
		}
		seat, err := room.room.Seat(ctx, who)
		if err == nil {
			return room, seat, nil
		}
		ended := errors.Is(err, rooms.ErrClosed)
		if ended {
			c.gateway.rooms.forget(room)
		}
		c.gateway.rooms.leave(room)
		if again || !ended {
			return nil, nil, fmt.Errorf("take a seat in %s: %w", c.to, err)
		}
	}
}

// agree answers an offer and sets the line to what was agreed on.
func (c *call) agree(ctx context.Context, offer []byte) (answer []byte, err error) {
	if len(offer) == 0 {
		return nil, refuse(488, "an INVITE without an offer is not supported yet")
	}
	if c.session.Local.Codecs == nil {
		c.session.Local, err = c.gateway.local(ctx, c.line, c.invite, c.to.trunk)
		if err != nil {
			return nil, err
		}
	}
	answer, media, err := c.session.Answer(offer)
	if err != nil {
		return nil, err
	}
	if err := c.line.Negotiate(lineParams(media, c.line.LocalAddr().Addr(), c.invite.Source.Addr())); err != nil {
		return nil, fmt.Errorf("set the phone line: %w", err)
	}
	c.media = media
	return answer, nil
}

// reoffer answers an offer within the call (RFC 3264 section 8): hold, resume, another address or codec.
// The dialog calls it, one offer at a time.
func (c *call) reoffer(ctx context.Context, offer []byte) ([]byte, error) {
	c.renewing.Lock()
	defer c.renewing.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, err // withdrawn while it waited
	}
	answer, err := c.agree(ctx, offer)
	if err != nil {
		return nil, err
	}
	if err := c.phone.Renegotiate(c.media.Kind, c.media.PTime); err != nil {
		return nil, fmt.Errorf("change codec: %w", err)
	}
	// A phone that does not listen has put us on hold: its music is not for the room (sendonly, inactive).
	c.phone.Hold(!c.media.Direction.Sends())
	return answer, nil
}

// talk joins phone and seat until one side ends the call, and says why it did.
func (c *call) talk(ctx context.Context, room *openRoom, seat rooms.Seat) error {
	ctx, stop := context.WithCancel(ctx)
	lineEnded := make(chan error, 1)
	go func() { // the line reader; line.Run recovers
		lineEnded <- c.line.Run(ctx, c.phone, func(d rtp.Digit) { c.digit(seat, d) })
	}()
	running := true
	defer func() {
		stop()
		if running {
			<-lineEnded
		}
	}()

	loss := time.NewTicker(lossInterval)
	defer loss.Stop()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case err := <-lineEnded:
			running = false
			if err == nil {
				err = context.Cause(ctx)
			}
			return err
		case <-room.mix.Done():
			c.gateway.rooms.forget(room)
			return fmt.Errorf("the sound of the room ended: %w", room.mix.Err())
		case event, open := <-seat.Events():
			switch {
			case !open:
				return rooms.ErrClosed
			case event.Kind == rooms.Removed:
				return rooms.ErrRemoved
			}
			c.obey(event)
		case <-loss.C:
			c.phone.SetLoss(seat.Loss())
		}
	}
}

// obey does what the room asks of the phone. Digits and text have no way to a phone yet.
func (c *call) obey(event rooms.Event) {
	switch event.Kind {
	case rooms.Muted, rooms.Unmuted:
		c.phone.SetMuted(event.Kind == rooms.Muted)
	}
}

// digit passes a key of the phone on to the room.
func (c *call) digit(seat rooms.Seat, d rtp.Digit) {
	if d.Ended {
		return
	}
	if err := seat.Send(rooms.Message{Kind: rooms.Digits, Text: string(d.Rune)}); err != nil {
		c.log.Warn("digit not passed on", "error", err)
	}
}

// hangup sends the BYE if the call has not ended on the phone's side. The phone is told why.
func (c *call) hangup(ctx context.Context, why error) {
	if c.answered == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), hangupTimeout)
	defer cancel()
	if err := c.dialog.Hangup(ctx, endReason(why)); err != nil {
		c.log.Info("hang-up was not confirmed", "error", err)
	}
}

// reject refuses the INVITE if err came before the answer, and returns err.
func (c *call) reject(ctx context.Context, err error) error {
	if err == nil || c.answered > 0 || errors.Is(err, sip.ErrCancelled) {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), hangupTimeout)
	defer cancel()
	if sent := c.dialog.Reject(ctx, refusalOf(err)); sent != nil {
		return errors.Join(err, sent)
	}
	return err
}

// lineParams is what offer and answer agreed on, as the line wants it.
func lineParams(m sdp.Media, local, signalling netip.Addr) rtp.Params {
	if !m.Remote.IsValid() { // c=0.0.0.0; to the line the unspecified address is that hold
		m.Remote = netip.AddrPortFrom(netip.IPv4Unspecified(), 0)
		if local.Is6() {
			m.Remote = netip.AddrPortFrom(netip.IPv6Unspecified(), 0)
		}
	}
	return rtp.Params{
		Remote: m.Remote, RemoteRTCP: m.RemoteRTCP, RTCPMux: m.RTCPMux, Signalling: signalling,
		Kind: m.Kind, PayloadType: m.PayloadType, PTime: m.PTime,
		TelephoneEvent: m.TelephoneEvent, EventClock: m.EventClock,
		Send: m.Direction.Sends(), Receive: m.Direction.Receives(),
	}
}
