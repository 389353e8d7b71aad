package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"passerelle/cmd/internal/desk"
	"passerelle/config"
	"passerelle/sip"
	"passerelle/sip/digest"
)

// TestTheDeskTellsOfTrunksAndPhones asks a gateway with a carrier and a phone, which registers with a wrong password and then
// with the right one.
func TestTheDeskTellsOfTrunksAndPhones(t *testing.T) {
	t.Parallel()
	h := startedWith(t, configured(t, `
version: 1
networks: [{name: voice, listen: ["udp://127.0.0.1:0", "tcp://127.0.0.1:0"], media: "127.0.0.1:0-0"}]
engines: [{name: house, embedded: {udp: "127.0.0.1:0", tcp: "127.0.0.1:0"}}]
trunks: [{name: pbx, accept: {from: [192.0.2.1]}}, {name: carrier, servers: ["sip:127.0.0.1:9;transport=tcp"], register: {user: 4711, password: file:secret}}]
phones: [{user: 2001, name: Desk, password: file:secret}]
routes: [{from: [phones], to_match: "([a-z]+)", room: "$1"}]
http: {listen: "127.0.0.1:0"}
`, map[string]string{"secret": "sesame"}))
	phone, err := sip.Listen(sip.Config{Listen: []sip.Listener{{Network: "udp", Addr: netip.MustParseAddrPort(free)}}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	served := make(chan error, 1)
	go func() { served <- phone.Serve(ctx, sip.HandlerFunc(func(context.Context, *sip.Dialog) {})) }()
	for _, test := range []struct {
		password string
		code     int
	}{{"simsim", 401}, {"sesame", 200}} {
		got, err := phone.Ask(ctx, sip.Ask{
			Method: "REGISTER", To: "sip:" + h.addrs()[0].Addr.String(), Subject: sip.Address{User: "2001"}, Contact: "2001",
			Keys: digest.NewKeyring("2001", test.password),
		})
		if err != nil || got.Code != test.code {
			t.Fatalf("with %s: %d, %v", test.password, got.Code, err)
		}
		if test.code == 401 {
			if all := h.allPhones(); len(all.Phones[0].Wrong) != 2 || len(all.Sources) != 1 {
				t.Errorf("after a wrong password: %+v", all)
			}
		}
	}
	var out bytes.Buffer
	all := h.allPhones()
	if err := printPhones(&out, all); err != nil || !strings.HasPrefix(out.String(), "2001  Desk  at udp "+phone.Addrs()[0].Addr.String()+"  until ") {
		t.Errorf("the phones are\n%s%v", &out, err)
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/phones/2001/options", nil)
	r.SetPathValue("user", "2001")
	w := httptest.NewRecorder()
	h.askPhone(w, r)
	var answers []desk.Answer
	if err := json.Unmarshal(w.Body.Bytes(), &answers); err != nil || len(answers) != 1 || answers[0].Code != 200 {
		t.Errorf("the phone says %s, %v", w.Body, err)
	}
	until(t, "the carrier is known to be down", func() bool { s := h.trunks()[1].Servers[0]; return !s.Up || s.Why != "" })
	out.Reset()
	if err := printTrunks(&out, h.trunks()); err != nil || !strings.Contains(out.String(), "pbx      calls us") || !strings.Contains(out.String(), "carrier  not registered") ||
		!strings.Contains(out.String(), "carrier  down            sip:127.0.0.1:9") {
		t.Errorf("the trunks are\n%s%v", &out, err)
	}
	stop()
	if err := <-served; err != nil {
		t.Error(err)
	}
}

// configured is a configuration with files beside it.
func configured(t *testing.T, text string, files map[string]string) *config.Config {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(dir, "passerelle.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(config.Source{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}
