package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/goleak"

	"passerelle/cmd/internal/chorus"
	"passerelle/cmd/internal/load"
	"passerelle/codec"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func sample() *load.Result {
	r := &load.Result{
		Target: "sip:<load>@127.0.0.1", Rooms: 1, Placed: 3, Answered: 2, Failed: 1, Clean: 1, Codec: "PCMA", Reasons: map[string]int{"503 Busy": 1},
		SetUp: load.Spread{N: 2, P50: 1, P99: 300, Most: 300}, R: load.Spread{N: 2, P50: 93, Most: 50}, MOS: load.Spread{N: 2, P50: 4.4, Most: 2.6},
		Gateway: load.Gateway{Resident: 50, Cores: 0.5}, Listeners: []load.Listener{{N: 2, Chirps: 3, Heard: 3, Together: 1, Correlation: 0.987}, {N: 3, Together: 4, Correlation: 0.123}},
		Each: []*load.Call{
			{N: 1, Answered: true, SetUp: 1, Ringing: 0.5, Received: 100, R: 93.2}, {N: 2, Answered: true, SetUp: 300, Received: 90, Gaps: 2, R: 50}, {N: 3, Error: "503 Busy"},
		},
		Faults: []string{"1 of 3 calls failed"},
	}
	for i := range 10 {
		r.Timeline = append(r.Timeline, load.Sample{At: float64(i), Up: i, Sent: uint64(50 * i), Resident: 50})
	}
	return r
}

