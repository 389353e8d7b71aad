//go:build peers

package peers

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os/exec"
	"strconv"
	"testing"
	"time"
)

// The bench is proved on peers that are known to be good, without the gateway: when these tests fail, the
// others prove nothing.

func TestBench(t *testing.T) {
	t.Parallel()
	t.Run("phones over udp", func(t *testing.T) { benchPhones(t, "udp") })
	t.Run("phones over tcp", func(t *testing.T) { benchPhones(t, "tcp") })
	t.Run("process", benchProcess)
}

func benchPhones(t *testing.T, transport string) {
	t.Parallel()
	dir := Folder(t)
	man, woman := Says(t, dir, Man, 0, 1.5), Says(t, dir, Woman, 0, 0)
	phone := StartPhone(t, dir, PhoneConfig{Name: "bob", Microphone: woman.WAV(8000), AutoAnswer: true})
	RunSipp(t, dir, "sipp", Scenario{
		Name: "uac_talk", Target: netip.AddrPortFrom(Loopback(), phone.SIP), Number: "bob", Transport: transport,
		Talk: man.Length(t), Files: []string{man.Raw("ulaw")},
	})
	phone.Quit(t)
	heard := Listen(t, "the phone", phone.Heard(t))
	heard.Hears(t, man, OverG711())
	heard.HearsNot(t, woman)
	heard.From(man.Length(t)-time.Second).Silent(t, "after the speech")
}

// TestProofBenchBrowser runs alone, as all tests that judge what a browser hears do: it is hungry.
func TestProofBenchBrowser(t *testing.T) {
	onlyInProof(t)
	dir := Folder(t)
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.ServeFile(w, r, Data("chromium", "loop.html"))
	}))
	t.Cleanup(page.Close)
	woman := Says(t, dir, Woman, 2, 0)
	b := StartBrowser(t, dir, BrowserConfig{Name: "ada", Microphone: woman.WAV(48000), Once: true})
	b.Open(t, page.URL)
	b.Await(t, "window.__recorder.connections[1]?.connectionState == 'connected'", 5*time.Second)
	time.Sleep(woman.Length(t) + 500*time.Millisecond)
	Listen(t, "the page", b.Heard(t)).Hears(t, woman, OverOpus())
	if s := b.Stats(t); s.PacketsReceived == 0 || s.PacketsLost > 0 {
		t.Errorf("the page's connections: %v", s)
	}
	if complaints := b.Complaints(); len(complaints) > 0 {
		t.Errorf("the console: %v", complaints)
	}
}

func benchProcess(t *testing.T) {
	t.Parallel()
	dir := Folder(t)
	p := Start(t, Command{Name: "child", Path: "sh", Args: []string{"-c", "trap 'exit 7' TERM; sleep 100 & echo up; wait"}, Dir: dir})
	p.Await(t, "^up$", 5*time.Second)
	if status := p.Stop(15, 5*time.Second); status != 7 {
		t.Errorf("stopped with status %d, want the process' own, 7", status)
	}
	if out, _ := exec.Command("pgrep", "-r", "R,S,D", "-g", strconv.Itoa(p.PID())).Output(); len(out) > 0 {
		t.Errorf("left behind: %s", out)
	}
}
