package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"passerelle/cmd/internal/testphone"
	"passerelle/codec/score"
	"passerelle/config"
)

// asProgram makes the test binary the program: a signal ends a process, and not a test.
const asProgram = "PASSERELLE_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// onLoopback is a configuration with a free port wherever %s says 0.
const onLoopback = `
version: 1
networks: [{name: voice, listen: ["udp://%[1]s", "tcp://%[1]s"], media: "127.0.0.1:0-0"}]
engines: [{name: house, embedded: {udp: "%[2]s", tcp: "127.0.0.1:0"}}]
trunks: [{name: here, network: voice, accept: {from: [127.0.0.0/8]}, trusted: true}]
routes: [{to_match: "([a-z]+)", room: "$1"}]
http: {listen: "%[3]s"}
drain: 5s
`

const free = "127.0.0.1:0"

func written(t *testing.T, sip, udp, http string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "passerelle.yaml")
	if err := os.WriteFile(path, fmt.Appendf(nil, onLoopback, sip, udp, http), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func loaded(t *testing.T, sip, udp, http string) *config.Config {
	t.Helper()
	cfg, err := config.Load(config.Source{Path: written(t, sip, udp, http)})
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func TestATakenPortNamesItsSetting(t *testing.T) {
	tcp, err := net.Listen("tcp", free)
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	udp, err := net.ListenPacket("udp", free)
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	for _, test := range []struct{ rule, sip, udp, http, setting string }{
		{"SIP", udp.LocalAddr().String(), free, free, "networks[0].listen"},
		{"the browsers' UDP port", free, udp.LocalAddr().String(), free, "embedded"},
		{"the page", free, free, tcp.Addr().String(), "http.listen"},
	} {
		t.Run(test.rule, func(t *testing.T) {
			_, err := build(loaded(t, test.sip, test.udp, test.http), "", quiet())
			if err == nil || !strings.Contains(err.Error(), "is taken by another program") || !strings.Contains(err.Error(), test.setting) {
				t.Errorf("build says %v, want a port that is taken, and %s", err, test.setting)
			}
		})
	}
}

// started is a house that serves until the test ends, and its SIP address.
func started(t *testing.T) (*house, string) {
	t.Helper()
	h := startedWith(t, loaded(t, free, free, free))
	return h, h.addrs()[0].Addr.String()
}

// startedWith is a house that serves this configuration until the test ends.
func startedWith(t *testing.T, cfg *config.Config) *house {
	t.Helper()
	h, err := build(cfg, "", quiet())
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- h.serve(ctx, nil) }()
	t.Cleanup(func() {
		stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return h
}

func TestTheWelcomeSaysWhatToDo(t *testing.T) {
	h, addr := started(t)
	var out bytes.Buffer
	h.welcome(&out)
	for _, want := range []string{
		"dial   sip:lobby@" + addr, ";transport=tcp", "open   http://127.0.0.1:", "/lobby", "calls from here", "silence",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the welcome lacks %q:\n%s", want, &out)
		}
	}
}

func TestASignalRightAfterTheWelcome(t *testing.T) {
	path := written(t, free, free, free)
	for range 8 {
		c := exec.CommandContext(t.Context(), os.Args[0], "serve", "--config", path)
		c.Env = append(os.Environ(), asProgram+"=1")
		var log bytes.Buffer
		c.Stderr = &log
		out, err := c.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		line, err := bufio.NewReader(out).ReadString('\n')
		if err != nil || !strings.HasPrefix(line, "Passerelle ") {
			t.Errorf("the first line is %q, %v", line, err)
		}
		if err := c.Process.Signal(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
		if err := c.Wait(); err != nil {
			t.Errorf("SIGTERM right after the welcome: %v, want exit status 0\n%s", err, &log)
		}
	}
}

// Two test phones of the command line meet in a room, and one hears what the other says.
func TestCall(t *testing.T) {
	t.Parallel()
	const speech = "../../testdata/speech/slt.wav"
	h, addr := started(t)
	heard := filepath.Join(t.TempDir(), "heard.wav")
	var phones sync.WaitGroup
	dial := func(o callOptions) {
		phones.Go(func() {
			var out bytes.Buffer
			if err := o.call(t.Context(), "sip:lobby@"+addr, &out, &out); err != nil {
				t.Errorf("call: %v", err)
				return
			}
			var report testphone.Report
			if err := json.Unmarshal(out.Bytes(), &report); err != nil {
				t.Errorf("%v in %s", err, &out)
			}
			if report.State != "ended" || report.End != "we hung up" || report.Sent < 150 || report.Received < 150 || report.Lost > 0 {
				t.Errorf("the call went %+v", report)
			}
		})
	}
	dial(callOptions{play: speech, codec: "PCMA", last: 5 * time.Second, json: true})
	dial(callOptions{record: heard, codec: "pcmu", last: 5 * time.Second, json: true})
	phones.Wait()

	reference, err := score.ReadFile(speech)
	if err != nil {
		t.Fatal(err)
	}
	recording, err := score.ReadFile(heard)
	if err != nil {
		t.Fatal(err)
	}
	// Five seconds of the speech at most were said, and the first of them before the other was there. Gaps are
	// judged where nothing else keeps the machine busy: in the tests with real peers.
	match := score.Find(reference[score.Rate:4*score.Rate], recording, score.Rate)
	if !match.Found() || match.Median < 0.95 || match.GainDB < -1 || match.GainDB > 1 {
		if skipped := h.engine.Stats().Skipped; skipped > 0 {
			t.Skipf("the machine was too busy to judge: %d ticks were skipped; heard: %v", skipped, match)
		}
		t.Errorf("what was heard: %v", match)
	}
}
