package bridge

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"passerelle/codec"
	"passerelle/sip/rtp"
)

func TestDiagnose(t *testing.T) {
	at := netip.MustParseAddrPort
	agreed := rtp.Stats{Sends: true, Hears: true, SDP: at("192.168.1.7:4000"), Remote: at("192.168.1.7:4000")}
	with := func(change func(*rtp.Stats)) rtp.Stats { s := agreed; change(&s); return s }
	for _, test := range []struct {
		rule        string
		before, now rtp.Stats
		want        string // "": nothing is wrong
		from        string
	}{
		{"sound flows", agreed, with(func(s *rtp.Stats) { s.PacketsReceived = 1 }), "", ""},
		{"nothing comes", agreed, agreed, "its SDP says 192.168.1.7:4000, and nothing comes", "invalid AddrPort"},
		{"it comes from elsewhere", agreed, with(func(s *rtp.Stats) { s.Elsewhere, s.Drops.Foreign = at("203.0.113.9:1024"), 200 }),
			"packets come from 203.0.113.9:1024", "203.0.113.9:1024"},
		{"from another port", agreed, with(func(s *rtp.Stats) { s.Elsewhere, s.Drops.Unlatched = at("192.168.1.7:4002"), 200 }),
			"packets come from 192.168.1.7:4002", "192.168.1.7:4002"},
		{"other keys", agreed, with(func(s *rtp.Stats) { s.Drops.Unauthentic = 200 }), "cannot be decrypted", "192.168.1.7:4000"},
		{"another coding", agreed, with(func(s *rtp.Stats) { s.Drops.PayloadType = 200 }), "payload type", "192.168.1.7:4000"},
		{"a phone that only listens", with(func(s *rtp.Stats) { s.Hears = false }), with(func(s *rtp.Stats) { s.Hears = false }), "", ""},
		{"nobody is there", agreed, with(func(s *rtp.Stats) { s.PacketsReceived, s.SendDrops.Errors = 200, 200 }), "the network refuses what goes to 192.168.1.7:4000", "192.168.1.7:4000"},
		{"it says that nothing arrives", agreed, with(func(s *rtp.Stats) { s.PacketsReceived, s.Reports, s.RemoteLoss = 200, 1, 1 }), "it reports that nothing", "192.168.1.7:4000"},
		{"it was silent before", with(func(s *rtp.Stats) { s.PacketsReceived, s.Drops.Foreign = 9, 9 }), with(func(s *rtp.Stats) { s.PacketsReceived, s.Drops.Foreign = 9, 9 }), "nothing comes", "invalid AddrPort"},
	} {
		t.Run(test.rule, func(t *testing.T) {
			got := diagnose(test.before, test.now)
			if (got == nil) != (test.want == "") {
				t.Fatalf("got %+v, want %q", got, test.want)
			}
			if got != nil && (!strings.Contains(got.Why, test.want) || got.ComesFrom.String() != test.from) {
				t.Errorf("got %+v, want %q from %s", got, test.want, test.from)
			}
		})
	}
}

// A call whose phone is not heard says so within five seconds, with the address of its SDP, and takes it back.
func TestOneWayAudioIsNamed(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	p, err := r.call("lobby", codec.PCMA)
	must(t, p, err)
	began := time.Now()
	eventually(t, "the call to say so", func() bool { return r.gateway.Stats().OneWay == 1 })
	if took := time.Since(began); took > 30*time.Second {
		t.Errorf("it took %v", took)
	}
	calls := r.gateway.Calls()
	if len(calls) != 1 || calls[0].OneWay == nil || calls[0].OneWay.SDP != p.line.LocalAddr() || calls[0].OneWay.GoesTo != p.line.LocalAddr() {
		t.Fatalf("the calls are %+v", calls)
	}
	if log := r.logged.String(); !strings.Contains(log, "one-way audio") || !strings.Contains(log, p.line.LocalAddr().String()) {
		t.Error("the log does not name it")
	}
	defer p.whistle(440)()
	eventually(t, "the call to take it back", func() bool { return r.gateway.Stats().OneWay == 0 })
	p.hangup()
	eventually(t, "the end of the call", func() bool { return len(r.gateway.Calls()) == 0 })
}
