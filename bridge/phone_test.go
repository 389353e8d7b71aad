package bridge

import (
	"net/netip"
	"regexp"
	"testing"

	"passerelle/config"
	"passerelle/sip"
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
		Registrar: config.Registrar{From: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}},
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
		{"a phone that is no more", "10.1.1.1", "2002", "board", "", true, true, ""},
		{"the server that we registered with", "198.51.100.1", "", "4711", "+33123456789", false, true, "carrier carrier"},
		{"and it says whom it wants", "198.51.100.1", "", "+33123456789", "x", false, true, "carrier carrier"},
		{"a stranger", "203.0.113.1", "", "lobby", "", false, true, ""},
	} {
		src := netip.MustParseAddr(c.source)
		if known, challenged := Known(live, src), Challenged(live, src); known != c.known || challenged != c.challenged {
			t.Errorf("%s: known is %v, challenged %v", c.rule, known, challenged)
		}
		got, err := route(live, sip.Invite{
			Source: netip.AddrPortFrom(src, 5060), Account: c.account, RequestURI: sip.URI{User: c.called}, To: sip.Address{User: c.to},
		}, serverOf)
		text := ""
		if err == nil {
			text = got.trunk.Name + " " + got.room
		}
		if text != c.want {
			t.Errorf("%s: got %q, %v, want %q", c.rule, text, err, c.want)
		}
		if (got.phone != nil) != (err == nil && got.trunk.Name == phones) {
			t.Errorf("%s: the phone is %v", c.rule, got.phone)
		}
	}
}
