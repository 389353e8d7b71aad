package sdp

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strconv"
	"strings"

	pion "github.com/pion/sdp/v3"
)

// Suite is a crypto-suite of SRTP by its registered name.
type Suite string

// The suites that we speak.
const (
	AES128CM80 Suite = "AES_CM_128_HMAC_SHA1_80" // RFC 4568 section 6.2
	AES128CM32 Suite = "AES_CM_128_HMAC_SHA1_32"
	AES256CM80 Suite = "AES_256_CM_HMAC_SHA1_80" // RFC 6188 section 4
	AES256CM32 Suite = "AES_256_CM_HMAC_SHA1_32"
	AES128GCM  Suite = "AEAD_AES_128_GCM" // RFC 7714 section 14.2
	AES256GCM  Suite = "AEAD_AES_256_GCM"
)

// Suites returns all of them, the strongest first: authenticated encryption before others, the short tag last.
func Suites() []Suite {
	return []Suite{AES256GCM, AES128GCM, AES256CM80, AES128CM80, AES256CM32, AES128CM32}
}

// keySize returns the length in bytes of a suite's master key and salt together, 0 for what is none.
func (s Suite) keySize() int {
	switch s {
	case AES128CM80, AES128CM32:
		return 16 + 14
	case AES256CM80, AES256CM32:
		return 32 + 14
	case AES128GCM:
		return 16 + 12
	case AES256GCM:
		return 32 + 12
	}
	return 0
}

// suiteNamed returns the suite of a name; devices of before RFC 6188 write its names in the order of RFC 4568.
func suiteNamed(name string) Suite {
	if rest, old := strings.CutPrefix(name, "AES_CM_256_"); old {
		name = "AES_256_CM_" + rest
	}
	return Suite(name)
}

// Policy says whether a line is encrypted.
type Policy uint8

// The policies.
const (
	Plain    Policy = iota // never
	Optional               // where the peer can
	Required               // or there is no call
)

// Exchange says how keys may come about.
type Exchange uint8

// The ways.
const (
	AnyExchange Exchange = iota
	SDES                 // in the SDP (RFC 4568)
	Handshake            // in a DTLS handshake where the sound goes (RFC 5763)
)

// Security is our side of SRTP. The zero Security is plain RTP.
type Security struct {
	Policy   Policy
	Exchange Exchange
	// Fingerprint is that of our certificate, as the attribute has it; empty: there are no handshakes.
	Fingerprint string
	// Suites are those that we take, the one we like best first; empty: all of them. Of what a peer offers
	// ours decides, not the peer's order.
	Suites []Suite
	// NewKey makes a master key and salt of size bytes, or the words of ICE; nil: random ones.
	NewKey func(size int) []byte
}

func (s Security) suites() []Suite {
	if len(s.Suites) == 0 {
		return Suites()
	}
	return s.Suites
}

func (s Security) newKey(suite Suite) Key { return newKey(s.random(suite.keySize())) }

func (s Security) random(size int) []byte {
	if s.NewKey != nil {
		return s.NewKey(size)
	}
	b := make([]byte, size)
	_, _ = rand.Read(b) // it never fails
	return b
}

// Key is a master key with its salt. It prints as "***", whatever the verb. It is behind a pointer since fmt asks no
// method, and follows no pointer to text, where a Key is in a field that is not exported.
type Key struct{ text *string }

func newKey(b []byte) Key {
	text := string(b)
	return Key{&text}
}

// Reveal returns the key's bytes, for whoever encrypts with them.
func (k Key) Reveal() []byte {
	if k.text == nil {
		return nil
	}
	return []byte(*k.text)
}

const redacted = "***"

// String returns "***".
func (k Key) String() string { return redacted }

// GoString is String, for %#v.
func (k Key) GoString() string { return redacted }

// Format is String for every verb of fmt.
func (k Key) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// MarshalText is String, for JSON and the like.
func (k Key) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue is String, for slog.
func (k Key) LogValue() slog.Value { return slog.StringValue(redacted) }

// Crypto is what both sides have agreed on for SRTP and SRTCP.
type Crypto struct {
	Suite        Suite
	Ours, Theirs Key // what we encrypt with, and what the peer does
	// OurMKI and TheirMKI are what marks the packets of a key (RFC 3711 section 3.1); empty: nothing does.
	OurMKI, TheirMKI []byte
	ClearRTCP        bool // SRTCP is authenticated and not encrypted (UNENCRYPTED_SRTCP)

	tag, name string // as offered
}

// cryptoLine is one a=crypto attribute (RFC 4568 section 9.1), of those that we can do.
type cryptoLine struct {
	tag       string
	name      string // of the suite, as written
	suite     Suite
	key       Key
	mki       []byte
	clearRTCP bool
}

// maxCrypto is how many crypto attributes of a line are looked at; one for each suite and way of writing is fewer.
const maxCrypto = 32

