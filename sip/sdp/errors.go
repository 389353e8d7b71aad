package sdp

import "errors"

// Why there is no agreement. They are wrapped in an [*Error].
var (
	ErrSyntax    = errors.New("not a session description")
	ErrTooLarge  = errors.New("session description too large")
	ErrNoAudio   = errors.New("no audio offered")
	ErrTransport = errors.New("no media transport in common")
	ErrNoCodec   = errors.New("no codec in common")
	ErrAddress   = errors.New("no usable media address")
	ErrMismatch  = errors.New("the answer does not match the offer")
)

// Error is why there is no agreement, with the SIP response that says so.
type Error struct {
	Err      error  // one of the sentinels
	Detail   string // what exactly; printable ASCII without quotes, may be ""
	status   int
	reason   string
	warnCode int
}

// Error returns the reason and its detail.
func (e *Error) Error() string {
	if e.Detail == "" {
		return e.Err.Error()
	}
	return e.Err.Error() + ": " + e.Detail
}

// Unwrap returns the sentinel.
func (e *Error) Unwrap() error { return e.Err }

// SIPStatus returns the status line that refuses the description: 400, 413 or 488.
func (e *Error) SIPStatus() (code int, reason string) { return e.status, e.reason }

// Warning returns the warn-code and warn-text (without quotes) for that response (RFC 3261 section 20.43); the
// code is 0 if there is none.
func (e *Error) Warning() (code int, text string) { return e.warnCode, e.Error() }
