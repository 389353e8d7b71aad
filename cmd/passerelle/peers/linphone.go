package peers

import (
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Linphone is one linphonec: the phone of a desktop, by its command line, with a file for a microphone, and a recording of
// what it heard. It speaks Opus where it may choose.
type Linphone struct {
	LinphoneConfig
	dir     string
	process *Process
	orders  io.WriteCloser
}

// LinphoneConfig says what kind of linphonec to start.
type LinphoneConfig struct {
	Name       string
	Microphone string         // a WAV file, mono; played once from the moment that a call is up
	Registers  string         // as whom it registers, with Password; nowhere where it is empty
	At         netip.AddrPort // where it registers
	AutoAnswer bool
}

// StartLinphone starts a linphonec. Its folder is dir/NAME.
func StartLinphone(t testing.TB, dir string, c LinphoneConfig) *Linphone {
	t.Helper()
	first, name := Ports(t, blockSize), c.Name
	p := &Linphone{LinphoneConfig: c, dir: Sub(t, dir, name)}
	config := filepath.Join(p.dir, "linphonerc")
	writeTemplate(t, Data("linphone", "linphonerc.tmpl"), config, map[string]any{
		"Name": name, "Address": Loopback(), "SIP": first, "RTP": first + 4, "User": c.Registers, "At": c.At, "Password": Password,
	})
	for _, folder := range []string{".local/share/linphone", ".config/linphone"} { // it makes none itself
		if err := os.MkdirAll(filepath.Join(p.dir, folder), 0o755); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	padded := filepath.Join(p.dir, "microphone.wav")
	Sox(t, "-D", c.Microphone, padded, "pad", "0", "60") // it would begin again
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	defer read.Close()
	p.orders = write
	t.Cleanup(func() { _ = write.Close() })
	args := []string{"-c", config, "-l", filepath.Join(p.dir, "trace.log"), "-d", "4"}
	if c.AutoAnswer {
		args = append(args, "-a")
	}
	p.process = Start(t, Command{
		Name: name, Path: "linphonec", Args: args,
		Env: []string{"HOME=" + p.dir}, Dir: p.dir, Stdin: read,
	})
	p.order(t, "soundcard use files")
	p.order(t, "play "+padded)
	p.order(t, "record "+filepath.Join(p.dir, "heard.wav"))
	return p
}

// order types a line.
func (p *Linphone) order(t testing.TB, line string) {
	t.Helper()
	if _, err := fmt.Fprintln(p.orders, line); err != nil {
		t.Fatalf("%s: %s: %v\n%s", p.Name, line, err, p.process.Tail(40))
	}
}

// Dial calls and waits until the call is up.
func (p *Linphone) Dial(t testing.TB, uri string) {
	t.Helper()
	p.order(t, "call "+uri)
	p.AwaitTalking(t, 10*time.Second)
}

// AwaitTalking waits until a call is up.
func (p *Linphone) AwaitTalking(t testing.TB, within time.Duration) {
	t.Helper()
	p.process.Await(t, `Media streams established`, within)
}

// Press presses keys, one after the other (RFC 4733).
func (p *Linphone) Press(t testing.TB, keys string) { t.Helper(); p.order(t, keys) }

// Quit hangs up and ends the phone, so that its recording is whole.
func (p *Linphone) Quit(t testing.TB) {
	t.Helper()
	p.order(t, "terminate")
	p.process.Await(t, `ended \(No error\)`, 5*time.Second)
	p.order(t, "quit")
	if status := p.process.Wait(t, 5*time.Second); status != 0 {
		t.Logf("%s ended with status %d", p.Name, status)
	}
}

// Heard returns the recording of what came out of the phone's loudspeaker. Quit first.
func (p *Linphone) Heard() string { return filepath.Join(p.dir, "heard.wav") }
