//go:build peers

package peers

import (
	"flag"
	"fmt"
	"os"
	"testing"
)

// Peers mostly wait: many of them run at once, however few cores there are.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "16"); err != nil {
		fmt.Fprintln(os.Stderr, "peers:", err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}
