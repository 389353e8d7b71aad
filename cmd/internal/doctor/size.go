package doctor

import (
	"fmt"
	"net/netip"
	"strings"

	"passerelle/bridge"
	"passerelle/config"
	"passerelle/sip/sdp"
)

const (
	// largeRequest is the size in bytes beyond which a request does not go over UDP, if that can be helped (RFC 3261
	// section 18.1.1).
	largeRequest = 1300
	// padded is the size of an OPTIONS that must go in more than one packet.
	padded = 1600
	// credentials is what an answer to a challenge takes.
	credentials = 280
)

// inviteSize is about how large our INVITEs to a trunk are, in bytes, with credentials where it has some.
func inviteSize(t *config.Trunk, uri, host string) int {
	host = bracketed(host)
	who := "sip:+33123456789@" + host
	headers := strings.Join([]string{
		"INVITE " + strings.Replace(uri, "sip:", "sip:+33123456789@", 1) + " SIP/2.0",
		fmt.Sprintf("Via: SIP/2.0/UDP %s:5060;branch=z9hG4bK%s;rport", host, strings.Repeat("x", 26)),
		"Max-Forwards: 70", `From: "Conference room" <` + who + ">;tag=" + strings.Repeat("x", 26),
		"To: <" + strings.Replace(uri, "sip:", "sip:+33123456789@", 1) + ">", "Call-ID: " + strings.Repeat("x", 52),
		"CSeq: 1 INVITE", fmt.Sprintf("Contact: <sip:%s:5060;transport=udp>", host), "User-Agent: Passerelle/v0.1", "Session-Expires: 1800",
		"Min-SE: 90", "Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, PRACK, REFER", "Supported: 100rel, timer, replaces",
		"P-Asserted-Identity: <" + who + ">", "Content-Type: application/sdp", "Content-Length: 1234", "", "",
	}, "\r\n")
	body, err := offered(t)
	if err != nil {
		return 0
	}
	size := len(headers) + len(body)
	if t.Register != nil {
		size += credentials
	}
	return size
}

// offered is what a trunk would be offered.
func offered(t *config.Trunk) ([]byte, error) {
	security := sdp.Security{Fingerprint: "sha-256 " + strings.Repeat("AB:", 31) + "AB"}
	switch t.SRTP.Policy {
	case config.SRTPOptional:
		security.Policy = sdp.Optional
	case config.SRTPRequired:
		security.Policy = sdp.Required
	}
	switch t.SRTP.Keys {
	case config.SRTPBySDES:
		security.Exchange = sdp.SDES
	case config.SRTPByDTLS:
		security.Exchange = sdp.Handshake
	}
	for _, suite := range t.SRTP.Suites {
		security.Suites = append(security.Suites, sdp.Suite(suite))
	}
	return sdp.Offer(sdp.Local{
		Origin: sdp.Origin{ID: 1 << 30, Version: 1}, Address: netip.MustParseAddrPort("192.0.2.100:20000"), Codecs: bridge.KindsOf(t.Codecs), Security: security,
	})
}

// size judges whether what we send over UDP arrives. large is what became of a padded OPTIONS.
func (s *sheet) size(at string, large outcome, invite int, tcp bool, trunk string) {
	arrives := large.answer != nil
	switch {
	case arrives && invite > largeRequest && tcp:
		s.ok("a request of %d bytes over UDP, in more than one packet, is answered; our INVITEs are about %d, and are tried over TCP first", large.sent.size, invite)
	case arrives:
		s.ok("a request of %d bytes over UDP, in more than one packet, is answered; our INVITEs are about %d", large.sent.size, invite)
	case invite <= largeRequest:
		s.warn("a request of %d bytes over UDP gets no answer from %s: packets are lost where one is in several; our INVITEs are about %d bytes and go in one", large.sent.size, at, invite).
			do("write ;transport=tcp in %s if the trunk takes that; else keep the list of codecs short", trunk)
	case tcp:
		s.warn("a request of %d bytes over UDP gets no answer from %s, and our INVITEs are about %d bytes: they are tried over TCP first", large.sent.size, at, invite).
			do("write ;transport=tcp in %s, so that nothing has to be tried", trunk)
	default:
		s.bad("a request of %d bytes over UDP gets no answer from %s, and our INVITEs are about %d bytes: they will be lost", large.sent.size, at, invite).
			do("listen on tcp:// too and write ;transport=tcp in %s; or offer less: fewer codecs, one suite in srtp", trunk)
	}
}
