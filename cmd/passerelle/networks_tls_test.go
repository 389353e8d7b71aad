package main

import (
	"crypto/tls"
	"log/slog"
	"net"
	"testing"
	"time"

	"passerelle/config"
)

// Where we connect and are asked who we are, we show the certificate of the network.
func TestOurCertificateIsShownWhereWeConnect(t *testing.T) {
	cert, key := writeCertificate(t, t.TempDir(), "gateway.example", time.Now())
	network := config.Network{Name: "voice", TLS: &config.TLS{Cert: cert, Key: key}}
	secure, err := signalling(network, func() *config.Live { return &config.Live{} }, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	asking := secure.Server.Clone()
	asking.ClientAuth = tls.RequireAnyClientCert
	l, err := tls.Listen("tcp", "127.0.0.1:0", asking)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	shown := make(chan string, 1)
	go func() {
		defer close(shown)
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		if peer, ok := c.(*tls.Conn); ok && peer.Handshake() == nil {
			shown <- peer.ConnectionState().PeerCertificates[0].DNSNames[0]
		}
	}()
	raw, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	client := secure.Client.Clone()
	client.InsecureSkipVerify = true // who we reach is not the question here
	if err := tls.Client(raw, client).Handshake(); err != nil {
		t.Fatal(err)
	}
	if got := <-shown; got != "gateway.example" {
		t.Errorf("the certificate shown is for %q", got)
	}
}
