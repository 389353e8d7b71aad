package bridge

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"passerelle/bridge/ivr"
	"passerelle/bridge/outgoing"
	"passerelle/codec"
	"passerelle/codec/g711"
	"passerelle/codec/score"
	"passerelle/config"
	"passerelle/rooms"
	"passerelle/sip"
	"passerelle/sip/registrar"
)

// carrierRig is a rig with trunks towards telephones of the test, over which France may be called.
func carrierRig(t *testing.T, phones ...*called) *rig {
	t.Helper()
	return carrierRigWith(t, func(*config.Live) {}, phones...)
}

// carrierRigWith is one whose configuration is changed before anything calls.
func carrierRigWith(t *testing.T, change func(*config.Live), phones ...*called) *rig {
	t.Helper()
	return newRig(t, func(l *config.Live) {
		l.Outgoing = &config.Outgoing{API: true, Regions: []string{"FR"}, Kinds: []string{"fixed", "mobile", "phones"}, Limits: config.CallLimits{AtOnce: 3}}
		for i, p := range phones {
			name := "carrier" + string(rune('A'+i))
			l.Outgoing.Via = append(l.Outgoing.Via, name)
			l.Trunks = append(l.Trunks, config.Trunk{
				Name: name, Gain: true, Gate: true, Servers: []string{p.server()}, Numbers: config.Numbers{Plan: "FR", Present: "+33199999999"},
			})
		}
		change(l)
	})
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

// calling reports whether somebody is called into the lobby, as those there see it.
func (r *rig) calling() bool {
	watcher := r.backend.Join("lobby", "watcher")
	defer func() { _ = watcher.Leave() }()
	return slices.ContainsFunc(watcher.Roster(), func(p rooms.Participant) bool { return p.Calling })
}

func TestCallOut(t *testing.T) {
	t.Parallel()
	phones := newRig(t, nil)
	carol := phones.called()
	r := carrierRig(t, carol)
	ben, err := r.call("lobby", codec.PCMA)
	must(t, ben, err)
	o := r.callOut("01 23 45 67 89")
	invite := carol.await("INVITE")
	if !strings.HasPrefix(invite, "INVITE sip:+33123456789@") {
		t.Errorf("called: %q", strings.SplitN(invite, "\r\n", 2)[0])
	}
	carol.says(invite, 180, "")
	ben.hears(440) // the ringing tone of France
	if !r.calling() {
		t.Error("the room does not see that somebody is called")
	}
	carol.says(invite, 200, carol.answer(invite))
	carol.await("ACK")
	o.await(Joined)
	if r.calling() {
		t.Error("the room does not see that somebody has come")
	}
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

// Why nobody comes is said in the room, and returned in plain words, those of the telephone network where there are some.
func TestCallOutThatIsRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rule   string
		number string
		code   int
		words  ivr.Prompt
		want   string
	}{
		{"busy", "0123456789", 486, ivr.Busy, "the number is busy (SIP 486, Q.850 17 User busy)"},
		{"not allowed", "0899123456", 0, ivr.CallNotAllowed, "it is a premium number of FR, and fixed, mobile, phones may be called (outgoing.kinds)"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			t.Parallel()
			carol := newRig(t, nil).called()
			r := carrierRig(t, carol)
			ben, err := r.call("lobby", codec.PCMA)
			must(t, ben, err)
			o := r.callOut(c.number)
			if c.code > 0 {
				carol.says(carol.await("INVITE"), c.code, "", `Reason: Q.850;cause=17;text="User busy"`)
			}
			ben.says("en", c.words)
			var failed *CallFailed
			if err := o.ends(); !errors.As(err, &failed) || failed.Code != c.code || err.Error() != c.want {
				t.Errorf("got %v, want %s", err, c.want)
			}
			if got := o.states(); got[len(got)-1] != Failed {
				t.Errorf("got %v", got)
			}
			ben.hangup()
			r.nothingLeft()
		})
	}
}

