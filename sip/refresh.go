package sip

import (
	"math/rand/v2"
	"sync"
	"time"

	"github.com/emiago/sipgo/sip"
)

// Our refreshes of the session: an UPDATE without a body where the peer takes UPDATE, else a re-INVITE that says what
// was said last (RFC 4028 section 7.4). Everything in this file is called on the dialog's owner.

// refresh is our turn.
func (d *Dialog) refresh() {
	if d.negotiation != stable || d.pending != nil || len(d.unacked) > 0 {
		d.refreshIn(refreshAgain) // what is under way refreshes too, as a rule
		return
	}
	d.stopSession() // until there is an answer
	if d.updates {
		d.update()
		return
	}
	d.reinvite()
}

// sessionHeaders is what a refresh of ours says.
func (d *Dialog) sessionHeaders(req *sip.Request) {
	req.AppendHeader(d.supported())
	req.AppendHeader(sip.NewHeader("Session-Expires", wholeSeconds(d.session.interval)+";refresher=uac"))
	req.AppendHeader(sip.NewHeader("Min-SE", wholeSeconds(max(d.session.least, minSession))))
	req.AppendHeader(d.allowed())
}

// update refreshes by an UPDATE without a body.
func (d *Dialog) update() {
	req := d.request(sip.UPDATE)
	d.sessionHeaders(req)
	d.prove(req)
	p := d.path
	d.wire.spawn("UPDATE", func() {
		res, err := d.wire.roundTrip(p, req)
		d.post(func() { d.refreshed(req, res, err) })
	})
}

// reinvite refreshes by a re-INVITE.
func (d *Dialog) reinvite() {
	n := d.negotiates()
	if n == nil {
		d.update() // nobody could read an answer
		return
	}
	offer, err := n.Repeat()
	if err != nil || len(offer) == 0 {
		d.log.Debug("nothing to repeat", "call", d.callID, "error", err)
		d.update()
		return
	}
	req := d.request(sip.INVITE)
	d.sessionHeaders(req)
	req.AppendHeader(sip.NewHeader("Content-Type", "application/sdp"))
	req.SetBody(offer)
	d.prove(req)
	d.negotiation, _ = nextOffer(d.negotiation, offerWe)
	p := d.path
	d.wire.spawn("re-INVITE", func() {
		res, err := d.wire.reinvite(p, req, d.acknowledge(p, req))
		d.post(func() { d.refreshed(req, res, err) })
	})
}

// acknowledge returns how the 2xx to a re-INVITE is acknowledged, always by the same ACK (section 13.2.2.4). What
// it returns may be called from any goroutine.
func (d *Dialog) acknowledge(p path, invite *sip.Request) func(*sip.Response) (path, *sip.Request) {
	var once sync.Once
	var ack *sip.Request
	tag := d.remoteTag
	p.peers = nil // the owner's
	return func(res *sip.Response) (path, *sip.Request) {
		once.Do(func() {
			p.refresh(res)
			ack = d.requestWith(sip.ACK, invite.CSeq().SeqNo, p, tag)
			copyProof(invite, ack)
		})
		return p, ack.Clone()
	}
}

// refreshed takes the answer to a refresh of ours.
func (d *Dialog) refreshed(req *sip.Request, res *sip.Response, err error) {
	if d.state != confirmed {
		return
	}
	if req.IsInvite() {
		d.negotiation, _ = nextOffer(d.negotiation, answerHeard)
	}
	switch {
	case err != nil || res.StatusCode == sip.StatusRequestTimeout || res.StatusCode == sip.StatusCallTransactionDoesNotExists:
		d.log.Debug("refresh", "call", d.callID, "error", err)
		_ = d.step(peerGone, occasion{cause: ErrGone, reason: Reason{"SIP", sip.StatusRequestTimeout, ErrGone.Error()}})
	case res.IsSuccess():
		d.takeRefresh(req, res)
	case res.StatusCode == statusIntervalTooSmall && readSession(res).least > d.session.interval:
		d.session.least = readSession(res).least
		d.session.interval = d.session.least
		d.refresh()
	case d.challenged(res):
		d.refresh()
	case res.StatusCode == sip.StatusRequestPending:
		d.refreshIn(glareWait(d.out.req != nil))
	case !req.IsInvite() && (res.StatusCode == sip.StatusMethodNotAllowed || res.StatusCode == sip.StatusNotImplemented):
		d.updates = false
		d.refresh()
	default:
		d.notRefreshed(res)
	}
}

// takeRefresh takes a 2xx to it.
func (d *Dialog) takeRefresh(req *sip.Request, res *sip.Response) {
	d.path.refresh(res)
	if req.IsInvite() {
		if err := d.agree(res); err != nil {
			_ = d.step(disagreed, occasion{cause: err, reason: reasonOf(err)})
			return
		}
	}
	d.kept(res)
}

// notRefreshed takes a refusal. Whoever refuses is alive, and that is enough where only we keep the time; else
// it is tried again as long as there is any left.
func (d *Dialog) notRefreshed(res *sip.Response) {
	d.log.Debug("refresh refused", "call", d.callID, "status", res.StatusCode)
	s := &d.session
	switch {
	case !s.shared:
		d.wind()
	case time.Until(s.expires)-refreshAgain < margin(s.interval):
		d.unkept()
	default:
		d.refreshIn(refreshAgain)
	}
}

// glareWait is how long to wait after a 491 (RFC 3261 section 14.1): 2.1 to 4 s for the side that made the
// Call-ID, 0 to 2 s for the other, in units of 10 ms.
func glareWait(callIDIsOurs bool) time.Duration {
	if callIDIsOurs {
		return time.Duration(210+rand.IntN(191)) * 10 * time.Millisecond
	}
	return time.Duration(rand.IntN(201)) * 10 * time.Millisecond
}
