package sdp

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	pion "github.com/pion/sdp/v3"

	"passerelle/codec"
)

// userName stands on our o= lines.
const userName = "passerelle"

// shape is what all descriptions of one dialog share: the m-lines in their order, never fewer (RFC 3264 section 8), and
// what the audio line's payload types stand for, never changed (section 8.3.2).
type shape struct {
	names   []pion.MediaName
	mids    []string // of the m-lines, "" where there is none; or nil
	bundled bool     // the audio line is in a group of BUNDLE, alone
	audio   int      // index of the line that is alive
	formats []format
}

// firstShape is the shape of a dialog's first offer, when it is ours. Where encryption is optional the keys stand on a
// line of plain RTP, which every peer can answer.
func firstShape(local Local) *shape {
	protos := []string{"RTP", "AVP"}
	switch {
	case local.Security.shakes():
		protos = []string{"UDP", "TLS", "RTP", "SAVP"}
	case local.Security.Policy == Required:
		protos = []string{"RTP", "SAVP"}
	}
	return &shape{names: []pion.MediaName{{Media: "audio", Protos: protos}}}
}

// line is our audio line: its formats and attributes.
type line struct {
	formats    []string
	attributes []pion.Attribute
	lite       bool // with ICE: we make no checks
}

// add adds one payload type with its rtpmap, and its fmtp unless that is "".
func (l *line) add(f format, parameters string) {
	number := strconv.Itoa(int(f.payloadType))
	encoding := f.name + "/" + strconv.Itoa(f.clock)
	if f.channels != "" {
		encoding += "/" + f.channels
	}
	l.formats = append(l.formats, number)
	l.attributes = append(l.attributes, pion.NewAttribute("rtpmap", number+" "+encoding))
	if parameters != "" {
		l.attributes = append(l.attributes, pion.NewAttribute("fmtp", number+" "+parameters))
	}
}

// parametersOf returns the fmtp of f: what we wish to receive.
func parametersOf(f format) string {
	switch {
	case f.kind() == codec.Opus:
		// RFC 7587 section 6.1: what we get is passed on, so that FEC, and silence that takes nothing, are the
		// room's; what we send has 8 kHz of sound.
		return "useinbandfec=1;usedtx=1;sprop-maxcapturerate=16000"
	case f.isEvent(f.clock):
		return "0-15" // RFC 4733 section 2.4.1
	}
	return ""
}

// answerLine is the accepted line: one codec, so that the peer does not change it in mid-stream, and what goes
// with it; payload types and names as offered.
func answerLine(media Media, local Local, offered []format) line {
	var l line
	for _, number := range []int{int(media.PayloadType), media.ComfortNoise, media.TelephoneEvent} {
		i := slices.IndexFunc(offered, func(f format) bool { return int(f.payloadType) == number })
		if i >= 0 {
			l.add(offered[i], parametersOf(offered[i]))
		}
	}
	if media.RTCPMux {
		local.RTCP = netip.AddrPort{}
	}
	if media.Crypto != nil {
		l.protect(media.Crypto.line())
	}
	if media.DTLS != nil {
		l.shake(media.DTLS, local, media.DTLS.setup())
	}
	l.finish(local, media.PTime, media.Direction, media.RTCPMux)
	return l
}

// offerLine is an offered line: all that we speak, with the payload types that the dialog knows already.
func offerLine(local Local, known []format) line {
	var l line
	numbers := numbering{known: slices.Clone(known)}
	var clocks []int
	for _, kind := range local.Codecs {
		f := numbers.kind(kind)
		l.add(f, parametersOf(f))
		if kind != codec.ComfortNoise && !slices.Contains(clocks, kind.ClockRate()) {
			clocks = append(clocks, kind.ClockRate())
		}
	}
	for _, clock := range clocks {
		f := numbers.event(clock)
		l.add(f, parametersOf(f))
	}
	ptime := local.PTime
	if ptime == 0 {
		ptime = defaultPTime
	}
	l.protect(local.offeredCrypto(len(known) == 0)...)
	mux := local.RTCPMux
	if shaken := local.offeredDTLS(len(known) == 0); shaken != nil {
		l.shake(shaken, local, "actpass") // RFC 8842 section 5.2
		mux = true
	}
	l.finish(local, ptime, local.Direction, mux)
	return l
}