// The cause of the telephone network says more than the status that it was made into.
func TestFailuresInWords(t *testing.T) {
	there := func(code, cause int) error {
		e := &sip.StatusError{Code: code, Reason: "No"}
		if cause > 0 {
			e.Because = sip.Reason{Protocol: "Q.850", Cause: cause}
		}
		return fmt.Errorf("dial: %w", e)
	}
	for _, c := range []struct {
		err   error
		words ivr.Prompt
		code  int
	}{
		{there(486, 0), ivr.Busy, 486}, {there(600, 0), ivr.Busy, 600}, {there(480, 17), ivr.Busy, 480},
		{there(480, 19), ivr.NoAnswer, 480}, {there(408, 0), ivr.NoAnswer, 408}, {there(480, 18), ivr.NoAnswer, 480},
		{there(480, 0), ivr.NotReachable, 480}, {there(500, 20), ivr.NotReachable, 500},
		{there(404, 0), ivr.NumberUnknown, 404}, {there(484, 0), ivr.NumberUnknown, 484}, {there(503, 1), ivr.NumberUnknown, 503},
		{there(603, 0), ivr.CallRefused, 603}, {there(403, 0), ivr.CallRefused, 403}, {there(480, 21), ivr.CallRefused, 480},
		{there(488, 0), ivr.CallFailed, 488}, {there(503, 0), ivr.CallFailed, 503}, {there(502, 38), ivr.CallFailed, 502},
		{errRangOut, ivr.NoAnswer, 0}, {fmt.Errorf("x: %w", errNoConsent), ivr.NoAnswer, 0}, {sip.ErrNoAnswer, ivr.CallFailed, 0},
		{refuse(480, "the phone 2••1 has not registered"), ivr.NotReachable, 480},
		{&outgoing.Refusal{Reason: outgoing.Denied, Why: "no"}, ivr.CallNotAllowed, 0}, {&outgoing.Refusal{Reason: outgoing.Busy, Why: "no"}, ivr.CallFailed, 0},
		{context.Canceled, "", 0}, {errDrained, "", 0}, {rooms.ErrRemoved, "", 0}, {errTransferred, "", 0},
	} {
		if f := failureOf(c.err); f.words != c.words || f.code != c.code || f.why == "" {
			t.Errorf("%v: %+v, want %s and %d", c.err, f, c.words, c.code)
		}
	}
	if f := failureOf(fmt.Errorf("open room house/nosuch: %w", rooms.ErrNoRoom)); f.why != "no such room" || f.words != ivr.CallFailed {
		t.Errorf("of a room that is not there: %+v", f)
	}
}

// A way that is in trouble is left for the next one; an answer is an answer.
func TestCallOutFailsOver(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rule string
		code int // of the first trunk; 0: there is nobody
		ring bool
		next bool
	}{
		{"nobody there", 0, false, true}, {"503", 503, false, true}, {"500", 500, false, true}, {"408", 408, false, true},
		{"busy", 486, false, false}, {"busy everywhere", 600, false, false}, {"unknown", 404, false, false},
		{"500 after it rang", 500, true, false},
	} {
		t.Run(c.rule, func(t *testing.T) {
			t.Parallel()
			phones := newRig(t, nil)
			first, second := phones.called(), phones.called()
			r := carrierRig(t, first, second)
			if c.code == 0 { // a closed port of TCP says so at once
				r.change(func(l *config.Live) { l.Trunks[1].Servers = []string{first.server() + ";transport=tcp"} })
			}
			o := r.callOut("0123456789")
			if c.code > 0 {
				invite := first.await("INVITE")
				if c.ring {
					first.says(invite, 180, "")
					o.await(Ringing)
				}
				first.says(invite, c.code, "")
			}
			if !c.next {
				var failed *CallFailed
				if err := o.ends(); !errors.As(err, &failed) || failed.Code != c.code {
					t.Errorf("got %v", err)
				}
				r.nothingLeft()
				return
			}
			invite := second.await("INVITE")
			second.says(invite, 200, second.answer(invite))
			second.await("ACK")
			o.await(Joined)
			o.mu.Lock()
			if last := o.told[len(o.told)-1]; last.Trunk != "carrierB" {
				t.Errorf("got %+v", last)
			}
			o.mu.Unlock()
			second.hangsUp(invite)
			if err := o.ends(); err != nil {
				t.Error(err)
			}
			r.nothingLeft()
		})
	}
}

