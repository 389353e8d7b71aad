package peers

import (
	"encoding/hex"
	"math/rand/v2"
)

// randomID returns something unique for tags, branches and Call-IDs.
func randomID() string {
	var b [8]byte
	for i := range b {
		b[i] = byte(rand.Uint32())
	}
	return hex.EncodeToString(b[:])
}
