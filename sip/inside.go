package sip

import (
	"context"
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
	if tagOf(req.From().Params) != d.remoteTag || !d.path.from(in.from.src.Addr()) || d.path.exposed(in.from.network) {
		d.log.Debug("not of this dialog", "call", d.callID, "method", req.Method, "source", in.from.src.Addr())
		d.stranger(in)
		return
	}
	seq := req.CSeq().SeqNo
	if req.IsAck() {
		d.acked(req)
		return
	}
	if d.remoteHeard && seq <= d.remoteSeq {
		_ = d.respond(in, sip.StatusInternalServerError, "CSeq Out of Order")
		return
	}
	d.remoteSeq, d.remoteHeard = seq, true
	if isStream(d.path.network) && in.from.network == d.path.network || d.path.nat {
		d.path.flow = in.from.src // a new connection, or a new hole in the NAT
	}
	switch req.Method {
	case sip.BYE:
		if err := d.step(byeHeard, occasion{in: in, cause: heardReason(ErrBye, req)}); err != nil {
			d.stranger(in)
		}
	case sip.INVITE, sip.UPDATE:
		d.renegotiate(in)
	case sip.PRACK:
		d.prack(in)
	case sip.INFO:
		d.info(in)
	case sip.REFER:
		d.refer(in)
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
	case d.pending != nil || invite && (d.state == incoming || d.state == ringing || d.state == ringingSurely || d.state == owing):
		d.refuseForNow(in, retry)
		return
	case invite && (d.state == calling || d.state == proceeding):
		d.refuseForNow(in, glare)
		return
	case tooShort(in.req):
		_ = d.respond(in, statusIntervalTooSmall, phrase(statusIntervalTooSmall), minSE())
		return
	}
	if d.holdBack(in) {
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

// holdBack keeps a request for a moment that may have overtaken the ACK before it, which brings the answer to our offer:
// some phones send a re-INVITE right behind their ACK, and two messages may change places. Without the ACK in half of
// T1 it is a glare.
func (d *Dialog) holdBack(in inbound) bool {
	expected := false
	for _, a := range d.unacked {
		expected = expected || a.offer
	}
	if !expected || d.overtaker.req != nil {
		return false
	}
	d.overtaker = in
	time.AfterFunc(d.timing.t1/2, func() { d.post(func() { d.release(in) }) })
	return true
}

// release goes on with the request that was held back, if that is still it.
func (d *Dialog) release(in inbound) {
	if in.req == nil || d.overtaker.req != in.req {
		return
	}
	d.overtaker = inbound{req: in.req} // is not held back twice
	d.renegotiate(in)
	d.overtaker = inbound{}
}

// refuseForNow answers an offer that comes at the wrong time.
func (d *Dialog) refuseForNow(in inbound, a offerAction) {
	if a == glare {
		_ = d.respond(in, sip.StatusRequestPending, phrase(sip.StatusRequestPending))
		return
	}
	_ = d.respond(in, sip.StatusInternalServerError, "One Offer at a Time", retryAfter(glareRetry))
}
