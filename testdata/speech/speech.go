// Package speech holds the reference speech of this folder, for programs that have to say something.
package speech

import _ "embed" // the recordings

// Man and Woman are the recordings that README.md describes, as WAV files.
var (
	//go:embed rms.wav
	Man []byte
	//go:embed slt.wav
	Woman []byte
)
