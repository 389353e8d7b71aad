//go:build peers

package peers

import (
	"flag"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write into docs/quickstart.md what its commands say")

// TestQuickstart goes the walk of docs/quickstart.md: it runs every command that stands there and compares what comes out with what the page says.
// The addresses are those of the page, in a network namespace of the test's own: the test runs itself again in there.
func TestQuickstart(t *testing.T) {
	if os.Getenv("PASSERELLE_INSIDE") != "" {
		walkQuickstart(t)
		return
	}
	t.Parallel()
	alone := "-rn"
	if os.Geteuid() == 0 { // who needs to be no other, and may be in a chroot
		alone = "-n"
	}
	if out, err := exec.Command("unshare", alone, "ip", "link", "set", "lo", "up").CombinedOutput(); err != nil {
		t.Skipf("no network namespace is to be had here: %v %s", err, out)
	}
	args := []string{alone, os.Args[0], "-test.run", "^TestQuickstart$", "-test.v"}
	if *update {
		args = append(args, "-update")
	}
	inside := exec.CommandContext(t.Context(), "unshare", args...)
	inside.Env = append(os.Environ(), "PASSERELLE_INSIDE=1")
	inside.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := inside.CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	t.Logf("%s", regexp.MustCompile(`(?m)^.*the commands took.*$`).Find(out))
}

// walk is somebody who follows the page.
type walk struct {
	t       *testing.T
	dir     string
	gateway *Process
	phone   *Linphone
	took    time.Duration
}

func walkQuickstart(t *testing.T) {
	path := filepath.Join(Root(), "docs", "quickstart.md")
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	w := &walk{t: t, dir: Folder(t)}
	for _, args := range [][]string{{"link", "set", "lo", "up"}, {"addr", "add", "10.1.0.9/24", "dev", "lo"}, {"addr", "add", "10.6.0.1/24", "dev", "lo"}, {"addr", "add", "10.6.0.77/24", "dev", "lo"}, {"addr", "add", "203.0.113.66/24", "dev", "lo"}} {
		if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
			t.Fatalf("ip %v: %v %s", args, err, out)
		}
	}
	blocks := regexp.MustCompile("(?ms)^```(yaml|console)( [^\n]*)?\n(.*?)^```$|^<!-- walk: ([^\n]*) -->$")
	now := blocks.ReplaceAllStringFunc(string(page), func(block string) string {
		m := blocks.FindStringSubmatch(block)
		switch {
		case m[4] != "":
			w.step(m[4])
		case m[1] == "yaml" && m[2] != "":
			if err := os.WriteFile(filepath.Join(w.dir, strings.TrimSpace(m[2])), []byte(m[3]), 0o600); err != nil {
				t.Fatal(err)
			}
		case m[1] == "console":
			return "```console\n" + w.console(m[3]) + "```"
		}
		return block
	})
	t.Logf("the commands took %v", w.took.Round(time.Second))
	if *update && now != string(page) {
		if err := os.WriteFile(path, []byte(now), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// step is what the page does not show.
func (w *walk) step(name string) {
	w.t.Helper()
	switch text, inLog := strings.CutPrefix(name, "the log has "); {
	case inLog:
		w.gateway.Await(w.t, text, time.Second)
	case name == "interrupt twice":
		if err := syscall.Kill(w.gateway.PID(), syscall.SIGINT); err != nil {
			w.t.Fatal(err)
		}
		w.gateway.Await(w.t, "closing: new calls are refused", 5*time.Second)
		fallthrough
	case name == "interrupt":
		if status := w.gateway.Stop(syscall.SIGINT, 10*time.Second); status != 0 {
			w.t.Errorf("the gateway ended with status %d", status)
		}
	case name == "the carrier is there":
		startCarrier(w.t, w.dir, netip.MustParseAddrPort("10.6.0.1:5060"), netip.MustParseAddrPort("10.6.0.1:5070"), netip.MustParseAddrPort("10.1.0.9:5060"), netip.MustParseAddrPort("10.6.0.77:5060"))
		Start(w.t, Command{Name: "subscriber", Path: "sipp", Args: []string{"-sn", "uas", "-i", "10.6.0.77", "-p", "5060", "-mp", "10200", "-rtp_echo", "-nostdin"}, Dir: w.dir})
	case name == "the phone registers":
		silence := Says(w.t, w.dir, Man, 0, 0)
		w.phone = StartLinphone(w.t, w.dir, LinphoneConfig{
			Name: "reception", Microphone: silence.WAV(48000), Registers: "2001", At: netip.MustParseAddrPort("10.1.0.9:5060"), AutoAnswer: true,
		})
		w.gateway.Await(w.t, `phone registered`, 10*time.Second)
	case name == "a stranger knocks":
		// The phones' addresses are private ones, and may ask whether we are there: this one may not.
		if answer, err := Ping(netip.MustParseAddrPort("203.0.113.66:0"), netip.MustParseAddrPort("10.1.0.9:5060"), 300*time.Millisecond); err == nil {
			w.t.Errorf("a stranger is answered %q", answer)
		}
	default:
		w.t.Fatalf("the page wants %q, which nobody knows", name)
	}
}

// console runs the commands of a block and returns it with what they say.
func (w *walk) console(block string) string {
	var all strings.Builder
	for _, part := range strings.SplitAfter("\n"+block, "\n$ ")[1:] {
		command, said, _ := strings.Cut(strings.TrimSuffix(part, "$ "), "\n")
		got := w.run(command)
		if masked(got) != masked(said) && !*update {
			w.t.Errorf("$ %s\nsays\n%s\nand the page\n%s", command, got, said)
		}
		if masked(got) != masked(said) {
			said = got
		}
		fmt.Fprintf(&all, "$ %s\n%s", command, said)
	}
	return all.String()
}

// run runs one command, and returns what it says; the gateway's is what it says until it is ready.
func (w *walk) run(command string) string {
	bin := filepath.Dir(Binary(w.t))
	if command == "passerelle serve" {
		w.gateway = Start(w.t, Command{Name: fmt.Sprint("serve", time.Now().UnixMilli()), Path: Binary(w.t), Args: []string{"serve"}, Dir: w.dir})
		w.gateway.Await(w.t, `^  takes `, 10*time.Second)
		said := slices.DeleteFunc(w.gateway.Lines(), func(line string) bool { return strings.HasPrefix(line, "{") }) // its log
		return strings.Join(said, "\n") + "\n"
	}
	shell := exec.CommandContext(w.t.Context(), "bash", "-c", command)
	shell.Dir = w.dir
	shell.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"))
	if signal, ours := strings.CutPrefix(command, "pkill -HUP "); ours && signal == "passerelle" { // of ours alone: others on this machine have the same name
		if err := syscall.Kill(w.gateway.PID(), syscall.SIGHUP); err != nil {
			w.t.Fatal(err)
		}
		w.gateway.Await(w.t, `configuration read again`, 5*time.Second)
		w.gateway.Await(w.t, `registered with the trunk`, 5*time.Second)
		return ""
	}
	began := time.Now()
	out, _ := shell.CombinedOutput() // what fails, says so
	w.took += time.Since(began)
	return regexp.MustCompile(`(?m) +$`).ReplaceAllString(string(out), "")
}

// masked takes away what is another each time.
func masked(text string) string {
	for _, m := range []struct{ from, to string }{
		{`Passerelle \S+`, "Passerelle v"},
		{`(?m)^it rings\n`, ""}, // whoever answers at once may not ring
		{`it is kamailio .*`, "it is kamailio"},
		{`[0-9]{4} bytes|about [0-9]{4}`, "N bytes"},
		{`[0-9.]+ ms`, "N ms"},
		{`round trip .*`, "round trip N"},
		{`(said|heard) +[0-9]+ packets`, "$1 N packets"},
		{`talked [0-9.]+ s`, "talked N s"},
		{`[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9:.]+Z?`, "TIME"},
		{`\b[0-9]{2}:[0-9]{2}:[0-9]{2}\b`, "TIME"},
		{`([0-9.]+):[0-9]{5}\b`, "$1:PORT"},
		{`\b(in|for) [0-9hms]+\b`, "$1 N"},
	} {
		text = regexp.MustCompile(m.from).ReplaceAllString(text, m.to)
	}
	return text
}
