package peers

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"text/template"
	"time"
)

// GatewayConfig says what kind of gateway to start.
type GatewayConfig struct {
	Calls  int           // at most, at once; 100 where it is 0
	People int           // in one embedded room at most; 2000 where it is 0
	Drain  time.Duration // what calls get after SIGTERM; 5 s where it is 0
	// Complains says which warnings and errors in the log belong to the test; any other fails it.
	Complains *regexp.Regexp
	// IPv6 puts telephony on ::1; the page stays where it is.
	IPv6 bool
	// TLS adds a tls listener and one for WebSockets in TLS, and a trunk "branch" that is known by the certificate in branch.crt only. SRTP is
	// what the trunk of the loopback addresses says of it; its default where it is empty.
	TLS  bool
	SRTP string
	// Phones may register as 2001 and 2002, with Password, and are called by that.
	Phones bool
	MD5    bool // and nothing else is asked of anybody
	// Carriers are the servers, SIP URIs, of a trunk that we register with, as 4711; Health is how often they are asked, never where it
	// is empty. Proves is the address of a trunk that must prove its calls by Password.
	Carriers []string
	Health   string
	Proves   netip.Addr
	Ways     []Way  // trunks over which France may be called out; phones call over the first
	Help     string // the name of the one of Ways that calls for help go over; none where it is empty
	Admin    bool   // it can be asked, at Desk
	Doors    *Doors // the embedded room "room-door" has PINs, and a menu; nil: there is none
	Guesses  int    // wrong PINs a minute; 1000 where it is 0
	// LiveKit adds engines, routes and a menu to the embedded rooms; nil leaves it at these.
	LiveKit *LiveKit
	// Redis is where several gateways know of each other, host:port; none where it is empty. Name is what they call this one.
	Redis, Name string
	At          netip.Addr // of telephony; the loopback one where it is not set
	// Untouched has no gain and no gate, for tests that go by the level of hums that never end.
	Untouched bool
	Level     string // of the log; "info" where it is empty
	// Studio has the recordings of Debian's packages speak, where they are installed; else the program's own voices do.
	Studio bool
	// Announce is how phones are told who comes and goes; "none" where it is empty.
	Announce string
	// Canaries are secrets and numbers that must not be in the log, whole, at any level.
	Canaries []string
}

// Way is a trunk to call out over, with its servers, SIP URIs.
type Way struct {
	Name    string
	Servers []string
}

// Doors are the PINs of an embedded room, and the number of the menu that asks for them.
type Doors struct{ Number, PIN, Moderator string }

// Password is what the gateway's one room with a password, "board", asks of browsers, and what makes moderators of its one
// room with a waiting room, "room-council".
const Password = "kerfuffle"

// Gateway is a running passerelle of a test. Any "room-..." of letters and digits is a room, dialled by
// its name.
type Gateway struct {
	GatewayConfig
	SIP   netip.AddrPort // UDP and TCP
	TLSed netip.AddrPort // TLS, if there is any
	Web   netip.AddrPort // WebSockets in TLS, likewise
	HTTP  netip.AddrPort // the page
	Desk  netip.AddrPort // the admin's, if there is one
	debug netip.AddrPort
	Media [2]uint16 // the first and the last port of RTP and RTCP

	dir     string
	process *Process
	checked bool // its end has been judged
}

