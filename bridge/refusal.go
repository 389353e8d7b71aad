package bridge

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"passerelle/bridge/outgoing"
	"passerelle/rooms"
	"passerelle/sip"
)

// retryAfter is how long a caller is asked to wait when the house is full or about to close.
const retryAfter = 30 * time.Second

// refusal is why a call is not taken, with the answer that says so.
type refusal struct {
	code  int // SIP status
	text  string
	retry time.Duration
	to    string // where the call is to go instead (302), a SIP URI
}

func (r *refusal) Error() string { return r.text }

// warning is the reason as a header (RFC 3261 section 20.43).
func (r *refusal) warning() sip.Warning { return miscellaneous(r.text) }

// SIPStatus and Warning are the refusal as package sip wants it.
func (r *refusal) SIPStatus() (code int, reason string) { return r.code, "" }

// Warning is the reason of it.
func (r *refusal) Warning() (code int, text string) { return 399, r.text }

// miscellaneous is a Warning of the code that has no meaning of its own.
func miscellaneous(text string) sip.Warning { return sip.Warning{Code: 399, Text: text} }

func refuse(code int, format string, args ...any) *refusal {
	return &refusal{code: code, text: fmt.Sprintf(format, args...)}
}

// redirect sends a caller elsewhere (RFC 3261 section 21.3.3).
func redirect(uri string) *refusal {
	if strings.ContainsAny(uri, "<>\"\\ ") || strings.ContainsFunc(uri, func(r rune) bool { return r < '!' || r > '~' }) {
		return refuse(404, "what was dialled cannot be part of a SIP address")
	}
	r := refuse(302, "redirected by a route")
	r.to = uri
	return r
}

// full is the answer of a house that takes no more calls for now.
func full(format string, args ...any) *refusal {
	r := refuse(503, format, args...)
	r.retry = retryAfter
	return r
}

// refusalOf gives any error on the way to an answered call its SIP response.
func refusalOf(err error) sip.Refusal {
	var own *refusal
	var spent *outgoing.Refusal
	var peer *sip.StatusError
	switch {
	case errors.As(err, &own):
		return sip.Refusal{Code: own.code, Warning: own.warning(), RetryAfter: own.retry, Contact: own.to}
	case errors.As(err, &spent):
		return sip.Refusal{Code: codeOf(spent.Reason), Warning: miscellaneous(spent.Error())}
	case errors.Is(err, sip.ErrNoPRACK):
		return sip.Refusal{Code: 504}
	case errors.Is(err, errDrained):
		return sip.Refusal{Code: 503, Warning: miscellaneous(errDrained.Error()), RetryAfter: retryAfter}
	case errors.Is(err, rooms.ErrUnavailable): // a balancer tries the next gateway
		return sip.Refusal{Code: 503, Warning: miscellaneous(rooms.ErrUnavailable.Error()), RetryAfter: retryAfter}
	case errors.Is(err, rooms.ErrNoRoom):
		return sip.Refusal{Code: 404, Warning: miscellaneous(err.Error())}
	case errors.Is(err, rooms.ErrFull):
		return sip.Refusal{Code: 486, Warning: miscellaneous(err.Error())}
	case errors.Is(err, rooms.ErrEncrypted):
		return sip.Refusal{Code: 403, Warning: miscellaneous(err.Error())}
	case errors.Is(err, rooms.ErrClosed):
		return sip.Refusal{Code: 480, Warning: miscellaneous(err.Error())}
	}
	r := sip.RefusalFor(err)
	if errors.As(err, &peer) { // of a leg
		r = peer.PassedOn()
	}
	if r.Code == 503 {
		r.RetryAfter = retryAfter
	}
	return r
}

// refusal is refusalOf for this caller. Why a call is refused is told to trusted trunks only, and to them with all that
// led there: it says what is configured. What offer and answer could not agree on is everybody's business.
func (c *call) refusal(err error) sip.Refusal {
	r := refusalOf(err)
	if r.Warning.Code != miscellaneous("").Code {
		return r
	}
	switch {
	case c.to.trunk == nil || !c.to.trunk.Trusted:
		r.Warning = sip.Warning{}
	case c.to.trace.Code != 0:
		r.Warning.Text = c.to.trace.warning()
	}
	return r
}

// codeOf is the SIP status of a call that may not go out.
func codeOf(why outgoing.Reason) int {
	if why == outgoing.Denied {
		return 403
	}
	return 503
}
