package doctor

import (
	"context"
	"crypto/tls"
	"math"
	"net/netip"
	"strings"
	"testing"
	"time"

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
			return ward{yaml: strings.Replace(trunkAt(at.String(), ""), `srtp: "off"`, `srtp: "off", register: `+register, 1)}.examined(t)
		}
	}
	golden(t, "testdata/register.txtar", map[string]func(*testing.T) string{
		"registered":       with("{user: 4711, password: canary-secret}"),
		"a wrong password": with("{user: 4711, password: canary-wrong}"),
		"no such account":  with("{user: 4712, password: canary-secret}"),
		"not allowed":      with("{user: trunk, password: canary-secret}"),
		"nobody answers": func(t *testing.T) string {
			yaml := trunkAt("sip:"+closed+";transport=tcp", "")
			return ward{yaml: strings.Replace(yaml, `srtp: "off"`, `srtp: "off", register: {user: 4711, password: canary-secret}`, 1)}.examined(t)
		},
	})
	if n := bindings.Stats().Bindings; n != 0 {
		t.Errorf("%d bindings are left", n)
	}
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

// TestTestCall judges calls that went in all sorts of ways.
func TestTestCall(t *testing.T) {
	answered := testphone.Report{To: "sip:+33123456789@carrier.example", Setup: time.Second, Up: 12 * time.Second, Codec: "PCMA", Sent: 600}
	with := func(change func(*testphone.Report)) testphone.Report { r := answered; change(&r); return r }
	heard := with(func(r *testphone.Report) { r.Received, r.Jitter = 600, 2*time.Millisecond })
	judged := func(r testphone.Report, err error, ringing bool, loudest float64) func(*testing.T) string {
		return func(*testing.T) string {
			s := &sheet{about: "test call"}
			s.called(r, err, ringing, loudest, "trunks[0] (passerelle.yaml:3)")
			var out strings.Builder
			p := Printer{W: &out}
			for _, f := range s.findings {
				p.Print(f)
			}
			return out.String()
		}
	}
	refused := func(code int, reason string) func(*testing.T) string {
		return judged(testphone.Report{To: answered.To}, &sip.StatusError{Code: code, Reason: reason}, false, 0)
	}
	golden(t, "testdata/call.txtar", map[string]func(*testing.T) string{
		"heard both ways": judged(with(func(r *testphone.Report) {
			*r = heard
			r.RoundTrip, r.SRTP = 20*time.Millisecond, "AES_CM_128_HMAC_SHA1_80"
		}), nil, true, -20),
		"no RTCP":         judged(heard, nil, true, -20),
		"nothing heard":   judged(answered, nil, true, math.Inf(-1)),
		"silence":         judged(heard, nil, true, -80),
		"lost on the way": judged(with(func(r *testphone.Report) { *r = heard; r.RoundTrip, r.LostByPeer = time.Second, 0.25 }), nil, true, -20),
		"broken off":      judged(heard, sip.ErrGone, true, -20),
		"rings for ever":  judged(testphone.Report{To: answered.To}, nil, true, 0),
		"silent":          judged(testphone.Report{To: answered.To}, sip.ErrNoAnswer, false, 0),
		"given up":        judged(testphone.Report{To: answered.To, End: "we hung up"}, nil, false, 0),
		"401":             refused(401, "Unauthorized"), "403": refused(403, "Forbidden"), "404": refused(404, "Not Found"), "486": refused(486, "Busy Here"),
		"488": refused(488, "Not Acceptable Here"), "483": refused(483, "Too Many Hops"), "500": refused(500, "Server Internal Error"),
	})
}

// TestCallIsNotPlaced: what may not be called is not.
func TestCallIsNotPlaced(t *testing.T) {
	for _, test := range []struct{ number, outgoing, want string }{
		{"112", "", "an emergency number"}, {"112", "outgoing: {via: [carrier], allow: [FR]}\n", "an emergency number"},
		{"0899123456", "", "is not called"}, {"0123456789", "outgoing: {via: [carrier], allow: [BE]}\n", "outgoing.allow"},
	} {
		yaml := strings.Replace(trunkAt(closed, ""), `srtp: "off"`, `srtp: "off", numbers: {plan: FR, present: "+33123456700"}`, 1) + test.outgoing
		w := ward{yaml: strings.ReplaceAll(yaml, "file:own.pem", "file:"+writeOwn(t))}
		got := w.findings(t, func(ctx context.Context, d *Doctor) {
			d.Call = &Call{Number: test.number, Rings: time.Millisecond}
			s := &sheet{about: "test call"}
			d.call(ctx, s, &d.Of.Live.Trunks[0], 0)
			d.tell(s)
		})
		if !strings.Contains(got, "  bad   "+test.number) || !strings.Contains(got, test.want) {
			t.Errorf("%s, %q: got\n%s", test.number, test.outgoing, got)
		}
	}
}
