package sip

import (
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"
)

// Provisional answers that must arrive (RFC 3262), for a caller that requires it: Require: 100rel. It is sent
// again until its PRACK comes, and the 200 waits for that. For a caller that only supports it a 180 may be lost.
// Everything in this file is called on the dialog's owner.

// reliable is a provisional answer of ours whose PRACK is awaited.
type reliable struct {
	res            *sip.Response
	number         uint32 // RSeq
	offer          bool   // it carries our offer
	wait           time.Duration
	resend, giveUp *time.Timer
}

// ring sends 180, reliably where the caller requires it, and then with our answer, if that is known. An INVITE without
// an offer wants ours in the first reliable answer (RFC 3261 section 13.2.1); where nobody could make it, there is no 180.
func (d *Dialog) ring(answer []byte) error {
	if !hasTag(optionTags(d.in.req, "require"), "100rel") {
		return d.step(ringWe, occasion{})
	}
	if d.late() && d.negotiates() == nil {
		return nil
	}
	return d.step(ringSurelyWe, occasion{early: answer})
}

// sound sends 183 with our answer, or surely a 180 that has it.
func (d *Dialog) sound(answer []byte) error {
	switch {
	case d.late(), d.saidEarly:
		return nil
	case hasTag(optionTags(d.in.req, "require"), "100rel"):
		return d.step(ringSurelyWe, occasion{early: answer})
	}
	return d.step(soundWe, occasion{sdp: answer})
}

// progressed sends the 183. It is not the answer, but says what that will be (RFC 3261 section 13.2.1).
func (d *Dialog) progressed() error {
	res := newResponse(d.in.req, d.in.from.src, sip.StatusSessionInProgress, "Session Progress", d.localTag, d.server)
	res.AppendHeader(d.path.contact())
	res.AppendHeader(sip.NewHeader("Content-Type", "application/sdp"))
	res.SetBody(d.owed)
	return d.in.respond(res)
}

// ringSurely sends a 180 with a number, again and again until the PRACK (RFC 3262 section 3).
func (d *Dialog) ringSurely(answer []byte) error {
	body := answer
	if d.late() {
		var err error
		if body, err = d.ourOffer(); err != nil {
			return err
		}
	}
	if body != nil {
		d.negotiation, _ = nextOffer(d.negotiation, map[bool]offerEvent{true: offerWe, false: answeredWe}[d.late()])
		d.saidEarly = true
	}
	r := &reliable{number: rand.Uint32N(1<<31-1) + 1, offer: d.late(), wait: d.timing.t1}
	r.res = newResponse(d.in.req, d.in.from.src, sip.StatusRinging, "Ringing", d.localTag, d.server)
	r.res.AppendHeader(d.path.contact())
	r.res.AppendHeader(d.allowed())
	r.res.AppendHeader(sip.NewHeader("Require", "100rel"))
	r.res.AppendHeader(sip.NewHeader("RSeq", strconv.FormatUint(uint64(r.number), 10)))
	if body != nil {
		r.res.AppendHeader(sip.NewHeader("Content-Type", "application/sdp"))
		r.res.SetBody(body)
	}
	d.reliable = r
	r.resend = time.AfterFunc(r.wait, func() { d.post(func() { d.ringAgain(r) }) })
	r.giveUp = time.AfterFunc(d.timing.patience(), func() { d.post(func() { d.prackMissed(r) }) })
	return d.in.respond(r.res)
}

// ringAgain sends it again: at T1, doubling without a bound.
func (d *Dialog) ringAgain(r *reliable) {
	if d.reliable != r {
		return
	}
	r.wait *= 2
	r.resend.Reset(r.wait)
	_ = d.step(ringDue, occasion{})
}

func (d *Dialog) prackMissed(r *reliable) {
	if d.reliable == r {
		_ = d.step(prackMissed, occasion{cause: ErrNoPRACK})
	}
}

// prack takes a PRACK. What it acknowledges must be what was sent last (section 3), or it belongs to nothing. It may
// answer our offer, or, after our answer, offer anew (section 5).
func (d *Dialog) prack(in inbound) {
	r := d.reliable
	if r == nil || !acknowledges(in.req, r.number, d.in.req.CSeq().SeqNo) {
		d.stranger(in)
		return
	}
	var offer []byte
	if !r.offer {
		var err error
		if offer, err = sdpOf(in.req); err != nil {
			_ = d.respond(in, sip.StatusUnsupportedMediaType, phrase(sip.StatusUnsupportedMediaType), acceptSDP())
			return
		}
	}
	if offer != nil && d.negotiation != stable { // an offer over an offer that has no answer yet
		d.refuseForNow(in, retry)
		return
	}
	d.settleReliable()
	switch {
	case r.offer:
		d.negotiation, _ = nextOffer(d.negotiation, answerHeard)
		if err := d.agree(in.req); err != nil {
			_ = d.respond(in, sip.StatusOK, "OK")
			_ = d.step(disagreed, occasion{cause: err, refusal: refusalFor(reasonOf(err))})
			return
		}
	case offer != nil:
		if d.offered(in, offer) {
			return // it goes on with the answer
		}
		in.req = nil
	}
	_ = d.step(prackHeard, occasion{in: in})
}

// answerPrack answers a PRACK, unless its offer was answered, or refused, already.
func (d *Dialog) answerPrack(in inbound) error {
	if in.req == nil {
		return nil
	}
	return d.respond(in, sip.StatusOK, "OK")
}

// acknowledges reads RAck: the number of the response, and the INVITE's of the request.
func acknowledges(req *sip.Request, number, cseq uint32) bool {
	v := headerValues(req, "rack")
	if len(v) != 1 {
		return false
	}
	f := strings.Fields(v[0])
	return len(f) == 3 && f[0] == strconv.FormatUint(uint64(number), 10) &&
		f[1] == strconv.FormatUint(uint64(cseq), 10) && f[2] == string(sip.INVITE)
}

func (d *Dialog) settleReliable() {
	if r := d.reliable; r != nil {
		r.resend.Stop()
		r.giveUp.Stop()
		d.reliable = nil
	}
}

// refusalFor is a reason as a refusal.
func refusalFor(r Reason) Refusal {
	return Refusal{Code: r.Cause, Warning: Warning{Code: 399, Text: r.Text}}
}
