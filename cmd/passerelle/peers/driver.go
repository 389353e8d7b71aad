package peers

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"
)

// driver speaks to testdata/peers/chromium/driver.js: a JSON object a line each way.
type driver struct {
	process *Process
	in      io.WriteCloser
	done    chan struct{} // closed when read has ended

	mu      sync.Mutex
	next    int
	answers map[int]chan driverAnswer
	ready   chan string // the browser's version, once
	console []Console
}

// Console is a line that the page wrote to the browser's console, or an error that nobody caught.
type Console struct {
	Level string // "log", "warning", "error"; "uncaught" for an error
	Text  string
}

type driverAnswer struct {
	ID     int             `json:"id"`
	OK     bool            `json:"ok"`
	Result json.RawMessage `json:"result"`
	Error  string          `json:"error"`

	Event   string `json:"event"` // of messages that are not an answer
	Level   string `json:"level"`
	Text    string `json:"text"`
	Version string `json:"version"`
}

// NodeModules returns where .ci/peers.sh has put what package-lock.json pins: playwright-core, livekit-client, JsSIP.
func NodeModules() string {
	if modules := os.Getenv("PASSERELLE_NODE_MODULES"); modules != "" {
		return modules
	}
	return filepath.Join(Root(), ".cache", "node", "node_modules")
}

// startDriver starts Chromium with a WAV file for a microphone. Its logs are in dir.
func startDriver(t testing.TB, dir, microphone string, env []string) *driver {
	t.Helper()
	modules := NodeModules()
	if _, err := os.Stat(filepath.Join(modules, "playwright-core")); err != nil {
		t.Fatalf("no playwright-core in %s: run .ci/peers.sh", modules)
	}
	stdin, in, err := os.Pipe()
	if err != nil {
		t.Fatalf("start a browser: %v", err)
	}
	out, stdout, err := os.Pipe()
	if err != nil {
		t.Fatalf("start a browser: %v", err)
	}
	d := &driver{in: in, done: make(chan struct{}), answers: map[int]chan driverAnswer{}, ready: make(chan string, 1)}
	env = append(env, "NODE_PATH="+modules, "HOME="+dir, "TMPDIR="+shortDir(t))
	d.process = Start(t, Command{
		Name: "chromium", Path: "node", Args: []string{Data("chromium", "driver.js"), microphone}, Dir: dir,
		Env: env, Stdin: stdin, Stdout: stdout,
	})
	_, _ = stdin.Close(), stdout.Close() // the child has its own
	go d.read(out)
	t.Cleanup(d.close)
	return d
}

// read is the goroutine of startDriver; close waits for it.
func (d *driver) read(out *os.File) {
	defer close(d.done)
	defer out.Close()
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return
		}
		var a driverAnswer
		if json.Unmarshal(line, &a) == nil {
			d.take(a)
		}
	}
}

func (d *driver) take(a driverAnswer) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch a.Event {
	case "ready":
		d.ready <- a.Version
	case "console":
		d.console = append(d.console, Console{Level: a.Level, Text: a.Text})
	case "pageerror", "failed":
		d.console = append(d.console, Console{Level: "uncaught", Text: a.Text})
	case "":
		if waiting := d.answers[a.ID]; waiting != nil {
			waiting <- a // buffered, and taken once
			delete(d.answers, a.ID)
		}
	}
}

// do sends a command and decodes its result into result, unless that is nil.
func (d *driver) do(command string, fields map[string]any, within time.Duration, result any) error {
	d.mu.Lock()
	d.next++
	id := d.next
	waiting := make(chan driverAnswer, 1)
	d.answers[id] = waiting
	d.mu.Unlock()
	message := map[string]any{"id": id, "do": command}
	for name, value := range fields {
		message[name] = value
	}
	line, err := json.Marshal(message)
	if err != nil {
		return fmt.Errorf("browser, %s: %w", command, err)
	}
	if _, err := d.in.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("browser, %s: %w", command, err)
	}
	select {
	case a := <-waiting:
		if !a.OK {
			return fmt.Errorf("browser, %s %v: %s", command, fields, a.Error)
		}
		if result == nil {
			return nil
		}
		return json.Unmarshal(a.Result, result)
	case <-d.done:
		return fmt.Errorf("browser, %s: it is gone", command)
	case <-time.After(within):
		return fmt.Errorf("browser, %s %v: no answer in %v", command, fields, within)
	}
}

// close ends the browser. Chromium's own children are not all in the driver's group: they end when the
// browser does, and the driver ends after it.
func (d *driver) close() {
	if !d.process.Running() {
		return
	}
	_ = d.do("close", nil, 5*time.Second, nil)
	_ = d.in.Close()
	select {
	case <-d.process.Exited():
	case <-time.After(5 * time.Second):
		d.process.Stop(syscall.SIGTERM, time.Second)
	}
	<-d.done
}

// said returns all that the page wrote to the console.
func (d *driver) said() []Console {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]Console(nil), d.console...)
}

// complaints returns what the page wrote to the console as an error, or did not catch.
func (d *driver) complaints() (all []Console) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, line := range d.console {
		if line.Level == "error" || line.Level == "uncaught" {
			all = append(all, line)
		}
	}
	return all
}

// shortDir makes a folder with a short name: the browser keeps a socket in it, whose path may have 107 bytes,
// wherever the repository is.
func shortDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "peer-")
	if err != nil {
		t.Fatalf("start a browser: %v", err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}
