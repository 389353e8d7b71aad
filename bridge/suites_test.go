package bridge

import (
	"crypto/tls"
	"crypto/x509"
	"net/netip"
	"slices"
	"testing"

	"passerelle/config"
)

func TestWhoSpeaksWeakerSuites(t *testing.T) {
	from := func(text string) []netip.Prefix { return []netip.Prefix{netip.MustParsePrefix(text)} }
	const wide, host, shown, called = tls.TLS_RSA_WITH_AES_128_CBC_SHA, tls.TLS_RSA_WITH_AES_256_CBC_SHA, tls.TLS_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_RSA_WITH_AES_256_GCM_SHA384
	live := &config.Live{Trunks: []config.Trunk{
		{Name: "wide", Network: "voice", From: from("192.0.2.0/24"), Suites: []uint16{wide}},
		{Name: "host", Network: "voice", From: from("192.0.2.1/32"), Suites: []uint16{host}},
		{Name: "modern", Network: "voice", From: from("192.0.2.2/32")},
		{Name: "shown", Network: "voice", From: from("192.0.2.3/32"), Certificate: &config.Certificate{Name: "a.example", Roots: x509.NewCertPool()}, Suites: []uint16{shown}},
		{Name: "called", Network: "voice", Suites: []uint16{called}},
	}}
	serverOf := func(src netip.Addr) string {
		if src == netip.MustParseAddr("198.51.100.4") {
			return "called"
		}
		return ""
	}
	for _, c := range []struct {
		rule, network, src string
		want               []uint16
	}{
		{"an address of a trunk", "voice", "192.0.2.9", []uint16{wide}},
		{"as IPv6 has it", "voice", "::ffff:192.0.2.9", []uint16{wide}},
		{"the longer prefix has it", "voice", "192.0.2.1", []uint16{host}},
		{"... even where that one has none", "voice", "192.0.2.2", nil},
		{"a certificate may be shown from there", "voice", "192.0.2.3", []uint16{wide, shown}},
		{"a server", "voice", "198.51.100.4", []uint16{called}},
		{"a stranger", "voice", "198.51.100.5", nil},
		{"another network", "data", "192.0.2.9", nil},
	} {
		t.Run(c.rule, func(t *testing.T) {
			if got := Suites(live, c.network, netip.MustParseAddr(c.src), serverOf); !slices.Equal(got, c.want) {
				t.Errorf("got %x, want %x", got, c.want)
			}
		})
	}
}
