// Package config knows what an operator may say: one YAML file, the environment and flags, as typed, defaulted and
// checked values, each with the place that it comes from. It does not know what the gateway does with them.
package config

import (
	"crypto/x509"
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
	Engines  []Engine // one at least; one at most is embedded
	HTTP     HTTP     // the zero HTTP where no engine is embedded: there is no page then
	Sound    Sound
	State    string // state.dir: a folder, as a path; "" is none
	Redis    *Redis // state.redis: nil, the default: this gateway is alone
	Admin    *Admin // nil, the default: there is none
	Voices   Voices
}

// Admin is where the running gateway is asked about itself.
type Admin struct {
	Listen netip.AddrPort // 127.0.0.1:8081 by default
	Token  Secret         // of whoever asks; empty, the default, on a loopback address only
}

// Sound is what is done to the sound.
type Sound struct {
	Limiter bool // what phones hear is turned down where it would be clipped; true by default
}

// Live is what may change while calls are up.
type Live struct {
	Trunks []Trunk
	Phones []Phone
	// Registrar is how Phones register.
	Registrar Registrar
	Menus     []Menu
	Rooms     []Room
	Routes    []Route // the first match wins
	// Emergency is the country, "FR", whose emergency numbers are known at every trunk; empty, the default: those of each
	// trunk's plan.
	Emergency string
	// Help is where calls for help go, of Trunks; empty, the default: the caller is told to call from another telephone.
	Help     string
	Outgoing *Outgoing // nil, the default: nothing may be called out
	Limits   Limits
	Drain    time.Duration // how long calls that are up may go on after SIGTERM, 0 to 24 h; 10 min by default
	Log      Log
	Keys     Keys // of all callers
	// AnyRoom says that an embedded room need not be in Rooms to be opened from the page: true where a route
	// makes such a room's name from what was dialled, as it is without a file.
	AnyRoom bool
}

// Network is a place where telephony lives.
type Network struct {
	Name      string
	Listen    []Listener       // at least one; udp and tcp on port 5060 of every address by default
	Advertise Advertise        // auto by default
	DNS       []netip.AddrPort // who is asked where to call; none, the default: whom this machine asks
	Media     Media            // 20000-23999 on the address of the first listen by default
	TLS       *TLS             // of its tls and wss listeners; nil, the default, if there are none
	Origins   []string         // of pages that may open a WebSocket, or AnyOrigin; empty, the default: pages of the same host
	ANSSI     bool             // tls.profile: keys of SRTP are not taken from SIP that is in clear; false by default
}

// AnyOrigin stands for the pages of everybody.
const AnyOrigin = "*"

// Encrypted reports whether SIP over a transport is encrypted.
func Encrypted(transport string) bool { return transport == "tls" || transport == "wss" }

// Listener is one address where SIP is listened for.
type Listener struct {
	Transport string         // "udp", "tcp", "tls", "ws" or "wss"
	Addr      netip.AddrPort // the address may be unspecified (:: takes IPv4 too), the port 0 for a free one
}

// Advertise is the address that peers are told, in SIP and in SDP. The zero Advertise is auto: the local
// address that the peer is reached from.
type Advertise struct {
	Addr netip.Addr // not valid if Host is set or all is left to the gateway
	Host string     // a DNS name, resolved by whoever serves the network
}

// Media is where RTP and RTCP live: an even UDP port and the odd one after it for each call.
type Media struct {
	Addr        netip.Addr // may be unspecified: every address of the machine
	First, Last uint16     // inclusive, with one pair at least; both 0 leave the ports to the system
}

// Engine is a place where rooms live. Exactly one of Embedded and LiveKit is set.
type Engine struct {
	Name     string
	Embedded *Embedded
	LiveKit  *LiveKit
	Meet     *Meet // who made the rooms of LiveKit; nil, the default, if it is not known
	// AloneTimeout is how long a call may be in a room where nobody else is, 1 s to 24 h; 10 min by default
	// with LiveKit. 0, the default of embedded rooms, is for ever.
	AloneTimeout time.Duration
	MaxCall      time.Duration // how long a call may last from its answer, 1 s to 24 h; 12 h by default, 0 is for ever
	Announce     Announce      // tone by default
}

// Embedded is our own rooms, in this process.
type Embedded struct {
	UDP       netip.AddrPort // one port for all browsers, 7882 of every address by default; port 0 is a free one
	TCP       netip.AddrPort // for browsers that cannot send UDP, likewise; not valid if off
	PublicURL *url.URL       // where browsers find the page, that of HTTP by default; nil if nobody said; no path
	People    int            // in one room at once, phones included, 2 to 10000; 200 by default
}

