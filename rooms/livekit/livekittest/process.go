package livekittest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// What a failing test is shown of a program's log: so much that its own words are not lost in it.
const (
	logTail  = 20
	logWidth = 240 // bytes of a line
)

// program is something to run again and again, with one log for all of its lives.
type program struct {
	name string // in messages
	path string
	args []string
	dir  string // its own; the log is kept there

	cmd    *exec.Cmd
	exited chan struct{} // closed when cmd has been reaped
}

// start runs the program until stop is called, or this process ends.
func (p *program) start() error {
	log, err := os.OpenFile(p.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("start %s: %w", p.name, err)
	}
	defer log.Close()                      // the child has its own
	cmd := exec.Command(p.path, p.args...) //nolint:noctx // stop ends it, with all that it started
	cmd.Dir, cmd.Stdout, cmd.Stderr = p.dir, log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", p.name, err)
	}
	exited := make(chan struct{})
	go func() { // ends with the process; stop waits for it
		defer close(exited)
		_ = cmd.Wait()
	}()
	p.cmd, p.exited = cmd, exited
	return nil
}

// signal sends a signal to the program alone.
func (p *program) signal(s os.Signal) error {
	if err := p.cmd.Process.Signal(s); err != nil {
		return fmt.Errorf("signal %s: %w", p.name, err)
	}
	return nil
}

// stop kills the program's whole group, which is ours since it was started in it, and waits.
func (p *program) stop() {
	if p.cmd == nil {
		return
	}
	if p.running() {
		_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	}
	<-p.exited
}

func (p *program) running() bool {
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}

// await asks again and again until ready; the error holds the last words of the program.
func (p *program) await(within time.Duration, ready func() bool) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(within)
	for !ready() {
		select {
		case <-p.exited:
			return fmt.Errorf("%s has ended (%s):\n%s", p.name, p.cmd.ProcessState, p.log(logTail))
		case <-deadline:
			return fmt.Errorf("%s is not ready within %v:\n%s", p.name, within, p.log(logTail))
		case <-tick.C:
		}
	}
	return nil
}

func (p *program) logFile() string { return filepath.Join(p.dir, p.name+".log") }

// log returns the last lines that the program wrote.
func (p *program) log(lines int) string {
	text, err := os.ReadFile(p.logFile())
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimRight(string(text), "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// complaints returns the last errors that the program wrote, each cut to logWidth.
func (p *program) complaints(lines int) string {
	text, err := os.ReadFile(p.logFile())
	if err != nil {
		return err.Error()
	}
	var all []string
	for line := range strings.Lines(string(text)) {
		if strings.Contains(line, "\tERROR\t") || strings.HasPrefix(line, "panic:") {
			all = append(all, strings.TrimRight(line[:min(len(line), logWidth)], "\n"))
		}
	}
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
