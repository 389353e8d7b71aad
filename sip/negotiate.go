package sip

import (
	"context"
	"errors"
	"fmt"

	"github.com/emiago/sipgo/sip"
)

// Offer and answer inside a dialog, between the peer and whoever negotiates for us. Everything in this file
// is called on the dialog's owner, but for Negotiate and answerOf.

// Negotiator agrees on the sound of one call (RFC 3264). Its methods are called one at a time. An error with a
// method SIPStatus() (code int, reason string) becomes the reply; any other is 500.
type Negotiator interface {
	// Answer answers an offer that comes inside the dialog (re-INVITE, UPDATE). It may take its time: ctx
	// ends when the answer is no longer wanted. After an error the call goes on as it was.
	Answer(ctx context.Context, offer []byte) (answer []byte, err error)
	// Offer makes an offer, with all that we can do, for a peer that asks for one: an INVITE or re-INVITE
	// without an offer. It must not block.
	Offer() ([]byte, error)
	// Repeat makes an offer of what was said last, word for word: nothing shall change. It must not block.
	Repeat() ([]byte, error)
	// Agree takes the peer's answer to the last offer of ours. It must not block. An error ends the call.
	Agree(answer []byte) error
}

// Negotiate sets who negotiates. Call it before Ring where the INVITE has no offer, else before Answer, or right
// after Dial. Offers that come while nobody does are refused (488). Nil is nobody.
func (d *Dialog) Negotiate(n Negotiator) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.negotiator = n
}

// negotiates returns who does, or nil.
func (d *Dialog) negotiates() Negotiator {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.negotiator
}

// late reports whether the INVITE had no offer.
func (d *Dialog) late() bool { return len(d.invite.Body) == 0 }

// offered has the peer's offer answered by the gateway, beside the owner, who goes on. False: it is refused already.
func (d *Dialog) offered(in inbound, offer []byte) bool {
	n := d.negotiates()
	if n == nil {
		_ = d.respond(in, sip.StatusNotAcceptableHere, phrase(sip.StatusNotAcceptableHere))
		return false
	}
	to, do := nextOffer(d.negotiation, offerHeard)
	if do != proceed {
		d.refuseForNow(in, do)
		return false
	}
	ctx, stop := context.WithCancel(d.ctx)
	p := &pendingOffer{in: in, stop: stop}
	d.negotiation, d.pending = to, p
	if in.watch != nil {
		in.watch(func(string) { d.wire.spawn("CANCEL", func() { d.post(func() { d.withdrawn(p) }) }) })
	}
	started := d.wire.spawn("offer", func() {
		defer stop()
		answer, err := answerOf(ctx, n, offer)
		d.post(func() { d.answerOffer(p, answer, err) })
	})
	if !started {
		d.answerOffer(p, nil, ErrShutdown)
	}
	return true
}

// answerOf asks n for an answer; its panic is an error.
func answerOf(ctx context.Context, n Negotiator, offer []byte) (answer []byte, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	return n.Answer(ctx, offer)
}

// answerOffer sends the gateway's answer to an offer that is still wanted.
func (d *Dialog) answerOffer(p *pendingOffer, answer []byte, err error) {
	if d.pending != p {
		return
	}
	d.pending = nil
	d.negotiation, _ = nextOffer(d.negotiation, answeredWe)
	switch {
	case p.withdrawn && err != nil:
		_ = d.respond(p.in, sip.StatusRequestTerminated, phrase(sip.StatusRequestTerminated))
	case err == nil && len(answer) == 0:
		err = errNoSDP
		fallthrough
	case err != nil:
		d.log.Debug("offer refused", "call", d.callID, "error", err)
		_ = d.refuse(p.in, RefusalFor(err))
	case p.in.req.IsInvite():
		d.path.refresh(p.in.req)
		_ = d.accept(p.in, answer, false)
	case p.in.req.Method == sip.PRACK:
		res := newResponse(p.in.req, p.in.from.src, sip.StatusOK, "OK", d.localTag, d.server)
		res.AppendHeader(sip.NewHeader("Content-Type", "application/sdp"))
		res.SetBody(answer)
		_ = p.in.tx.Respond(res)
	default:
		d.path.refresh(p.in.req)
		_ = p.in.tx.Respond(d.ok(p.in, answer))
	}
	if p.in.req.Method == sip.PRACK { // in either case it has acknowledged our 180
		_ = d.step(prackHeard, occasion{})
	}
}

