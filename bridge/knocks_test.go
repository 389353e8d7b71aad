package bridge

import (
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"

	"passerelle/codec"
	"passerelle/config"
	"passerelle/sip"
)

func TestKnocks(t *testing.T) {
	k := NewKnocks(slog.New(slog.DiscardHandler))
	at := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	knock := func(address, why string) bool {
		at = at.Add(time.Second)
		return k.add(Knock{Address: netip.MustParseAddr(address), Network: "udp", Why: why}, at)
	}
	if !knock("192.0.2.1", "unknown source") || !knock("2001:db8::7", "unknown source") || knock("::ffff:192.0.2.1", "flood") {
		t.Error("who is new is mistaken")
	}
	got := k.List()
	if len(got) != 2 || got[0].Address.String() != "192.0.2.1" || got[0].Times != 2 || got[0].Why != "flood" || got[0].Last.Sub(got[0].First) != 2*time.Second {
		t.Fatalf("got %+v", got)
	}
	if got[0].Block != "" {
		t.Errorf("a known source is offered %s", got[0].Block)
	}
	if want := `  - {name: trunk-2001-db8--7, accept: {from: ["2001:db8::7"]}}`; got[1].Block != want {
		t.Errorf("got %s, want %s", got[1].Block, want)
	}
	for i := range 10 * knocksKept {
		knock(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}).String(), "unknown source")
	}
	if n := len(k.List()); n != knocksKept || len(k.byAddr) != n {
		t.Errorf("%d knocks are kept, by %d addresses", n, len(k.byAddr))
	}
	knock("10.0.0.0", "again")
	if got := k.List(); got[0].Why != "again" || got[0].Times != 1 {
		t.Errorf("the oldest was not forgotten: %+v", got[0])
	}
}

// Calls that are refused are in the list with their trunk and the reason.
func TestRefusedCallsKnock(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(l *config.Live) { l.Routes = nil })
	knocks := NewKnocks(slog.New(slog.DiscardHandler))
	r.gateway.Knocks = knocks
	if _, err := r.call("lobby", codec.PCMA); err == nil {
		t.Fatal("it is answered")
	}
	eventually(t, "the knock", func() bool { return len(knocks.List()) == 1 })
	if n := knocks.List()[0]; n.Trunk != "loopback" || n.Code != 404 || n.Block != "" || !strings.Contains(n.Why, "none of 0 routes") {
		t.Errorf("got %+v", n)
	}
}

func BenchmarkKnock(b *testing.B) {
	k := NewKnocks(slog.New(slog.DiscardHandler))
	source := netip.MustParseAddrPort("192.0.2.1:5060")
	b.ReportAllocs()
	for b.Loop() {
		k.Unanswered(sip.Knock{Source: source, Network: "udp", Why: "unknown source"})
	}
}