// maxMKI is the longest MKI in bytes (RFC 4568 section 6.1).
const maxMKI = 128

// cryptoOf returns the crypto attributes of a line that we can do, in their order. One that cannot be read is
// left out, and so is one that wants what we do not do: the others stand (RFC 4568 section 7.1.2).
func cryptoOf(m *pion.MediaDescription) []cryptoLine {
	var lines []cryptoLine
	seen := 0
	for _, a := range m.Attributes {
		if a.Key != "crypto" {
			continue
		}
		if seen++; seen > maxCrypto {
			break
		}
		if c, ok := parseCrypto(a.Value); ok {
			lines = append(lines, c)
		}
	}
	return lines
}

// parseCrypto reads "1 AES_CM_128_HMAC_SHA1_80 inline:KEY|2^31|1:4 UNENCRYPTED_SRTCP".
func parseCrypto(value string) (c cryptoLine, ok bool) {
	fields := strings.Fields(value)
	if len(fields) < 3 || len(fields[0]) > 9 || !isDigits(fields[0]) {
		return c, false
	}
	c.tag, c.name, c.suite = fields[0], fields[1], suiteNamed(fields[1])
	if c.suite.keySize() == 0 || !c.parseKey(fields[2]) {
		return c, false
	}
	for _, parameter := range fields[3:] {
		switch {
		case parameter == "UNENCRYPTED_SRTCP":
			c.clearRTCP = true
		case strings.HasPrefix(parameter, "WSH="): // a hint for the replay window, of which ours is the least there is
		case strings.HasPrefix(parameter, "-"): // may be ignored (section 6.3.7)
		default:
			// UNENCRYPTED_SRTP, UNAUTHENTICATED_SRTP, FEC_ORDER, FEC_KEY, KDR, or what nobody has heard of.
			return c, false
		}
	}
	return c, true
}

// parseKey reads "inline:KEY|LIFETIME|MKI:LENGTH", of which the last two may be missing. More than one key is
// more than we do.
func (c *cryptoLine) parseKey(text string) bool {
	method, info, _ := strings.Cut(text, ":")
	parts := strings.Split(info, "|")
	if !strings.EqualFold(method, "inline") || len(parts) > 3 {
		return false
	}
	// Some devices leave the padding away.
	key, err := base64.RawStdEncoding.Strict().DecodeString(strings.TrimRight(parts[0], "="))
	if err != nil || len(key) != c.suite.keySize() || len(parts[0]) > base64.StdEncoding.EncodedLen(len(key)) {
		return false
	}
	c.key = newKey(key)
	for i, part := range parts[1:] {
		if number, length, isMKI := strings.Cut(part, ":"); isMKI {
			return i == len(parts)-2 && c.parseMKI(number, length)
		}
		if i != 0 || !isLifetime(part) {
			return false
		}
	}
	return true
}

// parseMKI reads a number and the length in bytes that it is written in.
func (c *cryptoLine) parseMKI(number, length string) bool {
	value, err := strconv.ParseUint(number, 10, 64)
	size, err2 := strconv.ParseUint(length, 10, 8)
	if err != nil || err2 != nil || size == 0 || size > maxMKI || size < 8 && value>>(8*size) != 0 {
		return false
	}
	var wide [8]byte
	binary.BigEndian.PutUint64(wide[:], value)
	c.mki = make([]byte, size)
	copy(c.mki[max(0, len(c.mki)-8):], wide[max(0, 8-len(c.mki)):])
	return true
}

// isLifetime reports whether text is how many packets a key may encrypt: "2^31" or a number, 2^48 at most (RFC 3711
// section 9.2). We need not count: a call has 2^32 packets in two years.
func isLifetime(text string) bool {
	if power, ok := strings.CutPrefix(text, "2^"); ok {
		n, err := strconv.ParseUint(power, 10, 8)
		return err == nil && n >= 20 && n <= 48
	}
	n, err := strconv.ParseUint(text, 10, 64)
	return err == nil && n >= 1<<20 && n <= 1<<48
}

func isDigits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// wire is the attribute's value, key and all: for the wire only.
func (c cryptoLine) wire() string {
	text := c.tag + " " + c.name + " inline:" + base64.StdEncoding.EncodeToString(c.key.Reveal())
	if len(c.mki) > 0 {
		number := binary.BigEndian.Uint64(append(make([]byte, 8), c.mki...)[len(c.mki):])
		text += "|" + strconv.FormatUint(number, 10) + ":" + strconv.Itoa(len(c.mki))
	}
	if c.clearRTCP {
		text += " UNENCRYPTED_SRTCP"
	}
	return text
}

// line is our side of what was agreed on.
func (c *Crypto) line() cryptoLine {
	return cryptoLine{tag: c.tag, name: c.name, suite: c.Suite, key: c.Ours, mki: c.OurMKI, clearRTCP: c.ClearRTCP}
}

