//go:build peers

package peers

import (
	"net/netip"
	"path/filepath"
	"testing"
	"time"
)

// TestProxy has a Kamailio between phones, which speak UDP, and the gateway, which it calls over TCP. What belongs to a
// call goes through it both ways, along the route set: re-INVITE and BYE of a phone, and the BYE of the gateway.
func TestProxy(t *testing.T) {
	t.Parallel()
	dir := Folder(t)
	gateway := StartGateway(t, dir, GatewayConfig{Drain: time.Second})
	proxy, process := startProxy(t, dir, gateway)

	man := Says(t, dir, Man, 0, 1)
	scenario := func(name, number string) Scenario {
		return Scenario{Name: name, Target: proxy, Number: number, Talk: 500 * time.Millisecond, Files: []string{man.Raw("ulaw")}}
	}
	hungUp := StartSipp(t, dir, "hungup", scenario("uac_hungup", "room-hungup"))
	RunSipp(t, dir, "hold", scenario("uac_hold_zero", "room-hold"))
	gateway.Terminate(t)
	hungUp.Wait(t)
	gateway.Stop(t)
	for _, routed := range []string{"INVITE over udp", "ACK over udp", "BYE over udp", "BYE over tcp"} {
		process.Await(t, "proxy: "+routed+" is routed", time.Second)
	}
}

// startProxy starts a Kamailio in front of a gateway and waits until it answers.
func startProxy(t *testing.T, dir string, gateway *Gateway) (netip.AddrPort, *Process) {
	t.Helper()
	dir = Sub(t, dir, "kamailio")
	at := netip.AddrPortFrom(Loopback(), Ports(t, 1))
	settings := filepath.Join(dir, "kamailio.cfg")
	writeTemplate(t, Data("kamailio", "proxy.cfg.tmpl"), settings, map[string]any{
		"Address": at, "Modules": kamailioModules(t), "Gateway": gateway.SIP,
	})
	process := Start(t, Command{
		Name: "kamailio", Path: "kamailio", Dir: dir,
		Args: []string{"-f", settings, "-DD", "-E", "-m", "32", "-M", "4", "-w", dir, "-Y", dir},
	})
	for deadline := time.Now().Add(5 * time.Second); ; {
		_, err := Ping(netip.AddrPortFrom(Loopback(), 0), at, 200*time.Millisecond)
		if err == nil {
			return at, process
		}
		if time.Now().After(deadline) || !process.Running() {
			t.Fatalf("the proxy does not answer: %v\n%s", err, process.Tail(30))
		}
		time.Sleep(20 * time.Millisecond)
	}
}
