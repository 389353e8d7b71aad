package sip

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"github.com/emiago/sipgo/sip"
)

// The dialog's owner: it takes one thing after the other out of the mailbox, looks up the table, and does
// what the table says. Everything in this file is called on the owner.

// occasion is what an event comes with.
type occasion struct {
	in      inbound       // a request of the peer
	res     *sip.Response // an answer of the peer
	sdp     []byte        // our answer
	early   []byte        // the same, with our 180
	refusal Refusal
	reason  Reason // of our hanging up
	cause   error  // why, where the event does not say it
	again   *acceptance
}

// inbound is a request of the peer, and how to answer it.
type inbound struct {
	req   *sip.Request
	tx    responder
	from  origin
	watch func(func(reason string)) // INVITE: sets who is told of a CANCEL, and why; must not block
	tag   string                    // INVITE: our To tag
}

// responder answers a request; *sip.ServerTx in real life.
type responder interface {
	Respond(*sip.Response) error
	Terminate()
}

// acceptance is a 2xx of ours to an INVITE, sent again until its ACK comes (RFC 3261 section 13.3.1.4).
type acceptance struct {
	in             inbound
	res            *sip.Response
	offer          bool // the 2xx carries our offer
	wait           time.Duration
	resend, giveUp *time.Timer
}

// run is the owner. It ends with the dialog.
func (d *Dialog) run() {
	defer close(d.done)
	defer d.end(ErrState) // if the cause was none of those that step knows
	for d.state != ended {
		d.take(<-d.mail)
	}
	d.settleAll()
}

// take does one thing; a panic ends the dialog.
func (d *Dialog) take(f func()) {
	defer func() {
		if r := recover(); r != nil {
			d.log.Error("panic", "in", "dialog", "panic", r)
			d.end(fmt.Errorf("panic: %v", r))
			d.state = ended
			if d.in.tx != nil { // an INVITE without a final answer would ring, and its transaction stay, for ever
				_ = d.respond(d.in, sip.StatusInternalServerError, phrase(sip.StatusInternalServerError))
			}
		}
	}()
	f()
}

// abandon ends the dialog without another word: the server goes.
func (d *Dialog) abandon() {
	d.end(ErrShutdown)
	d.state = ended
}

// step takes the dialog through one row of the table.
func (d *Dialog) step(e event, o occasion) error {
	r, ok := next(d.state, e)
	if !ok {
		return ErrState
	}
	d.state = r.to
	d.reason = or(d.reason, o.reason)
	if o.sdp != nil {
		d.owed = o.sdp
	}
	err := d.act(r.do, o)
	switch r.to {
	case leaving, givingUp, cancelling, ending, ended: // no longer a call
		d.end(causeOf(e, o))
	}
	if r.to == ending || r.to == ended {
		d.settleAll()
	}
	return err
}

// causeOf says why an event that ends a dialog does so.
func causeOf(e event, o occasion) error {
	switch {
	case o.cause != nil:
		return o.cause
	case e == byeHeard:
		return ErrBye
	case e == prackMissed:
		return ErrNoPRACK
	case e == cancelHeard:
		return ErrCancelled
	case e == rejectWe:
		return ErrRejected
	case e == ackMissed:
		return ErrNoACK
	case e == refusalHeard:
		return statusError(o.res)
	case e == noAnswer:
		return ErrNoAnswer
	}
	return ErrHangup
}

// act does what a row says.
func (d *Dialog) act(a action, o occasion) error {
	switch a {
	case sendRingingSurely:
		return d.ringSurely(o.early)
	case sendProgress:
		return d.progressed()
	case sendRinging:
		return d.respond(d.in, sip.StatusRinging, "Ringing", d.path.contact())
	case sendAnswer:
		return d.answer()
	case sendRefusal:
		return d.refuse(d.in, o.refusal)
	case sendUnavailable:
		o.refusal.Code = cmp.Or(o.refusal.Code, sip.StatusTemporarilyUnavailable)
		return d.refuse(d.in, o.refusal)
	case sendTerminated:
		return d.respond(d.in, sip.StatusRequestTerminated, "Request Terminated")
	case sendOK:
		return d.respond(o.in, sip.StatusOK, "OK")
	case sendPrackOK:
		return d.answerPrack(o.in)
	case resendRinging:
		return d.in.respond(d.reliable.res)
	case sendPrackOKAndAnswer:
		_ = d.answerPrack(o.in)
		return d.answer()
	case sendTimeout:
		return d.respond(d.in, sip.StatusGatewayTimeout, phrase(sip.StatusGatewayTimeout))
	case sendRefresh:
		d.refresh()
	case sendOKAndTerminated:
		return d.leftEarly(o.in)
	case resendAnswer:
		return o.again.in.tx.Respond(o.again.res)
	case sendBye:
		d.bye()
	case tellProgress:
		d.progress(o.res)
	case sendInviteAgain:
		return d.inviteAgain()
	case sendACK:
		return d.accepted(o.res)
	case sendACKAgain:
		return d.ack()
	case sendACKAndBye:
		err := d.accepted(o.res)
		d.bye()
		return err
	case sendCancel:
		d.cancel()
	}
	return nil
}

