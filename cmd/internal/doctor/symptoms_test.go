package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"
	"go.uber.org/goleak"

	"passerelle/config"
	"passerelle/sip/locate/locatetest"
)

var update = flag.Bool("update", false, "write testdata/symptoms.txtar anew")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is long, for those who have an answer on a machine that is busy; few wait for it to be over.
const patience = time.Second

// ward is what a test examines, and with what.
type ward struct {
	yaml  string // of the whole file, but for its version
	roots *x509.CertPool
	proc  string
	ask   Ask
}

// findings examines, and returns what is printed, without what differs from run to run.
func (w ward) findings(t *testing.T, examine func(context.Context, *Doctor)) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "passerelle.yaml")
	if err := os.WriteFile(path, []byte("version: 1\n"+w.yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(config.Source{Path: path})
	if err != nil {
		t.Fatalf("%v\n%s", err, w.yaml)
	}
	cfg.Warnings = nil
	var out strings.Builder
	p := Printer{W: &out}
	if w.roots == nil {
		w.roots = x509.NewCertPool()
	}
	if w.ask == nil {
		w.ask = func(context.Context, string, string, any) error { return ErrNoDesk }
	}
	d := New(Config{
		Of: cfg, Roots: w.roots, Now: func() time.Time { return noon }, Proc: w.proc, Self: "passerelle", Agent: "doctor", Patience: patience,
		Tell: p.Print, Ask: w.ask,
	})
	examine(t.Context(), d)
	return tidied(out.String())
}

// tidied writes N for what differs from run to run.
func tidied(text string) string {
	for _, r := range []struct{ from, to string }{
		{`in [0-9.]+ m?s`, "in N ms"}, {`((?:127|192|198)\.[0-9.]+):[0-9]{4,5}`, "$1:PORT"}, {`port [0-9]{4,5}`, "port PORT"},
		{`request of [0-9]+ bytes`, "request of N bytes"},
		{`\([^( ]*/passerelle\.yaml`, "(passerelle.yaml"}, {`[0-9]{2}:[0-9]{2}:[0-9]{2}`, "HH:MM:SS"}, {`are about [0-9]+`, "are about N"}, {`process [0-9]+`, "process N"},
	} {
		text = regexp.MustCompile(r.from).ReplaceAllString(text, r.to)
	}
	return text
}

// trunkAt is a configuration with one trunk, whose server is that.
func trunkAt(server, more string) string {
	return fmt.Sprintf(`networks: [{name: voice, listen: ["udp://%[1]s:0", "tcp://%[1]s:0", "tls://%[1]s:0"], tls: {cert: "file:own.pem", key: "file:own.pem"}%[3]s}]
trunks: [{name: carrier, servers: ["%[2]s"], codecs: [PCMA], srtp: "off"}]
routes: [{from: [carrier], to: "600", echo: on}]
`, gatewayIP, server, more)
}

// trunk examines the way to the trunk; own.pem is a certificate of ours.
func (w ward) trunk(t *testing.T) string {
	t.Helper()
	file := writeOwn(t)
	w.yaml = strings.ReplaceAll(w.yaml, "file:own.pem", "file:"+file)
	return w.findings(t, func(ctx context.Context, d *Doctor) {
		s := &sheet{about: "trunk carrier"}
		d.reach(ctx, s, &d.Of.Live.Trunks[0], 0)
		d.tell(s)
	})
}

// writeOwn writes a certificate of ours and its key into one file.
func writeOwn(t *testing.T) (file string) {
	t.Helper()
	own := certificate(t, nil, "gateway.example", 100, false)
	key, err := x509.MarshalPKCS8PrivateKey(own.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(t.TempDir(), "own.pem")
	text := append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: own.Certificate[0]}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})...)
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestSymptoms has a small peer for each thing that goes wrong between a gateway and a trunk, and holds what is said of it to
// testdata/symptoms.txtar.
func TestSymptoms(t *testing.T) {
	golden(t, "testdata/symptoms.txtar", map[string]func(*testing.T) string{
		"healthy": func(t *testing.T) string {
			at := udpPeer(t, func(c *net.UDPConn, request string, from *net.UDPAddr) {
				fmt.Fprint(to{c, from}, reply(request, "200 OK", received(from), description("8 0", ""), "Content-Type: application/sdp", "Server: carrier 1.0",
					"Allow: INVITE, OPTIONS", "Supported: 100rel", "Date: Sat, 28 Nov 2026 12:00:07 GMT"))
			})
			return ward{yaml: trunkAt(at, "")}.trunk(t)
		},
		"no codec in common": func(t *testing.T) string {
			at := udpPeer(t, func(c *net.UDPConn, request string, from *net.UDPAddr) {
				fmt.Fprint(to{c, from}, reply(request, "200 OK", received(from), description("18 3", ""), "Content-Type: application/sdp"))
			})
			return ward{yaml: trunkAt(at, "")}.trunk(t)
		},
		"answers from another port": func(t *testing.T) string {
			other := udpSocket(t, peerIP)
			at := udpPeer(t, func(_ *net.UDPConn, request string, from *net.UDPAddr) {
				fmt.Fprint(to{other, from}, reply(request, "200 OK", received(from), ""))
			})
			return ward{yaml: trunkAt(at, "")}.trunk(t)
		},
		"answers from another address": func(t *testing.T) string {
			other := udpSocket(t, otherIP)
			at := udpPeer(t, func(_ *net.UDPConn, request string, from *net.UDPAddr) {
				fmt.Fprint(to{other, from}, reply(request, "200 OK", received(from), ""))
			})
			return ward{yaml: trunkAt(at, "")}.trunk(t)
		},
		"behind a NAT": func(t *testing.T) string {
			return ward{yaml: trunkAt(udpPeer(t, seenAt("203.0.113.9", 0)), "")}.trunk(t)
		},
		"behind a NAT that is advertised": func(t *testing.T) string {
			return ward{yaml: trunkAt(udpPeer(t, seenAt("203.0.113.9", 0)), ", advertise: 203.0.113.9")}.trunk(t)
		},
		"another address is advertised": func(t *testing.T) string {
			return ward{yaml: trunkAt(udpPeer(t, seenAt("203.0.113.10", 0)), ", advertise: 203.0.113.9")}.trunk(t)
		},
		"a peer inside is told the address outside": func(t *testing.T) string {
			return ward{yaml: trunkAt(udpPeer(t, says("200 OK")), ", advertise: 203.0.113.9")}.trunk(t)
		},
		"a NAT that changes ports": func(t *testing.T) string {
			return ward{yaml: trunkAt(udpPeer(t, seenAt("203.0.113.9", 61000)), ", advertise: 203.0.113.9")}.trunk(t)
		},
		"no word of where it sees us": func(t *testing.T) string {
			return ward{yaml: trunkAt(udpPeer(t, func(c *net.UDPConn, request string, from *net.UDPAddr) {
				fmt.Fprint(to{c, from}, reply(request, "200 OK", ";rport", ""))
			}), "")}.trunk(t)
		},
		"drops what is larger than a packet": func(t *testing.T) string {
			return ward{yaml: trunkAt(udpPeer(t, func(c *net.UDPConn, request string, from *net.UDPAddr) {
				if len(request) < 1500 {
					says("200 OK")(c, request, from)
				}
			}), "")}.trunk(t)
		},
		"drops what is larger than a packet, and we send such": func(t *testing.T) string {
			yaml := trunkAt(udpPeer(t, func(c *net.UDPConn, request string, from *net.UDPAddr) {
				if len(request) < 1500 {
					says("200 OK")(c, request, from)
				}
			}), "")
			return ward{yaml: strings.Replace(strings.Replace(yaml, `srtp: "off"`, "srtp: required", 1), `"tcp://127.0.7.1:0", `, "", 1)}.trunk(t)
		},
		"silent": func(t *testing.T) string {
			return ward{yaml: trunkAt(udpPeer(t, nil), "")}.trunk(t)
		},
		"silent, and the gateway has the port": func(t *testing.T) string {
			held := udpSocket(t, gatewayIP)
			yaml := trunkAt(udpPeer(t, nil), "")
			return ward{yaml: strings.Replace(yaml, "udp://127.0.7.1:0", "udp://"+held.LocalAddr().String(), 1)}.trunk(t)
		},
		"silent over UDP, and there over TCP": func(t *testing.T) string {
			at := udpPeer(t, nil)
			l, err := net.Listen("tcp4", at)
			if err != nil {
				t.Skip("the port is taken over TCP")
			}
			defer l.Close()
			return ward{yaml: trunkAt(at, "")}.trunk(t)
		},
		"nobody listens": func(t *testing.T) string {
			return ward{yaml: trunkAt(closed, "")}.trunk(t)
		},
		"nobody listens over TCP": func(t *testing.T) string {
			return ward{yaml: trunkAt("sip:"+closed+";transport=tcp", "")}.trunk(t)
		},
		"somebody rewrites SIP": func(t *testing.T) string {
			return ward{yaml: trunkAt(udpPeer(t, func(c *net.UDPConn, request string, from *net.UDPAddr) {
				request = strings.Replace(request, "SIP/2.0/UDP "+gatewayIP, "SIP/2.0/UDP 198.51.100.7", 1)
				answer := strings.Replace(reply(request, "200 OK", received(from), ""), "Call-ID: ", "Call-ID: x", 1)
				fmt.Fprint(to{c, from}, strings.Replace(answer, "Content-Length: 0", "Content-Length: 4", 1))
			}), "")}.trunk(t)
		},
		"401": status("401 Unauthorized"), "403": status("403 Forbidden"), "404": status("404 Not Found"), "483": status("483 Too Many Hops"),
		"503": status("503 Service Unavailable", "Retry-After: 120"), "302": status("302 Moved", "Contact: <sip:sip2.carrier.example>"), "400": status("400 Bad Request"),
		"the clock is wrong": status("200 OK", "Date: Sat, 28 Nov 2026 11:10:00 GMT"),
		"closes the connection": func(t *testing.T) string {
			at := streamPeer(t, nil, func(c net.Conn) { _, _ = hear(c) })
			return ward{yaml: trunkAt("sip:"+at+";transport=tcp", "")}.trunk(t)
		},
		"takes the connection and is silent": func(t *testing.T) string {
			at := streamPeer(t, nil, func(c net.Conn) { _, _ = hear(c); _, _ = c.Read(make([]byte, 1)) })
			return ward{yaml: trunkAt("sip:"+at+";transport=tcp", "")}.trunk(t)
		},
		"speaks TLS where TCP is asked for": func(t *testing.T) string {
			at := streamPeer(t, &tls.Config{Certificates: []tls.Certificate{certificate(t, nil, "x", 1, false)}}, func(c net.Conn) { _, _ = c.Read(make([]byte, 1)) })
			return ward{yaml: trunkAt("sip:"+at+";transport=tcp", "")}.trunk(t)
		},
		"is a web server": func(t *testing.T) string {
			at := streamPeer(t, nil, func(c net.Conn) { _, _ = hear(c); fmt.Fprint(c, "HTTP/1.1 400 Bad Request\r\n\r\n") })
			return ward{yaml: trunkAt("sip:"+at+";transport=tcp", "")}.trunk(t)
		},
		"speaks no TLS": func(t *testing.T) string {
			at := streamPeer(t, nil, func(c net.Conn) {
				_, _ = c.Read(make([]byte, 10))
				fmt.Fprint(c, "SIP/2.0 400 Bad Request\r\n\r\n")
			})
			return ward{yaml: trunkAt("sip:"+at+";transport=tls", "")}.trunk(t)
		},
	})
}

