package sip

import (
	"context"
	"log/slog"
	"net/netip"
	"time"

	"passerelle/sip/digest"
	"passerelle/sip/locate"
	"passerelle/sip/registrar"
)

// Config says where a [Server] listens and whom it answers. The zero value of each field but Listen
// works.
type Config struct {
	// Listen is where SIP is spoken; at least one.
	Listen []Listener

	// Advertise is the address or name that peers are told in Contact and Via, where it is not the
	// address that they reach us at (NAT). Empty: the listener's own address, or for a listener on
	// all addresses the one that the route to the peer leaves from.
	Advertise string

	// Known tells whether a source is answered at all; others get silence. It is asked for every
	// datagram and every new connection, from several goroutines, and must not block. A peer of a
	// dialog that we dialled is known for as long as the dialog lives. Nil: loopback and private
	// addresses.
	Known func(src netip.AddrPort) bool

	// Unanswered, where set, is told what was dropped without a word. It is called on the reading
	// goroutine and must not block.
	Unanswered func(Knock)

	// Options gives the status of the answer to an OPTIONS outside of a dialog: 200, or 503 while
	// draining. Nil: 200.
	Options func() int

	// Load, where set, gives the value of the header Passerelle-Load in that answer.
	Load func() string

	// TLS is needed where a listener of Listen is a tls or wss one.
	TLS TLS

	// Digest looks at the proofs of those who must say who they are. Nil: nobody can.
	Digest *digest.Verifier

	// Challenged tells whether a source must prove who it is before its INVITE is taken (401); peer is what
	// TLS.Peer said. Nil: nobody must.
	Challenged func(src netip.AddrPort, peer string) bool

	// Vouched, where set, tells whether an INVITE carries a proof of its own of who sends it, and need not prove it otherwise.
	Vouched func(context.Context, Invite) bool

	// Help tells whether an INVITE from a source to a user calls for help, and is taken though its proof is wrong, and
	// however many there are. Nil: none is.
	Help func(src netip.AddrPort, user string) bool

	// Registrar keeps where phones are. Each REGISTER must be proved. Nil: 405.
	Registrar *registrar.Registrar

	// Registers tells whether there are phones at all; where there are none, a REGISTER is answered 405. Nil: there are.
	Registers func() bool

	// MayRegister tells whether an account is a phone. Nil: all are.
	MayRegister func(account string) bool

	// Origins are those of the pages that may open a WebSocket here, such as "https://phone.example.org", or
	// [AnyOrigin]. Empty: pages of the host that the WebSocket is at.
	Origins []string

	// Locate finds the servers that requests of ours go to. Nil: it asks whom this machine asks.
	Locate *locate.Resolver

	// UserAgent names us in Server and User-Agent. Empty: "Passerelle".
	UserAgent string

	// DSCP marks what we send (RFC 2474). 0: CS3 (24), the class for signalling (RFC 4594 section 3.3);
	// negative: no mark.
	DSCP int

	// Log takes what there is to say. Nil: nothing is said.
	Log *slog.Logger

	// T1 is the round-trip estimate (RFC 3261 section 17.1.1.1) behind the retransmission of 2xx
	// responses, and 64*T1 the patience for their ACK. 0: 500 ms.
	T1 time.Duration

	// Limits bounds what one peer, and all of them, may cost.
	Limits Limits
}

// AnyOrigin stands for the pages of everybody.
const AnyOrigin = "*"

