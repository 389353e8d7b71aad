package bridge

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"passerelle/bridge/outgoing"
	"passerelle/config"
)

// carrierRig is a rig with trunks towards telephones of the test, over which France may be called.
func carrierRig(t *testing.T, phones ...*called) *rig {
	t.Helper()
	r := newRig(t, func(l *config.Live) {
		l.Outgoing = &config.Outgoing{API: true, Regions: []string{"FR"}, Kinds: []string{"fixed", "mobile", "phones"}, Limits: config.CallLimits{AtOnce: 3}}
		for i, p := range phones {
			name := "carrier" + string(rune('A'+i))
			l.Outgoing.Via = append(l.Outgoing.Via, name)
			l.Trunks = append(l.Trunks, config.Trunk{
				Name: name, Gain: true, Gate: true, Servers: []string{p.server()}, Numbers: config.Numbers{Plan: "FR", Present: "+33199999999"},
			})
		}
	})
	store, err := outgoing.NewLocal("", r.gateway.Log)
	if err != nil {
		t.Fatal(err)
	}
	r.gateway.Ledger = outgoing.NewLedger(store, r.gateway.Log)
	return r
}

// server is where a trunk of which the telephone is the server is called.
func (p *called) server() string { return "sip:" + p.conn.LocalAddr().String() }

// outgoing is a call out under way.
type outgoingCall struct {
	t      *testing.T
	cancel context.CancelFunc
	end    chan error
	mu     sync.Mutex
	told   []Progress
}

func (r *rig) callOut(number string) *outgoingCall {
	ctx, cancel := context.WithCancel(r.t.Context())
	o := &outgoingCall{t: r.t, cancel: cancel, end: make(chan error, 1)}
	r.t.Cleanup(cancel)
	go func() {
		o.end <- r.gateway.CallOut(ctx, CallOut{Engine: "memory", Room: "lobby", Number: number, By: "api"}, func(p Progress) {
			o.mu.Lock()
			defer o.mu.Unlock()
			o.told = append(o.told, p)
		})
	}()
	return o
}

// ends waits for the end.
func (o *outgoingCall) ends() error {
	o.t.Helper()
	select {
	case err := <-o.end:
		return err
	case <-time.After(patience):
		o.t.Fatal("the call out goes on")
		return nil
	}
}

// states are those that it was in, without repetition.
func (o *outgoingCall) states() (all []State) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, p := range o.told {
		all = append(all, p.State)
	}
	return slices.Compact(all)
}

func (o *outgoingCall) await(s State) {
	o.t.Helper()
	eventually(o.t, string(s), func() bool { return slices.Contains(o.states(), s) })
}

// nothingLeft waits until all is given back.
func (r *rig) nothingLeft() {
	r.t.Helper()
	eventually(r.t, "everything given back", func() bool {
		s := r.gateway.Stats()
		return s.Calls == 0 && s.Rooms == 0 && s.PortsInUse == 0
	})
}

func TestCallOut(t *testing.T) {
	t.Parallel()
	phones := newRig(t, nil)
	carol := phones.called()
	r := carrierRig(t, carol)
	ben, err := r.call("lobby", 2)
	must(t, ben, err)
	o := r.callOut("01 23 45 67 89")
	invite := carol.await("INVITE")
	if !strings.HasPrefix(invite, "INVITE sip:+33123456789@") {
		t.Errorf("called: %q", strings.SplitN(invite, "\r\n", 2)[0])
	}
	carol.says(invite, 180, "")
	ben.hears(440) // the French ringing tone, unless the room speaks English
	carol.says(invite, 200, carol.answer(invite))
	carol.await("ACK")
	o.await(Joined)
	carol.whistle(700)
	ben.hears(700)
	ben.whistle(1000)
	carol.hears(1000)
	if got := r.roster(); !slices.Equal(got, []string{"+33 1 •• •• •• 89", "01 •• •• •• 89", "watcher"}) {
		t.Errorf("in the room: %q", got)
	}
	carol.hangsUp(invite)
	if err := o.ends(); err != nil {
		t.Errorf("it ended with %v", err)
	}
	if got := o.states(); !slices.Equal(got, []State{Calling, Ringing, Answered, Joined, Ended}) {
		t.Errorf("got %v", got)
	}
	ben.hangup()
	r.nothingLeft()
}

func TestCallOutIsBusy(t *testing.T) {
	t.Parallel()
	phones := newRig(t, nil)
	carol := phones.called()
	r := carrierRig(t, carol)
	o := r.callOut("0123456789")
	invite := carol.await("INVITE")
	carol.says(invite, 486, "", `Reason: Q.850;cause=17;text="User busy"`)
	err := o.ends()
	var failed *CallFailed
	if !errors.As(err, &failed) || failed.Code != 486 || err.Error() != "the number is busy (SIP 486, Q.850 17 User busy)" {
		t.Errorf("got %v", err)
	}
	r.nothingLeft()
}
