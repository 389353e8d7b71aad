package sdp

import (
	"encoding/base64"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"

	pion "github.com/pion/sdp/v3"
)

// DTLS is what both sides have agreed on for SRTP whose keys are made with a handshake (RFC 5763, RFC 8842).
type DTLS struct {
	Fingerprints []Fingerprint // of the peer's certificate: it must fit one of them
	Active       bool          // we begin the handshake
	Suites       []Suite       // that we take, the one we like best first
	ICE          *ICE          // nil: the peer is where the SDP says
}

// Fingerprint is the hash of a certificate (RFC 8122 section 5).
type Fingerprint struct {
	Hash   string // "sha-256", "sha-384" or "sha-512"
	Digest []byte
}

// ICE is what both sides have agreed on for ICE (RFC 8839): the peer makes checks, and we, lite, answer them.
type ICE struct {
	Ufrag       string // ours
	Password    Key    // of the checks
	RemoteUfrag string
}

// maxFingerprints is how many of a line are looked at.
const maxFingerprints = 8

// isTLS reports whether an m-line is one of DTLS-SRTP by its protocol (RFC 5764 section 8).
func isTLS(name pion.MediaName) bool {
	return len(name.Protos) == 4 && strings.EqualFold(name.Protos[0], "UDP") && strings.EqualFold(name.Protos[1], "TLS")
}

// attributeOf is the value of an attribute of a line, or else of the session.
func attributeOf(d *description, m *pion.MediaDescription, key string) string {
	if v, ok := m.Attribute(key); ok {
		return v
	}
	v, _ := d.Attribute(key)
	return v
}

// usesICE reports whether a line's address is found with ICE: it makes its keys with a handshake, and its side makes the checks.
// Where it is lite as well, nobody would; then it is where it says (RFC 8445 section 2.5).
func usesICE(d *description, m *pion.MediaDescription) bool {
	_, lite := d.Attribute("ice-lite")
	return shakesHands(d, m) && !lite && attributeOf(d, m, "ice-ufrag") != "" && attributeOf(d, m, "ice-pwd") != ""
}

// shakesHands reports whether a line makes its keys with a handshake. Before RFC 5764 had its name for that, browsers
// wrote RTP/SAVPF.
func shakesHands(d *description, m *pion.MediaDescription) bool {
	return isTLS(m.MediaName) || encrypted(m.MediaName) && len(cryptoOf(m)) == 0 && attributeOf(d, m, "fingerprint") != ""
}

// shakes reports whether handshakes are all that there is for keys.
func (s Security) shakes() bool {
	return s.Policy == Required && s.Exchange == Handshake && s.Fingerprint != ""
}

// secure settles SRTP for an offered line.
func (l Local) secure(d *description, m *pion.MediaDescription, media *Media) (err error) {
	if !shakesHands(d, m) {
		media.Crypto, err = l.protect(m)
		return err
	}
	s := l.Security
	if s.Policy == Plain || s.Exchange == SDES || s.Fingerprint == "" || !slices.ContainsFunc(s.suites(), Suite.ofHandshake) {
		return refuse(ErrTransport, "there %s, here %s", describeProto(m.MediaName), s.describe())
	}
	if usesICE(d, m) && !media.RTCPMux {
		return refuse(ErrTransport, "there ICE without rtcp-mux, here with it only")
	}
	media.DTLS, err = l.shake(d, m, roleOf)
	return err
}

// describe names the protocol that we would take.
func (s Security) describe() string {
	if s.Policy == Required {
		return "RTP/SAVP"
	}
	return "RTP/AVP"
}

// shake reads what a line says of its handshake. role is which side is ours.
func (l Local) shake(d *description, m *pion.MediaDescription, role func(setup string, ice bool, was *DTLS) (active, ok bool)) (*DTLS, error) {
	agreed := &DTLS{Fingerprints: fingerprintsOf(d, m), Suites: l.Security.suites()}
	if len(agreed.Fingerprints) == 0 {
		return nil, refuse(ErrCrypto, "no fingerprint of a certificate by sha-256, sha-384 or sha-512")
	}
	was := l.shaken
	if was != nil && !slices.EqualFunc(was.Fingerprints, agreed.Fingerprints, Fingerprint.equal) {
		was = nil // another handshake begins
	}
	setup := strings.ToLower(attributeOf(d, m, "setup"))
	var ok bool
	if agreed.Active, ok = role(setup, usesICE(d, m), was); !ok {
		return nil, refuse(ErrCrypto, "nobody to begin the handshake: setup %s", printable(setup, 20))
	}
	if usesICE(d, m) {
		agreed.ICE = l.words(attributeOf(d, m, "ice-ufrag"))
	}
	return agreed, nil
}

// roleOf is our side of a handshake that is offered (RFC 5763 section 5). Where we may choose we begin it, as is recommended; but
// without ICE the peer does: it may be behind NAT, and what we send first would not arrive. In a dialog it stays
// as it was (RFC 8842 section 5.1).
func roleOf(setup string, ice bool, was *DTLS) (active, ok bool) {
	switch setup {
	case "actpass":
		if was != nil {
			return was.Active, true
		}
		return ice, true
	case "active", "": // the default of an offer is active (RFC 4145 section 4)
		return false, true
	case "passive":
		return true, true
	}
	return false, false
}

