package bridge

import (
	"context"
	"errors"
	"net/netip"
	"regexp"
	"sync/atomic"
	"testing"
	"time"

	"passerelle/codec"
	"passerelle/config"
	"passerelle/sip"
	"passerelle/sip/registrar"
)

// TestCaller: who calls is who proved to be, and then whose address it is.
func TestCaller(t *testing.T) {
	live := &config.Live{
		Trunks: []config.Trunk{
			{Name: "pbx", From: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/28")}},
			{Name: "office", From: []netip.Prefix{netip.MustParsePrefix("192.0.2.32/28")}, Digest: &config.Login{User: "office"}},
			{Name: "carrier", Register: &config.Login{User: "4711"}, Servers: []string{"sip:x"}},
		},
		Phones:    []config.Phone{{User: "2001", Name: "Reception", Codecs: []config.Codec{config.PCMA}}},
		Registrar: config.Registrar{From: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("198.51.100.7/32")}},
		Emergency: "FR",
		Routes: []config.Route{
			{From: []string{"phones"}, To: "board", Room: "board-of-phones"},
			{From: []string{"carrier"}, To: "+33123456789", Room: "carrier"},
			{From: []string{"office", "pbx"}, ToMatch: regexp.MustCompile(`\A(.+)\z`), Room: "$1"},
			{To: "lobby", Room: "lobby"},
		},
	}
	serverOf := func(a netip.Addr) string {
		if a == netip.MustParseAddr("198.51.100.1") {
			return "carrier"
		}
		return ""
	}
	for _, c := range []struct {
		rule, source, account, called, to string
		known, challenged                 bool
		want                              string // trunk and room; "" is refused
	}{
		{"a trunk's address", "192.0.2.1", "", "a", "", true, false, "pbx a"},
		{"a trunk with a password", "192.0.2.33", "office", "a", "", true, true, "office a"},
		{"and without it", "192.0.2.33", "", "a", "", true, true, ""},
		{"and from elsewhere", "10.1.1.1", "office", "a", "", true, true, ""},
		{"a phone", "10.1.1.1", "2001", "board", "", true, true, "phones board-of-phones"},
		{"a phone, by a route for whoever is trusted", "10.1.1.1", "2001", "lobby", "", true, true, "phones lobby"},
		{"a phone that has not proved it", "10.1.1.1", "", "board", "", true, true, ""},
		{"a phone that has not proved it, and calls for help", "10.1.1.1", "", "112", "", true, true, "phones "},
		{"and in another house", "198.51.100.7", "", "112", "", true, true, ""},
		{"a phone that is no more", "10.1.1.1", "2002", "board", "", true, true, ""},
		{"the server that we registered with", "198.51.100.1", "", "4711", "+33123456789", false, true, "carrier carrier"},
		{"and it says whom it wants", "198.51.100.1", "", "+33123456789", "x", false, true, "carrier carrier"},
		{"a stranger", "203.0.113.1", "", "lobby", "", false, true, ""},
	} {
		src := netip.MustParseAddr(c.source)
		if known, challenged := Known(live, "", src), Challenged(live, "", src); known != c.known || challenged != c.challenged {
			t.Errorf("%s: known is %v, challenged %v", c.rule, known, challenged)
		}
		got, err := newDirectory(live).route("", sip.Invite{
			Source: netip.AddrPortFrom(src, 5060), Account: c.account, RequestURI: sip.URI{User: c.called}, To: sip.Address{User: c.to},
		}, serverOf, time.Now())
		text := ""
		if err == nil {
			text = got.trunk.Name + " " + got.room
		}
		if text != c.want {
			t.Errorf("%s: got %q, %v, want %q", c.rule, text, err, c.want)
		}
		if (got.phone != nil) != (err == nil && got.trunk.Name == phones && c.account != "") {
			t.Errorf("%s: the phone is %v", c.rule, got.phone)
		}
	}
}

// switchboard is a gateway whose route "reception" leads to a phone, which has registered at addresses of the test's own.
func switchboard(t *testing.T, devices func() [][]registrar.Binding) *rig {
	r := newRig(t, func(live *config.Live) {
		live.Phones = []config.Phone{{User: "2001", Gain: true, Gate: true}}
		live.Routes = append([]config.Route{{To: "reception", Phone: "2001"}, {To: "nobody", Phone: "2002"}}, live.Routes...)
	})
	r.gateway.Devices = func(string) [][]registrar.Binding { return devices() }
	door := r.serve(sip.HandlerFunc(func(context.Context, *sip.Dialog) {}))
	r.gateway.Dial = func(ctx context.Context, _ string, to sip.Dial) (*sip.Dialog, []byte, error) {
		return door.Dial(ctx, to)
	}
	return r
}

