package sip

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/emiago/sipgo/sip"

	"passerelle/sip/digest"
)

// Dialog is one call's signalling, ours or theirs. All methods may be called from any goroutine: they ask
// the dialog's owner, the goroutine of run, which alone touches its state.
type Dialog struct {
	invite   Invite
	callID   string
	localTag string
	local    sip.Uri // our address of record: From of our requests
	display  string  // beside it
	remote   sip.Uri // the peer's: To of our requests
	server   string  // what we call ourselves
	timing   timing
	wire     wire
	keys     *digest.Keyring // answers challenges; nil: nobody does
	others   *dialogs        // of the same server
	log      *slog.Logger

	ctx  context.Context //nolint:containedctx // the dialog's own life, handed out by Context
	end  context.CancelCauseFunc
	mail chan func()   // for the owner
	done chan struct{} // closed when the owner is gone

	mu         sync.Mutex
	negotiator Negotiator
	onKey      func(rune)
	onRefer    func(Referral) (Transfer, error)

	owned
}

// owned is the state that only the owner touches.
type owned struct {
	state       state
	negotiation negotiation
	path        path
	remoteTag   string
	localSeq    uint32 // of our last request
	remoteSeq   uint32 // of the peer's last request
	remoteHeard bool   // remoteSeq means something
	reason      Reason // why we hang up, for a BYE that may come later
	session     session
	updates     bool // the peer takes UPDATE

	in      inbound                // callee: the INVITE
	unacked map[uint32]*acceptance // our 2xx that have no ACK yet, by CSeq number
	pending *pendingOffer          // the peer's offer that is being answered

	referral  *referral // the peer's that is being done
	referrals int       // that there have been

	overtaker inbound // a request that may have overtaken an ACK, held back

	reliable  *reliable // callee: the 180 whose PRACK is awaited
	owed      []byte    // callee: our answer, for when that has come
	saidEarly bool      // callee: our offer, or answer, was in the 180

	out outbound // caller: the INVITE
}

// timing is how patient a dialog is (RFC 3261 section 17.1.1.1).
type timing struct{ t1, t2 time.Duration }

func (t timing) patience() time.Duration { return 64 * t.t1 }

// wire is what a dialog needs of the transactions and sockets below it.
type wire interface {
	// roundTrip sends a request other than INVITE and ACK and returns its final answer. It returns by
	// itself: timer F.
	roundTrip(p path, req *sip.Request) (*sip.Response, error)
	// reinvite sends a re-INVITE and returns its final answer. It returns by itself: timer B, or 64*T1
	// without a final answer. ack makes the ACK to a 2xx, each time that it comes; it may come later, too.
	reinvite(p path, req *sip.Request, ack func(*sip.Response) (path, *sip.Request)) (*sip.Response, error)
	// write sends an ACK, or tries to.
	write(p path, req *sip.Request) error
	// spawn runs f on a goroutine that the server waits for; false if it waits for no more.
	spawn(name string, f func()) bool
}

// Invite returns the INVITE that began the dialog.
func (d *Dialog) Invite() Invite { return d.invite }

// Context ends when the call is over; context.Cause says why: ErrBye, ErrHangup, ErrCancelled...
func (d *Dialog) Context() context.Context { return d.ctx }

// Ring sends 180, and sees to it that it arrives where the caller requires that (RFC 3262).
func (d *Dialog) Ring(ctx context.Context) error { return d.RingWith(ctx, nil) }

// RingWith is Ring where the answer to the caller's offer is known already: a 180 that must arrive carries it (RFC 3262
// section 5), so that the caller may offer anew in its PRACK, and Answer does not say it again.
func (d *Dialog) RingWith(ctx context.Context, answer []byte) error {
	return d.ask(ctx, func() error { return d.ring(answer) })
}

// Sound sends 183 with the answer to the caller's offer, since there is something to be heard before the call is answered;
// Answer has to be given the same. It does nothing where a 180 has carried it (RingWith), nor where the caller has not offered.
func (d *Dialog) Sound(ctx context.Context, answer []byte) error {
	return d.ask(ctx, func() error { return d.sound(answer) })
}

// Answer sends 200 with sdp and returns; that it arrives is the dialog's own business: it is sent again
// until the ACK comes, and without one the dialog ends with ErrNoACK. Where the INVITE had no offer, sdp is
// empty: the Negotiator makes the offer, and is told the answer that comes in the ACK.
func (d *Dialog) Answer(ctx context.Context, sdp []byte) error {
	if len(sdp) == 0 && !d.late() {
		return errNoSDP
	}
	return d.ask(ctx, func() error { return d.step(answerWe, occasion{sdp: sdp}) })
}

var errNoSDP = errors.New("an answer needs a session description")

// Reject refuses the call; the dialog is over.
func (d *Dialog) Reject(ctx context.Context, r Refusal) error {
	return d.ask(ctx, func() error { return d.step(rejectWe, occasion{refusal: r}) })
}

// Hangup ends the dialog with whatever its state asks for: BYE, CANCEL or a refusal (480), and returns when
// that is answered, or when ctx ends; the dialog is over in either case. The dialog's own context ends at
// once and is not the one to wait with. A reason that is not empty goes into the Reason header (RFC 3326).
func (d *Dialog) Hangup(ctx context.Context, reason string) error {
	o := occasion{cause: ErrHangup}
	if reason != "" {
		o.reason = Reason{"Q.850", normalClearing, reason}
	}
	d.hangup(o)
	select {
	case <-d.done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (d *Dialog) hangup(o occasion) {
	d.post(func() { _ = d.step(hangupWe, o) }) // no row: it is over
}

// post gives the owner something to do. It returns false if there is no owner any more.
func (d *Dialog) post(f func()) bool {
	select {
	case d.mail <- f:
		return true
	case <-d.done:
		return false
	}
}

// ask gives the owner something to do and waits for its result.
func (d *Dialog) ask(ctx context.Context, f func() error) error {
	result := make(chan error, 1)
	select {
	case d.mail <- func() { result <- f() }:
	case <-d.done:
		return context.Cause(d.ctx)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	select {
	case err := <-result:
		return d.because(err)
	case <-d.done: // the owner's last act, or its panic
	}
	select {
	case err := <-result:
		return d.because(err)
	default:
		return context.Cause(d.ctx)
	}
}

// because says why the dialog is over, where that is why something is not possible.
func (d *Dialog) because(err error) error {
	if cause := context.Cause(d.ctx); cause != nil && errors.Is(err, ErrState) {
		return cause
	}
	return err
}
