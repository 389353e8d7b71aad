package sip

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/emiago/sipgo/sip"
)

// The caller's half of early dialogs: what a call of ours is told before its answer. Provisional answers that must
// arrive get their PRACK, in their order (RFC 3262 section 4), and the first session description is the answer to our
// offer (section 5, RFC 3261 section 13.2.1). Everything in this file is called on the dialog's owner.

// earlyAnswer is the answer to our offer that came before the 2xx.
type earlyAnswer struct {
	tag      string // of the early dialog; "" if there was none
	sdp      []byte
	reliable bool // it is the answer; else it only shows what will be
}

// ringsThere takes a provisional answer above 100, from src.
func (d *Dialog) ringsThere(res *sip.Response, src origin) {
	tag := tagOf(res.To().Params)
	early := d.state == calling || d.state == proceeding
	number, reliable := reliably(res)
	reliable = reliable && tag != ""
	if reliable && !d.inOrder(tag, number) {
		return // again, or before its time: it will come again
	}
	if tag != "" && early { // an early dialog (section 12.1.2)
		d.remoteTag = tag
		d.path.learn(res, src.src, true)
	}
	if reliable && early {
		d.acknowledgeEarly(number)
	}
	_ = d.step(provisionalHeard, occasion{res: res})
	if d.state == proceeding && tag != "" {
		d.answeredEarly(res, tag, reliable)
	}
}

// reliably returns the number of a provisional answer that wants a PRACK.
func reliably(res *sip.Response) (number uint32, ok bool) {
	v := headerValues(res, "rseq")
	if len(v) != 1 || !hasTag(optionTags(res, "require"), "100rel") {
		return 0, false
	}
	n, err := strconv.ParseUint(strings.TrimSpace(v[0]), 10, 32)
	return uint32(n), err == nil && n > 0
}

// inOrder notes the number of a reliable answer in an early dialog; false if it is not the next.
func (d *Dialog) inOrder(tag string, number uint32) bool {
	last, known := d.out.numbers[tag]
	if known && number != last+1 || !known && len(d.out.numbers) >= maxForks {
		return false
	}
	d.out.numbers[tag] = number
	return true
}

// acknowledgeEarly sends the PRACK to the reliable answer with this number.
func (d *Dialog) acknowledgeEarly(number uint32) {
	req := d.request(sip.PRACK)
	req.AppendHeader(sip.NewHeader("RAck", strconv.FormatUint(uint64(number), 10)+" "+
		strconv.FormatUint(uint64(d.out.req.CSeq().SeqNo), 10)+" INVITE"))
	d.prove(req)
	p := d.path
	d.wire.spawn("PRACK", func() {
		if _, err := d.wire.roundTrip(p, req); err != nil {
			d.log.Debug("PRACK", "call", d.callID, "error", err) // the peer will say what comes of it
		}
	})
}

// answeredEarly takes the session description of a provisional answer. In a reliable one it is the answer to our offer,
// and what comes after it in this dialog is none. One in another shows what the answer will be; it may be none to agree
// to, since the 2xx can come from another phone.
func (d *Dialog) answeredEarly(res *sip.Response, tag string, reliable bool) {
	sdp, err := sdpOf(res)
	known := d.out.early
	if err != nil || sdp == nil || len(d.invite.Body) == 0 || known.tag == tag && (known.reliable || !reliable) {
		return
	}
	if unfit := d.out.unfit; !reliable && unfit.tag == tag && bytes.Equal(unfit.sdp, sdp) {
		return // again
	}
	err = d.agree(res)
	switch {
	case err == nil:
		d.out.early = earlyAnswer{tag: tag, sdp: sdp, reliable: reliable}
		if reliable {
			d.negotiation, _ = nextOffer(d.negotiation, answerHeard)
		}
	case reliable:
		_ = d.step(disagreed, occasion{cause: err, reason: reasonOf(err)})
	default:
		d.out.unfit = earlyAnswer{tag: tag, sdp: sdp}
		d.log.Debug("early answer", "call", d.callID, "error", err)
	}
}

// maxInvites is how often a call of ours is asked for anew with another session interval.
const maxInvites = 3

// wantsMore takes a 422 to our INVITE (RFC 4028 section 7.4): false if it is none, or asks for nothing that we have not
// offered, or too often.
func (d *Dialog) wantsMore(res *sip.Response) bool {
	s := &d.session
	least := readSession(res).least
	if res.StatusCode != statusIntervalTooSmall || least <= or(s.interval, ourSession) || d.out.again >= maxInvites {
		return false
	}
	d.out.again++
	s.least, s.interval = least, least
	return true
}

// inviteAgain sends the INVITE again, as a request of its own: nothing of the answers to the last one counts.
func (d *Dialog) inviteAgain() error {
	d.remoteTag, d.path, d.out.early, d.out.unfit = "", d.out.first, earlyAnswer{}, earlyAnswer{}
	clear(d.out.numbers)
	req := d.invitation()
	d.out.req = req
	d.complete(req)
	d.path.address(req, d.invite.Source)
	if !d.out.send(req) {
		return ErrShutdown
	}
	return nil
}

// invitation makes our INVITE, not yet complete.
func (d *Dialog) invitation() *sip.Request {
	req := d.request(sip.INVITE)
	req.AppendHeader(sip.NewHeader("Session-Expires", wholeSeconds(or(d.session.interval, ourSession)))) // who refreshes is the peer's to say
	req.AppendHeader(sip.NewHeader("Min-SE", wholeSeconds(max(d.session.least, minSession))))
	req.SetTransport(strings.ToUpper(d.path.network))
	return req
}

// complete puts into the INVITE what whoever dials has to say: what it may do, our offer, where there is one, and
// credentials, where they were asked for.
func (d *Dialog) complete(req *sip.Request) {
	req.AppendHeader(d.allowed())
	req.AppendHeader(d.supported())
	if r := d.out.replaces; r != nil {
		req.AppendHeader(sip.NewHeader("Require", "replaces"))
		req.AppendHeader(sip.NewHeader("Replaces", r.String()))
	}
	if d.out.referredBy != "" {
		req.AppendHeader(sip.NewHeader("Referred-By", oneLine(d.out.referredBy)))
	}
	if d.out.asserted != "" {
		req.AppendHeader(sip.NewHeader("P-Asserted-Identity", oneLine(d.out.asserted)))
	}
	if d.out.private {
		req.AppendHeader(sip.NewHeader("Privacy", "id"))
	}
	if d.invite.Body != nil {
		req.AppendHeader(sip.NewHeader("Content-Type", "application/sdp"))
		req.SetBody(d.invite.Body)
	}
	d.prove(req)
}
