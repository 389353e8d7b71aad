package sip

import (
	"time"

	"github.com/emiago/sipgo/sip"
)

// The caller's half of a dialog: what it does about answers to its INVITE. Everything in this file is called
// on the dialog's owner, but for endFork.

// outbound is our INVITE and what became of it.
type outbound struct {
	req      *sip.Request
	first    path // as it was before any answer, for an INVITE that is sent again
	again    int  // how often it was
	send     func(*sip.Request) bool
	tx       interface{ Terminate() }
	tell     func(code int, reason string, body []byte)
	replaces *Replaces
	early    earlyAnswer
	unfit    earlyAnswer       // the last that was none to agree to, and not reliable
	numbers  map[string]uint32 // of the last reliable provisional answer, by tag
	up       chan struct{}     // closed with the answer
	answer   []byte            // its SDP; set before up is closed
	ackReq   *sip.Request

	referredBy string
	asserted   string // value of P-Asserted-Identity; "": none
	private    bool
	forks      map[string]bool // other dialogs that our INVITE made, by tag; under Dialog.mu
	cancelBy   *time.Timer
	heard      bool // anything, from the peer
	silent     bool // it was given up for its silence
}

// maxForks is how many phones may answer one call of ours.
const maxForks = 16

// answeredBy takes an answer to our INVITE, from src.
func (d *Dialog) answeredBy(res *sip.Response, src origin) {
	d.out.heard = true
	o := occasion{res: res}
	switch {
	case res.StatusCode == sip.StatusTrying:
		_ = d.step(provisionalHeard, o)
	case res.IsProvisional():
		d.ringsThere(res, src)
	case res.IsSuccess():
		d.succeeded(res, src)
	case d.wantsMore(res):
		if err := d.step(intervalHeard, o); err != nil {
			_ = d.step(refusalHeard, o)
		}
	case (d.state == calling || d.state == proceeding) && d.challenged(res):
		_ = d.step(challengeHeard, o)
	default:
		_ = d.step(refusalHeard, o)
	}
}

// succeeded takes a 2xx: the first makes the dialog (section 13.2.2.4), the same again wants its ACK again,
// and one of another fork is a call that nobody wants.
func (d *Dialog) succeeded(res *sip.Response, src origin) {
	tag := tagOf(res.To().Params)
	if d.out.ackReq == nil {
		d.remoteTag = tag
		d.path.learn(res, src.src, true)
		if err := d.step(successHeard, occasion{res: res}); err != nil {
			d.log.Debug("2xx", "call", d.callID, "state", d.state, "error", err)
		}
		d.agreed(res)
		return
	}
	if tag == d.remoteTag {
		_ = d.step(successAgain, occasion{res: res})
		return
	}
	d.endFork(res, src)
}

// accepted does what the answer to our INVITE asks for: the ACK.
func (d *Dialog) accepted(res *sip.Response) error {
	d.out.ackReq = d.requestWith(sip.ACK, d.out.req.CSeq().SeqNo, d.path, d.remoteTag)
	copyProof(d.out.req, d.out.ackReq)
	d.negotiation, _ = nextOffer(d.negotiation, answerHeard)
	err := d.ack()
	if d.out.cancelBy != nil {
		d.out.cancelBy.Stop()
	}
	d.kept(res)
	return err
}

// agreed takes the answer to our offer out of the 2xx, unless an early one was it, and tells whoever dialled.
func (d *Dialog) agreed(res *sip.Response) {
	if d.state != confirmed {
		return
	}
	body, err := sdpOf(res)
	if err != nil {
		d.log.Debug("the answer has no SDP", "call", d.callID, "error", err)
	}
	d.out.answer = body
	switch early := d.out.early; {
	case early.tag == d.remoteTag && (early.reliable || body == nil):
		d.out.answer = early.sdp
	default:
		if err := d.agree(res); err != nil {
			_ = d.step(disagreed, occasion{cause: err, reason: reasonOf(err)})
			return
		}
	}
	close(d.out.up)
}

