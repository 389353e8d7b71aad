package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"passerelle/cmd/internal/testphone"
	"passerelle/codec/wav"
)

func TestACallThatIsRefusedSaysWhy(t *testing.T) {
	_, addr := started(t)
	var out bytes.Buffer
	err := callOptions{}.call(t.Context(), "sip:0123@"+addr, &out, &out)
	if err == nil || exitCode(err) != 2 || !strings.Contains(err.Error(), "404") || strings.Count(err.Error(), "routes") != 1 {
		t.Errorf("call says %v (exit status %d), want 404, the routes, once, and status 2", err, exitCode(err))
	}
	if out.Len() > 0 {
		t.Errorf("call prints %q", &out)
	}
	err = callOptions{json: true}.call(t.Context(), "sip:0123@"+addr, &out, &out)
	var report testphone.Report
	if bad := json.Unmarshal(out.Bytes(), &report); bad != nil {
		t.Fatalf("%v in %q", bad, &out)
	}
	if exitCode(err) != 2 || report.State != "ended" || !strings.Contains(report.End, "404") {
		t.Errorf("with --json a refused call is %v (exit status %d) and %+v", err, exitCode(err), report)
	}
}

func TestTheExitStatusOfACall(t *testing.T) {
	closed, err := net.Listen("tcp", free)
	if err != nil {
		t.Fatal(err)
	}
	nobody := closed.Addr().String()
	closed.Close()
	for _, test := range []struct {
		rule    string
		to      string
		options callOptions
		want    int
	}{
		{"nobody there", "sip:lobby@" + nobody + ";transport=tcp", callOptions{}, 2},
		{"no SIP address", "lobby", callOptions{}, 1},
		{"a transport that is not supported", "sip:lobby@" + nobody + ";transport=sctp", callOptions{}, 1},
		{"no such codec", "sip:lobby@" + nobody, callOptions{codec: "opus"}, 1},
		{"no such speech", "sip:lobby@" + nobody, callOptions{play: "nowhere.wav"}, 1},
		{"no place for the recording", "sip:lobby@" + nobody, callOptions{record: "nowhere/heard.wav"}, 1},
	} {
		t.Run(test.rule, func(t *testing.T) {
			var out bytes.Buffer
			if err := test.options.call(t.Context(), test.to, &out, &out); err == nil || exitCode(err) != test.want {
				t.Errorf("call says %v (exit status %d), want status %d", err, exitCode(err), test.want)
			}
		})
	}
}

func TestARefusedCallLeavesTheRecordingAlone(t *testing.T) {
	_, addr := started(t)
	dir := t.TempDir()
	old, fresh := filepath.Join(dir, "old.wav"), filepath.Join(dir, "fresh.wav")
	if err := os.WriteFile(old, []byte("of yesterday"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{old, fresh} {
		var out bytes.Buffer
		if err := (callOptions{record: path}).call(t.Context(), "sip:0123@"+addr, &out, &out); exitCode(err) != 2 {
			t.Errorf("call says %v, want a refusal", err)
		}
	}
	if kept, err := os.ReadFile(old); err != nil || string(kept) != "of yesterday" {
		t.Errorf("the recording of yesterday is %q, %v", kept, err)
	}
	if _, err := os.Stat(fresh); !os.IsNotExist(err) {
		t.Errorf("a call that was refused made a recording: %v", err)
	}
}

func TestARecordingReplacesTheOneBefore(t *testing.T) {
	path := filepath.Join(t.TempDir(), "heard.wav")
	if err := os.WriteFile(path, bytes.Repeat([]byte("old "), 10000), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := record(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.close(true); err != nil {
		t.Fatal(err)
	}
	pcm, rate := readWAV(t, path)
	if len(pcm) > 0 || rate != 8000 {
		t.Errorf("a call in which nothing was heard: %d samples at %d Hz", len(pcm), rate)
	}
	if r, err = record(path); err != nil {
		t.Fatal(err)
	}
	if err := r.write(make([]int16, 160)); err != nil {
		t.Error(err)
	}
	if err := r.close(true); err != nil {
		t.Fatal(err)
	}
	if pcm, _ = readWAV(t, path); len(pcm) != 160 {
		t.Errorf("%d samples of 160 were recorded", len(pcm))
	}
}

func readWAV(t *testing.T, path string) ([]int16, int) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	pcm, rate, err := wav.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	return pcm, rate
}

// A call that is hung up before anybody answers is nobody's fault.
func TestHangingUpBeforeTheAnswer(t *testing.T) {
	t.Parallel() // it waits until the phone gives up on the other side
	silent, err := net.ListenPacket("udp", free)
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	ctx, hangup := context.WithCancel(t.Context())
	defer hangup()
	go func() { // the INVITE has come
		silent.ReadFrom(make([]byte, 2000))
		hangup()
	}()
	var out bytes.Buffer
	if err := (callOptions{}).call(ctx, "sip:lobby@"+silent.LocalAddr().String(), &out, &out); err != nil {
		t.Error(err)
	}
	if got := out.String(); !strings.HasSuffix(got, "we hung up\n") {
		t.Errorf("call prints %q", got)
	}
}
