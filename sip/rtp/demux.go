package rtp

// other is what comes to the RTP port and is neither RTP nor RTCP.
type other uint8

const (
	noOther     other = iota
	binding           // STUN
	handshaking       // DTLS
)

// demultiplex tells by the first byte of a packet what it is (RFC 7983 section 7). What is nothing of that is RTP's to
// refuse.
func demultiplex(data []byte, ice bool) other {
	switch {
	case len(data) == 0:
	case data[0] <= 3 && ice:
		return binding
	case data[0] >= 20 && data[0] <= 63:
		return handshaking
	}
	return noOther
}
