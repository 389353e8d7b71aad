package sip

import (
	"errors"
	"fmt"
)

// Why a dialog ended: the cause of its context.
var (
	ErrBye       = errors.New("the peer hung up")
	ErrHangup    = errors.New("we hung up")
	ErrCancelled = errors.New("the caller gave up before the answer")
	ErrRejected  = errors.New("the call was refused")
	ErrNoACK     = errors.New("no ACK for the answer in 64*T1")
	ErrNoAnswer  = errors.New("no answer from the peer in time")
	ErrShutdown  = errors.New("the server is shutting down")
	ErrNoPRACK   = errors.New("no PRACK for the provisional answer in 64*T1")
	ErrDisagreed = errors.New("no agreement on the sound")
	ErrExpired   = errors.New("the session was not refreshed in time")
	ErrGone      = errors.New("the peer does not answer any more")
	// ErrUnreachable says that an answer found no way to the peer: its connection is gone.
	ErrUnreachable = errors.New("the peer cannot be reached any more")
)

// What a method of a Server or a Dialog may refuse with.
var (
	ErrNoListener = errors.New("no listener for this network and address family")
	ErrState      = errors.New("not possible in this state of the dialog")

	errNoCertificate = errors.New("no certificate (Config.TLS.Server)")
)

// ListenError names the listener that could not be bound.
type ListenError struct {
	Listener Listener
	Err      error
}

func (e *ListenError) Error() string { return fmt.Sprintf("listen on %s: %v", e.Listener, e.Err) }
func (e *ListenError) Unwrap() error { return e.Err }

// StatusError is the final answer with which a peer refused our request.
type StatusError struct {
	Code    int
	Reason  string
	Warning Warning  // RFC 3261 section 20.43; zero if there was none
	Contact []string // where a redirect (3xx) points
	Because Reason   // what the telephone network behind it says (RFC 3326, RFC 6432); zero if nothing
}

func (e *StatusError) Error() string {
	if e.Warning.Text != "" {
		return fmt.Sprintf("%d %s (%s)", e.Code, e.Reason, e.Warning.Text)
	}
	return fmt.Sprintf("%d %s", e.Code, e.Reason)
}

// SIPStatus returns the status code and reason phrase.
func (e *StatusError) SIPStatus() (code int, reason string) { return e.Code, e.Reason }
