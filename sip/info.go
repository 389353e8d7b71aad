package sip

import (
	"bytes"
	"mime"
	"strings"

	"github.com/emiago/sipgo/sip"
)

// INFO (RFC 6086), as phones and room systems send it of themselves: keys and picture requests. Everything in
// this file is called on the dialog's owner, but for OnKey.

// OnKey sets who is told the keys that the phone sends in INFO: '0' to '9', '*', '#', 'A' to 'D'. f must not block.
// Nil is nobody.
func (d *Dialog) OnKey(f func(key rune)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.onKey = f
}

// info answers an INFO. No Info Package is known (section 4.2.2: 469); of the bodies that were sent before
// there were any, keys are told, and a request for a picture is taken without one (RFC 5168).
func (d *Dialog) info(in inbound) {
	if len(headerValues(in.req, "info-package")) > 0 {
		_ = d.respond(in, statusBadInfoPackage, phrase(statusBadInfoPackage), sip.NewHeader("Recv-Info", ""))
		return
	}
	kind := ""
	if ct := headerValues(in.req, "content-type"); len(ct) > 0 {
		kind, _, _ = mime.ParseMediaType(ct[0])
	}
	switch kind {
	case "application/dtmf-relay", "application/dtmf":
		if key := keyOf(in.req.Body()); key != 0 {
			d.pressed(key)
		}
	case "", "application/media_control+xml":
	default:
		_ = d.respond(in, sip.StatusUnsupportedMediaType, phrase(sip.StatusUnsupportedMediaType),
			sip.NewHeader("Accept", strings.Join(infoTypes(), ", ")))
		return
	}
	_ = d.respond(in, sip.StatusOK, "OK")
}

// pressed tells a key.
func (d *Dialog) pressed(key rune) {
	d.mu.Lock()
	f := d.onKey
	d.mu.Unlock()
	if f != nil {
		f(key)
	}
}

// keyOf reads the body of a key: "Signal=5" and "Duration=160" on lines of their own, or the key alone. Star
// and pound also come as the numbers that RFC 4733 gives them. 0 is none: a hook flash, or nonsense.
func keyOf(body []byte) rune {
	signal := body
	for line := range bytes.Lines(body) {
		name, value, found := bytes.Cut(line, []byte("="))
		if found && bytes.EqualFold(bytes.TrimSpace(name), []byte("signal")) {
			signal = value
			break
		}
	}
	switch s := strings.ToUpper(string(bytes.TrimSpace(signal))); s {
	case "10":
		return '*'
	case "11":
		return '#'
	case "12", "13", "14", "15":
		return rune('A' + s[1] - '2')
	default:
		if len(s) == 1 && strings.Contains("0123456789*#ABCD", s) {
			return rune(s[0])
		}
	}
	return 0
}

func infoTypes() []string {
	return []string{"application/dtmf-relay", "application/dtmf", "application/media_control+xml"}
}
