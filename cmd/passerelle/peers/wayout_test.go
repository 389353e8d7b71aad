//go:build peers

package peers

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"
)

// TestPhonesCallOut has phones call a number over one trunk, as far as outgoing allows, and call for help over another: with their
// password, and with a wrong one. Minutes are counted of the first alone.
func TestPhonesCallOut(t *testing.T) {
	t.Parallel()
	dir := Folder(t)
	man, woman := Part(t, dir, Man, 2.5), Part(t, dir, Woman, 2.5)
	far := func(name, number string) *Phone {
		return StartPhone(t, dir, PhoneConfig{Name: name, Shows: number, Microphone: woman.After(t, 0.3).WAV(8000), AutoAnswer: true})
	}
	carl, rescue := far("carl", "+33123456789"), far("rescue", "112")
	at := func(p *Phone) []string { return []string{fmt.Sprintf("sip:%s:%d", Loopback(), p.SIP)} }
	gateway := StartGateway(t, dir, GatewayConfig{
		Phones: true, MD5: true, Ways: []Way{{"first", at(carl)}, {"rescue", at(rescue)}}, Help: "rescue", Complains: regexp.MustCompile(`no proof of who it is`),
	})
	bob := StartPhone(t, dir, PhoneConfig{Name: "bob", Microphone: man.After(t, 0.3).WAV(8000)})
	bob.Dial(t, gateway.URI("0123456789", "udp"))
	bob.AwaitTalking(t, 5*time.Second)
	time.Sleep(max(man.Length(t), woman.Length(t)) + time.Second)
	bob.Hangup(t)
	bob.Dial(t, gateway.URI("0899123456", "udp"))
	if got := bob.AwaitClosed(t, 5*time.Second); got != "403 Forbidden" {
		t.Errorf("a premium number: %q", got)
	}

	phone := func(name, number string) Scenario {
		return Scenario{Name: name, Number: number, Talk: time.Second, From: netip.MustParseAddr("127.0.0.77")} // no trunk's address
	}
	runTalk(t, Sub(t, dir, "phones"), gateway, phone("uac_digest", "112"))
	runTalk(t, Sub(t, dir, "phones"), gateway, phone("uac_digest_help", "112"))
	runTalk(t, Sub(t, dir, "phones"), gateway, phone("uac_digest_wrong", "0123456789"))

	for _, p := range []*Phone{bob, carl, rescue} {
		p.Quit(t)
	}
	Listen(t, "bob", bob.Heard(t)).HearsOnce(t, woman, AmongMany())
	Listen(t, "carl", carl.Heard(t)).HearsOnce(t, man, AmongMany())
	gateway.Stop(t)
	var kept struct{ Minutes map[string]map[string]int }
	data, err := os.ReadFile(filepath.Join(dir, "state", "minutes.json"))
	if err == nil {
		err = json.Unmarshal(data, &kept)
	}
	if err != nil {
		t.Fatal(err)
	}
	for day, used := range kept.Minutes {
		if len(used) != 2 || used["minutes"] != 1 || used["minutes/first"] != 1 {
			t.Errorf("on %s the minutes are %v, want one over the first trunk", day, used)
		}
	}
	if len(kept.Minutes) != 1 {
		t.Errorf("the minutes are %v", kept.Minutes)
	}
}
