// Package dtmf knows the tones of a telephone's keys (ITU-T Q.23): how they sound, and how they are told from speech
// where they come as sound (Q.24). It does not know keys that come as events or messages.
package dtmf

import (
	"errors"
	"strings"
	"time"
)

// ErrKey says that a character is not one of 0-9, *, #, A-D.
var ErrKey = errors.New("not a key that a telephone has")

// pad is the keys, row by row.
const pad = "123A456B789C*0#D"

// frequencies in Hz: those of the four rows, and of the four columns.
//
//nolint:gochecknoglobals // constants, but for the language
var frequencies = [8]float64{697, 770, 852, 941, 1209, 1336, 1477, 1633}

// Frequencies returns the two frequencies of a key, in Hz.
func Frequencies(key rune) (low, high float64, err error) {
	at := strings.IndexRune(pad, key)
	if at < 0 {
		return 0, 0, ErrKey
	}
	return frequencies[at/4], frequencies[4+at%4], nil
}

// How a key sounds that we press: within what every receiver takes (Q.24).
const (
	Length = 100 * time.Millisecond
	Pause  = 80 * time.Millisecond
)
