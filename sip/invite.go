package sip

import (
	"net/netip"
	"time"

	"passerelle/sip/digest"
)

// Invite is the INVITE that began a dialog, as far as a route or a log wants to know it. It is a copy:
// nobody changes it.
type Invite struct {
	CallID     string
	From, To   Address
	RequestURI URI
	Source     netip.AddrPort // where it came from (callee) or went to (caller)
	Local      netip.AddrPort // our own address towards the peer, never unspecified
	Transport  string         // "udp", "tcp", "tls", "ws" or "wss"
	Peer       string         // whose certificate the connection came with (TLS.Peer); empty: nobody's
	Account    string         // who it was proved to be from, by digest; empty: nobody had to
	UserAgent  string         // the peer's, where it says so
	Body       []byte         // the SDP offer, also when it came in a multipart body; nil is a late offer

	Replaces *Replaces // the call that this one is to take the place of (Dialog.Replaced); nil: none

	headers map[string][]string
}

// Header returns the values of a header in their order, for a name in any case; compact names are
// known by their long form.
func (i Invite) Header(name string) []string { return i.headers[headerKey(name)] }

// Address is a name-addr: From, To.
type Address struct {
	Display string
	Scheme  string // "sip", "sips", "tel"; empty is "sip"
	User    string // without escapes
	Host    string // no brackets around an IPv6 address
	Port    int    // 0 if there is none
}

// URI is a request URI.
type URI struct {
	Scheme string // "sip", "sips", "tel"; empty is "sip"
	User   string // without escapes
	Host   string // no brackets around an IPv6 address
	Port   int    // 0 if there is none
	Params map[string]string
}

// Warning is the Warning header (RFC 3261 section 20.43). The zero Warning is none.
type Warning struct {
	Code int // 300 to 399
	Text string
}

// Refusal is a final answer of ours that is not 2xx.
type Refusal struct {
	Code       int
	Reason     string // empty: the RFC's phrase for Code
	Warning    Warning
	RetryAfter time.Duration // rounded up to seconds; 0: no header
	Because    Reason        // what the telephone network behind us says (RFC 6432); zero: no header
	Contact    string        // where the call is to go instead (3xx), a SIP URI; empty: no header
}

// Dial is a call to make.
type Dial struct {
	To    string  // "sip:user@host:port;transport=tcp", transport=tls as well
	From  Address // Host empty: the address that we are reached at
	Offer []byte  // SDP

	// Asserted is who calls, for a network that believes us (P-Asserted-Identity, RFC 3325); without a user it is not
	// told. Private asks that network to tell nobody.
	Asserted Address
	Private  bool

	// Flow is the way to a phone that has registered: where its REGISTER came from (RFC 5626 section 5.3). Nil: the
	// address that To names, or the first of Route.
	Flow *Flow

	// Route are the proxies on the way, URIs (RFC 3327 section 5.3).
	Route []string

	// Keys answers the challenges of the peer, and of proxies on the way to it, in the whole dialog. Nil: a
	// challenge is a refusal.
	Keys *digest.Keyring

	// Prepare, where set, is told once it is known how the INVITE will leave, and before it does: Invite says from
	// where and to where. It is told again where the call goes on to another target. It makes the offer, in place of Offer, and may set who negotiates: who does is told the
	// answer, in an early one too, where that comes first.
	Prepare func(d *Dialog) (offer []byte, err error)

	Replaces   *Replaces // the call of the peer's whose place this one is to take; nil: none
	ReferredBy string    // value of the header (RFC 3892), where somebody has asked for this call

	// Provisional, where set, is told each provisional answer above 100 and its SDP, if any; a reliable one once. It
	// is called before Dial returns, one call at a time, and must not block.
	Provisional func(code int, reason string, body []byte)
}