// leftEarly answers a BYE in an early dialog.
func (d *Dialog) leftEarly(bye inbound) error {
	_ = d.respond(bye, sip.StatusOK, "OK")
	return d.respond(d.in, sip.StatusRequestTerminated, "Request Terminated")
}

// answer sends our 2xx to the INVITE: with our answer, or our offer where it had none, or nothing where that was in a
// provisional answer. It sees to it that it arrives.
func (d *Dialog) answer() error {
	switch {
	case d.saidEarly:
		return d.accept(d.in, nil, false)
	case !d.late():
		d.negotiation, _ = nextOffer(d.negotiation, answeredWe)
		return d.accept(d.in, d.owed, false)
	}
	offer := d.owed
	if len(offer) == 0 {
		var err error
		if offer, err = d.ourOffer(); err != nil {
			_ = d.refuse(d.in, RefusalFor(err))
			d.abandonFor(err)
			return err
		}
	}
	d.negotiation, _ = nextOffer(d.negotiation, offerWe)
	return d.accept(d.in, offer, true)
}

// abandonFor ends the dialog, which has got its last answer.
func (d *Dialog) abandonFor(err error) {
	d.end(err)
	d.state = ended
}

// accept answers an INVITE or re-INVITE with 2xx, again and again until the ACK.
func (d *Dialog) accept(in inbound, sdp []byte, offer bool) error {
	seq := in.req.CSeq().SeqNo
	a := &acceptance{in: in, res: d.ok(in, sdp), offer: offer, wait: d.timing.t1}
	d.unacked[seq] = a
	a.resend = time.AfterFunc(a.wait, func() { d.post(func() { d.resendDue(seq, a) }) })
	a.giveUp = time.AfterFunc(d.timing.patience(), func() { d.post(func() { d.ackMissed(seq, a) }) })
	err := in.respond(a.res)
	if err != nil { // sipgo starts no timer L then, and would keep the transaction for ever
		time.AfterFunc(d.timing.patience(), in.tx.Terminate)
	}
	return err
}

// resendDue sends a 2xx again: at T1, doubling up to T2, over TCP too (section 13.3.1.4).
func (d *Dialog) resendDue(seq uint32, a *acceptance) {
	if d.unacked[seq] != a {
		return
	}
	a.wait = min(2*a.wait, d.timing.t2)
	a.resend.Reset(a.wait)
	if err := d.step(resendDue, occasion{again: a}); err != nil {
		d.log.Debug("2xx again", "call", d.callID, "error", err)
	}
}

func (d *Dialog) ackMissed(seq uint32, a *acceptance) {
	if d.unacked[seq] == a {
		_ = d.step(ackMissed, occasion{reason: Reason{"SIP", sip.StatusRequestTimeout, ErrNoACK.Error()}})
	}
}

// acked takes an ACK, with the answer where our 2xx had the offer. One that acknowledges nothing is not news.
func (d *Dialog) acked(ack *sip.Request) {
	seq := ack.CSeq().SeqNo
	a := d.unacked[seq]
	if a == nil {
		return
	}
	d.settle(seq, a)
	_ = d.step(ackHeard, occasion{})
	if a.offer && d.state == confirmed {
		d.answeredInACK(a, ack)
	}
	d.release(d.overtaker)
}

func (d *Dialog) settle(seq uint32, a *acceptance) {
	a.resend.Stop()
	a.giveUp.Stop()
	delete(d.unacked, seq)
	if a.offer {
		d.negotiation, _ = nextOffer(d.negotiation, answerHeard)
	}
}

