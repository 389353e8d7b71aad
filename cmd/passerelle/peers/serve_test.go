//go:build peers

package peers

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestIPv6 has a sipp talk over IPv6, to a browser.
func TestIPv6(t *testing.T) {
	t.Parallel()
	dir := Folder(t)
	gateway := StartGateway(t, dir, GatewayConfig{IPv6: true})
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	guest, err := Join(ctx, gateway, "room-six", "Guest", "")
	if err != nil {
		t.Fatal(err)
	}
	defer guest.Close()
	for _, transport := range []string{"udp", "tcp"} {
		runTalk(t, dir, gateway, Scenario{
			Name: "uac_talk", Number: "room-six", From: netip.IPv6Loopback(), Transport: transport, Talk: 3 * time.Second,
		})
	}
	packets := 0
	for _, slot := range guest.Heard() {
		packets += len(slot)
	}
	if packets < 200 {
		t.Errorf("a browser got %d packets of two phones' 6 s, want more", packets)
	}
}

// TestTestPhone has "passerelle call" talk to a phone that is not ours, with no gateway between them; and
// to it through the gateway.
func TestTestPhone(t *testing.T) {
	dir := Folder(t)
	gateway := StartGateway(t, dir, GatewayConfig{})
	man, woman := Says(t, dir, Man, 0.5, 0.5), Says(t, dir, Woman, 0.5, 0.5)

	direct := StartPhone(t, dir, PhoneConfig{Name: "direct", Microphone: woman.WAV(8000), AutoAnswer: true})
	inRoom := StartPhone(t, dir, PhoneConfig{Name: "inroom", Microphone: woman.WAV(8000)})
	inRoom.Dial(t, gateway.URI("room-test", "udp"))
	inRoom.AwaitTalking(t, 5*time.Second)
	calls := []*Process{
		startTestPhone(t, Sub(t, dir, "call-direct"), fmt.Sprintf("sip:direct@127.0.0.1:%d", direct.SIP), man),
		startTestPhone(t, Sub(t, dir, "call-room"), gateway.URI("room-test", "tcp"), man),
	}
	for i, phone := range []*Phone{direct, inRoom} {
		report := calls[i]
		if status := report.Wait(t, man.Length(t)+15*time.Second); status != 0 {
			t.Errorf("the test phone ended with status %d\n%s", status, report.Tail(20))
		}
		judgeReport(t, report)
		phone.Quit(t)
		Listen(t, phone.Name, phone.Heard(t)).Hears(t, man, OverG711())
	}
	Listen(t, "the test phone", filepath.Join(calls[0].Dir, "heard.wav")).Hears(t, woman.Bare(t), OverG711())
}

func startTestPhone(t *testing.T, dir, uri string, says Speech) *Process {
	t.Helper()
	return Start(t, Command{Name: "call", Path: Binary(t), Dir: dir, Args: []string{
		"call", uri, "--play", says.WAV(8000), "--record", filepath.Join(dir, "heard.wav"), "--for", says.Length(t).String(), "--json",
	}})
}

// judgeReport looks at the one JSON object that the test phone prints.
func judgeReport(t *testing.T, phone *Process) {
	t.Helper()
	var report struct {
		Sent     int `json:"packets_sent"`
		Received int `json:"packets_received"`
		Lost     int `json:"packets_lost"`
	}
	if err := json.Unmarshal([]byte(strings.Join(phone.Lines(), "\n")), &report); err != nil {
		t.Errorf("the test phone does not print one JSON object: %v\n%s", err, phone.Tail(20))
		return
	}
	if report.Sent < 400 || report.Received < 400 || report.Lost > 0 {
		t.Errorf("the test phone reports %+v, want more packets and none lost", report)
	}
}

// TestNoFile runs the gateway as a newcomer does: no configuration, its own ports.
func TestNoFile(t *testing.T) {
	t.Parallel()
	for _, port := range []uint16{5060, 8080, 7882} {
		if busy(port) {
			t.Skipf("port %d is taken on this machine, and the gateway without a file wants it", port)
		}
	}
	dir := Folder(t)
	p := Start(t, Command{Name: "passerelle", Path: Binary(t), Args: []string{"serve"}, Dir: dir, Env: []string{"PASSERELLE_CONFIG=", "HOME=" + dir}})
	p.Await(t, `dial +sip:lobby@`, 5*time.Second)
	p.Await(t, `open +http://127\.0\.0\.1:8080/lobby`, time.Second)
	gateway := &Gateway{SIP: loopbackPort(5060), HTTP: loopbackPort(8080), process: p, checked: true}
	gateway.awaitReady(t, 5*time.Second)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	guest, err := Join(ctx, gateway, "lobby", "Guest", "")
	if err != nil {
		t.Fatal(err)
	}
	phone := mustCall(ctx, t, gateway, "lobby")
	talking, hush := context.WithTimeout(ctx, 2*time.Second)
	defer hush()
	(&Crowd{Handsets: []*Handset{phone}}).Talk(talking, t, Says(t, dir, Man, 0, 0))
	<-talking.Done()
	if !heardSomething(guest) {
		t.Error("the browser does not hear the phone")
	}
	guest.Close()
	if err := phone.Hangup(ctx); err != nil {
		t.Error(err)
	}
	if status := p.Stop(syscall.SIGTERM, 5*time.Second); status != 0 {
		t.Errorf("ended with status %d on SIGTERM, want 0", status)
	}
	gateway.judgeLog(t)
}

// TestCheck has "passerelle check" read the configuration that these tests use, and one with
// a mistake.
func TestCheck(t *testing.T) {
	t.Parallel()
	dir := Folder(t)
	gateway := StartGateway(t, dir, GatewayConfig{})
	if status := startCheck(t, dir, gateway.file()).Wait(t, 5*time.Second); status != 0 {
		t.Errorf("check says no (status %d) to a configuration that serves", status)
	}
	good, err := os.ReadFile(gateway.file())
	if err != nil {
		t.Fatal(err)
	}
	wrong := filepath.Join(dir, "wrong.yaml")
	if err := os.WriteFile(wrong, bytes.Replace(good, []byte("routes:"), []byte("rotues:"), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	check := startCheck(t, dir, wrong)
	if status := check.Wait(t, 5*time.Second); status != 1 {
		t.Errorf("check ends with status %d on a misspelt key, want 1", status)
	}
	check.Await(t, `wrong\.yaml:\d+.*rotues.*routes`, time.Second)
}

func startCheck(t *testing.T, dir, file string) *Process {
	t.Helper()
	return Start(t, Command{Name: "check", Path: Binary(t), Args: []string{"check", "--config", file}, Dir: dir})
}
