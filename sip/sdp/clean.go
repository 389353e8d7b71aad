package sdp

import (
	"bytes"
	"strconv"
	"strings"

	pion "github.com/pion/sdp/v3"
)

// cleaner brings a description into the shape that pion/sdp reads. pion refuses what RFC 8866 section 5 wants
// ignored (unknown b= types, unknown m= media and protocols) and what real devices send (b= before c=, lines in
// another order, no s= or t=, a last line without its end, words in the numbers of o=). So only the lines
// that offer and answer need are kept, and an m-line that can only be refused is replaced by a stand-in.
type cleaner struct {
	names    []pion.MediaName // the m-lines as sent
	mids     []string         // of the m-lines (RFC 5888), "" where there is none
	bundles  [][]string       // the mids of each group that wants one transport (RFC 9143)
	userName string           // of o=

	connection, timing string // of the session, as whole lines
	attributes         []byte // of the session
	media              []byte // m-sections, with c= and a=
	kept, connected    bool   // the last m-section is kept, and has its c=
}

// standIn takes the place of an m-line that we refuse, whatever it says.
const standIn = "m=application 0 UDP 0\r\n"

// clean reads a description line by line.
func clean(body []byte) (*cleaner, error) {
	if len(body) > MaxBody {
		return nil, refuse(ErrTooLarge, "more than %d bytes", MaxBody)
	}
	c := &cleaner{timing: timeLine(""), media: make([]byte, 0, len(body))}
	begun := false
	for line := range bytes.Lines(body) {
		text := strings.TrimRight(string(line), "\r\n \t\x00")
		switch {
		case text == "":
		case len(text) < 2 || text[1] != '=' || strings.ContainsAny(text, "\r\x00"):
			return nil, refuse(ErrSyntax, "a line without a type")
		case !begun:
			if text[0] != 'v' || strings.TrimSpace(text[2:]) != "0" {
				return nil, refuse(ErrSyntax, "it does not begin with v=0")
			}
			begun = true
		case text[0] == 'm':
			if err := c.addMedia(text[2:]); err != nil {
				return nil, err
			}
		case len(c.names) == 0:
			c.addToSession(text[0], text[2:])
		default:
			c.addToMedia(text[0], text[2:])
		}
	}
	if !begun {
		return nil, refuse(ErrSyntax, "empty")
	}
	return c, nil
}

// text returns the cleaned description.
func (c *cleaner) text() string {
	return "v=0\r\no=- 0 0 IN IP4 0.0.0.0\r\ns=-\r\n" + c.connection + c.timing + string(c.attributes) + string(c.media)
}

// addToSession keeps a session-level line if there is a use for it.
func (c *cleaner) addToSession(kind byte, value string) {
	switch kind {
	case 'o':
		c.userName, _, _ = strings.Cut(value, " ")
	case 'c':
		c.connection = connectionLine(value)
	case 't':
		c.timing = timeLine(value)
	case 'a':
		if words := strings.Fields(value); len(words) > 1 && strings.EqualFold(words[0], "group:BUNDLE") {
			c.bundles = append(c.bundles, words[1:])
			return
		}
		c.attributes = appendAttribute(c.attributes, value)
	}
}

// addToMedia keeps a media-level line if there is a use for it.
func (c *cleaner) addToMedia(kind byte, value string) {
	if mid, is := strings.CutPrefix(value, "mid:"); is && kind == 'a' && len(mid) <= maxMid && isToken(mid) {
		c.mids[len(c.mids)-1] = mid
	}
	switch {
	case !c.kept:
	case kind == 'c' && !c.connected: // more than one is for layered multicast
		c.media, c.connected = append(c.media, connectionLine(value)...), true
	case kind == 'a':
		c.media = appendAttribute(c.media, value)
	}
}