// protect adds keys.
func (l *line) protect(lines ...cryptoLine) {
	for _, c := range lines {
		l.attributes = append(l.attributes, pion.NewAttribute("crypto", c.wire()))
	}
}

// shake adds a handshake.
func (l *line) shake(d *DTLS, local Local, setup string) {
	l.attributes = append(l.attributes, d.attributes(local, setup)...)
	l.lite = d.ICE != nil
}

// finish adds what does not belong to one format.
func (l *line) finish(local Local, ptime time.Duration, direction Direction, mux bool) {
	l.attributes = append(l.attributes, pion.NewAttribute("ptime", strconv.FormatInt(ptime.Milliseconds(), 10)))
	if mux {
		l.attributes = append(l.attributes, pion.NewPropertyAttribute("rtcp-mux"))
	}
	if local.RTCP.IsValid() && local.RTCP != nextPort(local.Address) {
		l.attributes = append(l.attributes, pion.NewAttribute("rtcp", rtcpValue(local))) // RFC 3605
	}
	l.attributes = append(l.attributes, pion.NewPropertyAttribute(direction.String()))
}

// rtcpValue is the value of our a=rtcp.
func rtcpValue(local Local) string {
	value := strconv.Itoa(int(local.RTCP.Port()))
	if addr := local.RTCP.Addr(); addr != local.Address.Addr() {
		value += " IN " + family(addr) + " " + addr.Unmap().String()
	}
	return value
}

// compose writes a description of ours: the m-lines of s, all refused but the audio line.
func compose(local Local, times []pion.TimeDescription, s *shape, audio line) ([]byte, error) {
	d := pion.SessionDescription{
		Origin: pion.Origin{
			Username:       userName,
			SessionID:      local.Origin.ID,
			SessionVersion: local.Origin.Version,
			NetworkType:    "IN",
			AddressType:    family(local.Address.Addr()),
			UnicastAddress: local.Address.Addr().Unmap().String(),
		},
		SessionName:           "-",
		ConnectionInformation: connectionOf(local.Address.Addr()),
		TimeDescriptions:      times,
	}
	if s.bundled {
		d.Attributes = append(d.Attributes, pion.NewAttribute("group", "BUNDLE "+s.mids[s.audio]))
	}
	if audio.lite {
		d.Attributes = append(d.Attributes, pion.NewPropertyAttribute("ice-lite"))
	}
	for i, name := range s.names {
		m := &pion.MediaDescription{MediaName: name}
		m.MediaName.Port = pion.RangedPort{}
		if i < len(s.mids) && s.mids[i] != "" {
			m.Attributes = append(m.Attributes, pion.NewAttribute("mid", s.mids[i]))
		}
		if i == s.audio {
			m.MediaName.Port.Value = int(local.Address.Port())
			m.MediaName.Formats = audio.formats
			m.Attributes = append(m.Attributes, audio.attributes...)
		}
		if len(m.MediaName.Formats) == 0 {
			m.MediaName.Formats = []string{"*"} // the grammar wants one (RFC 8866 section 9); UDP/UDT/IX comes without
		}
		d.MediaDescriptions = append(d.MediaDescriptions, m)
	}
	return d.Marshal()
}

// connectionOf is our c= line.
func connectionOf(addr netip.Addr) *pion.ConnectionInformation {
	return &pion.ConnectionInformation{
		NetworkType: "IN",
		AddressType: family(addr),
		Address:     &pion.Address{Address: addr.Unmap().String()},
	}
}

// describeLines names the m-lines of d for a person.
func describeLines(d *description) string {
	var lines []string
	for _, name := range d.names() {
		text := printable(name.Media, 20) + " " + describeProto(name)
		if name.Port.Value == 0 {
			text += " at port 0"
		}
		lines = append(lines, text)
	}
	if len(lines) == 0 {
		return "nothing"
	}
	return strings.Join(lines, " and ")
}

// describeProto names the protocol of an m-line.
func describeProto(name pion.MediaName) string { return printable(strings.Join(name.Protos, "/"), 20) }