// Who hangs up here while it rings cancels the call, and where the answer crosses that, ends it.
func TestCallOutIsHungUpHere(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rule string
		end  func(*rig, *outgoingCall, *called, string)
	}{
		{"while it rings", func(_ *rig, o *outgoingCall, carol *called, invite string) {
			carol.says(invite, 180, "")
			o.await(Ringing)
			o.cancel()
			carol.says(carol.await("CANCEL"), 200, "")
			carol.says(invite, 487, "")
			carol.await("ACK")
		}},
		{"the answer crosses it", func(_ *rig, o *outgoingCall, carol *called, invite string) {
			carol.says(invite, 180, "")
			o.await(Ringing)
			o.cancel()
			cancel := carol.await("CANCEL")
			carol.says(invite, 200, carol.answer(invite))
			carol.says(cancel, 200, "")
			carol.await("ACK")
			carol.says(carol.await("BYE"), 200, "")
		}},
		{"a moderator removes who is called", func(r *rig, o *outgoingCall, carol *called, invite string) {
			carol.says(invite, 180, "")
			o.await(Ringing)
			r.removeCarol()
			carol.says(carol.await("CANCEL"), 200, "")
			carol.says(invite, 487, "")
			carol.await("ACK")
		}},
		{"in the room", func(_ *rig, o *outgoingCall, carol *called, invite string) {
			carol.says(invite, 200, carol.answer(invite))
			carol.await("ACK")
			o.await(Joined)
			o.cancel()
			carol.says(carol.await("BYE"), 200, "")
		}},
		{"a moderator removes who has come", func(r *rig, o *outgoingCall, carol *called, invite string) {
			carol.says(invite, 200, carol.answer(invite))
			carol.await("ACK")
			o.await(Joined)
			r.removeCarol()
			carol.telephone.says("en", ivr.Removed)
			carol.says(carol.await("BYE"), 200, "")
		}},
		{"the gateway closes", func(r *rig, o *outgoingCall, carol *called, invite string) {
			carol.says(invite, 180, "")
			o.await(Ringing)
			now, cancel := context.WithCancel(r.t.Context())
			cancel()
			drained := make(chan struct{})
			go func() { r.gateway.Drain(now); close(drained) }()
			carol.says(carol.await("CANCEL"), 200, "")
			carol.says(invite, 487, "")
			<-drained
		}},
	} {
		t.Run(c.rule, func(t *testing.T) {
			t.Parallel()
			carol := newRig(t, nil).called()
			r := carrierRig(t, carol)
			o := r.callOut("0123456789")
			c.end(r, o, carol, carol.await("INVITE"))
			o.ends()
			r.nothingLeft()
		})
	}
}

// removeCarol takes who is called out of the lobby.
func (r *rig) removeCarol() {
	r.t.Helper()
	host := r.backend.Join("lobby", "host")
	defer func() { _ = host.Leave() }()
	for _, p := range host.Roster() {
		if p.Kind == rooms.Phone {
			if err := host.RemovePhone(p.ID); err != nil {
				r.t.Error(err)
			}
			return
		}
	}
	r.t.Error("nobody is called")
}

func TestNobodyAnswersACallOut(t *testing.T) {
	t.Parallel()
	carol := newRig(t, nil).called()
	r := carrierRig(t, carol)
	r.gateway.RingTime = time.Second
	ben, err := r.call("lobby", codec.PCMA)
	must(t, ben, err)
	o := r.callOut("0123456789")
	invite := carol.await("INVITE")
	carol.says(invite, 180, "")
	carol.says(carol.await("CANCEL"), 200, "")
	carol.says(invite, 487, "")
	ben.says("en", ivr.NoAnswer)
	if err := o.ends(); err == nil || err.Error() != "nobody answered" {
		t.Errorf("got %v", err)
	}
}