// LiveKit is a cluster of LiveKit servers, or one of them.
type LiveKit struct {
	URL    *url.URL // of the signalling: ws, wss, http or https; the path is a prefix without a slash at its end
	Key    Secret   // API key, never empty
	Secret Secret   // API secret, never empty
	UDP    Media    // the local ports of media, one for each participant; free ones of every address by default
}

// Meet is the application whose meetings are rooms of a LiveKit engine: Visio, or another La Suite Meet.
type Meet struct {
	URL          *url.URL      // http or https, no path
	RoomkitToken Secret        // opens meetings that nobody has entered yet; empty, the default, if there is none
	Lobby        bool          // knock where the meeting wants it; true by default
	LobbyTimeout time.Duration // how long somebody who knocks waits, 10 s to 1 h; 10 min by default
}

// HTTP is the page and its WebSocket.
type HTTP struct {
	Listen      netip.AddrPort // 127.0.0.1:8080 by default; the address may be unspecified, port 0 is a free one
	TLS         *TLS           // nil, the default: plain HTTP
	BehindProxy []netip.Prefix // proxies whose X-Forwarded-For is believed; none by default
	PublicURL   *url.URL       // as browsers see it, no path; nil, the default: as their requests say
}

// TLS names a certificate and its key, PEM files that may be replaced while the gateway runs. They were
// readable, and fitted, when the configuration was loaded.
type TLS struct {
	Cert, Key string // paths
}

// Trunk is a SIP peer that is not a phone of ours: a PBX or an operator. It is known by its addresses, or by its
// certificate; nobody else is answered.
type Trunk struct {
	Name    string
	Network string         // of Static.Networks, never empty
	From    []netip.Prefix // accept.from: where it calls from; masked, and in no other trunk
	// Certificate is accept.certificate: it is known by that, over TLS only and at From only, if there is any. Nil, the
	// default: it is known by From, of which there is one at least.
	Certificate *Certificate
	Trusted     bool       // what its network says of callers is believed; false by default
	Codecs      []Codec    // the one we like best first; G722, Opus, PCMA, PCMU by default
	Gain        bool       // its callers' voices are brought to one level; sound.gain, true, by default
	Gate        bool       // what is no voice is not sent to the room; sound.gate, true, by default
	Calls       int        // limits.calls: calls at once; 0, the default, is no limit of its own
	CallsOut    CallLimits // limits.outgoing: of calls out over it; no bounds by default
	SRTP        SRTP       // optional, with any suite, by default
	Suites      []uint16   // tls.suites: of TLS 1.2, spoken with its addresses beside those that everybody speaks; none by default
	DTMF        DTMF       // auto by default
	Numbers     Numbers    // how numbers are dialled there; as they are, by default
	Transfer    Transfer
	Servers     []string      // SIP URIs, in the order of trying; none by default
	Register    *Login        // nil, the default: it wants no registration
	Health      time.Duration // between two OPTIONS to a server, 5 s to 1 h; 30 s by default, 0 is none
	Digest      *Login        // accept.digest; nil, the default: its address or certificate is enough
	Language    string        // its callers'; "", the default: nobody said
	Keys        *Keys         // its callers'; nil, the default: Live.Keys
}

// Login is a name and its password, with where it registers.
type Login struct {
	User     string // of the address
	Name     string // that goes with the password; User by default
	Password Secret // never empty
	Domain   string // of the address; "", the default, is the server's
	Expires  time.Duration
}

// Phone is a desk phone or room system that registers. Exactly one of Password and HA1 is there.
type Phone struct {
	User     string // unique, and no trunk's
	Name     string // "", the default, if it has none
	Number   string // what it is to the world; "", the default, if nothing
	Network  string // of Static.Networks, never empty
	Password Secret
	HA1      HA1
	Codecs   []Codec // as a trunk's, and so the others
	Gain     bool
	Gate     bool
	SRTP     SRTP
}

// HA1 stands for a password: the digest of user, realm and password, in hexadecimal; one of the two at least.
type HA1 struct{ SHA256, MD5 Secret }

// Registrar is how phones register.
type Registrar struct {
	Realm       string
	From        []netip.Prefix // where they may be; loopback and private addresses by default
	Algorithms  []string       // SHA-256 and MD5 by default; one at least
	Least, Most time.Duration  // of a registration; 1 min and 2 h by default
}

// Numbers is the numbering plan of a trunk.
type Numbers struct {
	Plan       string // the country, "FR"; empty, the default: none
	Outside    string // digits that may stand before a number that leaves the house; empty, the default, if there are none
	Extensions Extensions
	Ours       []Range // the numbers that the trunk has given us; none by default
	Present    string  // as whom we call over it, where it is none of Ours; "" where nobody said
}

