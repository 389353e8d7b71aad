package bridge

import (
	"errors"
	"strings"
	"testing"
	"time"

	"passerelle/bridge/ivr"
	"passerelle/codec"
	"passerelle/config"
	"passerelle/sip"
	"passerelle/sip/rtp"
)

// An echo test sends back what it hears, and tells how the line is.
func TestEcho(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(l *config.Live) {
		l.Routes = append(l.Routes, config.Route{To: "600", Echo: true, Language: "fr"})
	})
	p, err := r.call("600", codec.PCMA)
	must(t, p, err)
	p.says("fr", ivr.Echo)
	p.forget()
	stop := p.whistle(440)
	p.hears(440)
	stop()
	p.forget()
	p.dials("5")
	p.says("fr", ivr.CodecPCMA)
	p.says("fr", ivr.LossNone)
	p.forget()
	defer p.whistle(880)()
	p.hears(880)
}

// Calls for help are answered, whatever the limits, and told where help is.
func TestACallForHelp(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(l *config.Live) {
		l.Emergency, l.Limits.Calls, l.Trunks[0].Calls = "FR", 1, 1
	})
	must(t, nil, second(r.call("lobby", codec.PCMA)))
	p, err := r.call("112", codec.PCMA)
	must(t, p, err)
	p.says("en", ivr.Emergency)
	ends(t, p, sip.ErrBye)
	if !strings.Contains(r.logged.String(), "the caller is told to call for help") {
		t.Error("the log does not say where the call went")
	}
}

// Why a call is refused is told to trusted trunks, with all that led there, and to nobody else.
func TestWhoIsToldWhy(t *testing.T) {
	t.Parallel()
	for _, trusted := range []bool{true, false} {
		r := newRig(t, func(l *config.Live) {
			l.Trunks[0].Trusted = trusted
			l.Routes = []config.Route{{From: []string{"loopback"}, To: "700", Echo: true}, {From: []string{"loopback"}, Reject: 603}}
		})
		_, err := r.call("0123456789", codec.PCMA)
		var refused *sip.StatusError
		if !errors.As(err, &refused) || refused.Code != 603 {
			t.Fatalf("refused with %v", err)
		}
		want := "trunk loopback; called 01"
		if got := refused.Warning.Text; strings.HasPrefix(got, want) != trusted || (got != "") != trusted || trusted && refused.Warning.Code != 399 {
			t.Errorf("trusted: %v, told %d %q", trusted, refused.Warning.Code, got)
		}
		eventually(t, "why, in the log", func() bool { return strings.Contains(r.logged.String(), "route 1: another number was dialled") })
	}
}

func TestWordsOfQuality(t *testing.T) {
	for _, test := range []struct {
		lost, received uint64
		want           ivr.Prompt
	}{
		{0, 0, ivr.LossNone}, {0, 100, ivr.LossNone}, {1, 999, ivr.LossLittle}, {1, 99, ivr.LossSome}, {5, 95, ivr.LossSome}, {6, 94, ivr.LossMuch},
	} {
		if got := lossWords(rtp.Stats{Lost: test.lost, PacketsReceived: test.received}); got != test.want {
			t.Errorf("%d lost beside %d: %s, want %s", test.lost, test.received, got, test.want)
		}
	}
	for delay, want := range map[time.Duration]ivr.Prompt{
		0: ivr.DelayUnknown, time.Millisecond: ivr.DelayShort, 150 * time.Millisecond: ivr.DelayMedium, 400 * time.Millisecond: ivr.DelayLong,
	} {
		if got := delayWords(delay); got != want {
			t.Errorf("%v: %s, want %s", delay, got, want)
		}
	}
}