// TestPage shows the faults, the worst call first, and likeness only where one talked at a time; nothing is fetched.
func TestPage(t *testing.T) {
	html, err := page(sample())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"1 of 3 calls failed", "sip:&lt;load&gt;@127.0.0.1", "0.987", "prefers-color-scheme:dark", "</html>"} {
		if !strings.Contains(html, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	for _, never := range []string{"0.123", "src=", "href=", "@import", "url(", "NaN"} {
		if strings.Contains(html, never) {
			t.Errorf("the page has %q", never)
		}
	}
	if n := strings.Count(html, "<svg"); n != 8 {
		t.Errorf("%d drawings, want 8", n)
	}
	if worst := worstCalls(sample(), 2); worst[0].N != 3 || worst[1].N != 2 {
		t.Errorf("calls %d and %d are to be looked at first, want the failed one and the one with gaps", worst[0].N, worst[1].N)
	}
}

func TestSummary(t *testing.T) {
	var b bytes.Buffer
	summary(&b, sample())
	for _, want := range []string{"2 of 3 answered, 1 failed", "p99 300.0", "likeness 0.987", "4.0 talk at once", "not clean: 1 of 3 calls failed"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
}

// TestShow rewrites its block on a terminal, and elsewhere says a line where something begins and every five seconds.
func TestShow(t *testing.T) {
	var b bytes.Buffer
	s := newShow(&b, true)
	s.progress(load.Progress{Phase: "measuring", Failed: 2, Elapsed: time.Second, Left: time.Second})
	s.progress(load.Progress{Phase: "measuring", Count: chorus.Count{Gaps: 3}})
	s.done()
	if got := b.String(); strings.Count(got, "\x1b[5A\x1b[J") != 2 || !strings.Contains(got, "\x1b[31m2 failed") || !strings.HasSuffix(got, "\x1b[J") {
		t.Errorf("%q", got)
	}
	b.Reset()
	s = newShow(&b, false)
	for i := range 8 {
		s.progress(load.Progress{Phase: "calling", Elapsed: time.Duration(i) * time.Second})
	}
	s.progress(load.Progress{Phase: "settling", Elapsed: 8 * time.Second})
	if got := b.String(); strings.Count(got, "\n") != 3 || strings.Contains(got, "\x1b") {
		t.Errorf("%q; want three plain lines", got)
	}
}

// TestCommand refuses what it cannot do, before anything is sent.
func TestCommand(t *testing.T) {
	for args, want := range map[string]string{
		"--target sip:a@192.0.2.7":       "loopback",
		"--codec GSM":                    "PCMA and PCMU",
		"--speech /nowhere.wav":          "--speech",
		"--direct there":                 "--direct",
		"--calls 0":                      "--calls 0",
		"standin --first nowhere":        "--first",
		"--json x a-word-too-many-there": "unknown command",
	} {
		c := command()
		c.SetArgs(strings.Fields(args))
		c.SetOut(io.Discard)
		if err := c.ExecuteContext(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("sipload %s: %v, want %q", args, err, want)
		}
	}
}

// TestStandIn has the floor answer: each packet comes back, from the port of the other call with --pairs.
func TestStandIn(t *testing.T) {
	for _, pairs := range []bool{false, true} {
		s := standin{first: loopback(t), calls: 2, kind: codec.PCMU, encode: true, pairs: pairs}
		ctx, stop := context.WithCancel(t.Context())
		ready, out := io.Pipe()
		done := make(chan error, 1)
		go func() { done <- s.run(ctx, out) }()
		if _, err := ready.Read(make([]byte, 100)); err != nil {
			t.Fatal(err)
		}
		phone, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			t.Fatal(err)
		}
		packet := make([]byte, 172)
		packet[0], packet[20] = 0x80, 77
		phone.WriteToUDPAddrPort(packet, s.first)
		phone.SetReadDeadline(time.Now().Add(10 * time.Second))
		n, from, err := phone.ReadFromUDPAddrPort(make([]byte, 2048))
		want := s.first.Port()
		if pairs {
			want += 2
		}
		if err != nil || n != len(packet) || from.Port() != want {
			t.Errorf("pairs %v: %d bytes from %v (%v), want %d from port %d", pairs, n, from, err, len(packet), want)
		}
		phone.Close()
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// TestRun loads an echo, writes what was asked for, and fails by the status that the fault has.
func TestRun(t *testing.T) {
	s := standin{first: loopback(t), calls: 2, kind: codec.PCMA}
	ctx, stop := context.WithCancel(t.Context())
	ready, out := io.Pipe()
	done := make(chan error, 1)
	go func() { done <- s.run(ctx, out) }()
	if _, err := ready.Read(make([]byte, 100)); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	screen, err := os.Create(filepath.Join(dir, "screen"))
	if err != nil {
		t.Fatal(err)
	}
	defer screen.Close()
	figures, report := filepath.Join(dir, "f.json"), filepath.Join(dir, "r.html")
	run := func(args ...string) error {
		var o options
		c := &cobra.Command{}
		o.flags(c.Flags())
		if err := c.ParseFlags(append(args, "--direct", s.first.String(), "--calls", "2", "--for", "1s")); err != nil {
			t.Fatal(err)
		}
		return o.run(ctx, io.Discard, screen)
	}
	if err := run("--json", figures, "--report", report); err != nil {
		t.Error(err)
	}
	var result load.Result
	text, err := os.ReadFile(figures)
	if err == nil {
		err = json.Unmarshal(text, &result)
	}
	if err != nil || result.Answered != 2 || result.Packets.Received == 0 {
		t.Errorf("%+v, %v", result, err)
	}
	if html, err := os.ReadFile(report); err != nil || !bytes.Contains(html, []byte("</html>")) {
		t.Error(err)
	}
	var exit exitError
	if err := run("--loss", "50", "--judge"); !errors.As(err, &exit) || exit.code != notClean || !strings.Contains(err.Error(), "not clean") {
		t.Errorf("half of the packets are lost, and that is %v", err)
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// loopback finds an even port with a free one two on.
func loopback(t *testing.T) netip.AddrPort {
	t.Helper()
	for port := uint16(30200); port < 31000; port += 4 {
		a, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: int(port)})
		if err != nil {
			continue
		}
		b, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: int(port) + 2})
		a.Close()
		if err == nil {
			b.Close()
			return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), port)
		}
	}
	t.Fatal("no ports are free")
	return netip.AddrPort{}
}