// roleAnswered is our side where the peer answers.
func roleAnswered(setup string, _ bool, _ *DTLS) (active, ok bool) {
	return setup == "passive", setup == "passive" || setup == "active"
}

// words are ours for ICE: new ones where the peer has new ones, which is a restart (RFC 8445 section 9).
func (l Local) words(remote string) *ICE {
	remote = printable(remote, 256)
	if l.shaken != nil && l.shaken.ICE != nil && l.shaken.ICE.RemoteUfrag == remote {
		return l.shaken.ICE
	}
	return &ICE{
		Ufrag:       base64.RawStdEncoding.EncodeToString(l.Security.random(6)),
		Password:    newKey([]byte(base64.RawStdEncoding.EncodeToString(l.Security.random(18)))),
		RemoteUfrag: remote,
	}
}

// readShake settles the handshake for a line that answers one of ours.
func (l Local) readShake(d *description, m, ours *pion.MediaDescription) (*DTLS, error) {
	if !shakesHands(d, m) {
		return nil, refuse(ErrMismatch, "%s for %s", describeProto(m.MediaName), describeProto(ours.MediaName))
	}
	agreed, err := l.shake(d, m, roleAnswered)
	if err != nil {
		return nil, err
	}
	if _, offered := ours.Attribute("ice-ufrag"); !offered {
		agreed.ICE = nil
	}
	return agreed, nil
}

// offeredDTLS is what an offer of ours has: what the dialog agreed on, or a first handshake, where keys come about in no other way.
func (l Local) offeredDTLS(first bool) *DTLS {
	switch {
	case l.shaken != nil:
		return l.shaken
	case first && l.Security.shakes():
		return &DTLS{}
	}
	return nil
}

// setup is our side of the handshake, as the attribute has it.
func (d *DTLS) setup() string {
	if d.Active {
		return "active"
	}
	return "passive"
}

// attributes are those of our line.
func (d *DTLS) attributes(local Local, setup string) []pion.Attribute {
	all := []pion.Attribute{pion.NewAttribute("fingerprint", local.Security.Fingerprint), pion.NewAttribute("setup", setup)}
	if d.ICE == nil {
		return all
	}
	// One candidate, of our one address, with the priority of RFC 8445 section 5.1.2.1.
	address := local.Address
	candidate := "1 1 udp 2130706431 " + address.Addr().Unmap().String() + " " + strconv.Itoa(int(address.Port())) + " typ host"
	return append(all,
		pion.NewAttribute("ice-ufrag", d.ICE.Ufrag),
		pion.NewAttribute("ice-pwd", string(d.ICE.Password.Reveal())),
		pion.NewAttribute("candidate", candidate),
		pion.NewPropertyAttribute("end-of-candidates"),
		pion.NewAttribute("msid", userName+" audio"), // a script finds our sound in a stream
	)
}

// fingerprintsOf returns the fingerprints that a line's certificate may have, those that can be relied on.
func fingerprintsOf(d *description, m *pion.MediaDescription) []Fingerprint {
	var all []Fingerprint
	for _, attributes := range [][]pion.Attribute{m.Attributes, d.Attributes} {
		for _, a := range attributes {
			if f, ok := parseFingerprint(a.Value); a.Key == "fingerprint" && ok && len(all) < maxFingerprints {
				all = append(all, f)
			}
		}
		if len(all) > 0 {
			return all
		}
	}
	return nil
}

// parseFingerprint reads "sha-256 4A:AD:...".
func parseFingerprint(value string) (Fingerprint, bool) {
	name, text, _ := strings.Cut(strings.TrimSpace(value), " ")
	size := map[string]int{"sha-256": 32, "sha-384": 48, "sha-512": 64}[strings.ToLower(name)]
	text = strings.TrimSpace(text)
	if size == 0 || len(text) != 3*size-1 {
		return Fingerprint{}, false
	}
	digest, err := hex.DecodeString(strings.ReplaceAll(text, ":", ""))
	return Fingerprint{strings.ToLower(name), digest}, err == nil && len(digest) == size
}

func (f Fingerprint) equal(g Fingerprint) bool {
	return f.Hash == g.Hash && slices.Equal(f.Digest, g.Digest)
}

// ofHandshake reports whether a handshake can agree on a suite (RFC 5764 section 4.1.2, RFC 7714 section 14.2).
func (s Suite) ofHandshake() bool {
	return slices.Contains([]Suite{AES256GCM, AES128GCM, AES128CM80, AES128CM32}, s)
}

// bundled reports whether an m-line is in a group of BUNDLE.
func (d *description) bundled(i int) bool {
	return d.mids[i] != "" && slices.ContainsFunc(d.bundles, func(mids []string) bool { return slices.Contains(mids, d.mids[i]) })
}