// withdrawn takes the CANCEL of a re-INVITE: the call goes on as it was (section 14.1). The offer stays pending
// until the gateway has let go of it, so that it never answers two at once; where it had taken the offer already,
// the 200 crosses the CANCEL and stands (section 9.2).
func (d *Dialog) withdrawn(p *pendingOffer) {
	if d.pending == p {
		p.withdrawn = true
		p.stop()
	}
}

// askedToOffer takes an empty re-INVITE: the peer wants our offer, and answers it in its ACK. That is how a call
// manager takes a call back from hold.
func (d *Dialog) askedToOffer(in inbound) {
	to, do := nextOffer(d.negotiation, offerWe)
	switch {
	case d.negotiation == localOffer:
		d.refuseForNow(in, glare)
		return
	case do != proceed:
		d.refuseForNow(in, retry)
		return
	}
	offer, err := d.ourOffer()
	if err != nil {
		_ = d.refuse(in, RefusalFor(err))
		return
	}
	d.negotiation = to
	d.path.refresh(in.req)
	_ = d.accept(in, offer, true)
}

// ourOffer is an offer for a peer that asks for one.
func (d *Dialog) ourOffer() ([]byte, error) {
	n := d.negotiates()
	if n == nil {
		return nil, errNobody
	}
	offer, err := n.Offer()
	if err == nil && len(offer) == 0 {
		err = errNoSDP
	}
	return offer, err
}

// errNobody is a 488: there is nobody who could offer or answer.
var errNobody error = nobody{}

type nobody struct{}

func (nobody) Error() string { return "nobody negotiates for this call" }

// SIPStatus says so to the peer.
func (nobody) SIPStatus() (code int, reason string) {
	return sip.StatusNotAcceptableHere, phrase(sip.StatusNotAcceptableHere)
}

// agree gives the peer's answer to our offer, in an ACK, a PRACK or a 2xx, to whoever made the offer.
func (d *Dialog) agree(m received) error {
	n := d.negotiates()
	if n == nil {
		return nil // whoever dialled reads it
	}
	answer, err := sdpOf(m)
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", ErrDisagreed, err)
	case answer == nil:
		return fmt.Errorf("%w: %w", ErrDisagreed, errNoAnswerSDP)
	}
	if err := n.Agree(answer); err != nil {
		return fmt.Errorf("%w: %w", ErrDisagreed, err)
	}
	return nil
}

var errNoAnswerSDP error = unanswered{}

type unanswered struct{}

func (unanswered) Error() string { return "our offer has no answer" }

// SIPStatus is what to refuse the call with.
func (unanswered) SIPStatus() (code int, reason string) {
	return sip.StatusNotAcceptableHere, phrase(sip.StatusNotAcceptableHere)
}

// answeredInACK takes the answer in the ACK to a 2xx that carried our offer. Without one a new call can not be, and
// one that is up stays as it was: some refresh their session like this.
func (d *Dialog) answeredInACK(a *acceptance, ack *sip.Request) {
	err := d.agree(ack)
	switch {
	case err == nil:
	case errors.Is(err, errNoAnswerSDP) && a.in.req != d.in.req:
		d.log.Debug("ACK without an answer", "call", d.callID)
	default:
		_ = d.step(disagreed, occasion{cause: err, reason: reasonOf(err)})
	}
}
