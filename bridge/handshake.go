package bridge

import (
	"context"
	"fmt"
	"time"

	"passerelle/sip/sdp"
)

// handshake is how a call agrees with its phone on the sound (sip.Negotiator), from the moment that it has a
// place in the engine room. The dialog calls it, one method at a time.
type handshake struct{ *call }

// Answer answers an offer within the call (RFC 3264 section 8): hold, resume, another address or codec.
func (h handshake) Answer(ctx context.Context, offer []byte) ([]byte, error) {
	c := h.call
	c.renewing.Lock()
	defer c.renewing.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, err // withdrawn while it waited
	}
	answer, media, err := c.session.Answer(offer)
	if err != nil {
		return nil, err
	}
	return answer, c.change(media)
}

// Offer offers all that we speak, both ways: the phone asks for it when it calls, or takes the call back from
// hold.
func (h handshake) Offer() ([]byte, error) {
	h.renewing.Lock()
	defer h.renewing.Unlock()
	return h.session.Offer()
}

// Repeat offers what was said last.
func (h handshake) Repeat() ([]byte, error) {
	h.renewing.Lock()
	defer h.renewing.Unlock()
	return h.session.Repeat()
}

// Agree takes the phone's answer to our offer.
func (h handshake) Agree(answer []byte) error {
	c := h.call
	c.renewing.Lock()
	defer c.renewing.Unlock()
	media, err := c.session.ReadAnswer(answer)
	if err != nil {
		return err
	}
	if err := c.change(media); err != nil {
		return err
	}
	select {
	case c.agreed <- struct{}{}:
	default: // not the first
	}
	return nil
}

// change sets line and phone to what was agreed on.
func (c *call) change(media sdp.Media) error {
	if err := c.setLine(media); err != nil {
		return err
	}
	if err := c.phone.Renegotiate(media.Kind, media.PTime, media.Bitrate); err != nil {
		return fmt.Errorf("change codec: %w", err)
	}
	c.hold()
	c.watchAgain()
	return nil
}

// setLine sets the line.
func (c *call) setLine(media sdp.Media) error {
	params := lineParams(media, c.line.LocalAddr().Addr(), c.invite.Source.Addr())
	params.DTLS = c.gateway.shaking(media.DTLS)
	if err := c.line.Negotiate(params); err != nil {
		return fmt.Errorf("set the phone line: %w", err)
	}
	c.media = media
	return nil
}

// open begins the handshake: it answers the INVITE's offer. Where there is none, ours is still to be made, and until
// it is answered the phone is one on hold that speaks what we like best.
func (c *call) open(ctx context.Context, offer []byte) (answer []byte, err error) {
	network := c.gateway.Networks[c.network]
	if c.keysExposed() {
		return nil, refuse(488, "SRTP is required, and its keys are taken over TLS only (tls.profile: anssi)")
	}
	c.session.Local, err = c.gateway.local(ctx, network, c.line, c.invite, c.to.trunk)
	if err != nil {
		return nil, err
	}
	if len(offer) == 0 {
		c.media = sdp.Media{Kind: c.session.Local.Codecs[0], PTime: 20 * time.Millisecond, Direction: sdp.Inactive}
		return nil, nil
	}
	answer, media, err := c.session.Answer(offer)
	if err != nil {
		return nil, err
	}
	c.agreed <- struct{}{}
	return answer, c.setLine(media)
}

// awaitAgreement waits for the answer to our offer, in the ACK: nothing is to be said to a phone that does not hear
// yet. Without one the dialog ends, and says why.
func (c *call) awaitAgreement(ctx context.Context) error {
	select {
	case <-c.agreed:
		select {
		case <-c.back: // it hears for the first time, not again
		default:
		}
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
