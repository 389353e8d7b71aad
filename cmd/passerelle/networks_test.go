package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"passerelle/cmd/internal/testphone"
	"passerelle/config"
	"passerelle/sip/locate/locatetest"
)

// threeNetworks are an inside, an outside, and one behind a NAT.
const threeNetworks = `
version: 1
networks:
  - {name: inside, listen: ["udp://127.0.0.2:0", "tls://127.0.0.2:0"], media: "127.0.0.2:0-0", tls: {cert: file:inside/cert.pem, key: file:inside/key.pem}}
  - {name: outside, listen: ["udp://127.0.0.3:0", "tls://127.0.0.3:0"], media: "127.0.0.3:0-0", tls: {cert: file:outside/cert.pem, key: file:outside/key.pem}}
  - {name: mapped, listen: ["udp://127.0.0.4:0"], media: "127.0.0.4:0-0", advertise: 203.0.113.9}
engines: [{name: house, embedded: {udp: "127.0.0.1:0", tcp: "127.0.0.1:0"}}]
trunks:
  - {name: pbx, network: inside, accept: {from: [127.0.0.0/8]}}
  - {name: operator, network: outside, accept: {from: [127.0.0.0/8]}}
  - {name: carrier, network: mapped, accept: {from: [127.0.0.0/8]}}
rooms: [{name: board}]
sound: {gate: off}
routes:
  - {from: [pbx], to: in, room: board}
  - {from: [operator, carrier], to: out, room: board}
http: {listen: "127.0.0.1:0"}
`

