package peers

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Command says what to start.
type Command struct {
	Name string   // of the process in messages, and of its log: NAME.log in Dir
	Path string   // the program, looked up in PATH
	Args []string // without the program's name
	Env  []string // added to ours
	Dir  string   // the working folder; its log is kept here
	// Stdin, if any, is what the process reads; it is the caller's to close.
	Stdin io.Reader
	// Stdout, if any, takes the standard output away from the log.
	Stdout io.Writer
}

// Process is a running program of ours: in a process group of its own, its output kept, never left
// behind. Its methods may be called from any goroutine.
type Process struct {
	Command
	cmd    *exec.Cmd
	exited chan struct{} // closed when it has been reaped and its last line is in
	state  string        // how it ended; valid after exited

	mu    sync.Mutex
	lines []string
	more  chan struct{} // closed and replaced when a line comes
}

// Start runs c until it ends by itself or the test does. A test that dies takes it along.
func Start(t testing.TB, c Command) *Process {
	t.Helper()
	log, err := os.Create(filepath.Join(c.Dir, c.Name+".log"))
	if err != nil {
		t.Fatalf("start %s: %v", c.Name, err)
	}
	p := &Process{Command: c, exited: make(chan struct{}), more: make(chan struct{})}
	p.cmd = exec.Command(c.Path, c.Args...)
	p.cmd.Dir, p.cmd.Env, p.cmd.Stdin = c.Dir, append(os.Environ(), c.Env...), c.Stdin
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatalf("start %s: %v", c.Name, err)
	}
	p.cmd.Stderr, p.cmd.Stdout = write, write
	if c.Stdout != nil {
		p.cmd.Stdout = c.Stdout
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatalf("start %s: %v (does .ci/peers.sh say what is missing?)", c.Name, err)
	}
	_ = write.Close() // the child has its own
	go p.keep(read, log)
	t.Cleanup(func() { p.Stop(syscall.SIGTERM, 5*time.Second) })
	return p
}

// keep reads the process' output until it ends, then reaps it. It is the goroutine of Start; Stop and
// Exited wait for it.
func (p *Process) keep(output, log *os.File) {
	defer close(p.exited)
	defer log.Close()
	defer output.Close()
	waited := make(chan struct{})
	go func() {
		_ = p.cmd.Wait()
		// Whatever it had started goes with it; the group is ours, since the process began it. One that
		// has left the group may still hold the pipe open: what the process itself wrote is there by now.
		_ = syscall.Kill(-p.PID(), syscall.SIGKILL)
		_ = output.SetReadDeadline(time.Now().Add(2 * time.Second))
		close(waited)
	}()
	in := bufio.NewScanner(io.TeeReader(output, log))
	in.Buffer(nil, 1<<20)
	in.Split(scanAnyLine)
	for in.Scan() {
		p.mu.Lock()
		p.lines = append(p.lines, in.Text())
		close(p.more)
		p.more = make(chan struct{})
		p.mu.Unlock()
	}
	<-waited
	p.state = p.cmd.ProcessState.String()
}

// scanAnyLine splits at CR as well as LF: phones paint their status line over itself.
func scanAnyLine(data []byte, atEOF bool) (int, []byte, error) {
	if i := bytes.IndexAny(data, "\r\n"); i >= 0 {
		return i + 1, data[:i], nil
	}
	if atEOF && len(data) > 0 {
		return len(data), data, nil
	}
	return 0, nil, nil
}

// PID returns the process' id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Exited is closed when the process has ended and been reaped.
func (p *Process) Exited() <-chan struct{} { return p.exited }

// Running says whether the process is still there.
func (p *Process) Running() bool {
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}

// Lines returns what the process has written so far.
func (p *Process) Lines() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.lines...)
}

// Await waits until a line, of those written already too, matches, and returns the match and its groups.
// It fails the test when the process ends or the time is over before.
func (p *Process) Await(t testing.TB, pattern string, within time.Duration) []string {
	t.Helper()
	match, err := p.await(regexp.MustCompile(pattern), within)
	if err != nil {
		t.Fatalf("%s: %v\n%s", p.Name, err, p.Tail(30))
	}
	return match
}

func (p *Process) await(pattern *regexp.Regexp, within time.Duration) ([]string, error) {
	deadline := time.NewTimer(within)
	defer deadline.Stop()
	for seen, ended := 0, false; ; {
		p.mu.Lock()
		lines, more := p.lines[seen:], p.more
		p.mu.Unlock()
		for _, line := range lines {
			if m := pattern.FindStringSubmatch(line); m != nil {
				return m, nil
			}
		}
		seen += len(lines)
		if ended {
			return nil, fmt.Errorf("ended (%s) without a line like %q", p.state, pattern)
		}
		select {
		case <-more:
		case <-p.exited:
			ended = true // one more look: the last lines came with it
		case <-deadline.C:
			return nil, fmt.Errorf("no line like %q within %v", pattern, within)
		}
	}
}

// Wait waits until the process ends by itself, and returns its exit status. It fails the test when that
// takes longer than within.
func (p *Process) Wait(t testing.TB, within time.Duration) int {
	t.Helper()
	select {
	case <-p.exited:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(within):
		t.Fatalf("%s still runs after %v\n%s", p.Name, within, p.Tail(30))
		return -1
	}
}

// Stop sends the signal to the process, waits, and kills its group when it does not obey within grace.
// It returns the exit status, -1 for one that had to be killed. Stopping twice is fine.
func (p *Process) Stop(signal syscall.Signal, grace time.Duration) int {
	if p.Running() {
		_ = p.cmd.Process.Signal(signal)
	}
	select {
	case <-p.exited:
	case <-time.After(grace):
		_ = syscall.Kill(-p.PID(), syscall.SIGKILL) // not reaped yet, so the id is still its own
		<-p.exited
		return -1
	}
	return p.cmd.ProcessState.ExitCode()
}

// Tail returns the last n lines, for messages.
func (p *Process) Tail(n int) string {
	lines := p.Lines()
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
