package sfu

import (
	"errors"
	"fmt"
	"net/netip"
)

// What can be wrong with what the SFU is asked for.
var (
	ErrNobody = errors.New("nobody of that name is in the room")

	errMessage = errors.New("not a message")
	errFlood   = errors.New("too many messages")
	errOffer   = errors.New("the offer does not fit")
	errNotWeb  = errors.New("want http:// or https:// and a host")
)

// ListenError tells that one of the two ports cannot be had.
type ListenError struct {
	Setting string // "udp" or "tcp", as Config and the configuration file call it
	Addr    netip.AddrPort
	Err     error
}

func (e *ListenError) Error() string {
	return fmt.Sprintf("listen for browsers on %s %s: %v", e.Setting, e.Addr, e.Err)
}

func (e *ListenError) Unwrap() error { return e.Err }