// status is a peer that answers with it.
func status(line string, more ...string) func(*testing.T) string {
	return func(t *testing.T) string { return ward{yaml: trunkAt(udpPeer(t, says(line, more...)), "")}.trunk(t) }
}

// seenAt is a peer that sees us elsewhere; port 0 is ours.
func seenAt(address string, port int) func(*net.UDPConn, string, *net.UDPAddr) {
	return func(c *net.UDPConn, request string, from *net.UDPAddr) {
		if port == 0 {
			port = from.Port
		}
		via := fmt.Sprintf(";received=%s;rport=%d", address, from.Port)
		if port != from.Port && port > 60000 {
			via = fmt.Sprintf(";received=%s;rport=%d", address, port)
		}
		fmt.Fprint(to{c, from}, reply(request, "200 OK", via, ""))
	}
}

func description(formats, more string) string {
	return "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP " + formats + "\r\n" + more
}

// TestCertificates shows one certificate after the other.
func TestCertificates(t *testing.T) {
	root := newAuthority(t, "Root", nil)
	between := newAuthority(t, "Between", root)
	roots := x509.NewCertPool()
	roots.AddCert(root.cert)
	whole := func(c tls.Certificate) tls.Certificate {
		c.Certificate = append(c.Certificate, between.cert.Raw)
		return c
	}
	shown := func(c tls.Certificate, change func(*tls.Config)) func(*testing.T) string {
		return func(t *testing.T) string {
			secure := &tls.Config{Certificates: []tls.Certificate{c}}
			if change != nil {
				change(secure)
			}
			at := streamPeer(t, secure, sipPeer("200 OK"))
			_, port, _ := net.SplitHostPort(at)
			dns := locatetest.Serve(t, "sip.carrier.example. 60 IN A "+peerIP+"\n")
			return ward{roots: roots, yaml: trunkAt("sip:sip.carrier.example:"+port+";transport=tls", ", dns: ["+dns.Addr.String()+"]")}.trunk(t)
		}
	}
	const name = "sip.carrier.example"
	golden(t, "testdata/certificates.txtar", map[string]func(*testing.T) string{
		"good":                        shown(certificate(t, root, name, 100, false), nil),
		"good, by an intermediate":    shown(whole(certificate(t, between, name, 100, false)), nil),
		"the intermediate is missing": shown(certificate(t, between, name, 100, false), nil),
		"expired":                     shown(certificate(t, root, name, -3, false), nil),
		"soon to end":                 shown(certificate(t, root, name, 5, false), nil),
		"of the future":               shown(certificate(t, root, name, 2000, false), nil),
		"for another name":            shown(certificate(t, root, "www.carrier.example", 100, false), nil),
		"signed by itself":            shown(certificate(t, nil, name, 100, false), nil),
		"by a private authority": shown(func() tls.Certificate {
			own := newAuthority(t, "Private", nil)
			c := certificate(t, own, name, 100, false)
			c.Certificate = append(c.Certificate, own.cert.Raw)
			return c
		}(), nil),
		"expired and for another name": shown(certificate(t, root, "old.carrier.example", -3, false), nil),
		"a weak suite only": shown(certificate(t, root, name, 100, true), func(c *tls.Config) {
			c.MaxVersion, c.CipherSuites = tls.VersionTLS12, []uint16{tls.TLS_RSA_WITH_AES_128_CBC_SHA}
		}),
		"an old version only": shown(certificate(t, root, name, 100, true), func(c *tls.Config) {
			c.MinVersion, c.MaxVersion, c.CipherSuites = tls.VersionTLS10, tls.VersionTLS10, []uint16{tls.TLS_RSA_WITH_AES_128_CBC_SHA}
		}),
		"ours is not wanted": shown(certificate(t, root, name, 100, false), func(c *tls.Config) {
			c.ClientAuth, c.ClientCAs, c.MaxVersion = tls.RequireAndVerifyClientCert, roots, tls.VersionTLS12
		}),
	})
}

