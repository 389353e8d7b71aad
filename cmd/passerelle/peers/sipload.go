//go:build peers

package peers

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"passerelle/cmd/internal/load"
)

// Sipload returns the path of the load caller: beside the gateway, where make build puts it.
func Sipload(t testing.TB) string {
	t.Helper()
	path := filepath.Join(filepath.Dir(Binary(t)), "sipload")
	if _, err := exec.LookPath(path); err != nil {
		t.Fatalf("no load caller to test with (make build makes bin/sipload): %v", err)
	}
	return path
}

// loadRun is one run of sipload.
type loadRun struct {
	*load.Result
	Status int // sipload's exit status
	Screen string
}

// Target is what sipload dials at the gateway: rooms that its routes know.
func (g *Gateway) Target() string { return fmt.Sprintf("sip:room-load{room}@%s", g.SIP) }

// watched is the flags by which sipload sees into the gateway.
func (g *Gateway) watched() []string {
	return []string{"--target", g.Target(), "--debug", "http://" + g.debug.String(), "--pid", strconv.Itoa(g.process.PID())}
}

// runSipload runs sipload to its end, and reads its figures.
func runSipload(t testing.TB, dir, label string, within time.Duration, args ...string) loadRun {
	t.Helper()
	p, figures := startSipload(t, dir, label, args...)
	return endSipload(t, p, figures, within)
}

func startSipload(t testing.TB, dir, label string, args ...string) (p *Process, figures string) {
	t.Helper()
	figures = filepath.Join(dir, label+".json")
	return Start(t, Command{Name: "sipload-" + label, Path: Sipload(t), Dir: dir, Args: append(args, "--json", figures)}), figures
}

func endSipload(t testing.TB, p *Process, figures string, within time.Duration) loadRun {
	t.Helper()
	run := loadRun{Result: &load.Result{}, Status: p.Wait(t, within), Screen: p.Tail(40)}
	text, err := os.ReadFile(figures)
	if err == nil {
		err = json.Unmarshal(text, run.Result)
	}
	if err != nil {
		t.Fatalf("sipload's figures: %v\n%s", err, run.Screen)
	}
	return run
}

// standIn starts what a gateway is compared with, and returns where its ports begin.
func standIn(t testing.TB, dir, label string, calls int, args ...string) (p *Process, first netip.AddrPort) {
	t.Helper()
	first = netip.AddrPortFrom(Loopback(), Ports(t, 2*calls))
	p = Start(t, Command{Name: "standin-" + label, Path: Sipload(t), Dir: dir,
		Args: append([]string{"standin", "--first", first.String(), "--calls", strconv.Itoa(calls)}, args...)})
	p.Await(t, `standin: \d+ ports`, 10*time.Second)
	return p, first
}
