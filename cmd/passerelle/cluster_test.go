package main

import (
	"net/netip"
	"slices"
	"testing"

	"passerelle/sip"
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