// onThreeNetworks serves them and returns where each listens by its name and transport ("inside udp"), and the folder
// of their certificates. That of the inside is for rooms.example.
func onThreeNetworks(t *testing.T) (at map[string]string, folder string) {
	t.Helper()
	folder = t.TempDir()
	for _, name := range []string{"inside", "outside"} {
		if err := os.Mkdir(filepath.Join(folder, name), 0o700); err != nil {
			t.Fatal(err)
		}
		writeCertificate(t, filepath.Join(folder, name), map[string]string{"inside": "rooms.example", "outside": "outside"}[name], time.Now())
	}
	path := filepath.Join(folder, "passerelle.yaml")
	if err := os.WriteFile(path, []byte(threeNetworks), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(config.Source{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	h := startedWith(t, cfg)
	at = make(map[string]string)
	for _, network := range h.phones {
		for _, l := range network.server.Addrs() {
			at[network.network+" "+l.Network] = l.Addr.String()
		}
	}
	return at, folder
}

// A call that comes in on a network is answered on it, with what is that network's.
func TestACallStaysOnItsNetwork(t *testing.T) {
	at, _ := onThreeNetworks(t)
	for _, c := range []struct {
		rule, network, to string
		status, host      string // of the answer, and of Contact and c= in it
	}{
		{"inside", "inside", "in", "SIP/2.0 200 ", "127.0.0.2"},
		{"outside", "outside", "out", "SIP/2.0 200 ", "127.0.0.3"},
		{"behind a NAT", "mapped", "out", "SIP/2.0 200 ", "203.0.113.9"},
		{"a trunk is unknown on another network", "inside", "out", "SIP/2.0 404 ", ""},
	} {
		t.Run(c.rule, func(t *testing.T) {
			answer := invited(t, at[c.network+" udp"], c.to)
			if !strings.HasPrefix(answer, c.status) {
				t.Fatalf("got %q, want %s", answer, c.status)
			}
			_, port, _ := net.SplitHostPort(at[c.network+" udp"])
			if c.host != "" && (!strings.Contains(answer, "\r\nContact: <sip:"+c.host+":"+port) || !strings.Contains(answer, "\r\nc=IN IP4 "+c.host+"\r\n")) {
				t.Errorf("got\n%s\nwant Contact at %s:%s, and c= likewise", answer, c.host, port)
			}
		})
	}
}

func TestEachNetworkHasACertificate(t *testing.T) {
	at, _ := onThreeNetworks(t)
	for name, host := range map[string]string{"inside": "rooms.example", "outside": "outside"} {
		c, err := tls.Dial("tcp", at[name+" tls"], &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		if got := c.ConnectionState().PeerCertificates[0].DNSNames; len(got) != 1 || got[0] != host {
			t.Errorf("%s shows the certificate of %v", name, got)
		}
		c.Close()
	}
}

// Phones of two networks are in one room: what one says the other hears, and it hears it from its own network.
func TestPhonesOfTwoNetworksMeet(t *testing.T) {
	at, _ := onThreeNetworks(t)
	ctx, done := context.WithTimeout(t.Context(), time.Minute)
	defer done()
	var satisfied atomic.Int32
	var heard sync.WaitGroup
	for name, to := range map[string]string{"inside": "in", "outside": "out"} {
		heard.Go(func() {
			tone := make([]int16, 8000*60)
			for i := range tone {
				if i%4000 < 3200 { // in syllables: a gate takes what goes on and on for noise
					tone[i] = int16(8000 - 16000*(i/8%2)) // a square of 500 Hz
				}
			}
			loud := 0
			report, err := testphone.Call(ctx, testphone.Config{
				To: "sip:" + to + "@" + at[name+" udp"], Play: tone,
				Heard: func(pcm []int16) error {
					was := loud
					for _, s := range pcm {
						if s > 1000 || s < -1000 {
							loud++
						}
					}
					if was <= 4000 && loud > 4000 && satisfied.Add(1) == 2 { // half a second of it, both
						done()
					}
					return nil
				},
			})
			if err != nil || loud <= 4000 {
				t.Errorf("%s: heard %d loud samples, %v; %+v", name, loud, err, report)
			}
		})
	}
	heard.Wait()
}

// The test phone of the command line finds a gateway by its name, over TLS, and encrypts what it says.
func TestCallOverTLSAndSRTP(t *testing.T) {
	at, folder := onThreeNetworks(t)
	_, port, _ := net.SplitHostPort(at["inside tls"])
	dns := locatetest.Serve(t, "_sips._tcp.rooms.example. 60 IN SRV 0 0 "+port+" host.example.\nhost.example. 60 IN A 127.0.0.2\n")
	o := callOptions{srtp: true, dns: dns.Addr.String(), ca: filepath.Join(folder, "inside", "cert.pem"), last: time.Second, json: true}
	call := func(to string, o callOptions) (report testphone.Report, err error) {
		var out bytes.Buffer
		err = o.call(t.Context(), to, &out, &out)
		if bad := json.Unmarshal(out.Bytes(), &report); bad != nil {
			t.Fatalf("%v in %q", bad, &out)
		}
		return report, err
	}
	report, err := call("sip:in@rooms.example;transport=tls", o)
	if err != nil || report.SRTP == "" || report.Received < 20 {
		t.Errorf("the call went %+v, %v; want it encrypted", report, err)
	}
	o.ca = filepath.Join(folder, "outside", "cert.pem")
	if report, err = call("sip:in@rooms.example;transport=tls", o); err == nil || !strings.Contains(err.Error(), "certificate") || report.Answered() {
		t.Errorf("a gateway that nobody vouches for: %+v, %v", report, err)
	}
}

// invited sends an INVITE and returns its final answer, which it acknowledges.
func invited(t *testing.T, addr, to string) string {
	t.Helper()
	c, err := net.Dial("udp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	own := c.LocalAddr().String()
	host, _, _ := net.SplitHostPort(own)
	head := func(method, toTag, body string) string {
		return fmt.Sprintf("%s sip:%s@%s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bK%s%s;rport\r\nMax-Forwards: 70\r\n"+
			"From: <sip:ada@%s>;tag=ada\r\nTo: <sip:%s@%s>%s\r\nCall-ID: %s-%s\r\nCSeq: 1 %s\r\nContact: <sip:ada@%s>\r\n"+
			"Content-Type: application/sdp\r\nContent-Length: %d\r\n\r\n%s",
			method, to, addr, own, method, to, own, to, addr, toTag, own, to, method, own, len(body), body)
	}
	offer := "v=0\r\no=- 1 1 IN IP4 " + host + "\r\ns=-\r\nc=IN IP4 " + host + "\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n"
	if _, err := c.Write([]byte(head("INVITE", "", offer))); err != nil {
		t.Fatal(err)
	}
	c.SetReadDeadline(time.Now().Add(10 * time.Second))
	for b := make([]byte, 1<<16); ; {
		n, err := c.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		answer := string(b[:n])
		if strings.HasPrefix(answer, "SIP/2.0 1") {
			continue
		}
		_, rest, _ := strings.Cut(answer, "\r\nTo: ")
		line, _, _ := strings.Cut(rest, "\r\n")
		_, tag, _ := strings.Cut(line, ";tag=")
		c.Write([]byte(head("ACK", ";tag="+tag, "")))
		return answer
	}
}