// at is a phone that has registered as the room of another gateway: whoever calls it is in that room.
func (r *rig) at(room string) registrar.Binding {
	return registrar.Binding{
		Contact: "sip:" + room + "@" + r.addr.String(),
		Flow:    registrar.Flow{Network: "tcp", Remote: r.addr}, // one that is no more: the address will do
	}
}

func TestAPhoneIsCalled(t *testing.T) {
	t.Parallel()
	desk := newRig(t, nil)
	r := switchboard(t, func() [][]registrar.Binding { return [][]registrar.Binding{{desk.at("desk")}} })
	bob, err := desk.call("desk", codec.PCMA)
	must(t, bob, err)
	ada, err := r.call("reception", codec.PCMU)
	must(t, ada, err)
	stop := ada.whistle(440)
	bob.hears(440)
	ada.hears(0)
	stop()
	bob.whistle(700)
	ada.hears(700)
	if s := r.gateway.Stats(); s.Calls != 1 || s.Rooms != 0 || s.PortsInUse != 2 {
		t.Errorf("got %+v, want one call without a room", s)
	}
	ada.hangup()
	eventually(t, "the phone is hung up too", func() bool { return desk.gateway.Stats().Calls == 1 })
	eventually(t, "everything given back", func() bool {
		s := r.gateway.Stats()
		return s.Calls == 0 && s.PortsInUse == 0
	})
	bob.hangup()
}

func TestTheCalledPhoneHangsUp(t *testing.T) {
	t.Parallel()
	desk := newRig(t, nil)
	r := switchboard(t, func() [][]registrar.Binding { return [][]registrar.Binding{{desk.at("desk")}} })
	ada, err := r.call("reception", codec.PCMU)
	must(t, ada, err)
	drained, cancel := context.WithCancel(t.Context())
	cancel()
	desk.gateway.Drain(drained)
	select {
	case <-ada.dialog.Context().Done():
	case <-time.After(patience):
		t.Fatal("the caller talks on to nobody")
	}
	eventually(t, "everything given back", func() bool {
		s := r.gateway.Stats()
		return s.Calls == 0 && s.PortsInUse == 0
	})
}

// Devices ring together; the first that answers has the call, and the others ring no more.
func TestDevicesRingTogether(t *testing.T) {
	t.Parallel()
	desk := newRig(t, nil)
	silent := make(chan error, 1)
	slow := desk.serve(sip.HandlerFunc(func(ctx context.Context, d *sip.Dialog) {
		_ = d.Ring(ctx)
		<-ctx.Done()
		silent <- context.Cause(ctx)
	}))
	busy := desk.serve(sip.HandlerFunc(func(ctx context.Context, d *sip.Dialog) { _ = d.Reject(ctx, sip.Refusal{Code: 486}) }))
	device := func(s *sip.Server) registrar.Binding {
		return registrar.Binding{Contact: "sip:x@" + s.Addrs()[0].Addr.String(), Flow: registrar.Flow{Remote: s.Addrs()[0].Addr}}
	}
	all := [][]registrar.Binding{{device(slow)}, {device(busy)}, {desk.at("desk")}}
	var now atomic.Pointer[[][]registrar.Binding]
	now.Store(&all)
	r := switchboard(t, func() [][]registrar.Binding { return *now.Load() })
	ada, err := r.call("reception", codec.PCMU)
	must(t, ada, err)
	select {
	case err := <-silent:
		if !errors.Is(err, sip.ErrCancelled) {
			t.Errorf("the other device: %v, want %v", err, sip.ErrCancelled)
		}
	case <-time.After(patience):
		t.Error("the other device rings on")
	}
	ada.hangup()

	for _, c := range []struct {
		rule, to string
		devices  [][]registrar.Binding
		code     int
	}{
		{"busy", "reception", [][]registrar.Binding{{device(busy)}}, 486},
		{"nowhere", "reception", nil, 480},
		{"no such phone", "nobody", nil, 404},
	} {
		now.Store(&c.devices)
		_, err := r.call(c.to, codec.PCMU)
		var status *sip.StatusError
		if !errors.As(err, &status) || status.Code != c.code {
			t.Errorf("%s: got %v, want %d", c.rule, err, c.code)
		}
	}
	eventually(t, "everything given back", func() bool { return r.gateway.Stats().PortsInUse == 0 })
}
