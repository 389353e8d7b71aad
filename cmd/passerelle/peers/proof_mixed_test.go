//go:build peers

package peers

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestProofMixedCalls makes 10,000 calls of every kind in a minute or so: answered, over UDP and TCP; busy; cancelled; without an ACK;
// without a BYE; over connections that are reset. 70 s after the last, which is what a dead phone's 30 s and an unanswered BYE's 32 s
// take, nothing is left: goroutines, ports and descriptors are as many as before.
func TestProofMixedCalls(t *testing.T) {
	onlyInProof(t)
	dir := Folder(t)
	gateway := StartGateway(t, dir, GatewayConfig{Calls: 1800, People: 2, Level: "warn"})
	speech := Part(t, dir, Man, 0.4)
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	fresh := gateway.Counters(t)
	if err := mustCall(ctx, t, gateway, "room-warm").Hangup(ctx); err != nil {
		t.Fatal(err)
	}
	before := gateway.AwaitBaseline(t, fresh, 40*time.Second)
	full := []*Handset{mustCall(ctx, t, gateway, "room-full"), mustCall(ctx, t, gateway, "room-full")}
	silence := make([]byte, 160)
	talking, hush := context.WithCancel(ctx)
	var held sync.WaitGroup
	held.Go(func() { // or they would be given up
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			for _, h := range full {
				h.Media.Send(silence)
			}
			select {
			case <-tick.C:
			case <-talking.Done():
				return
			}
		}
	})

	var sipps []*Sipp
	for i, s := range []Scenario{
		{Name: "uac_no_ack", Calls: 500, PerSecond: 10, AtOnce: 350, Number: "room-n"},
		{Name: "uac_brief", Calls: 4000, PerSecond: 60, AtOnce: 200, Number: "room-u"},
		{Name: "uac_brief", Calls: 1500, PerSecond: 25, AtOnce: 100, Number: "room-t", Transport: "tcp"},
		{Name: "uac_486", Calls: 1500, PerSecond: 25, AtOnce: 100, Number: "room-full"},
	} {
		s.Target, s.From, s.Files, s.Brief = gateway.SIP, source(i), []string{speech.Raw("ulaw")}, true
		s.Talk, s.Within = 400*time.Millisecond, 2*time.Minute
		sipps = append(sipps, StartSipp(t, dir, fmt.Sprintf("sipp-%d", i), s))
	}
	sink, err := newStream(Loopback())
	if err != nil {
		t.Fatal(err)
	}
	defer sink.close()
	var crossed atomic.Int64
	var others sync.WaitGroup
	for _, kind := range []struct {
		calls int
		every time.Duration
		call  func(n int) error
	}{
		{1000, 60 * time.Millisecond, func(n int) error {
			h, err := NewHandset(source(10), gateway.SIP, fmt.Sprintf("room-x%d", n))
			if err != nil {
				return err
			}
			defer h.Close()
			outcome, err := h.CallAndCancel(ctx, time.Duration(n%4)*500*time.Microsecond)
			if outcome == Crossed {
				crossed.Add(1)
			}
			return err
		}},
		{750, 80 * time.Millisecond, func(n int) error {
			h, err := NewHandset(source(11), gateway.SIP, fmt.Sprintf("room-y%d", n))
			if err != nil {
				return err
			}
			defer h.Close() // and no BYE
			if err := h.Call(ctx); err != nil {
				return err
			}
			if n%2 == 0 { // a phone that has spoken, and one that never did
				h.Media.Send(silence)
			}
			return nil
		}},
		{750, 80 * time.Millisecond, func(n int) error {
			return CallAndReset(ctx, source(12), gateway.SIP, sink.Addr(), fmt.Sprintf("room-z%d", n), resetWhen(n%3))
		}},
	} {
		others.Go(func() {
			tick := time.NewTicker(kind.every)
			defer tick.Stop()
			for n := range kind.calls {
				<-tick.C
				others.Go(func() {
					if err := kind.call(n); err != nil {
						t.Error(err)
					}
				})
			}
		})
	}
	others.Wait()
	for _, s := range sipps[1:] {
		s.Wait(t)
	}
	hush()
	held.Wait()
	for _, h := range full {
		if err := h.Hangup(ctx); err != nil {
			t.Error(err)
		}
	}
	last := time.Now()
	peak := gateway.Counters(t)
	t.Logf("%d calls answered, %d refused; %d of 1000 CANCELs crossed the 200; when the last was over %d were still up, with %d goroutines and %d files",
		peak.Gateway.Answered, peak.Gateway.Refused, crossed.Load(), peak.Gateway.Calls, peak.Goroutines, peak.Files)

	sipps[0].Wait(t) // the gateway's 32 s without an ACK
	gateway.AwaitBaseline(t, before, time.Until(last.Add(70*time.Second)))
	after := gateway.Counters(t)
	t.Logf("%v after the last call: %d goroutines, were %d; %d files, were %d; %d ports in use; %.1f MB in use, were %.1f",
		time.Since(last).Round(time.Second), after.Goroutines, before.Goroutines, after.Files, before.Files, after.Gateway.PortsInUse, mega(after.Heap), mega(before.Heap))
	if after.Goroutines != before.Goroutines || after.Files != before.Files || after.Gateway.PortsInUse != 0 || after.Gateway.Rooms != 0 {
		t.Errorf("not as before: %+v, was %+v", after, before)
	}
}

// source returns the loopback address of one kind of callers, so that none takes what a single address may send.
func source(kind int) netip.Addr { return netip.AddrFrom4([4]byte{127, 0, 0, byte(2 + kind)}) }
