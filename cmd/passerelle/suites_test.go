package main

import (
	"crypto/tls"
	"fmt"
	"net"
	"path/filepath"
	"testing"
	"time"

	"passerelle/config"
)

// suited is a gateway with a trunk at 127.0.0.5 and one at 127.0.0.6, each with more settings.
const suited = `
version: 1
networks: [{name: voice, listen: ["tls://127.0.0.1:0", "wss://127.0.0.1:0"], media: "127.0.0.1:0-0", tls: {cert: file:cert.pem, key: file:key.pem}}]
engines: [{name: house, embedded: {udp: "127.0.0.1:0", tcp: "127.0.0.1:0"}}]
trunks:
  - {name: old, accept: {from: [127.0.0.5]}%s}
  - {name: pbx, accept: {from: [127.0.0.6]}%s}
routes: [{from: [old, pbx], to: a, room: a}]
http: {listen: "127.0.0.1:0"}
`

// The weaker suites of a trunk are spoken with its addresses only, over tls:// and wss://, and a reload changes whose they are.
func TestWeakerSuitesAreATrunksOwn(t *testing.T) {
	folder := t.TempDir()
	writeCertificate(t, folder, "gateway.example", time.Now())
	file := filepath.Join(folder, "passerelle.yaml")
	const weaker = ", tls: {suites: [TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA]}"
	write(t, file, fmt.Sprintf(suited, weaker, ""))
	source := config.Source{Path: file}
	cfg, err := config.Load(source)
	if err != nil {
		t.Fatal(err)
	}
	h := startedWith(t, cfg)
	h.source = source
	heard := func(when string, want map[string]bool) {
		t.Helper()
		for _, l := range h.phones[0].server.Addrs() {
			for from, want := range want {
				d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: 5 * time.Second}
				c, err := tls.DialWithDialer(&d, "tcp", l.Addr.String(), &tls.Config{
					InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA},
				})
				if (err == nil) != want {
					t.Errorf("%s, over %s: %s got %v, want accepted %v", when, l.Network, from, err, want)
				}
				if err == nil {
					c.Close()
				}
			}
		}
	}
	heard("at first", map[string]bool{"127.0.0.5": true, "127.0.0.6": false, "127.0.0.7": false})
	write(t, file, fmt.Sprintf(suited, "", weaker))
	h.reload()
	heard("after a reload", map[string]bool{"127.0.0.5": false, "127.0.0.6": true, "127.0.0.7": false})
}
