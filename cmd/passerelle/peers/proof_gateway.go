//go:build peers

package peers

import (
	"syscall"
	"testing"
	"time"
)

// Kill ends the gateway at once, with no word to anybody.
func (g *Gateway) Kill(t testing.TB) {
	t.Helper()
	g.checked = true
	g.process.Stop(syscall.SIGKILL, 5*time.Second)
}

// AwaitDrained waits until a gateway that was told to end has ended, and judges how.
func (g *Gateway) AwaitDrained(t testing.TB, within time.Duration) {
	t.Helper()
	g.checked = true
	if status := g.process.Wait(t, within); status != 0 {
		t.Errorf("the drained gateway ended with status %d, want 0\n%s", status, g.process.Tail(60))
	}
	g.judgeLog(t)
}

// Again starts a gateway that has ended, on the same ports.
func (g *Gateway) Again(t testing.TB) {
	t.Helper()
	g.checked = false
	g.begin(t)
}