// encrypted reports whether an m-line is of SRTP by its protocol.
func encrypted(name pion.MediaName) bool {
	return len(name.Protos) == 2 && strings.HasPrefix(strings.ToUpper(name.Protos[1]), "SAVP")
}

// protect settles SRTP for an offered line. nil is plain RTP.
func (l Local) protect(m *pion.MediaDescription) (*Crypto, error) {
	if l.Security.Policy == Plain {
		if encrypted(m.MediaName) {
			return nil, refuse(ErrTransport, "there %s, here RTP/AVP", describeProto(m.MediaName))
		}
		return nil, nil
	}
	lines := cryptoOf(m)
	if l.Security.Exchange == Handshake {
		lines = nil
	}
	chosen, ok := l.Security.choose(lines)
	if !ok {
		return nil, l.unprotected(m)
	}
	c := &Crypto{
		Suite: chosen.suite, Theirs: chosen.key, TheirMKI: chosen.mki, OurMKI: chosen.mki,
		ClearRTCP: chosen.clearRTCP, tag: chosen.tag, name: chosen.name,
	}
	// A peer that goes on with its key goes on with its packet counts, and so do we. One that has a new key gets a
	// new one of ours, since it may have begun to count again in both directions.
	if was := l.agreed; was != nil && was.sameTheirs(c) {
		c.Ours = was.Ours
	} else {
		c.Ours = l.Security.newKey(c.Suite)
	}
	return c, nil
}

func (c *Crypto) sameTheirs(d *Crypto) bool {
	return c.Suite == d.Suite && c.ClearRTCP == d.ClearRTCP && bytes.Equal(c.TheirMKI, d.TheirMKI) &&
		bytes.Equal(c.Theirs.Reveal(), d.Theirs.Reveal())
}

// choose picks the line that we like best: by suite, and of one suite the one that encrypts RTCP too.
func (s Security) choose(lines []cryptoLine) (cryptoLine, bool) {
	for _, suite := range s.suites() {
		for _, clearRTCP := range []bool{false, true} {
			for _, c := range lines {
				if c.suite == suite && c.clearRTCP == clearRTCP {
					return c, true
				}
			}
		}
	}
	return cryptoLine{}, false
}

// unprotected is what to say of a line without a key that we can use.
func (l Local) unprotected(m *pion.MediaDescription) error {
	if !encrypted(m.MediaName) && l.Security.Policy != Required {
		return nil
	}
	var theirs []string
	for _, a := range m.Attributes {
		if fields := strings.Fields(a.Value); a.Key == "crypto" && len(fields) > 1 && len(theirs) < 12 {
			theirs = append(theirs, printable(fields[1], 30)) // never the key, which is the third
		}
	}
	if len(theirs) == 0 {
		theirs = []string{"none"}
	}
	var ours []string
	for _, s := range l.Security.suites() {
		ours = append(ours, string(s))
	}
	if l.Security.Exchange == Handshake {
		ours = []string{"DTLS"}
	}
	return refuse(ErrCrypto, "there %s, here %s", strings.Join(theirs, " "), strings.Join(ours, " "))
}

// offeredCrypto is what an offer of ours has: what the dialog agreed on, or each suite with a key of its own where it is
// the first offer; a dialog that is plain stays so.
func (l Local) offeredCrypto(first bool) []cryptoLine {
	switch {
	case l.Security.Policy == Plain:
		return nil
	case l.agreed != nil:
		return []cryptoLine{l.agreed.line()}
	case !first || l.Security.Exchange == Handshake:
		return nil
	}
	var lines []cryptoLine
	for i, suite := range l.Security.suites() {
		lines = append(lines, cryptoLine{tag: strconv.Itoa(i + 1), name: string(suite), suite: suite, key: l.Security.newKey(suite)})
	}
	return lines
}

// readProtection settles SRTP for a line that answers one of ours.
func (l Local) readProtection(m, ours *pion.MediaDescription) (*Crypto, error) {
	own := cryptoOf(ours)
	for _, c := range cryptoOf(m) {
		i := slices.IndexFunc(own, func(o cryptoLine) bool {
			return o.tag == c.tag && o.suite == c.suite && o.clearRTCP == c.clearRTCP
		})
		if i >= 0 {
			return &Crypto{
				Suite: c.suite, Ours: own[i].key, Theirs: c.key, OurMKI: own[i].mki, TheirMKI: c.mki,
				ClearRTCP: c.clearRTCP, tag: c.tag, name: c.name,
			}, nil
		}
	}
	if encrypted(ours.MediaName) {
		return nil, l.unprotectedAnswer(m)
	}
	return nil, l.unprotected(m)
}

// unprotectedAnswer is unprotected for an answer to an offer that left no choice.
func (l Local) unprotectedAnswer(m *pion.MediaDescription) error {
	l.Security.Policy = Required
	return l.unprotected(m)
}