// What comes before the answer is heard, in place of our tone; and then the tone again, where it is another trunk's turn.
func TestEarlySoundOfACallOut(t *testing.T) {
	t.Parallel()
	carol := newRig(t, nil).called()
	r := carrierRig(t, carol)
	ben, err := r.call("lobby", codec.PCMA)
	must(t, ben, err)
	r.callOut("0123456789")
	invite := carol.await("INVITE")
	carol.says(invite, 180, "")
	ben.hears(440)
	carol.says(invite, 183, carol.answer(invite))
	hush := carol.whistle(700)
	ben.hears(700)
	stop := ben.whistle(1000)
	carol.hears(0) // it has not answered: what is said in the room is not for it
	stop()
	hush()
	carol.says(invite, 486, "")
	ben.says("en", ivr.Busy)
}

// Sound of one server of an address is not mixed with that of the next.
func TestEarlySoundOfTwoServers(t *testing.T) {
	t.Parallel()
	phones := newRig(t, nil)
	first, second := phones.called(), phones.called()
	r := carrierRig(t, first)
	dial := r.gateway.Dial
	r.gateway.Dial = func(ctx context.Context, network string, to sip.Dial) (*sip.Dialog, []byte, error) { // as SRV would have it
		d, answer, err := dial(ctx, network, to)
		if err != nil {
			to.To = second.uri()
			return dial(ctx, network, to)
		}
		return d, answer, err
	}
	ben, err := r.call("lobby", codec.PCMA)
	must(t, ben, err)
	o := r.callOut("0123456789")
	invite := first.await("INVITE")
	first.says(invite, 183, first.answer(invite))
	hush := first.whistle(700)
	ben.hears(700)
	hush()
	first.says(invite, 503, "")
	invite = second.await("INVITE")
	second.says(invite, 183, second.answer(invite))
	stop := second.whistle(1000)
	ben.hears(1000)
	second.says(invite, 200, second.answer(invite))
	second.await("ACK")
	o.await(Joined)
	ben.hears(1000)
	stop()
	ben.whistle(440)
	second.hears(440)
	second.hangsUp(invite)
	if err := o.ends(); err != nil {
		t.Error(err)
	}
	ben.hangup()
	r.nothingLeft()
}

// Where a key is wanted, who answers is asked for it, and is not heard before.
func TestCallOutWantsAKey(t *testing.T) {
	t.Parallel()
	carol := newRig(t, nil).called()
	r := carrierRig(t, carol)
	r.change(func(l *config.Live) { l.Outgoing.Press = "4" })
	ben, err := r.call("lobby", codec.PCMA)
	must(t, ben, err)
	o := r.callOut("0123456789")
	invite := carol.await("INVITE")
	carol.says(invite, 180, "")
	carol.says(invite, 200, carol.answer(invite))
	carol.await("ACK")
	hush := carol.whistle(700) // a voice box
	carol.telephone.says("en", ivr.Consent("4")...)
	ben.hears(440)
	if got := o.states(); slices.Contains(got, Joined) {
		t.Errorf("got %v", got)
	}
	hush()
	for _, keys := range []string{"2", "4"} {
		if err := carol.line.SendDigits(t.Context(), keys); err != nil {
			t.Fatal(err)
		}
	}
	o.await(Joined)
	carol.whistle(700)
	ben.hears(700)
	carol.hangsUp(invite)
	if err := o.ends(); err != nil {
		t.Error(err)
	}
}

// A voice box that hangs up has never been in the room.
func TestCallOutToAVoiceBox(t *testing.T) {
	t.Parallel()
	carol := newRig(t, nil).called()
	r := carrierRig(t, carol)
	r.change(func(l *config.Live) { l.Outgoing.Press = "4" })
	o := r.callOut("0123456789")
	invite := carol.await("INVITE")
	carol.says(invite, 200, carol.answer(invite))
	carol.await("ACK")
	o.await(Answered)
	carol.hangsUp(invite)
	if err := o.ends(); err == nil || err.Error() != "the other end hung up" {
		t.Errorf("got %v", err)
	}
	r.nothingLeft()
}

