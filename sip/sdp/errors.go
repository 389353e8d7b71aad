package sdp

import (
	"errors"
	"fmt"
)

// Why there is no agreement. They are wrapped in an [*Error].
var (
	ErrSyntax    = errors.New("not a session description")
	ErrTooLarge  = errors.New("session description too large")
	ErrNoAudio   = errors.New("no audio")
	ErrTransport = errors.New("no media transport in common")
	ErrAddress   = errors.New("no usable media address")
	ErrNoCodec   = errors.New("no codec in common")
	ErrCrypto    = errors.New("no encryption in common")
	ErrMismatch  = errors.New("the answer does not match the offer")
)

// Error is why there is no agreement, with the SIP response that says so.
type Error struct {
	Err    error  // one of the sentinels
	Detail string // what exactly: printable ASCII without quotes; may be ""
}

// refuse returns an Error. What a peer wrote goes into the detail through printable only.
func refuse(err error, format string, args ...any) *Error {
	return &Error{Err: err, Detail: fmt.Sprintf(format, args...)}
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

// SIPStatus returns the status line of the response that refuses the description.
func (e *Error) SIPStatus() (code int, reason string) {
	switch {
	case errors.Is(e.Err, ErrSyntax):
		return 400, "Bad Session Description"
	case errors.Is(e.Err, ErrTooLarge):
		return 413, "Request Entity Too Large"
	}
	return 488, "Not Acceptable Here"
}

// Warning returns the warn-code and warn-text, without quotes, for that response (RFC 3261 section 20.43).
func (e *Error) Warning() (code int, text string) {
	switch {
	case errors.Is(e.Err, ErrNoAudio):
		code = 304 // Media type not available
	case errors.Is(e.Err, ErrNoCodec):
		code = 305 // Incompatible media format
	case errors.Is(e.Err, ErrTransport), errors.Is(e.Err, ErrCrypto):
		code = 302 // Incompatible transport protocol
	case errors.Is(e.Err, ErrAddress):
		code = 301 // Incompatible network address formats
	default:
		code = 399 // Miscellaneous warning
	}
	return code, e.Error()
}

// rank orders refusals by how far the offer came: the furthest is the one worth telling.
func (e *Error) rank() int {
	switch {
	case errors.Is(e.Err, ErrCrypto):
		return 4
	case errors.Is(e.Err, ErrNoCodec):
		return 3
	case errors.Is(e.Err, ErrAddress), errors.Is(e.Err, ErrSyntax):
		return 2
	case errors.Is(e.Err, ErrTransport):
		return 1
	}
	return 0
}

// printable returns the beginning of what a peer wrote, fit for a log line and for a quoted string in a header.
func printable(text string, limit int) string {
	out := make([]byte, 0, min(len(text), limit))
	for i := 0; i < len(text) && len(out) < limit; i++ {
		if c := text[i]; c >= ' ' && c <= '~' && c != '"' && c != '\\' {
			out = append(out, c)
		}
	}
	return string(out)
}
