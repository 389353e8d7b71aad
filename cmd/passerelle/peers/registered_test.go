//go:build peers

package peers

import (
	"net/netip"
	"regexp"
	"testing"
	"time"

	"passerelle/cmd/internal/doctor"
)

// TestRegisteredPhones has real phones register, and be called: at once, and after the gateway was restarted.
func TestRegisteredPhones(t *testing.T) {
	dir := Folder(t)
	gateway := StartGateway(t, dir, GatewayConfig{Phones: true, MD5: true, Admin: true, Complains: regexp.MustCompile(`no proof of who it is`)})
	man, woman := Says(t, dir, Man, 1, 0), Says(t, dir, Woman, 1, 0)
	ada := StartPhone(t, dir, PhoneConfig{
		Name: "ada", Microphone: woman.WAV(8000), Registers: "2001@" + gateway.SIP.String(), Transport: "udp", AutoAnswer: true,
	})
	eve := StartLinphone(t, dir, LinphoneConfig{
		Name: "eve", Microphone: woman.WAV(48000), Registers: "2002", At: gateway.SIP, AutoAnswer: true,
	})
	awaitBindings(t, gateway, 2)
	for _, phone := range []string{"2001", "2002"} {
		finds(t, gateway.Examine(t, phone), doctor.OK, "it answers OPTIONS at ")
	}

	bob := StartPhone(t, dir, PhoneConfig{Name: "bob", Microphone: man.WAV(8000)})
	dan := StartPhone(t, dir, PhoneConfig{Name: "dan", Microphone: man.WAV(8000)})
	bob.Dial(t, gateway.URI("2001", "udp"))
	dan.Dial(t, gateway.URI("2002", "tcp"))
	bob.AwaitTalking(t, 5*time.Second)
	dan.AwaitTalking(t, 5*time.Second)
	time.Sleep(max(man.Length(t), woman.Length(t)) + time.Second)
	for _, p := range []*Phone{bob, dan} {
		p.Hangup(t)
		p.Quit(t)
	}

	t.Run("digest", func(t *testing.T) {
		stranger := netip.MustParseAddr("127.0.0.77") // no trunk's address
		runTalk(t, Folder(t), gateway, Scenario{Name: "uac_digest", Number: "room-digest", Talk: time.Second, From: stranger})
		runTalk(t, Folder(t), gateway, Scenario{Name: "uac_digest", Number: "room-digest", Talk: time.Second, From: stranger, Transport: "tcp"})
		runTalk(t, Folder(t), gateway, Scenario{Name: "uac_digest_wrong", Number: "room-digest", From: stranger})
	})
	t.Run("after a restart", func(t *testing.T) {
		gateway.Stop(t)
		gateway.begin(t)
		gateway.checked = false
		await(t, "the phone over UDP is known", func() bool { return gateway.Counters(t).Phones.Bindings > 0 })
		carl := StartPhone(t, dir, PhoneConfig{Name: "carl", Microphone: man.WAV(8000)})
		carl.Dial(t, gateway.URI("2001", "udp"))
		carl.AwaitTalking(t, 5*time.Second)
		carl.Hangup(t)
		carl.Quit(t)
	})
	ada.Quit(t)
	eve.order(t, "quit")
	eve.process.Wait(t, 10*time.Second)
	plain := OverG711()
	plain.Gap, plain.Clipped = 60*time.Millisecond, 60*time.Millisecond // two calls, four phones: the machine may be busy
	Listen(t, "bob", bob.Heard(t)).HearsOnce(t, woman, plain)
	Listen(t, "dan", dan.Heard(t)).HearsOnce(t, woman, OverOpus())
	Listen(t, "eve", eve.Heard()).HearsOnce(t, man, OverOpus())
}

func awaitBindings(t *testing.T, gateway *Gateway, n int) {
	t.Helper()
	await(t, "phones register", func() bool { return gateway.Counters(t).Phones.Bindings == n })
}

func await(t *testing.T, what string, is func() bool) {
	t.Helper()
	awaitLong(t, what, 10*time.Second, is)
}

func awaitLong(t *testing.T, what string, within time.Duration, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(within); !is(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %v", what, within)
		}
	}
}
