package peers

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// Scenario says what a sipp does: one of testdata/peers/sipp, towards one number.
type Scenario struct {
	Name      string         // uac_talk, options...
	Target    netip.AddrPort // the gateway
	Number    string         // what is dialled
	Transport string         // "udp" (default) or "tcp"
	From      netip.Addr     // the phone's address; the loopback one where it is not set
	Talk      time.Duration  // how long the scenario's last pause is
	Calls     int            // in all; 1 where it is 0
	AtOnce    int            // at most; Calls where it is 0
	PerSecond int            // new calls; 1 where it is 0
	Within    time.Duration  // what it may take; Talk and 30 s more where it is 0
	Brief     bool           // keeps no book of messages, for thousands of calls
	Files     []string       // what the scenario plays: speech.ulaw, digits.pcap...
}

// Sipp is a running scenario.
type Sipp struct {
	Scenario
	Address netip.AddrPort // its own
	dir     string
	process *Process
}

// StartSipp begins a scenario in a folder of its own, dir/LABEL.
func StartSipp(t testing.TB, dir, label string, s Scenario) *Sipp {
	t.Helper()
	s.Calls, s.PerSecond = max(s.Calls, 1), max(s.PerSecond, 1)
	if s.AtOnce == 0 {
		s.AtOnce = s.Calls
	}
	if s.Within == 0 {
		s.Within = s.Talk + 30*time.Second
	}
	if !s.From.IsValid() {
		s.From = Loopback()
	}
	dir = Sub(t, dir, label)
	for _, file := range s.Files {
		if err := os.Symlink(file, filepath.Join(dir, filepath.Base(file))); err != nil {
			t.Fatalf("%s: %v", label, err)
		}
	}
	port := Ports(t, 4)
	args := []string{
		"-sf", Data("sipp", s.Name+".xml"), "-s", s.Number, "-nostdin",
		"-i", s.From.String(), "-p", strconv.Itoa(int(port)), "-mi", s.From.String(), "-mp", strconv.Itoa(int(Ports(t, 4*s.AtOnce))),
		"-m", strconv.Itoa(s.Calls), "-l", strconv.Itoa(s.AtOnce), "-r", strconv.Itoa(s.PerSecond),
		"-d", strconv.FormatInt(s.Talk.Milliseconds(), 10),
		"-timeout", fmt.Sprintf("%ds", int(s.Within.Seconds())), "-timeout_error",
		"-trace_err", "-error_file", "errors.log", "-trace_screen", "-screen_file", "screen.log",
	}
	if !s.Brief {
		args = append(args, "-trace_msg", "-message_file", "messages.log")
	}
	if s.Transport == "tcp" {
		args = append(args, "-t", "t1", "-max_socket", "500")
	}
	args = append(args, s.Target.String())
	return &Sipp{Scenario: s, Address: netip.AddrPortFrom(s.From, port), dir: dir, process: Start(t, Command{Name: "sipp", Path: "sipp", Args: args, Dir: dir})}
}

// Wait waits until the scenario has ended, and fails the test where a call did not go as it says.
func (s *Sipp) Wait(t testing.TB) {
	t.Helper()
	status := s.process.Wait(t, s.Within+10*time.Second)
	if status == 0 {
		return
	}
	t.Errorf("sipp %s to %s: exit status %d (1: a call failed, 97: out of time)\n%s", s.Name, s.Number, status, s.read("errors.log"))
}

// read returns the end of one of sipp's own logs.
func (s *Sipp) read(name string) string {
	text, err := os.ReadFile(filepath.Join(s.dir, name))
	if err != nil {
		return ""
	}
	return string(text[max(0, len(text)-4000):])
}

// Messages returns what sipp sent and received.
func (s *Sipp) Messages(t testing.TB) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(s.dir, "messages.log"))
	if err != nil {
		t.Fatalf("sipp %s: %v", s.Name, err)
	}
	return string(text)
}

// RunSipp is StartSipp and Wait.
func RunSipp(t testing.TB, dir, label string, s Scenario) *Sipp {
	t.Helper()
	sipp := StartSipp(t, dir, label, s)
	sipp.Wait(t)
	return sipp
}
