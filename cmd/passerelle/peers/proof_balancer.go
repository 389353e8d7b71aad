package peers

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// Balancer is a Kamailio in front of several gateways: phones call it over UDP, and each call goes to the
// next gateway that takes one.
type Balancer struct {
	SIP     netip.AddrPort
	process *Process
}

// StartBalancer starts a Kamailio and waits until it calls every gateway its own.
func StartBalancer(t testing.TB, dir string, gateways ...*Gateway) *Balancer {
	t.Helper()
	dir = Sub(t, dir, "kamailio")
	b := &Balancer{SIP: netip.AddrPortFrom(Loopback(), Ports(t, 1))}
	var list strings.Builder
	for _, g := range gateways {
		fmt.Fprintf(&list, "1 sip:%s %d\n", g.SIP, inactive|probing)
	}
	files := map[string]string{"list": filepath.Join(dir, "gateways.list"), "settings": filepath.Join(dir, "kamailio.cfg")}
	if err := os.WriteFile(files["list"], []byte(list.String()), 0o600); err != nil {
		t.Fatalf("a balancer: %v", err)
	}
	writeTemplate(t, Data("kamailio", "kamailio.cfg.tmpl"), files["settings"], map[string]any{
		"Address": b.SIP, "Modules": kamailioModules(t), "List": files["list"],
	})
	b.process = Start(t, Command{
		Name: "kamailio", Path: "kamailio", Dir: dir,
		Args: []string{"-f", files["settings"], "-DD", "-E", "-m", "32", "-M", "4", "-w", dir, "-Y", dir},
	})
	for _, g := range gateways {
		b.AwaitIn(t, g, 5*time.Second)
	}
	return b
}

// The state of a gateway that has to answer before it gets calls, as Kamailio's dispatcher writes it.
const (
	inactive = 1
	probing  = 8
)

// kamailioModules returns where the distribution keeps them.
func kamailioModules(t testing.TB) string {
	t.Helper()
	for _, pattern := range []string{"/usr/lib/*/kamailio/modules/dispatcher.so", "/usr/lib/kamailio/modules/dispatcher.so", "/usr/lib64/kamailio/modules/dispatcher.so"} {
		if found, _ := filepath.Glob(pattern); len(found) > 0 {
			return filepath.Dir(found[0]) + "/"
		}
	}
	t.Fatal("Kamailio's modules are not where Debian keeps them: apt-get install kamailio")
	return ""
}

// AwaitIn waits until the gateway gets calls.
func (b *Balancer) AwaitIn(t testing.TB, g *Gateway, within time.Duration) {
	t.Helper()
	b.await(t, g, "in", within)
}

// AwaitOut waits until the gateway gets no calls.
func (b *Balancer) AwaitOut(t testing.TB, g *Gateway, within time.Duration) {
	t.Helper()
	b.await(t, g, "out", within)
}

// await waits until what Kamailio has said of the gateway last is state.
func (b *Balancer) await(t testing.TB, g *Gateway, state string, within time.Duration) {
	t.Helper()
	about := regexp.MustCompile("balancer: " + regexp.QuoteMeta("sip:"+g.SIP.String()) + " is (in|out)$")
	for deadline := time.Now().Add(within); ; {
		last := ""
		for _, line := range b.process.Lines() {
			if m := about.FindStringSubmatch(line); m != nil {
				last = m[1]
			}
		}
		if last == state {
			return
		}
		if time.Now().After(deadline) || !b.process.Running() {
			t.Fatalf("the gateway at %s is %q, not %q, within %v\n%s", g.SIP, last, state, within, b.process.Tail(30))
		}
		time.Sleep(20 * time.Millisecond)
	}
}