// StartGateway starts the gateway in dir and waits until it answers. At the test's end it must stop on
// SIGTERM, with status 0 and without a complaint in its log.
func StartGateway(t testing.TB, dir string, config GatewayConfig) *Gateway {
	t.Helper()
	if config.Calls == 0 {
		config.Calls = 100
	}
	if config.People == 0 {
		config.People = 2000
	}
	if config.Drain == 0 {
		config.Drain = 5 * time.Second
	}
	if config.Announce == "" {
		config.Announce = "none"
	}
	if config.Level == "" {
		config.Level = "info"
	}
	first := Ports(t, 7)
	media := Ports(t, 2*config.Calls)
	at := func(n uint16) netip.AddrPort { return netip.AddrPortFrom(Loopback(), first+n) }
	phones := Loopback()
	if config.IPv6 {
		phones = netip.IPv6Loopback()
	}
	if config.At.IsValid() {
		phones = config.At
	}
	g := &Gateway{
		GatewayConfig: config, SIP: netip.AddrPortFrom(phones, first), HTTP: at(1), debug: at(3), dir: dir,
		Media: [2]uint16{media, media + uint16(2*config.Calls) - 1},
	}
	values := map[string]any{
		"SIP": g.SIP, "HTTP": g.HTTP, "Browsers": at(2), "Media": netip.AddrPortFrom(phones, g.Media[0]), "LastMedia": g.Media[1],
		"Calls": config.Calls, "People": config.People, "Drain": config.Drain, "Password": Password, "Level": config.Level, "Untouched": config.Untouched,
		"Studio": config.Studio, "Announce": config.Announce,
	}
	values["Phones"], values["MD5"], values["Carriers"], values["Health"], values["Proves"] =
		config.Phones, config.MD5, config.Carriers, cmp.Or(config.Health, "off"), ""
	if config.Proves.IsValid() {
		values["Proves"] = config.Proves
	}
	values["Doors"], values["Guesses"] = config.Doors, cmp.Or(config.Guesses, 1000)
	if config.Doors != nil {
		if err := os.WriteFile(filepath.Join(dir, "moderator.txt"), []byte(config.Doors.Moderator+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	values["Redis"], values["Name"] = config.Redis, config.Name
	values["Help"] = config.Help
	values["Ways"], values["Desk"], values["Admin"] = config.Ways, "", config.Admin
	if config.Admin {
		g.Desk = at(6)
		values["Desk"] = g.Desk
	}
	values["SRTP"], values["Certified"], values["TLS"] = config.SRTP, config.TLS, ""
	if config.TLS {
		g.TLSed, g.Web = netip.AddrPortFrom(phones, first+4), netip.AddrPortFrom(phones, first+5)
		values["TLS"], values["Web"] = g.TLSed, g.Web
		writeIdentity(t, dir, "gateway")
		writeIdentity(t, dir, "branch")
	}
	config.LiveKit.fill(t, dir, config.Calls, values)
	writeTemplate(t, Data("gateway.yaml.tmpl"), g.file(), values)
	g.begin(t)
	t.Cleanup(func() {
		if !g.checked {
			g.Stop(t)
		}
	})
	return g
}

func (g *Gateway) file() string { return filepath.Join(g.dir, "passerelle.yaml") }

// begin starts the process and waits until it answers.
func (g *Gateway) begin(t testing.TB) {
	t.Helper()
	g.process = Start(t, Command{
		Name: "passerelle", Path: Binary(t), Dir: g.dir,
		Args: []string{"serve", "--config", g.file(), "--debug", g.debug.String()},
	})
	g.awaitReady(t, 10*time.Second)
}

// Binary returns the path of the gateway: PASSERELLE_BIN, or bin/passerelle of the repository.
func Binary(t testing.TB) string {
	t.Helper()
	path := os.Getenv("PASSERELLE_BIN")
	if path == "" {
		path = filepath.Join(Root(), "bin", "passerelle")
	}
	if _, err := exec.LookPath(path); err != nil {
		t.Fatalf("no gateway to test (make build makes bin/passerelle): %v", err)
	}
	return path
}

func writeTemplate(t testing.TB, from, to string, values map[string]any) {
	t.Helper()
	tmpl, err := template.ParseFiles(from)
	if err != nil {
		t.Fatalf("write %s: %v", to, err)
	}
	var text strings.Builder
	if err := tmpl.Execute(&text, values); err != nil {
		t.Fatalf("write %s: %v", to, err)
	}
	if err := os.WriteFile(to, []byte(text.String()), 0o600); err != nil {
		t.Fatalf("write %s: %v", to, err)
	}
}

// awaitReady waits until both doors are open: the page's and the phones'.
func (g *Gateway) awaitReady(t testing.TB, within time.Duration) {
	t.Helper()
	deadline := time.Now().Add(within)
	for {
		if err := g.answers(); err == nil {
			return
		} else if time.Now().After(deadline) || !g.process.Running() {
			t.Fatalf("the gateway does not answer: %v\n%s", err, g.process.Tail(30))
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func (g *Gateway) answers() error {
	client := http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get("http://" + g.HTTP.String() + "/")
	if err != nil {
		return err
	}
	_ = response.Body.Close()
	answer, err := Ping(netip.AddrPortFrom(g.SIP.Addr(), 0), g.SIP, time.Second)
	if err != nil {
		return err
	}
	if !strings.HasPrefix(answer, "SIP/2.0 200") {
		return fmt.Errorf("OPTIONS is answered %q", answer)
	}
	return nil
}

// errSilence is what Ping returns where nothing came back.
var errSilence = errors.New("no answer")

// Ping sends OPTIONS over UDP from an address and returns the first line of the answer.
func Ping(from, to netip.AddrPort, within time.Duration) (string, error) {
	conn, err := net.DialUDP("udp", net.UDPAddrFromAddrPort(from), net.UDPAddrFromAddrPort(to))
	if err != nil {
		return "", fmt.Errorf("ping %s: %w", to, err)
	}
	defer conn.Close()
	local := conn.LocalAddr().String()
	id := randomID()
	_, err = fmt.Fprintf(conn, "OPTIONS sip:%s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bK%s;rport\r\nMax-Forwards: 70\r\n"+
		"From: <sip:ping@%s>;tag=%s\r\nTo: <sip:%s>\r\nCall-ID: %s\r\nCSeq: 1 OPTIONS\r\nContact: <sip:ping@%s>\r\nContent-Length: 0\r\n\r\n",
		to, local, id, local, id, to, id, local)
	if err != nil {
		return "", fmt.Errorf("ping %s: %w", to, err)
	}
	answer := make([]byte, 65536)
	_ = conn.SetReadDeadline(time.Now().Add(within))
	n, err := conn.Read(answer)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return "", fmt.Errorf("ping %s: %w", to, errSilence)
	}
	if err != nil {
		return "", fmt.Errorf("ping %s: %w", to, err)
	}
	first, _, _ := strings.Cut(string(answer[:n]), "\r\n")
	return first, nil
}

// Page returns the address of a room's page, for a browser whose microphone is a file.
func (g *Gateway) Page(room string) string { return fmt.Sprintf("http://%s/%s?raw=1", g.HTTP, room) }

// URI returns what a phone dials for a room.
func (g *Gateway) URI(room, transport string) string {
	switch transport {
	case "tcp":
		return fmt.Sprintf("sip:%s@%s;transport=tcp", room, g.SIP)
	case "tls":
		return fmt.Sprintf("sip:%s@%s;transport=tls", room, g.TLSed)
	}
	return fmt.Sprintf("sip:%s@%s", room, g.SIP)
}

// Terminate sends SIGTERM and returns at once.
func (g *Gateway) Terminate(t testing.TB) {
	t.Helper()
	if err := syscall.Kill(g.process.PID(), syscall.SIGTERM); err != nil {
		t.Fatalf("SIGTERM to the gateway: %v", err)
	}
}

// Stop sends SIGTERM, unless the gateway has ended, waits, and judges how it ended and what it logged.
func (g *Gateway) Stop(t testing.TB) {
	t.Helper()
	g.checked = true
	status := g.process.Stop(syscall.SIGTERM, g.Drain+10*time.Second)
	if status != 0 {
		t.Errorf("the gateway ended with status %d on SIGTERM, want 0\n%s", status, g.process.Tail(60))
	}
	g.judgeLog(t)
}

// judgeLog fails the test for every line that is a warning, an error or a panic and does not belong to it.
// That the machine had no time for the gateway is not the gateway's fault; it is told, and what was
// recorded decides. Nor is it the gateway's that a phone of a scenario says nothing, which it has to tell.
func (g *Gateway) judgeLog(t testing.TB) {
	t.Helper()
	busy := regexp.MustCompile(`"audio ticks skipped"`)
	skipped := 0
	complaint := regexp.MustCompile(`"level":"(WARN|ERROR)"|level=(WARN|ERROR)|^panic:|^fatal error:|^goroutine \d+ \[|DATA RACE`)
	shown := 0
	defer func() {
		if skipped > 0 {
			t.Logf("the machine was busy: the gateway skipped ticks %d times", skipped)
		}
	}()
	for _, line := range g.process.Lines() {
		for _, canary := range g.Canaries {
			if strings.Contains(line, canary) {
				t.Errorf("the gateway's log tells %q: %s", canary, line)
			}
		}
		if busy.MatchString(line) {
			skipped++
			continue
		}
		if !complaint.MatchString(line) || strings.Contains(line, `"one-way audio"`) || g.Complains != nil && g.Complains.MatchString(line) {
			continue
		}
		if t.Errorf("the gateway's log: %s", line); shown == 20 {
			return
		}
		shown++
	}
}
