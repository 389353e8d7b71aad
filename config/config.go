// Package config knows what an operator may say: one YAML file, the environment and flags, as typed, defaulted and
// checked values, each with the place that it comes from. It does not know what the gateway does with them.
package config

import (
	"log/slog"
	"net/netip"
	"net/url"
	"regexp"
	"time"
)

// Config is one whole, checked configuration. It is not changed after it has been loaded.
type Config struct {
	Static Static
	Live   Live
	// File is the path of the file that was loaded; "" if there is none and the gateway serves its
	// neighbourhood: everybody at a loopback or private address may call any room.
	File string
	// Warnings are what is allowed and probably not meant.
	Warnings Errors

	tree *tree
	at   map[string]origin
}

// Origin says where the setting at path, such as "networks[0].listen[1]" or "http.listen", comes from:
// "default", "passerelle.yaml:5", "env PASSERELLE_HTTP_LISTEN" or "flag --http-listen".
func (c *Config) Origin(path string) string { return c.at[path].String() }

// Static is what takes a restart to change: everything that holds a port.
type Static struct {
	Networks []Network
	Engines  []Engine
	HTTP     HTTP
}

// Live is what may change while calls are up.
type Live struct {
	Trunks []Trunk
	Rooms  []Room
	Routes []Route // the first match wins
	Limits Limits
	Drain  time.Duration // how long calls that are up may go on after SIGTERM
	Log    Log
	// AnyRoom says that a room need not be in Rooms to be opened from the page: true where a route makes
	// the room's name from what was dialled, as it is without a file.
	AnyRoom bool
}

// Network is a place where telephony lives.
type Network struct {
	Name      string
	Listen    []Listener // at least one
	Advertise Advertise
	Media     Media
}

// Listener is one address where SIP is listened for.
type Listener struct {
	Transport string // "udp" or "tcp"
	Addr      netip.AddrPort
}

// Advertise is the address that peers are told, in SIP and in SDP. The zero Advertise is auto: the local
// address that the peer is reached from.
type Advertise struct {
	Addr netip.Addr // not valid if Host is set or all is left to the gateway
	Host string     // a DNS name, resolved by whoever serves the network
}

// Media is where RTP and RTCP live: two ports for each call.
type Media struct {
	Addr        netip.Addr // may be unspecified: every address of the machine
	First, Last uint16     // inclusive
}

// Engine is a place where rooms live. Exactly one field beside Name is set.
type Engine struct {
	Name     string
	Embedded *Embedded
}

// Embedded is our own rooms, in this process.
type Embedded struct {
	UDP       netip.AddrPort // one port for all browsers; the address may be unspecified
	TCP       netip.AddrPort // for browsers that cannot send UDP; not valid if off
	PublicURL *url.URL       // where browsers find the page; nil if nobody said
}

// HTTP is the page and its WebSocket.
type HTTP struct {
	Listen      netip.AddrPort // the address may be unspecified
	TLS         *TLS           // nil: plain HTTP
	BehindProxy []netip.Prefix // proxies whose X-Forwarded-... headers are believed
	PublicURL   *url.URL       // as browsers see it; nil: as their requests say
}

// TLS names a certificate and its key, PEM files that may be replaced while the gateway runs.
type TLS struct {
	Cert, Key string // paths
}

// Trunk is a SIP peer that is not a phone of ours: a PBX or an operator. Only its addresses are answered.
type Trunk struct {
	Name    string
	Network string
	From    []netip.Prefix // accept.from: who may call us
	Trusted bool           // its P-Asserted-Identity is believed
	Codecs  []Codec        // the one we like best first
	Calls   int            // limits.calls: calls at once; 0 is no limit of its own
}

// Codec is a telephone codec by the name that RTP registers.
type Codec string

// The codecs of telephones.
const (
	PCMU Codec = "PCMU"
	PCMA Codec = "PCMA"
)

// Room is an embedded room with a name of its own.
type Room struct {
	Name     string
	Engine   string
	Password Secret // for the page; empty if there is none
}

// Route says where calls go. Exactly one of To and ToMatch is set.
type Route struct {
	From    []string       // names of trunks; empty: trusted trunks
	To      string         // what was dialled, literally
	ToMatch *regexp.Regexp // ... or a match of all of it (anchored)
	Room    string         // may hold $1 or ${name} of ToMatch
	Engine  string         // never empty: of the route, of the room, or the only one there is
}

// Limits bounds the whole gateway.
type Limits struct {
	Calls int // calls at once
}

// Log is what is logged.
type Log struct {
	Level slog.Level
}