// TestNames asks a DNS server about names of all sorts.
func TestNames(t *testing.T) {
	asked := func(server, zone, listen string) func(*testing.T) string {
		return func(t *testing.T) string {
			dns := locatetest.Serve(t, zone)
			yaml := trunkAt(server, ", dns: ["+dns.Addr.String()+"]")
			if listen != "" {
				yaml = strings.Replace(yaml, `"udp://127.0.7.1:0", "tcp://127.0.7.1:0", `, "", 1)
			}
			return ward{yaml: yaml}.trunk(t)
		}
	}
	golden(t, "testdata/names.txtar", map[string]func(*testing.T) string{
		"an SRV record leads to a host that has no address": asked("sip:carrier.example;transport=udp", `
_sip._udp.carrier.example. 60 IN SRV 0 0 5060 gone.carrier.example.
`, ""),
		"the domain says no": asked("sip:carrier.example;transport=udp", "_sip._udp.carrier.example. 60 IN SRV 0 0 0 .\n", ""),
		"no such name":       asked("sip:carier.example:5060;transport=udp", "", ""),
		"no transport":       asked("sip:192.0.2.1:5060;transport=udp", "", "tls only"),
		"DNS does not answer": func(t *testing.T) string {
			return ward{yaml: trunkAt("sip:carrier.example;transport=udp", ", dns: ["+closed+"]")}.trunk(t)
		},
	})
}

// golden holds what is found to a file, by rule.
func golden(t *testing.T, path string, all map[string]func(*testing.T) string) {
	t.Helper()
	archive, err := txtar.ParseFile(path)
	if err != nil && (!*update || !errors.Is(err, os.ErrNotExist)) {
		t.Fatal(err)
	}
	want := make(map[string]string)
	if archive == nil {
		archive = &txtar.Archive{}
	}
	for _, f := range archive.Files {
		want[f.Name] = string(f.Data)
	}
	got := make(map[string]string)
	var mu sync.Mutex
	t.Run("found", func(t *testing.T) { // it waits for all of them
		for rule, examine := range all {
			t.Run(rule, func(t *testing.T) {
				t.Parallel() // some wait for answers that never come
				text := examine(t)
				mu.Lock()
				defer mu.Unlock()
				got[rule] = text
				if !*update && text != want[rule] {
					t.Errorf("got\n%s\nwant\n%s", text, want[rule])
				}
				delete(want, rule)
			})
		}
	})
	if *update {
		writeGolden(t, path, archive.Comment, got)
		return
	}
	if flag.Lookup("test.run").Value.String() == "" && len(want) > 0 {
		t.Errorf("nobody has found %v", want)
	}
}
