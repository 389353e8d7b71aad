package sdp

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"passerelle/codec"
)

// TestDevices answers offers of real devices, which are not part of the repository.
func TestDevices(t *testing.T) {
	folder := os.Getenv("PASSERELLE_SHARED")
	if folder == "" {
		folder = filepath.Join("..", "..", "..", "shared")
	}
	files, err := filepath.Glob(filepath.Join(folder, "sdp", "*.sdp"))
	if err != nil || len(files) == 0 {
		t.Skip("there are no offers of real devices beside the repository (PASSERELLE_SHARED names their folder)")
	}
	// What those files are known to lead to, where it is not an answer.
	refusals := map[string]error{"33-g729-only": ErrNoCodec}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".sdp")
		t.Run(name, func(t *testing.T) {
			offer, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			local := newLocal("198.51.100.7:20000")
			if bytes.Contains(offer, []byte("c=IN IP6")) {
				local = newLocal("[2001:db8::7]:20000")
			}
			local.Codecs = []codec.Kind{codec.PCMU, codec.PCMA}
			local.Security = Security{Policy: Optional, NewKey: func(size int) []byte { return make([]byte, size) }}
			_, media, err := Answer(offer, local)
			if want := refusals[name]; want != nil {
				if !errors.Is(err, want) {
					t.Errorf("%v, want %v", err, want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			checkAnswer(t, offer, local)
			if media.Kind != codec.PCMU && media.Kind != codec.PCMA {
				t.Errorf("codec %s", media.Kind)
			}
			if keys := bytes.Contains(offer, []byte("a=crypto:")); keys != (media.Crypto != nil) {
				t.Errorf("keys offered %v, agreed on %v", keys, media.Crypto)
			}
			digits := bytes.Contains(offer, []byte("telephone-event/8000"))
			if digits != (media.TelephoneEvent >= 0) {
				t.Errorf("telephone-event %d", media.TelephoneEvent)
			}
		})
	}
}
