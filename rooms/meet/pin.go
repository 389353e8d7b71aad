package meet

import (
	"strings"
	"unicode"
)

// maxPIN bounds a PIN in digits. Meet's have ten, unless it is told otherwise.
const maxPIN = 32

// normalise returns the digits of a PIN as it was typed or dialled: blanks may stand anywhere, # at the end. Whatever
// else is in it makes it none. It stays text: PINs begin with zeros.
func normalise(text string) (pin string, ok bool) {
	if len(text) > 16*maxPIN {
		return "", false
	}
	pin = strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || r == '\u200b' || r == '\u2060' || r == '\ufeff' { // spaces of no width are none to Unicode
			return -1
		}
		return r
	}, text)
	pin = strings.TrimRight(pin, "#")
	if pin == "" || len(pin) > maxPIN {
		return "", false
	}
	for _, c := range []byte(pin) {
		if c < '0' || c > '9' {
			return "", false
		}
	}
	return pin, true
}
