package sip

import "context"

// Dialog is one call's signalling, ours or theirs. All methods may be called from any goroutine.
type Dialog struct {
	invite Invite
	ctx    context.Context // ends with the dialog; the dialog's own, handed out by Context
}

// OfferFunc answers an offer that comes inside the dialog (re-INVITE, UPDATE). ctx ends when the answer
// is no longer wanted. An error with a method SIPStatus() (code int, reason string) becomes the reply;
// any other is 500. The call goes on as it was.
type OfferFunc func(ctx context.Context, offer []byte) (answer []byte, err error)

// Invite returns the INVITE that began the dialog.
func (d *Dialog) Invite() Invite { return d.invite }

// Context ends when the call is over; context.Cause says why: ErrBye, ErrHangup, ErrCancelled...
func (d *Dialog) Context() context.Context { return d.ctx }

// Ring sends 180.
func (d *Dialog) Ring(ctx context.Context) error { return ErrState }

// Answer sends 200 with sdp and returns; that it arrives is the dialog's own business: it is sent again
// until the ACK comes, and without one the dialog ends with ErrNoACK.
func (d *Dialog) Answer(ctx context.Context, sdp []byte) error { return ErrState }

// Reject refuses the call; the dialog is over.
func (d *Dialog) Reject(ctx context.Context, r Refusal) error { return ErrState }

// OnOffer sets who answers offers inside the dialog. Call it before Answer, or right after Dial.
func (d *Dialog) OnOffer(f OfferFunc) {}

// Hangup ends the dialog with whatever its state asks for: BYE, CANCEL or a refusal, and returns when
// that is answered, or when ctx ends; the dialog is over in either case. A reason that is not empty goes
// into the Reason header (RFC 3326).
func (d *Dialog) Hangup(ctx context.Context, reason string) error { return ErrState }
