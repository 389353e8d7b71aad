package rtp

import "errors"

// What can end a line, or keep it from opening.
var (
	// ErrNoPorts says that every port pair of the range is taken. It carries its SIP answer: 503.
	ErrNoPorts error = noPorts{}
	// ErrDeadPeer says that nothing valid came from a peer that should have sent.
	ErrDeadPeer = errors.New("the peer is gone: neither RTP nor RTCP arrives")
	// ErrClosed says that the line is closed.
	ErrClosed = errors.New("the line is closed")
	// ErrHandshake says that there are no keys, and so no sound.
	ErrHandshake = errors.New("the DTLS handshake failed")
	// ErrFingerprint says that whoever shook hands is not who sent the SDP.
	ErrFingerprint = errors.New("the DTLS certificate is not the one that the SDP names")
	// ErrRan says that Run was called a second time.
	ErrRan = errors.New("the line runs already, or has run")
)

// What keeps a single frame or digit from being sent.
var (
	// ErrKind says that a frame is coded in another way than was agreed on.
	ErrKind = errors.New("the frame is not coded as agreed")
	// ErrTooLong says that a payload does not fit in one packet.
	ErrTooLong = errors.New("the payload does not fit in one packet")
	// ErrNoEvents says that the peer takes no telephone-events (RFC 4733).
	ErrNoEvents = errors.New("the peer takes no telephone-events")
	// ErrDigit says that a character is not one of 0-9, *, #, A-D.
	ErrDigit = errors.New("not a digit that a telephone has")
	// ErrHeld says that the call is on hold, so that no digit can be sent.
	ErrHeld = errors.New("the call is on hold")
)

type noPorts struct{}

func (noPorts) Error() string { return "no media port is free" }

// SIPStatus is the answer for the caller (RFC 3261 section 21.5.4).
func (noPorts) SIPStatus() (code int, reason string) { return 503, "No Media Port Free" }
