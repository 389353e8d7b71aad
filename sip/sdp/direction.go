package sdp

import pion "github.com/pion/sdp/v3"

// Direction says which way sound may flow, seen from whoever has it (RFC 8866 section 6.7).
type Direction uint8

// The directions. Each bit takes something away, so that two directions meet in a|b.
const (
	SendRecv Direction = 0b00
	SendOnly Direction = 0b01
	RecvOnly Direction = 0b10
	Inactive Direction = SendOnly | RecvOnly
)

// Sends reports whether d allows to send.
func (d Direction) Sends() bool { return d&RecvOnly == 0 }

// Receives reports whether d allows to receive.
func (d Direction) Receives() bool { return d&SendOnly == 0 }

// String returns the attribute's name.
func (d Direction) String() string {
	switch d {
	case SendRecv:
		return "sendrecv"
	case SendOnly:
		return "sendonly"
	case RecvOnly:
		return "recvonly"
	}
	return "inactive"
}

// reverse returns d as the other end sees it (RFC 3264 section 6.1).
func (d Direction) reverse() Direction {
	switch d {
	case SendOnly:
		return RecvOnly
	case RecvOnly:
		return SendOnly
	}
	return d
}

// directionOf returns the direction of one m-line: its own, else the session's, else sendrecv (RFC 8866 section 6.7).
func directionOf(session, media []pion.Attribute) Direction {
	for _, attributes := range [][]pion.Attribute{media, session} {
		for _, a := range attributes {
			for d := SendRecv; d <= Inactive; d++ {
				if a.Key == d.String() {
					return d
				}
			}
		}
	}
	return SendRecv
}