// Extensions are the numbers within a house.
type Extensions struct {
	Digits int    // how many digits one has, 2 to 8; 0, the default: there are none
	E164   string // what one is to the world, "+3312345{ext}"; empty, the default, if nothing
}

// DTMF says whether keys are looked for in the sound of a trunk's calls.
type DTMF string

// The ways.
const (
	DTMFAuto   DTMF = "auto"   // where a caller can send them neither as events (RFC 4733) nor in INFO
	DTMFInband DTMF = "inband" // in every call
	DTMFOff    DTMF = "off"    // in none
)

// Certificate is a certificate that a trunk shows: for Name, and signed by one of Roots.
type Certificate struct {
	Name  string         // of a host, in lower case
	Roots *x509.CertPool // as read when the configuration was loaded
}

// Codec is a telephone codec by the name that RTP registers.
type Codec string

// The codecs of telephones.
const (
	PCMU Codec = "PCMU"
	PCMA Codec = "PCMA"
	G722 Codec = "G722"
	Opus Codec = "opus"
)

// Menu is the voice that asks a caller for a PIN.
type Menu struct {
	Name      string
	Engine    string   // of Static.Engines, never empty
	Languages []string // "fr", "en", or others of Static.Voices: the first speaks first, the others can be chosen; at least one
	Digits    int      // how many a PIN has, 4 to 20, 0 is any number of them; by default 10, or what all of an embedded engine have
	Tries     int      // PINs a call may try, 1 to 10; 3 by default
	// WaitForHost plays music to a caller until somebody else is in the room; true by default.
	WaitForHost bool
	Keys        *Keys // its callers'; nil, the default: the trunk's
}

// Room is an embedded room with a name of its own.
type Room struct {
	Name         string // unique; 1 to 64 characters that can be the last part of a URL
	Engine       string // of Static.Engines, never empty
	Password     Secret // for the page; empty, the default, if there is none
	PIN          Secret // for menus: 4 to 20 digits, in no other room of the engine; empty, the default, if there is none
	ModeratorPIN Secret // moderator.pin, likewise

	ModeratorPassword Secret        // moderator.password, for the page; empty, the default: nobody moderates there
	WaitingRoom       bool          // false by default
	WaitingTimeout    time.Duration // how long who knocks waits, 10 s to 1 h; 10 min by default
	KeepMuted         bool          // unmute: whom a moderator has muted cannot unmute itself; false by default
	Announce          Announce      // "", the default, is as of the engine
}

// Route says where calls go, and which: all that it asks must be so. Of To and ToMatch, and of Callers and Caller, one at
// most is set; exactly one of Room, Menu, Phone, Trunk, Announce, Echo and Reject is.
type Route struct {
	From      []string       // names of trunks; empty: trusted trunks
	To        string         // what was dialled, literally; numbers are to be compared as numbers; empty: anything
	ToMatch   *regexp.Regexp // ... or a match of all of it: it is anchored at both ends
	Callers   []string       // who calls, one of them, as To; empty: anybody
	Caller    *regexp.Regexp // ... or a match of all of it
	Transport []string       // what the call came over: udp, tcp, tls, ws, wss; empty: anything
	Header    *Header        // that the INVITE has; nil, the default: none has to be there
	Hours     []Hours        // when; empty: always
	Zone      *time.Location // of Hours; nil, the default: that of this machine
	Video     bool           // only calls that offer video; false by default

	Room     string // with ToMatch a template for its Expand: it may hold $1 or ${name}
	Menu     string // of Live.Menus
	Trunk    string // of Live.Trunks: what was dialled goes out over it
	Phone    string // the user of one of Live.Phones, or like Room a template for it
	PIN      Secret // tried in Menu before it asks; like Room a template; empty, the default, if there is none
	Engine   string // never empty with Room or Menu: of the route, of the menu or room, or the only one there is
	Announce string // what is said: closed, unassigned, emergency
	Language string // of the callers; empty, the default: the trunk's, of the menu, else of the first menu of the engine, else en
	Echo     bool   // an echo test
	Reject   int    // SIP status, 400 to 699
	Redirect string // a SIP URI that the caller is sent to (302); with ToMatch a template, like Room
}

// Header is a header of an INVITE, and what all of one of its values matches.
type Header struct {
	Name  string
	Match *regexp.Regexp
}

// Limits bounds the whole gateway.
type Limits struct {
	Calls            int // calls at once, 1 to 100000; 1000 by default
	GuessesPerMinute int // wrong PINs of untrusted callers that are tried, in all; 1 to 1000, 20 by default
}

// Log is what is logged.
type Log struct {
	Level slog.Level // info by default
}
