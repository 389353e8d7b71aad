package doctor

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"passerelle/config"
	"passerelle/sip/locate"
)

func TestParseResponse(t *testing.T) {
	for _, test := range []struct{ rule, data, want string }{
		{"all there is", "SIP/2.0 200 OK\r\nVia: x\r\nContent-Length: 2\r\n\r\nab", `200 "OK" "ab" rest "" true`},
		{"compact names", "SIP/2.0 404 Not Found\r\nv: x\r\nl: 1\r\n\r\na", `404 "Not Found" "a" rest "" true`},
		{"no length", "SIP/2.0 200 OK\r\nVia: x\r\n\r\nab", `200 "OK" "ab" rest "" true`},
		{"more behind it", "SIP/2.0 200 OK\r\nVia: x\r\nContent-Length: 0\r\n\r\nSIP/2.0", `200 "OK" "" rest "SIP/2.0" true`},
		{"a body that is not all there", "SIP/2.0 200 OK\r\nVia: x\r\nContent-Length: 9\r\n\r\nab", `200 "OK" "ab" rest "" false`},
		{"folded", "SIP/2.0 200 OK\r\nVia: a\r\n b\r\n\r\n", `200 "OK" "" rest "" true`},
		{"half", "SIP/2.0 200", "nothing false"}, {"nothing", "", "nothing false"}, {"keep-alive", "\r\n\r\n", "nothing false"},
		{"HTTP", "HTTP/1.1 200 OK\r\n\r\n", errNotSIP.Error()}, {"no status", "SIP/2.0 \r\n\r\n", errNotSIP.Error()}, {"a status of nothing", "SIP/2.0 99 x\r\n\r\n", errNotSIP.Error()},
	} {
		r, rest, complete, err := parseResponse([]byte(test.data))
		got := fmt.Sprint("nothing ", complete)
		switch {
		case err != nil:
			got = err.Error()
		case r != nil:
			got = fmt.Sprintf("%d %q %q rest %q %v", r.code, r.reason, r.body, rest, complete)
			if r.header("via") == "" {
				t.Errorf("%s: no Via", test.rule)
			}
		}
		if got != test.want {
			t.Errorf("%s: got %s, want %s", test.rule, got, test.want)
		}
	}
}

func TestVia(t *testing.T) {
	for _, test := range []struct{ value, want string }{
		{"SIP/2.0/UDP 192.0.2.1:5070;branch=z;rport=5071;received=192.0.2.2", "udp 192.0.2.1 5070 5071 192.0.2.2"},
		{"SIP / 2.0 / TCP host.example ; branch=z, SIP/2.0/UDP other", ""},
		{"SIP/2.0/TLS [2001:db8::1]:5061;BRANCH=z;Received=2001:db8::2", "tls 2001:db8::1 5061  2001:db8::2"},
		{"SIP/2.0/UDP [2001:db8::1];rport", "udp 2001:db8::1 0  "},
		{"", ""},
	} {
		r := &response{headers: map[string][]string{"Via": {test.value}}}
		v, ok := r.via()
		got := ""
		if ok {
			got = fmt.Sprintf("%s %s %d %s %s", v.transport, v.host, v.port, v.params["rport"], v.params["received"])
		}
		if got != test.want {
			t.Errorf("%s: got %q, want %q", test.value, got, test.want)
		}
	}
}

// FuzzParseResponse holds what is read to what was there: a body and what is behind it are the end of the data, and the
// same data cut short is never complete with more.
func FuzzParseResponse(f *testing.F) {
	f.Add([]byte("SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP h:1;rport=2\r\nContent-Length: 2\r\n\r\nabSIP/2.0"))
	f.Add([]byte("\r\nSIP/2.0 100 Trying\r\nl: 0\r\n\r\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, rest, complete, err := parseResponse(data)
		if err != nil || r == nil {
			return
		}
		if r.code < 100 || r.code > 699 {
			t.Fatalf("status %d", r.code)
		}
		if complete && string(data[len(data)-len(rest)-len(r.body):]) != string(r.body)+string(rest) {
			t.Fatalf("body %q and rest %q of %q", r.body, rest, data)
		}
		if v, ok := r.via(); ok && (v.port < 0 || v.transport == "" && v.host == "") {
			t.Logf("a strange Via: %+v", v)
		}
	})
}

// TestRequest: an IPv6 address stands in brackets wherever a URI has it.
func TestRequest(t *testing.T) {
	n := &config.Network{Listen: []config.Listener{{Transport: "udp", Addr: netip.MustParseAddrPort("[::1]:5060")}}}
	d := New(Config{Of: &config.Config{}})
	for _, test := range []struct{ rule, uri, domain, want string }{
		{"the server's host", "sip:[2001:db8::1]:5070", "", "From: <sip:4711@[2001:db8::1]>"},
		{"the domain", "sip:[2001:db8::1]", "carrier.example", "From: <sip:4711@carrier.example>"},
	} {
		e := examination{trunk: &config.Trunk{Register: &config.Login{User: "4711", Domain: test.domain}}, network: n, uri: test.uri}
		o := outcome{local: netip.MustParseAddrPort("[2001:db8::9]:5060")}
		got := string(d.probe(e, locate.Target{Transport: "udp"}).request(&o))
		for _, want := range []string{test.want, "OPTIONS " + test.uri + " SIP/2.0", "Via: SIP/2.0/UDP [2001:db8::9]:5060;", "Contact: <sip:[2001:db8::9]:5060;"} {
			if !strings.Contains(got, want) {
				t.Errorf("%s: got\n%s\nwithout %s", test.rule, got, want)
			}
		}
		if len(got) != o.sent.size || !strings.HasSuffix(got, "\r\n\r\n") {
			t.Errorf("%s: %d bytes are said to be %d", test.rule, len(got), o.sent.size)
		}
	}
}
