package ready

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"testing"
)

// TestWhatPionSaysOfAnEnd: a packet that crosses the end of a connection is no warning; any other error is.
func TestWhatPionSaysOfAnEnd(t *testing.T) {
	for _, test := range []struct {
		err   error
		warns bool
	}{{fmt.Errorf("write: %w", io.ErrClosedPipe), false}, {errors.New("no buffer space"), true}} {
		var out bytes.Buffer
		NewLog(slog.New(slog.NewTextHandler(&out, nil))).NewLogger("ports").Errorf("Failed to write packet: %v", test.err)
		if got := out.Len() > 0; got != test.warns {
			t.Errorf("%v: %q", test.err, out.String())
		}
	}
}