// However many try at once, no more go out than may.
func TestManyCallsOutAtOnce(t *testing.T) { // alone: a hundred voices in one room are much for this machine
	carol := newRig(t, nil).called()
	r := carrierRig(t, carol)
	var calls []*outgoingCall
	for range 100 {
		calls = append(calls, r.callOut("0123456789"))
	}
	invites := map[string]string{}
	for len(invites) < 3 {
		invite := carol.await("INVITE")
		invites[headerOf(invite, "Call-ID")] = invite
	}
	refused := make(chan error, len(calls))
	for _, o := range calls {
		go func() { refused <- <-o.end }()
	}
	for range len(calls) - 3 {
		select {
		case err := <-refused:
			if !strings.Contains(err.Error(), "outgoing.limits.at_once") {
				t.Errorf("got %v", err)
			}
		case <-time.After(patience):
			t.Fatal("a call is neither refused nor out")
		}
	}
	for _, invite := range invites {
		carol.says(invite, 486, "")
	}
	for range 3 {
		<-refused
	}
	r.nothingLeft()
	if err := carol.conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	for buf := make([]byte, 1<<16); ; {
		n, _, err := carol.conn.ReadFromUDPAddrPort(buf)
		if err != nil {
			return
		}
		if id := headerOf(string(buf[:n]), "Call-ID"); invites[id] == "" {
			t.Errorf("another INVITE went out: %s", id)
		}
	}
}

// A call out is a call: it can be transferred by the phone that was called.
func TestCallOutIsTransferred(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ rule, more string }{{"blind", ""}, {"attended", "?Replaces=a%40b%3Bto-tag%3D1%3Bfrom-tag%3D2"}} {
		t.Run(c.rule, func(t *testing.T) {
			t.Parallel()
			phones := newRig(t, nil)
			carol, dave := phones.called(), phones.called()
			r := carrierRig(t, carol)
			r.change(func(l *config.Live) {
				l.Trunks[1].Transfer = config.Transfer{Allowed: true, Nets: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}
			})
			ben, err := r.call("lobby", codec.PCMA)
			must(t, ben, err)
			o := r.callOut("0123456789")
			invite := carol.await("INVITE")
			carol.says(invite, 200, carol.answer(invite))
			carol.await("ACK")
			o.await(Joined)
			number := strings.Replace(dave.uri(), "carol", "0123456788", 1) // the carrier's address: this is a call out, too
			carol.sends("REFER", invite, 1, "Refer-To: <"+number+c.more+">", "Contact: <"+carol.uri()+">")
			carol.await("SIP/2.0 202")
			second := dave.await("INVITE")
			if from := headerOf(second, "From"); !strings.HasPrefix(from, "<sip:+33199999999@") {
				t.Errorf("the transfer comes from %q", from)
			}
			if got := headerOf(second, "Replaces") != ""; got != (c.more != "") {
				t.Errorf("Replaces: %q", headerOf(second, "Replaces"))
			}
			dave.says(second, 200, dave.answer(second))
			dave.await("ACK")
			dave.whistle(700)
			ben.hears(700)
			bye := carol.await("BYE")
			carol.says(bye, 200, "")
			if err := o.ends(); err != nil {
				t.Error(err)
			}
			dave.hangsUp(second)
			ben.hangup()
			r.nothingLeft()
		})
	}
}

// A call that comes with Replaces takes the place of a call out.
func TestCallOutIsReplaced(t *testing.T) {
	t.Parallel()
	carol := newRig(t, nil).called()
	r := carrierRig(t, carol)
	r.change(func(l *config.Live) {
		for i := range l.Trunks {
			l.Trunks[i].Transfer = config.Transfer{Allowed: true}
		}
	})
	ben, err := r.call("lobby", codec.PCMA)
	must(t, ben, err)
	o := r.callOut("0123456789")
	invite := carol.await("INVITE")
	carol.says(invite, 200, carol.answer(invite))
	carol.await("ACK")
	o.await(Joined)
	_, ours, _ := strings.Cut(headerOf(invite, "From"), ";tag=")
	dave := r.late()
	dave.number = "anything"
	dave.send("INVITE", 1, "", "Replaces: "+headerOf(invite, "Call-ID")+";to-tag="+ours+";from-tag=carol")
	ok := dave.join(dave.await("SIP/2.0 200"))
	dave.send("ACK", 1, dave.take(ok))
	carol.says(carol.await("BYE"), 200, "")
	if err := o.ends(); err != nil {
		t.Error(err)
	}
	dave.whistle(700)
	ben.hears(700)
}

