package doctor

import (
	"context"
	"crypto/tls"
	"net/netip"
	"strings"
	"testing"

	"passerelle/cmd/internal/testphone"
	"passerelle/config"
	"passerelle/sip"
	"passerelle/sip/digest"
	"passerelle/sip/registrar"
)

// carrier is a SIP server that registers 4711, and hands its calls to take.
func carrier(t *testing.T, take sip.HandlerFunc) (addr netip.AddrPort, r *registrar.Registrar) {
	t.Helper()
	r = registrar.New(registrar.Config{})
	realm := &digest.Realm{Name: "carrier.example", Accounts: map[string]digest.Account{
		"4711":  digest.NewAccount("4711", "carrier.example", "canary-secret"),
		"trunk": digest.NewAccount("trunk", "carrier.example", "canary-secret"),
	}}
	server, err := sip.Listen(sip.Config{
		Listen: []sip.Listener{{Network: "udp", Addr: netip.MustParseAddrPort(peerIP + ":0")}}, Registrar: r, UserAgent: "carrier",
		Digest:      digest.NewVerifier(func() *digest.Realm { return realm }),
		MayRegister: func(account string) bool { return account == "4711" },
		TLS:         sip.TLS{Server: &tls.Config{MinVersion: tls.VersionTLS12}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if take == nil {
		take = func(ctx context.Context, d *sip.Dialog) { d.Reject(ctx, sip.Refusal{Code: 486}) }
	}
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- server.Serve(ctx, take) }()
	t.Cleanup(func() {
		stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return server.Addrs()[0].Addr, r
}

// TestRegister registers where no gateway runs, and takes it back.
func TestRegister(t *testing.T) {
	at, bindings := carrier(t, nil)
	with := func(register string) func(*testing.T) string {
		return func(t *testing.T) string {
			text := ward{yaml: strings.Replace(trunkAt(at.String(), ""), `srtp: "off"`, `srtp: "off", register: `+register, 1)}.examined(t)
			if n := bindings.Stats().Bindings; n != 0 {
				t.Errorf("%d bindings are left", n)
			}
			return text
		}
	}
	golden(t, "testdata/register.txtar", map[string]func(*testing.T) string{
		"registered":       with("{user: 4711, password: canary-secret}"),
		"a wrong password": with("{user: 4711, password: canary-wrong}"),
		"no such account":  with("{user: 4712, password: canary-secret}"),
		"not allowed":      with("{user: trunk, password: canary-secret}"),
		"nobody answers": func(t *testing.T) string {
			yaml := trunkAt("sip:"+closedPort(t)+";transport=tcp", "")
			return ward{yaml: strings.Replace(yaml, `srtp: "off"`, `srtp: "off", register: {user: 4711, password: canary-secret}`, 1)}.examined(t)
		},
	})
}

// TestInviteSize compares what we say of our INVITEs with one that is sent.
func TestInviteSize(t *testing.T) {
	sizes := make(chan int, 1)
	at, _ := carrier(t, func(ctx context.Context, d *sip.Dialog) {
		size := len(d.Invite().Body)
		for _, name := range []string{"Via", "From", "To", "Call-ID", "CSeq", "Contact", "User-Agent", "Session-Expires", "Min-SE", "Allow", "Supported", "Max-Forwards", "Content-Type", "Content-Length"} {
			for _, v := range d.Invite().Header(name) {
				size += len(name) + len(": ") + len(v) + len("\r\n")
			}
		}
		sizes <- size + len("INVITE sip:+33123456789@"+peerIP+":12345 SIP/2.0\r\n\r\n")
		d.Reject(ctx, sip.Refusal{Code: 486})
	})
	uri := "sip:" + at.String()
	trunk := &config.Trunk{Codecs: []config.Codec{config.PCMA, config.PCMU}, SRTP: config.SRTP{Policy: config.SRTPOff}}
	_, _ = testphone.Call(t.Context(), testphone.Config{To: withUser(uri, "+33123456789"), From: "+33123456789"})
	sent, said := <-sizes, inviteSize(trunk, uri, gatewayIP)
	if said < sent || said > sent+250 { // the gateway's has a P-Asserted-Identity, and a name
		t.Errorf("an INVITE has %d bytes, and we say %d", sent, said)
	}
}
