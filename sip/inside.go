package sip

import (
	"bytes"
	"context"
	"fmt"
	"mime"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"
)

// Requests of the peer inside a dialog. Everything in this file is called on the dialog's owner.

// pendingOffer is an offer of the peer that is being answered, in a re-INVITE or an UPDATE.
type pendingOffer struct {
	in        inbound
	stop      context.CancelFunc // nobody wants the answer any more
	withdrawn bool               // by CANCEL
}

// glareRetry is how long a peer is asked to wait before it offers again (RFC 3261 section 14.2: a random
// time of 0 to 10 s; it does the rest).
const glareRetry = 2 * time.Second

// heard takes a request that has our tag and Call-ID. The other half of the check is here: the peer's tag,
// its address, and a CSeq number that grows (section 12.2.2).
func (d *Dialog) heard(in inbound) {
	req := in.req
	if tagOf(req.From().Params) != d.remoteTag || !d.path.from(in.from.src.Addr()) {
		d.log.Debug("not of this dialog", "call", d.callID, "method", req.Method, "source", in.from.src.Addr())
		d.stranger(in)
		return
	}
	seq := req.CSeq().SeqNo
	if req.IsAck() {
		d.acked(seq)
		return
	}
	if d.remoteHeard && seq <= d.remoteSeq {
		_ = d.respond(in, sip.StatusInternalServerError, "CSeq Out of Order")
		return
	}
	d.remoteSeq, d.remoteHeard = seq, true
	if d.path.network == "tcp" || d.path.nat {
		d.path.flow = in.from.src // a new connection, or a new hole in the NAT
	}
	switch req.Method {
	case sip.BYE:
		if err := d.step(byeHeard, occasion{in: in}); err != nil {
			d.stranger(in)
		}
	case sip.INVITE, sip.UPDATE:
		d.renegotiate(in)
	case sip.INFO:
		d.info(in)
	default:
		_ = d.respond(in, sip.StatusOK, "OK", capabilities()...) // OPTIONS
	}
}

// stranger answers what belongs to no dialog: an ACK with nothing.
func (d *Dialog) stranger(in inbound) {
	if !in.req.IsAck() {
		_ = d.respond(in, sip.StatusCallTransactionDoesNotExists, phrase(sip.StatusCallTransactionDoesNotExists))
	}
}

// renegotiate takes a re-INVITE (section 14.2) or an UPDATE (RFC 3311).
func (d *Dialog) renegotiate(in inbound) {
	invite := in.req.IsInvite()
	switch {
	case d.state == leaving || d.state == ending || d.state == givingUp || d.state == cancelling:
		d.stranger(in)
		return
	case d.pending != nil || invite && (d.state == incoming || d.state == ringing):
		d.refuseForNow(in, retry)
		return
	case invite && (d.state == calling || d.state == proceeding):
		d.refuseForNow(in, glare)
		return
	}
	offer, err := sdpOf(in.req)
	switch {
	case err != nil:
		_ = d.respond(in, sip.StatusUnsupportedMediaType, phrase(sip.StatusUnsupportedMediaType), acceptSDP())
	case offer != nil:
		d.offered(in, offer)
	case invite:
		d.askedToOffer(in)
	default: // a session refresh, or only a new Contact
		d.path.refresh(in.req)
		_ = in.tx.Respond(d.ok(in, nil))
	}
}

// offered has the peer's offer answered by the gateway, beside the owner, who goes on.
func (d *Dialog) offered(in inbound, offer []byte) {
	d.mu.Lock()
	f := d.onOffer
	d.mu.Unlock()
	if f == nil {
		_ = d.respond(in, sip.StatusNotAcceptableHere, phrase(sip.StatusNotAcceptableHere))
		return
	}
	to, do := nextOffer(d.negotiation, offerHeard)
	if do != proceed {
		d.refuseForNow(in, do)
		return
	}
	ctx, stop := context.WithCancel(d.ctx)
	p := &pendingOffer{in: in, stop: stop}
	d.negotiation, d.pending = to, p
	if in.watch != nil {
		in.watch(func() { d.wire.spawn("CANCEL", func() { d.post(func() { d.withdrawn(p) }) }) })
	}
	started := d.wire.spawn("offer", func() {
		defer stop()
		answer, err := callOfferFunc(ctx, f, offer)
		d.post(func() { d.answerOffer(p, answer, err) })
	})
	if !started {
		d.answerOffer(p, nil, ErrShutdown)
	}
}

// callOfferFunc calls f; its panic is an error.
func callOfferFunc(ctx context.Context, f OfferFunc, offer []byte) (answer []byte, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	return f(ctx, offer)
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
	default:
		d.path.refresh(p.in.req)
		d.sdp = answer
		_ = p.in.tx.Respond(d.ok(p.in, answer))
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

// askedToOffer takes an empty re-INVITE: the peer wants our offer. It gets what we said last, which keeps
// the call up; the answer in its ACK can only say the same. On hold what we said last is that hold, and
// would keep the peer there: 488 leaves things as they are.
func (d *Dialog) askedToOffer(in inbound) {
	to, do := nextOffer(d.negotiation, offerWe)
	switch {
	case d.negotiation == localOffer:
		d.refuseForNow(in, glare)
	case do != proceed:
		d.refuseForNow(in, retry)
	case len(d.sdp) == 0 || onHold(d.sdp):
		_ = d.respond(in, sip.StatusNotAcceptableHere, phrase(sip.StatusNotAcceptableHere))
	default:
		d.negotiation = to
		d.path.refresh(in.req)
		_ = d.accept(in, d.sdp, true)
	}
}

// onHold reports whether a description of ours does not both send and receive.
func onHold(sdp []byte) bool {
	for line := range bytes.Lines(sdp) {
		switch string(bytes.TrimSpace(line)) {
		case "a=inactive", "a=sendonly", "a=recvonly":
			return true
		}
	}
	return false
}

// refuseForNow answers an offer that comes at the wrong time.
func (d *Dialog) refuseForNow(in inbound, a offerAction) {
	if a == glare {
		_ = d.respond(in, sip.StatusRequestPending, phrase(sip.StatusRequestPending))
		return
	}
	_ = d.respond(in, sip.StatusInternalServerError, "One Offer at a Time", retryAfter(glareRetry))
}

// info takes the INFO that phones and room systems send of themselves: keys and picture requests. Nothing
// is done with it, and nothing is refused for it.
func (d *Dialog) info(in inbound) {
	kind := ""
	if ct := headerValues(in.req, "content-type"); len(ct) > 0 {
		kind, _, _ = mime.ParseMediaType(ct[0])
	}
	switch kind {
	case "", "application/dtmf-relay", "application/dtmf", "application/media_control+xml":
		_ = d.respond(in, sip.StatusOK, "OK")
	default:
		_ = d.respond(in, sip.StatusUnsupportedMediaType, phrase(sip.StatusUnsupportedMediaType),
			sip.NewHeader("Accept", strings.Join(infoTypes(), ", ")))
	}
}

func infoTypes() []string {
	return []string{"application/dtmf-relay", "application/dtmf", "application/media_control+xml"}
}
