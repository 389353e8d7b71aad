//go:build peers

package peers

import (
	"errors"
	"fmt"
	"net/netip"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"passerelle/cmd/internal/doctor"
)

// TestCarrier has the gateway register with a carrier that asks who it is, be called from there, and take it back.
func TestCarrier(t *testing.T) {
	t.Parallel()
	dir := Folder(t)
	address := netip.MustParseAddr("127.0.0.88") // no other trunk's
	carrier := StartSipp(t, dir, "registrar", Scenario{
		Name: "uas_registrar", Number: "4711", From: address, Target: netip.AddrPortFrom(Loopback(), 9), Within: 60 * time.Second,
	})
	gateway := StartGateway(t, dir, GatewayConfig{Carriers: []string{"sip:" + carrier.Address.String()}})
	await(t, "the gateway registers", func() bool { return gateway.Counters(t).Trunks["carrier"].Registered })
	runTalk(t, dir, gateway, Scenario{Name: "uac_talk", Number: "4711", Talk: time.Second, From: address})
	gateway.Stop(t)
	carrier.Wait(t)
}

// TestKamailioIsACarrier has the gateway register with a Kamailio, which asks for a digest and grants ten seconds at a time, and of which a second
// server does not answer. Subscribers of the carrier call the gateway; so does a trunk of it that the gateway wants a
// proof of.
func TestKamailioIsACarrier(t *testing.T) {
	t.Parallel()
	dir := Folder(t)
	first, second := netip.MustParseAddr("127.0.0.86"), netip.MustParseAddr("127.0.0.87") // no other trunk's
	dead := fmt.Sprintf("sip:127.0.0.85:%d;transport=tcp", Ports(t, 1))
	port := Ports(t, 1)
	at, proving := netip.AddrPortFrom(first, port), netip.AddrPortFrom(second, port)
	gateway := StartGateway(t, dir, GatewayConfig{
		Carriers: []string{dead, "sip:" + at.String()}, Health: "5s", Proves: second, MD5: true, Admin: true, Complains: regexp.MustCompile(`server of a trunk is down`),
	})
	woman := Says(t, dir, Woman, 0.5, 0)
	subscriber := StartPhone(t, dir, PhoneConfig{Name: "ada", Shows: "+33199001234", Microphone: woman.WAV(8000), AutoAnswer: true})
	carrier := startCarrier(t, dir, at, proving, gateway.SIP, netip.AddrPortFrom(Loopback(), subscriber.SIP))
	await(t, "the gateway registers", func() bool { return gateway.Counters(t).Trunks["carrier"].Registered })
	if c := gateway.Counters(t).Trunks["carrier"]; c.Server != "sip:"+at.String() || c.Servers[0].Up || !c.Servers[1].Up {
		t.Errorf("of two servers, the first of which is dead, the trunk says %+v", c)
	}

	found := gateway.Examine(t, "carrier")
	finds(t, found, doctor.Bad, "refuses the connection")
	finds(t, found, doctor.OK, "it is kamailio")
	finds(t, found, doctor.OK, "the gateway has it: registered at sip:"+at.String())

	man := Says(t, dir, Man, 0, 1)
	calls := func(target netip.AddrPort) Scenario {
		return Scenario{
			Name: "uac_talk", Target: target, Number: "4711", Talk: time.Second, From: netip.MustParseAddr("127.0.0.89"), Files: []string{man.Raw("ulaw")},
		}
	}
	RunSipp(t, dir, "subscriber", calls(at))
	RunSipp(t, dir, "proved", calls(proving))
	carrier.Await(t, "carrier: shows who it is", time.Second)
	if n := gateway.Counters(t).Gateway.Answered; n != 2 {
		t.Errorf("the gateway has answered %d calls, want 2", n)
	}

	// Whoever sits in a room calls the subscriber, over the carrier, which asks who that is.
	said := Says(t, dir, Man, 0, 0.5)
	bob := Call(t, dir, gateway, Dialling{Name: "bob", Number: "room-out"})
	gateway.dials(t, "room-out", "0199001234", 0, "in the room")
	carrier.Await(t, `carrier: is asked for \+33199001234 by \+33199004711$`, time.Second)
	bob.Say(t, said)
	bob.Hangup(t)
	subscriber.Quit(t)
	const while = 500 * time.Millisecond // a busy machine may stand still for: who hears whom is the question here
	whom := Quality{Median: 0.9, GainDB: 1.5, Gap: while, Clipped: while, Drifts: true}
	bob.Heard(t).Hears(t, woman, whom)
	Listen(t, "ada", subscriber.Heard(t)).Hears(t, said, whom)
	gateway.dials(t, "room-out", "0899001234", 2, "premium")
	await(t, "the registration is refreshed", func() bool { return registrations(carrier) > 1 })
	RunSipp(t, dir, "again", calls(at))
	gateway.Stop(t)
	carrier.Await(t, "carrier: registers 4711 for 0$", 2*time.Second)

	before := registrations(carrier)
	finds(t, gateway.Examine(t, "carrier"), doctor.OK, "takes our registration (and we have taken it back)")
	if n := registrations(carrier); n != before+1 {
		t.Errorf("the doctor has registered %d times", n-before)
	}
}

