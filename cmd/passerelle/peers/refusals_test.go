//go:build peers

package peers

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestRefusals has the gateway say no, each time with the answer that the RFC has for it.
func TestRefusals(t *testing.T) {
	t.Parallel()
	dir := Folder(t)
	gateway := StartGateway(t, dir, GatewayConfig{Calls: 30})
	before := gateway.Counters(t)
	t.Cleanup(func() { gateway.AwaitBaseline(t, before, 40*time.Second) })
	for _, transport := range []string{"udp", "tcp"} {
		for _, c := range []struct{ rule, scenario, number string }{
			{"no such number", "uac_404", "nowhere"},
			{"no common codec", "uac_488", "room-refused"},
			{"not sdp", "uac_400", "room-refused"},
		} {
			t.Run(c.rule+" over "+transport, func(t *testing.T) {
				talk(t, gateway, Scenario{Name: c.scenario, Number: c.number, Transport: transport})
			})
		}
	}
	t.Run("changed minds", func(t *testing.T) { changedMinds(t, gateway) })
}

// changedMinds has callers cancel, some at once, some when they are nearly in, some too late.
func changedMinds(t *testing.T, gateway *Gateway) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	outcomes := map[string]int{}
	for i := range 40 {
		h, err := NewHandset(Loopback(), gateway.SIP, "room-minds")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(h.Close)
		outcome, err := h.CallAndCancel(ctx, time.Duration(i)*100*time.Microsecond)
		if err != nil {
			t.Error(err)
		}
		outcomes[outcome]++
	}
	t.Logf("of 40 callers who changed their minds: %v", outcomes)
}

// TestFullHouse has one caller more than the gateway takes.
func TestFullHouse(t *testing.T) {
	t.Parallel()
	dir := Folder(t)
	gateway := StartGateway(t, dir, GatewayConfig{Calls: 2})
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	var inside []*Handset
	for range 2 {
		inside = append(inside, mustCall(ctx, t, gateway, "room-full"))
	}
	runTalk(t, dir, gateway, Scenario{Name: "uac_503", Number: "room-full"})
	if err := inside[0].Hangup(ctx); err != nil {
		t.Error(err)
	}
	again := awaitPlace(ctx, t, gateway, "room-full")
	inside = append(inside[1:], again)
	for _, h := range inside {
		if err := h.Hangup(ctx); err != nil {
			t.Error(err)
		}
	}
}

// awaitPlace calls until it is not refused: a place is free a moment after the BYE is answered.
func awaitPlace(ctx context.Context, t testing.TB, gateway *Gateway, room string) *Handset {
	t.Helper()
	for {
		h, err := NewHandset(Loopback(), gateway.SIP, room)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(h.Close)
		err = h.Call(ctx)
		var refused *Refused
		switch {
		case err == nil:
			return h
		case !errors.As(err, &refused) || refused.Status != 503:
			t.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// mustCall calls a room by a handset, which is closed at the test's end.
func mustCall(ctx context.Context, t testing.TB, gateway *Gateway, room string) *Handset {
	t.Helper()
	h, err := NewHandset(Loopback(), gateway.SIP, room)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	if err := h.Call(ctx); err != nil {
		t.Fatal(err)
	}
	return h
}

// TestDrain stops the gateway while two talk: newcomers are refused, the two go on for as long as the
// configuration says, and get a BYE.
func TestDrain(t *testing.T) {
	t.Parallel()
	dir := Folder(t)
	const (
		drain   = 4 * time.Second
		goodbye = 3 * time.Second // in words, before the BYE
	)
	gateway := StartGateway(t, dir, GatewayConfig{Drain: drain})
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	crowd := Gather(ctx, t, gateway, 2, func(int) string { return "room-drain" })
	talking, hush := context.WithCancel(ctx)
	defer hush()
	crowd.Talk(talking, t, Says(t, dir, Man, 0, 0))

	gateway.Terminate(t)
	told := time.Now()
	gateway.process.Await(t, "clos", time.Second) // it says so
	runTalk(t, dir, gateway, Scenario{Name: "uac_503", Number: "room-drain"})
	if answer, err := Ping(loopbackPort(0), gateway.SIP, time.Second); !strings.HasPrefix(answer, "SIP/2.0 503") {
		t.Errorf("OPTIONS while closing is answered %q (%v), want 503", answer, err)
	}
	for _, h := range crowd.Handsets {
		select {
		case <-h.Ended():
		case <-time.After(drain + goodbye + 3*time.Second):
			t.Fatal("no BYE at the end of the drain")
		}
	}
	if waited := time.Since(told); waited < drain-200*time.Millisecond || waited > drain+goodbye+2*time.Second {
		t.Errorf("the calls were ended after %v, want %v and a goodbye", waited, drain)
	}
	hush()
	for _, h := range crowd.Handsets {
		if a := h.Media.Account(); a.Missing > 0 || a.Received < 50*int(drain.Seconds()-1) {
			t.Errorf("while closing, a phone lost sound: %v", a)
		}
	}
	gateway.Stop(t)
}

// TestDrainEmpties stops the gateway while somebody talks, who hangs up: the gateway waits no longer.
func TestDrainEmpties(t *testing.T) {
	t.Parallel()
	dir := Folder(t)
	gateway := StartGateway(t, dir, GatewayConfig{Drain: 30 * time.Second})
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	h := mustCall(ctx, t, gateway, "room-last")
	gateway.Terminate(t)
	gateway.process.Await(t, "clos", time.Second)
	if err := h.Hangup(ctx); err != nil {
		t.Error(err)
	}
	if status := gateway.process.Wait(t, 3*time.Second); status != 0 {
		t.Errorf("ended with status %d, want 0", status)
	}
}

// TestSecondSignal means now.
func TestSecondSignal(t *testing.T) {
	t.Parallel()
	dir := Folder(t)
	gateway := StartGateway(t, dir, GatewayConfig{Drain: 30 * time.Second})
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	h := mustCall(ctx, t, gateway, "room-now")
	gateway.Terminate(t)
	gateway.process.Await(t, "clos", time.Second)
	gateway.Terminate(t)
	select {
	case <-h.Ended():
	case <-time.After(3 * time.Second):
		t.Error("no BYE after the second signal")
	}
	if status := gateway.process.Wait(t, 3*time.Second); status != 0 {
		t.Errorf("ended with status %d, want 0", status)
	}
}

// TestTakenPort starts a second gateway on the ports of the first: one sentence that names the setting,
// and status 1.
func TestTakenPort(t *testing.T) {
	t.Parallel()
	dir := Folder(t)
	gateway := StartGateway(t, dir, GatewayConfig{})
	second := Start(t, Command{
		Name: "second", Path: Binary(t), Dir: dir, Args: []string{"serve", "--config", dir + "/passerelle.yaml"},
	})
	if status := second.Wait(t, 5*time.Second); status != 1 {
		t.Errorf("ended with status %d, want 1", status)
	}
	said := second.Lines()
	if len(said) != 1 || !regexp.MustCompile(`taken.*(listen|embedded)`).MatchString(said[0]) {
		t.Errorf("it says %q, want one sentence with the setting's name", said)
	}
	if _, err := Ping(loopbackPort(0), gateway.SIP, time.Second); errors.Is(err, errSilence) {
		t.Error("the first gateway is not there any more")
	}
}
