//go:build peers

package peers

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestSipload has ten calls of the load caller in two rooms for five seconds: what it counts is what was sent, what
// it hears is what was said, and its page is there.
func TestSipload(t *testing.T) {
	dir := Folder(t)
	gateway := StartGateway(t, dir, GatewayConfig{Calls: 20})
	page := filepath.Join(dir, "report.html")
	run := runSipload(t, dir, "ten", 40*time.Second, append(gateway.watched(), "--calls", "10", "--rooms", "2", "--for", "5s", "--listen", "2", "--report", page)...)
	if run.Status != 0 || run.Answered != 10 || run.Failed != 0 || run.Packets.Missing+run.Packets.Reported > 0 {
		t.Errorf("status %d\n%s", run.Status, run.Screen)
	}
	const least = 10 * 240 // packets of 5 s, and some less where the machine is busy
	if run.Packets.Sent < least || run.Packets.Received < least {
		t.Errorf("%d packets sent and %d received, want at least %d", run.Packets.Sent, run.Packets.Received, least)
	}
	if len(run.Listeners) != 2 || run.Delay.N == 0 || run.R.Most < 80 || run.Gateway.Resident == 0 || len(run.Timeline) < 5 {
		t.Errorf("%d listeners, %d chirps heard, R %.1f, %d seconds\n%s", len(run.Listeners), run.Delay.N, run.R.Most, len(run.Timeline), run.Screen)
	}
	for _, l := range run.Listeners {
		if l.Alone() && l.Correlation < 0.99 {
			t.Errorf("call %d hears something else than what was said: %+v", l.N, l)
		}
	}
	html, err := os.ReadFile(page)
	if err != nil || !strings.Contains(string(html), "</html>") || strings.Contains(string(html), "http-equiv") || strings.Count(string(html), "<svg") < 6 {
		t.Errorf("the page: %d bytes, %v", len(html), err)
	}
}

// TestSiploadFails says so, each by its own status.
func TestSiploadFails(t *testing.T) {
	t.Parallel()
	dir := Folder(t)
	gateway := StartGateway(t, dir, GatewayConfig{Calls: 20})
	for _, c := range []struct {
		name   string
		status int
		says   string
		args   []string
	}{
		{"refused", 2, "404", []string{"--target", strings.Replace(gateway.Target(), "room-load", "nowhere", 1), "--calls", "2", "--for", "1s"}},
		{"not clean", 3, "not clean", append(gateway.watched(), "--calls", "4", "--for", "6s", "--loss", "20", "--judge")},
	} {
		p := Start(t, Command{Name: "sipload-" + strings.ReplaceAll(c.name, " ", "-"), Path: Sipload(t), Dir: dir, Args: c.args})
		if status := p.Wait(t, 30*time.Second); status != c.status || !strings.Contains(p.Tail(50), c.says) {
			t.Errorf("%s: status %d, want %d and %q\n%s", c.name, status, c.status, c.says, p.Tail(20))
		}
	}
}