// A call out lasts as long as it may, and is told before.
func TestCallOutLastsAsLongAsItMay(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rule    string
		longest time.Duration
		words   ivr.Prompt
	}{{"the end", time.Second, ivr.TimeUp}, {"a minute before", time.Minute + time.Second, ivr.LastMinute}} {
		t.Run(c.rule, func(t *testing.T) {
			t.Parallel()
			carol := newRig(t, nil).called()
			r := carrierRig(t, carol)
			r.change(func(l *config.Live) { l.Outgoing.Limits.Longest = c.longest })
			o := r.callOut("0123456789")
			invite := carol.await("INVITE")
			carol.says(invite, 200, carol.answer(invite))
			carol.await("ACK")
			carol.telephone.says("en", c.words)
			if c.longest < lastMinute {
				carol.says(carol.await("BYE"), 200, "")
				o.ends()
				if last := o.told[len(o.told)-1]; last.State != Ended || !strings.Contains(last.Why, "outgoing.limits.minutes_a_call") {
					t.Errorf("got %+v", last)
				}
				r.nothingLeft()
			}
		})
	}
}

// A phone that has registered is called without a trunk: all its devices ring.
func TestCallOutToAPhone(t *testing.T) {
	t.Parallel()
	phones := newRig(t, nil)
	desk, cordless := phones.called(), phones.called()
	r := carrierRig(t)
	r.change(func(l *config.Live) {
		l.Phones = []config.Phone{{User: "2001", Name: "Reception", Gain: true, Gate: true}}
	})
	r.gateway.Devices = func(string) (all [][]registrar.Binding) {
		for _, p := range []*called{desk, cordless} {
			all = append(all, []registrar.Binding{{Contact: p.uri(), Flow: registrar.Flow{Network: "tcp", Remote: p.conn.LocalAddr().(*net.UDPAddr).AddrPort()}}})
		}
		return all
	}
	ben, err := r.call("lobby", codec.PCMA)
	must(t, ben, err)
	o := r.callOut("2001")
	first, second := desk.await("INVITE"), cordless.await("INVITE")
	desk.says(first, 180, "")
	cordless.says(second, 180, "")
	ben.hears(425)
	cordless.says(second, 200, cordless.answer(second))
	cordless.await("ACK")
	desk.says(desk.await("CANCEL"), 200, "")
	desk.says(first, 487, "")
	o.await(Joined)
	cordless.whistle(700)
	ben.hears(700)
	if got := r.roster(); !slices.Contains(got, "Reception") {
		t.Errorf("in the room: %q", got)
	}
	o.cancel()
	cordless.says(cordless.await("BYE"), 200, "")
	if err := o.ends(); err != nil {
		t.Error(err)
	}
	ben.hangup()
	r.nothingLeft()
}

// TestAHeraldStaysUntilItIsHeard: when it has said its words, their end has had time to reach the ears.
func TestAHeraldStaysUntilItIsHeard(t *testing.T) {
	voices, err := ivr.Load(g711.Rate)
	if err != nil {
		t.Fatal(err)
	}
	h := &herald{rate: g711.Rate, muted: true, gateway: &Gateway{Config: Config{Voices: voices}}}
	left := make(chan struct{})
	go func() { defer close(left); h.say(t.Context(), "en", ivr.Busy) }()
	eventually(t, "words", func() bool { h.mu.Lock(); defer h.mu.Unlock(); return h.words != nil })
	pcm, heard := make([]int16, g711.Rate/50), []int16(nil)
	for h.next(pcm) {
		heard = append(heard, pcm...)
	}
	<-left
	rest := len(heard) - int(heraldRest*g711.Rate/time.Second)
	if words := voices.Say("en", ivr.Busy); rest < len(words) || !score.Silent(heard[rest:], g711.Rate) || score.Silent(heard[:rest], g711.Rate) {
		t.Errorf("it says %d samples and leaves, want %v of silence after %d", len(heard), heraldRest, len(words))
	}
}
