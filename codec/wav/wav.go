// Package wav reads and writes sound files for tools, prompts and tests, and changes their rate. It
// knows mono 16-bit sound only: what else a file holds is converted, or refused.
package wav

import (
	"errors"
	"fmt"
)

// Limits of what is read and written.
const (
	MinRate     = 4000      // Hz
	MaxRate     = 192000    // Hz
	MaxChannels = 8         // mixed to one
	MaxData     = 256 << 20 // bytes of sound in a file: 2 h 19 min at 16 kHz
)

// Errors of this package.
var (
	ErrFormat   = errors.New("not a WAV file")
	ErrEncoding = errors.New("a WAV file of a kind that is not read here")
	ErrTooLong  = errors.New("WAV: too long")
)

// Codes of the fmt chunk's first field.
const (
	formatPCM        = 1
	formatALaw       = 6
	formatMuLaw      = 7
	formatExtensible = 0xFFFE
)

const unknownSize = 0xFFFFFFFF // of a file that is still being written

func checkRate(rate int) error {
	if rate < MinRate || rate > MaxRate {
		return fmt.Errorf("%w: a rate of %d Hz", ErrEncoding, rate)
	}
	return nil
}
