//go:build peers

package peers

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"testing"

	"go.uber.org/goleak"
)

// Peers mostly wait: several tests run at once, however few cores there are, and not so many that their beginnings are a
// storm; those that are judged sample by sample run before, by themselves. None may leave a goroutine.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "8"); err != nil {
		fmt.Fprintln(os.Stderr, "peers:", err)
		os.Exit(1)
	}
	runtime.GOMAXPROCS(max(runtime.NumCPU(), 4)) // so that quiet work leaves others a place to run
	goleak.VerifyTestMain(m)
}