// addMedia reads the value of an m-line (RFC 8866 section 5.14).
func (c *cleaner) addMedia(value string) error {
	if len(c.names) == MaxMedia {
		return refuse(ErrTooLarge, "more than %d m-lines", MaxMedia)
	}
	fields := strings.Fields(value)
	if len(fields) < 3 {
		return refuse(ErrSyntax, "an m-line with %d fields", len(fields))
	}
	if len(fields)-3 > MaxFormats {
		return refuse(ErrTooLarge, "more than %d formats on an m-line", MaxFormats)
	}
	for _, field := range fields {
		if !isToken(field) {
			return refuse(ErrSyntax, "an m-line with %s", printable(field, 20))
		}
	}
	port, _, _ := strings.Cut(fields[1], "/") // "/2" counts ports, which unicast has no use for
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return refuse(ErrSyntax, "port %s", printable(port, 20))
	}
	name := pion.MediaName{
		Media:   fields[0],
		Port:    pion.RangedPort{Value: int(number)},
		Protos:  strings.Split(fields[2], "/"),
		Formats: fields[3:],
	}
	c.names, c.mids = append(c.names, name), append(c.mids, "")
	c.kept, c.connected = carries(name), false
	if !c.kept {
		c.media = append(c.media, standIn...)
		return nil
	}
	c.media = append(c.media, "m=audio "+port+" "+strings.ToUpper(fields[2])+" "+strings.Join(fields[3:], " ")+"\r\n"...)
	return nil
}

// maxMid is the longest name of an m-line in bytes that is repeated.
const maxMid = 64

// carries reports whether the m-line is one that we can agree on: sound over RTP or SRTP, whoever makes its keys. AVPF only allows more
// feedback than AVP (RFC 4585 section 4), it does not demand it; SAVPF likewise (RFC 5124).
func carries(name pion.MediaName) bool {
	switch strings.ToUpper(strings.Join(name.Protos, "/")) {
	case "RTP/AVP", "RTP/AVPF", "RTP/SAVP", "RTP/SAVPF", "UDP/TLS/RTP/SAVP", "UDP/TLS/RTP/SAVPF":
		return strings.EqualFold(name.Media, "audio") && name.Port.Value != 0
	}
	return false
}

// appendAttribute keeps an a= line if offer and answer have a use for it. Attribute names are made lower-case.
func appendAttribute(to []byte, value string) []byte {
	key, rest, valued := strings.Cut(value, ":")
	key = strings.ToLower(strings.TrimSpace(key))
	switch key {
	case "rtpmap", "fmtp", "ptime", "maxptime", "rtcp", "crypto", "fingerprint", "setup", "ice-ufrag", "ice-pwd":
		if !valued {
			return to
		}
		return append(to, "a="+key+":"+strings.TrimSpace(rest)+"\r\n"...)
	case "sendrecv", "sendonly", "recvonly", "inactive", "rtcp-mux", "ice-lite":
		return append(to, "a="+key+"\r\n"...)
	}
	return to
}

// timeLine writes a t= line; a session without times is permanent (RFC 8866 section 5.9).
func timeLine(value string) string {
	fields := append(strings.Fields(value), "", "")
	for _, field := range fields[:2] {
		if _, err := strconv.ParseUint(field, 10, 64); err != nil {
			return "t=0 0\r\n"
		}
	}
	return "t=" + fields[0] + " " + fields[1] + "\r\n"
}

// connectionLine writes a c= line, the types in capitals; nothing if it has no address.
func connectionLine(value string) string {
	fields := strings.Fields(value)
	if len(fields) < 3 {
		return ""
	}
	return "c=" + strings.ToUpper(fields[0]) + " " + strings.ToUpper(fields[1]) + " " + fields[2] + "\r\n"
}

// isToken reports whether s is a token of RFC 8866 section 9, or several with slashes between them.
func isToken(s string) bool {
	for _, c := range []byte(s) {
		if c <= ' ' || c > '~' || strings.IndexByte("\"(),:;<=>?@[\\]", c) >= 0 {
			return false
		}
	}
	return s != ""
}
