package main

import (
	"context"
	"net/netip"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"passerelle/cmd/internal/cluster"
	"passerelle/cmd/internal/desk"
	"passerelle/config"
	"passerelle/rooms/livekit/livekittest"
	"passerelle/sip"
	"passerelle/sip/registrar"
)

func TestPlaces(t *testing.T) {
	at := func(listeners ...string) (all []sip.Listener) {
		for i := 0; i < len(listeners); i += 2 {
			all = append(all, sip.Listener{Network: listeners[i], Addr: netip.MustParseAddrPort(listeners[i+1])})
		}
		return all
	}
	for _, c := range []struct {
		rule      string
		listeners []sip.Listener
		seen      string
		want      []string
	}{
		{"a connection before datagrams", at("udp", "192.0.2.1:5060", "tcp", "192.0.2.1:5060"), "",
			[]string{"sip:192.0.2.1:5060;transport=tcp", "sip:192.0.2.1:5060;transport=udp"}},
		{"nothing for browsers", at("wss", "192.0.2.1:443", "tls", "192.0.2.1:5061"), "", []string{"sip:192.0.2.1:5061;transport=tls"}},
		{"all addresses are the one that Redis sees", at("tcp", "0.0.0.0:5060", "tcp", "[::]:5060"), "198.51.100.7",
			[]string{"sip:198.51.100.7:5060;transport=tcp"}},
		{"of IPv6 too", at("tcp", "0.0.0.0:5060", "tcp", "[::]:5060"), "2001:db8::7", []string{"sip:[2001:db8::7]:5060;transport=tcp"}},
		{"as long as nobody sees it there is none", at("tcp", "0.0.0.0:5060"), "", nil},
	} {
		got := placesOf(c.listeners, func() (netip.Addr, bool) {
			a, err := netip.ParseAddr(c.seen)
			return a, err == nil
		})
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, want %q", c.rule, got, c.want)
		}
	}
}

// TestElsewhere has phones registered with another gateway, and looks which ways lead to them.
func TestElsewhere(t *testing.T) {
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Skip("no redis-server: .ci/livekit.sh brings it")
	}
	redis := livekittest.StartRedis(t)
	join := func(name string) *cluster.Cluster {
		c := cluster.New(cluster.Config{Address: redis.Addr, Name: name})
		c.Announce("", func(context.Context) map[string][]string {
			return map[string][]string{"voice": {"sip:192.0.2.9:5060;transport=tcp"}}
		})
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { c.Run(ctx); close(ended) }()
		t.Cleanup(func() { stop(); <-ended })
		return c
	}
	h := &house{cluster: join("one")}
	join("two")
	h.inForce.Store(&rules{Config: &config.Config{Live: config.Live{Phones: []config.Phone{{User: "2001", Network: "voice"}}}}})
	for deadline := time.Now().Add(10 * time.Second); len(h.cluster.State().Gateways) < 2; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("they do not know each other")
		}
	}
	binding := func(gateway string, change func(*registrar.Binding)) registrar.Binding {
		b := registrar.Binding{Contact: "sip:desk", Gateway: gateway, Flow: registrar.Flow{Network: "udp", Remote: netip.MustParseAddrPort("192.0.2.7:5060")}}
		if change != nil {
			change(&b)
		}
		return b
	}
	tcp := func(b *registrar.Binding) { b.Flow.Network = "tcp" }
	for _, c := range []struct {
		rule   string
		device []registrar.Binding
		want   []string
	}{
		{"its own flow", []registrar.Binding{binding("", nil)}, []string{"flow"}},
		{"over UDP", []registrar.Binding{binding("two", nil)}, []string{"errand", "direct"}},
		{"of one that is gone, over UDP", []registrar.Binding{binding("gone", nil)}, []string{"direct"}},
		{"behind a NAT", []registrar.Binding{binding("two", func(b *registrar.Binding) { b.NAT = true })}, []string{"errand"}},
		{"on its flows only", []registrar.Binding{binding("two", func(b *registrar.Binding) { b.Instance, b.RegID = "x", "1" })}, []string{"errand"}},
		{"on a connection", []registrar.Binding{binding("two", tcp)}, []string{"errand"}},
		{"of one that is gone, on a connection", []registrar.Binding{binding("gone", tcp)}, nil},
		{"through a proxy", []registrar.Binding{binding("two", func(b *registrar.Binding) { b.Path = []string{"sip:proxy;lr"} })}, []string{"direct", "errand"}},
		{"a flow here and one there", []registrar.Binding{binding("", tcp), binding("two", tcp)}, []string{"flow", "errand"}},
	} {
		var got []string
		for _, ways := range h.elsewhere("2001", [][]registrar.Binding{c.device}) {
			for _, w := range ways {
				switch {
				case strings.HasPrefix(w.Contact, "sip:2001@192.0.2.9:5060;transport=tcp;errand="):
					got = append(got, "errand")
				case w.Flow.Remote.IsValid():
					got = append(got, "flow")
				default:
					got = append(got, "direct")
				}
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, want %q", c.rule, got, c.want)
		}
	}
}

func TestGatewaysAreListed(t *testing.T) {
	since := time.Date(2026, 11, 28, 12, 0, 0, 0, time.Local)
	all := desk.Gateways{
		Name: "gw1", Redis: desk.Redis{Up: true, Since: since},
		Gateways: []desk.Gateway{
			{Name: "gw1", Alive: true, Places: map[string][]string{"voice": {"sip:10.1.0.9:5060;transport=tcp"}}},
			{Name: "gw2", Ago: 9.4, Places: map[string][]string{"voice": {"sip:10.1.0.10:5060;transport=tcp"}}},
		},
		Turns: map[string]string{"carrier": "gw1"},
	}
	var out strings.Builder
	if err := printGateways(&out, all); err != nil {
		t.Fatal(err)
	}
	want := `redis          up                since 2026-11-28 12:00:00
gw1            this one          voice: sip:10.1.0.9:5060;transport=tcp
gw2            gone for 9 s      voice: sip:10.1.0.10:5060;transport=tcp
trunk carrier  is registered by  gw1
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
	all.Redis = desk.Redis{Since: since, Why: "connection refused"}
	out.Reset()
	if err := printGateways(&out, all); err != nil || !strings.HasPrefix(out.String(), "redis          away              since 2026-11-28 12:00:00  connection refused\n") {
		t.Errorf("%v, got\n%s", err, out.String())
	}
}