// ack sends the ACK to the 2xx, a transaction of its own (section 13.2.2.4).
func (d *Dialog) ack() error { return d.wire.write(d.path, d.out.ackReq.Clone()) }

// progress tells whoever dialled.
func (d *Dialog) progress(res *sip.Response) {
	if d.out.tell == nil || res.StatusCode == sip.StatusTrying {
		return
	}
	defer recovered(d.log, "Provisional") // not ours; the call goes on
	body, _ := sdpOf(res)                 // early media that is no SDP is none
	d.out.tell(res.StatusCode, res.Reason, body)
}

// cancel sends CANCEL (section 9.1). Without a final answer in 64*T1 the INVITE is given up.
func (d *Dialog) cancel() {
	invite := d.out.req
	req := sip.NewRequest(sip.CANCEL, invite.Recipient)
	req.AppendHeader(sip.HeaderClone(invite.Via()))
	sip.CopyHeaders("Route", invite, req)
	forwards := sip.MaxForwardsHeader(70)
	req.AppendHeader(&forwards)
	req.AppendHeader(sip.HeaderClone(invite.From()))
	req.AppendHeader(sip.HeaderClone(invite.To()))
	req.AppendHeader(sip.HeaderClone(invite.CallID()))
	req.AppendHeader(&sip.CSeqHeader{SeqNo: invite.CSeq().SeqNo, MethodName: sip.CANCEL})
	for _, h := range d.reason.header() {
		req.AppendHeader(h)
	}
	req.SetBody(nil)
	p := d.path
	p.target, p.routes, p.flow = sip.Uri{}, nil, d.invite.Source // where the INVITE went
	d.wire.spawn("CANCEL", func() {
		if _, err := d.wire.roundTrip(p, req); err != nil {
			d.log.Debug("CANCEL", "call", d.callID, "error", err)
		}
	})
	d.out.cancelBy = time.AfterFunc(d.timing.patience(), func() { d.post(func() { d.unanswered(nil) }) })
}

// unanswered takes that no final answer will come, and why.
func (d *Dialog) unanswered(cause error) {
	if d.step(noAnswer, occasion{cause: cause}) == nil {
		d.out.tx.Terminate()
	}
}

// giveUp gives up a peer from which nothing was heard: the call goes to the next target. The transaction goes on, for
// what the peer may still say.
func (d *Dialog) giveUp() {
	if d.state == calling && !d.out.heard {
		d.out.silent = true
		_ = d.step(noAnswer, occasion{})
	}
}

// answeredLate takes an answer of a peer that was given up: it rings no longer, and if it has answered it is hung
// up. It is called when there is no owner any more, by one goroutine.
func (d *Dialog) answeredLate(res *sip.Response, src origin) {
	switch {
	case !d.out.silent:
	case res.IsSuccess():
		d.endFork(res, src)
	case res.IsProvisional() && !d.out.heard:
		d.out.heard = true
		d.cancel()
	}
}

// endFork ends a dialog that another phone made by answering our INVITE too: ACK and BYE (section 13.2.2.4).
// It is called on the owner, or when there is none any more.
func (d *Dialog) endFork(res *sip.Response, src origin) {
	p := d.path
	p.peers = nil
	p.learn(res, src.src, true)
	tag := tagOf(res.To().Params)
	d.mu.Lock()
	known := d.out.forks[tag] || len(d.out.forks) >= maxForks
	if !known {
		d.out.forks[tag] = true
	}
	d.mu.Unlock()
	if known {
		return
	}
	seq := d.out.req.CSeq().SeqNo
	ack := d.requestWith(sip.ACK, seq, p, tag)
	copyProof(d.out.req, ack)
	bye := d.requestWith(sip.BYE, seq+1, p, tag)
	d.wire.spawn("fork", func() {
		if err := d.wire.write(p, ack); err != nil {
			d.log.Debug("ACK to a fork", "call", d.callID, "error", err)
		}
		if _, err := d.wire.roundTrip(p, bye); err != nil {
			d.log.Debug("BYE to a fork", "call", d.callID, "error", err)
		}
	})
}