// dials has the shell call a number into a room, and expects an exit status and what it says.
func (g *Gateway) dials(t *testing.T, room, number string, status int, says string) {
	t.Helper()
	dial := exec.CommandContext(t.Context(), Binary(t), "dial", "--config", g.file(), room, number)
	out, err := dial.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if got := dial.ProcessState.ExitCode(); got != status || !strings.Contains(string(out), says) {
		t.Errorf("dial %s: status %d, want %d and %q:\n%s", number, got, status, says, out)
	}
}

// registrations counts how often a carrier was registered with.
func registrations(carrier *Process) (n int) {
	for _, line := range carrier.Lines() {
		if strings.HasSuffix(line, "carrier: registers 4711 for 120") {
			n++
		}
	}
	return n
}

// startCarrier starts a Kamailio as a carrier and waits until it answers.
func startCarrier(t *testing.T, dir string, at, second, gateway, subscriber netip.AddrPort) *Process {
	t.Helper()
	dir = Sub(t, dir, fmt.Sprint("carrier", at.Port()))
	settings := filepath.Join(dir, "kamailio.cfg")
	writeTemplate(t, Data("kamailio", "carrier.cfg.tmpl"), settings, map[string]any{
		"Address": at, "Second": second, "SecondHost": second.Addr(), "Modules": kamailioModules(t), "Host": at.Addr(),
		"Gateway": gateway, "GatewayHost": gateway.Addr(), "Subscriber": subscriber, "Password": Password, "Expires": 10,
	})
	process := Start(t, Command{
		Name: "kamailio", Path: "kamailio", Dir: dir,
		Args: []string{"-f", settings, "-DD", "-E", "-m", "32", "-M", "4", "-w", dir, "-Y", dir},
	})
	await(t, "the carrier answers", func() bool {
		_, err := Ping(netip.AddrPortFrom(at.Addr(), 0), at, 200*time.Millisecond)
		return err == nil
	})
	return process
}

// TestProofCarrierDies has the server die that the gateway is registered with: it registers with the other one, is called there, and goes back.
func TestProofCarrierDies(t *testing.T) {
	onlyInProof(t)
	dir := Folder(t)
	host := netip.MustParseAddr("127.0.0.83")
	first, second := netip.AddrPortFrom(host, Ports(t, 1)), netip.AddrPortFrom(host, Ports(t, 1))
	spare := func(of netip.AddrPort) netip.AddrPort {
		return netip.AddrPortFrom(netip.MustParseAddr("127.0.0.82"), of.Port())
	}
	gateway := StartGateway(t, dir, GatewayConfig{
		Carriers: []string{"sip:" + first.String(), "sip:" + second.String()}, Health: "5s",
		Complains: regexp.MustCompile(`server of a trunk is down|not registered with the trunk`),
	})
	at := func(server netip.AddrPort) func() bool {
		return func() bool {
			c := gateway.Counters(t).Trunks["carrier"]
			return c.Registered && c.Server == "sip:"+server.String()
		}
	}
	man := Says(t, dir, Man, 0, 1)
	call := func(label string, target netip.AddrPort) {
		RunSipp(t, dir, label, Scenario{
			Name: "uac_talk", Target: target, Number: "4711", Talk: time.Second, From: netip.MustParseAddr("127.0.0.89"), Files: []string{man.Raw("ulaw")},
		})
	}
	one := startCarrier(t, dir, first, spare(first), gateway.SIP, gateway.SIP)
	two := startCarrier(t, dir, second, spare(second), gateway.SIP, gateway.SIP)
	awaitLong(t, "the gateway registers with the first server", 30*time.Second, at(first))
	call("first", first)
	one.Stop(syscall.SIGTERM, 5*time.Second)
	died := time.Now()
	awaitLong(t, "the gateway registers with the second server", 40*time.Second, at(second))
	t.Logf("registered with the second server %v after the first died", time.Since(died).Round(time.Second))
	call("second", second)
	one = startCarrier(t, dir, first, spare(first), gateway.SIP, gateway.SIP)
	began := time.Now()
	awaitLong(t, "the gateway registers with the first server again", 40*time.Second, at(first))
	t.Logf("and with the first again %v after it came back", time.Since(began).Round(time.Second))
	call("again", first)
	gateway.Stop(t)
	one.Await(t, "carrier: registers 4711 for 0$", 2*time.Second)
	two.Stop(syscall.SIGTERM, 5*time.Second)
}