// settleAll stops whatever still runs for a dialog that is over.
func (d *Dialog) settleAll() {
	d.stopSession()
	d.settleReliable()
	if in := d.overtaker; in.tx != nil {
		d.overtaker = inbound{}
		_ = d.respond(in, sip.StatusRequestTerminated, "Request Terminated")
	}
	for seq, a := range d.unacked {
		d.settle(seq, a)
	}
	if p := d.pending; p != nil {
		d.pending = nil
		p.stop()
		_ = d.respond(p.in, sip.StatusRequestTerminated, "Request Terminated") // section 15.1.2
	}
}

// bye sends BYE and waits for its answer elsewhere.
func (d *Dialog) bye() {
	req := d.request(sip.BYE)
	for _, h := range d.reason.header() {
		req.AppendHeader(h)
	}
	d.prove(req)
	p := d.path
	started := d.wire.spawn("BYE", func() {
		res, err := d.wire.roundTrip(p, req)
		if err == nil && d.challenged(res) { // nothing comes after it, and so the next number is free
			_, err = d.wire.roundTrip(p, d.again(req, req.CSeq().SeqNo+1))
		}
		if err != nil {
			d.log.Debug("BYE", "call", d.callID, "error", err)
		}
		d.post(d.byeAnswered)
	})
	if !started {
		d.state = ended
	}
}

func (d *Dialog) byeAnswered() { _ = d.step(byeAnswered, occasion{}) }

// request makes a request inside the dialog (section 12.2.1.1).
func (d *Dialog) request(method sip.RequestMethod) *sip.Request {
	d.localSeq++
	return d.requestWith(method, d.localSeq, d.path, d.remoteTag)
}

// requestWith makes a request with a CSeq number of the past (ACK), or for another fork.
func (d *Dialog) requestWith(method sip.RequestMethod, seq uint32, p path, remoteTag string) *sip.Request {
	req := sip.NewRequest(method, p.target)
	req.AppendHeader(p.via())
	p.route(req)
	forwards := sip.MaxForwardsHeader(70)
	req.AppendHeader(&forwards)
	from := &sip.FromHeader{DisplayName: escapeQuotes(d.display), Address: *d.local.Clone()}
	from.Params.Add("tag", d.localTag)
	req.AppendHeader(from)
	to := &sip.ToHeader{Address: *d.remote.Clone()}
	if remoteTag != "" {
		to.Params.Add("tag", remoteTag)
	}
	req.AppendHeader(to)
	callID := sip.CallIDHeader(d.callID)
	req.AppendHeader(&callID)
	req.AppendHeader(&sip.CSeqHeader{SeqNo: seq, MethodName: method})
	req.AppendHeader(p.contact())
	req.AppendHeader(sip.NewHeader("User-Agent", d.server))
	req.SetBody(nil)
	return req
}

// respond answers a request of the peer.
func (d *Dialog) respond(in inbound, code int, reason string, extra ...sip.Header) error {
	res := newResponse(in.req, in.from.src, code, reason, d.localTag, d.server)
	for _, h := range extra {
		res.AppendHeader(h)
	}
	return in.respond(res)
}

// respond sends an answer; ErrUnreachable where there is no way any more.
func (in inbound) respond(res *sip.Response) error {
	err := in.tx.Respond(res)
	if errors.Is(err, sip.ErrTransactionTransport) {
		return fmt.Errorf("%w: %w", ErrUnreachable, wireError(err))
	}
	return err
}

// ok makes a 200 to an INVITE or UPDATE, with a session description where there is one, and winds up the session
// timer.
func (d *Dialog) ok(in inbound, sdp []byte) *sip.Response {
	res := newResponse(in.req, in.from.src, sip.StatusOK, "OK", d.localTag, d.server)
	res.AppendHeader(d.path.contact())
	res.AppendHeader(d.allowed())
	res.AppendHeader(d.supported())
	for _, h := range d.keep(in.req) {
		res.AppendHeader(h)
	}
	if sdp != nil {
		res.AppendHeader(sip.NewHeader("Content-Type", "application/sdp"))
		res.SetBody(sdp)
	}
	return res
}

// refuse answers a request with a refusal of the gateway's.
func (d *Dialog) refuse(in inbound, r Refusal) error {
	code, reason := r.status()
	return d.respond(in, code, reason, r.headers(d.path.self.Host)...)
}