// Limits bounds what one peer, and all of them, may cost. A zero field takes its default.
type Limits struct {
	MessageSize           int           // bytes in one SIP message; default and maximum 32 kB, what sipgo reads at once
	MessageTime           time.Duration // from a message's first byte to its last, on a connection; 10 s
	WriteTime             time.Duration // for one message to a peer on a connection; 5 s, then that is closed
	HandshakeTime         time.Duration // for a TLS handshake, and for the HTTP of a WebSocket; 5 s
	IdleTime              time.Duration // for a WebSocket's peer to answer a ping, sent in half of it; 60 s
	Connections           int           // TCP and TLS connections in all, WebSockets included; 4096
	ConnectionsPerAddress int           // of these from one address (IPv6: one /64); 256
	Strangers             int           // TLS handshakes at once with those whom only a certificate can make known; 32
	StrangersPerAddress   int           // of these from one address; 4
	StrangersPerSecond    int           // how many of these begin; 20, twice that in a burst
	MessagesPerSecond     int           // from one known address; 1000, twice that in a burst
	AllMessagesPerSecond  int           // from all of them; 5000, twice that in a burst
	InvitesPerSecond      int           // from one known address; 200, twice that in a burst, 503 beyond
	AllInvitesPerSecond   int           // from all of them; 300, twice that in a burst, 503 beyond
	KeepAlive             time.Duration // between two on the way to a phone behind a NAT; 25 s (RFC 5626 section 4.4.1)
	SetupTime             time.Duration // until a target of a request of ours must have said something, over all of them; 64*T1, 32 s
	TargetTime            time.Duration // of that for each target but the last; 8*T1, 4 s
	ShutdownTime          time.Duration // for the BYEs of dialogs that are still up when Serve ends; 2 s
}

// Listener is one socket that SIP is spoken on.
type Listener struct {
	Network string // "udp", "tcp", "tls", "ws" or "wss"
	Addr    netip.AddrPort
}

// String returns the listener as a URL, "udp://192.0.2.1:5060".
func (l Listener) String() string { return l.Network + "://" + l.Addr.String() }

// Knock is something that was left unanswered.
type Knock struct {
	Source  netip.AddrPort
	Network string // as of a Listener
	Why     string // in a few words: "unknown source", "flood", "forged CANCEL", "not SIP"...
}

// withDefaults fills in what is zero.
func (c Config) withDefaults() Config {
	if c.Known == nil {
		c.Known = func(src netip.AddrPort) bool { return src.Addr().IsLoopback() || src.Addr().IsPrivate() }
	}
	if c.Options == nil {
		c.Options = func() int { return 200 }
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	c.UserAgent = or(oneLine(c.UserAgent), "Passerelle")
	c.DSCP = max(0, or(c.DSCP, 24))
	c.T1 = or(c.T1, 500*time.Millisecond)
	c.Limits = c.Limits.withDefaults()
	c.Limits.SetupTime = or(c.Limits.SetupTime, 64*c.T1)
	c.Limits.TargetTime = or(c.Limits.TargetTime, 8*c.T1)
	if c.Locate == nil {
		c.Locate = locate.New(locate.Config{})
	}
	return c
}

func (l Limits) withDefaults() Limits {
	l.MessageSize = min(or(l.MessageSize, maxMessage), maxMessage)
	l.MessageTime = or(l.MessageTime, 10*time.Second)
	l.WriteTime = or(l.WriteTime, 5*time.Second)
	l.HandshakeTime = or(l.HandshakeTime, 5*time.Second)
	l.IdleTime = or(l.IdleTime, time.Minute)
	l.Strangers = or(l.Strangers, 32)
	l.StrangersPerAddress = or(l.StrangersPerAddress, 4)
	l.StrangersPerSecond = or(l.StrangersPerSecond, 20)
	l.Connections = or(l.Connections, 4096)
	l.ConnectionsPerAddress = or(l.ConnectionsPerAddress, 256)
	l.MessagesPerSecond = or(l.MessagesPerSecond, 1000)
	l.AllMessagesPerSecond = or(l.AllMessagesPerSecond, 5000)
	l.InvitesPerSecond = or(l.InvitesPerSecond, 200)
	l.AllInvitesPerSecond = or(l.AllInvitesPerSecond, 300)
	l.KeepAlive = or(l.KeepAlive, 25*time.Second)
	l.ShutdownTime = or(l.ShutdownTime, 2*time.Second)
	return l
}

// maxMessage is sipgo's read buffer in bytes: a message comes in one read.
const maxMessage = 32 << 10

// or returns v, or def where v is zero.
func or[T comparable](v, def T) T {
	var zero T
	if v == zero {
		return def
	}
	return v
}
