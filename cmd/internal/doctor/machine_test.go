package doctor

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"passerelle/bridge"
	"passerelle/cmd/internal/desk"
	"passerelle/sip/registrar"
	"passerelle/sip/trunk"
)

// fakeProc is a /proc of a few processes and their UDP sockets.
func fakeProc(t *testing.T, files map[string]string, sockets ...fakeSocket) string {
	t.Helper()
	dir := t.TempDir()
	table := "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n"
	for i, s := range sockets {
		table += fmt.Sprintf("%4d: %s 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 %d 2 0000000000000000 %d\n", i, inHex(s.at), 100+i, s.drops)
		folder := filepath.Join(dir, fmt.Sprint(s.pid), "fd")
		if err := errors.Join(os.MkdirAll(folder, 0o700), os.Symlink(fmt.Sprintf("socket:[%d]", 100+i), filepath.Join(folder, fmt.Sprint(i)))); err != nil {
			t.Fatal(err)
		}
		put(t, dir, fmt.Sprintf("%d/comm", s.pid), s.name+"\n")
	}
	put(t, dir, "net/udp", table)
	for name, text := range files {
		put(t, dir, name, text)
	}
	return dir
}

type fakeSocket struct {
	at    netip.AddrPort
	pid   int
	name  string
	drops int
}

func put(t *testing.T, dir, name, text string) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
		t.Fatal(err)
	}
}

// inHex is an IPv4 address as /proc/net has it.
func inHex(a netip.AddrPort) string {
	raw := a.Addr().As4()
	slices.Reverse(raw[:])
	return fmt.Sprintf("%s:%04X", strings.ToUpper(hex.EncodeToString(raw[:])), a.Port())
}

const machine = `networks: [{name: voice, listen: ["udp://%s"], media: 127.0.7.1:20000-21999}]
engines: [{name: lk, livekit: {url: "wss://livekit.example", api_key: k, api_secret: s}}]
trunks: [{name: pbx, accept: {from: [127.0.7.2]}}]
routes: [{from: [pbx], to: "600", echo: on}]
limits: {calls: 500}
`

// limits is /proc/PID/limits, as far as it matters.
func limits(files int) string {
	return fmt.Sprintf("Limit                     Soft Limit           Hard Limit           Units     \nMax open files            %d                 %d              files     \n", files, files)
}

// TestMachine examines machines on paper, but for their ports, which are real.
func TestMachine(t *testing.T) {
	at := func(text string) netip.AddrPort { return netip.MustParseAddrPort(text) }
	plenty := map[string]string{"sys/net/core/rmem_max": "8388608\n", "sys/net/ipv4/ip_local_port_range": "32768\t60999\n", "self/limits": limits(20000), "4711/limits": limits(20000)}
	with := func(name, text string) map[string]string {
		all := map[string]string{name: text}
		for k, v := range plenty {
			if k != name {
				all[k] = v
			}
		}
		return all
	}
	examine := func(yaml, proc string, ask Ask) func(t *testing.T) string {
		return func(t *testing.T) string {
			return ward{yaml: yaml, proc: proc, ask: ask}.findings(t, func(ctx context.Context, d *Doctor) {
				s := &sheet{about: "this machine"}
				d.look(ctx, s)
				d.media(s, d.Of.Live.Limits.Calls)
				d.kernel(s, d.held, d.Of.Live.Limits.Calls)
				d.tell(s)
			})
		}
	}
	held := udpSocket(t, gatewayIP)
	port := at(held.LocalAddr().String())
	free := fmt.Sprintf(machine, "127.0.7.1:0")
	taken := fmt.Sprintf(machine, port)
	noAnswer := func(context.Context, string, string, any) error { return syscall.ECONNREFUSED }
	golden(t, "testdata/machine.txtar", map[string]func(*testing.T) string{
		"all is well":                            examine(free, fakeProc(t, plenty), nil),
		"a port is taken":                        examine(taken, fakeProc(t, plenty, fakeSocket{port, 17, "kamailio", 0}), nil),
		"a port is taken, by nobody knows whom":  examine(taken, fakeProc(t, plenty), nil),
		"held by the gateway":                    examine(taken, fakeProc(t, plenty, fakeSocket{port, 4711, "passerelle", 0}), answering(nil, desk.Phones{}, nil)),
		"held by a gateway that has no admin":    examine(taken, fakeProc(t, plenty, fakeSocket{port, 4711, "passerelle", 0}), nil),
		"held by a gateway that does not answer": examine(taken, fakeProc(t, plenty, fakeSocket{port, 4711, "passerelle", 0}), noAnswer),
		"held, and only root may know by whom":   examine(taken, fakeProc(t, plenty), answering(nil, desk.Phones{}, nil)),
		"no gateway runs":                        examine(free, fakeProc(t, plenty), noAnswer),
		"not an address of this machine":         examine(fmt.Sprintf(machine, "192.0.2.7:5060"), fakeProc(t, plenty), nil),
		"somebody is in the media range":         examine(free, fakeProc(t, plenty, fakeSocket{at("0.0.0.0:20100"), 18, "rtpengine", 0}, fakeSocket{at("127.0.7.1:20102"), 18, "rtpengine", 0}, fakeSocket{at("127.0.7.9:20104"), 19, "other", 0}), nil),
		"media among ephemeral ports":            examine(free, fakeProc(t, with("sys/net/ipv4/ip_local_port_range", "15000\t60999\n")), nil),
		"but reserved": examine(free, fakeProc(t, func() map[string]string {
			all := with("sys/net/ipv4/ip_local_port_range", "15000\t60999\n")
			all["sys/net/ipv4/ip_local_reserved_ports"] = "8080,20000-23999\n"
			return all
		}()), nil),
		"too few files":        examine(free, fakeProc(t, with("self/limits", limits(1024))), nil),
		"small buffers":        examine(free, fakeProc(t, with("sys/net/core/rmem_max", "65536\n")), nil),
		"packets were dropped": examine(taken, fakeProc(t, plenty, fakeSocket{port, 4711, "passerelle", 17}), answering(nil, desk.Phones{}, nil)),
	})
}

// answering is a gateway that runs.
func answering(trunks []desk.Trunk, phones desk.Phones, knocks []bridge.Knock, answers ...desk.Answer) Ask {
	return func(_ context.Context, _, path string, answer any) error {
		var told any = answers
		switch path {
		case "/v1/trunks":
			told = trunks
		case "/v1/phones":
			told = phones
		case "/v1/knocks":
			told = knocks
		}
		text, err := json.Marshal(told)
		if err != nil {
			return err
		}
		return json.Unmarshal(text, answer)
	}
}

const office = `networks: [{name: voice, listen: ["udp://127.0.7.1:0"]}]
trunks:
  - {name: pbx, accept: {from: [127.0.7.2]}, numbers: {plan: FR}}
  - {name: carrier, accept: {from: [203.0.113.0/24]}, numbers: {plan: FR}}
  - {name: line, servers: ["127.0.7.9"], numbers: {plan: FR, ours: ["+33123456700..+33123456709"], present: +33123456700}}
phones: [{user: 2001, name: Reception, password: canary-secret}, {user: 2002, ha1: {md5: 00112233445566778899aabbccddeeff}}]
registrar: {from: [10.0.0.0/8]}
outgoing: {via: [line], allow: [FR]}
routes: [{from: [carrier], to: "+33123456789", echo: on}, {from: [pbx], to: "600", hours: "sun", zone: UTC, echo: on}]
`

// TestPhone examines phones of which a gateway tells all sorts of things.
func TestPhone(t *testing.T) {
	binding := registrar.Binding{
		Contact: "sip:2001@10.0.0.7:5060", Agent: "Deskphone 1", Expires: noon.Add(time.Hour), NAT: true,
		Flow: registrar.Flow{Network: "udp", Remote: netip.MustParseAddrPort("198.51.100.7:40000")},
	}
	registered := desk.Phones{Phones: []desk.Phone{{User: "2001", Bindings: []registrar.Binding{binding}}, {User: "2002"}}}
	absent := func(wrong ...desk.Wrong) desk.Phones {
		return desk.Phones{Phones: []desk.Phone{{User: "2001", Wrong: wrong}, {User: "2002"}}}
	}
	first := func(ask Ask) func(*testing.T) string {
		return func(t *testing.T) string {
			return ward{yaml: office, ask: ask}.findings(t, func(ctx context.Context, d *Doctor) { d.Phone(ctx, 0) })
		}
	}
	all := func(ask Ask) func(*testing.T) string {
		return func(t *testing.T) string {
			return ward{yaml: office, ask: ask}.findings(t, func(ctx context.Context, d *Doctor) {
				s := &sheet{about: "phones"}
				d.running = d.ask(ctx)
				d.phones(s)
				d.tell(s)
			})
		}
	}
	golden(t, "testdata/phones.txtar", map[string]func(*testing.T) string{
		"there":                      first(answering(nil, registered, nil, desk.Answer{Flow: binding.Flow, Code: 200, Reason: "OK", Took: 12 * time.Millisecond})),
		"there, and does not answer": first(answering(nil, registered, nil, desk.Answer{Flow: binding.Flow, Error: "OPTIONS: no answer from the peer in time"})),
		"in trouble":                 first(answering(nil, registered, nil, desk.Answer{Flow: binding.Flow, Code: 503, Reason: "Service Unavailable"})),
		"not registered":             first(answering(nil, absent(), nil)),
		"a wrong password":           first(answering(nil, absent(desk.Wrong{From: "10.0.0.7", Times: 2, Last: noon.Add(-90 * time.Second)}), nil)),
		"locked out":                 first(answering(nil, absent(desk.Wrong{From: "10.0.0.7", Times: 9, Last: noon.Add(-5 * time.Second), Locked: noon.Add(11 * time.Second)}), nil)),
		"outside of registrar.from": first(answering(nil, absent(), []bridge.Knock{{
			Address: netip.MustParseAddr("192.168.1.20"), Times: 12, Last: noon.Add(-time.Minute), Why: "unknown source", Block: "x"}})),
		"the gateway has another configuration": first(answering(nil, desk.Phones{}, nil)),
		"no gateway":                            first(nil),
		"the second, by HA1": func(t *testing.T) string {
			return ward{yaml: office, ask: answering(nil, absent(), nil)}.findings(t, func(ctx context.Context, d *Doctor) { d.Phone(ctx, 1) })
		},
		"all of them": all(answering(nil, desk.Phones{Phones: []desk.Phone{
			{User: "2001", Bindings: []registrar.Binding{binding}}, {User: "2002"},
			{User: "201", Unknown: true, Wrong: []desk.Wrong{{From: "10.0.0.9", Times: 3, Last: noon.Add(-time.Minute)}}},
		}}, nil)),
		"all of them, and no gateway": all(func(context.Context, string, string, any) error { return ErrNoDesk }),
	})
}

// TestNumber says where numbers go.
func TestNumber(t *testing.T) {
	number := func(number, from, trunk string) func(*testing.T) string {
		return func(t *testing.T) string {
			return ward{yaml: office}.findings(t, func(ctx context.Context, d *Doctor) { d.Number(ctx, number, from, trunk) })
		}
	}
	golden(t, "testdata/numbers.txtar", map[string]func(*testing.T) string{
		"taken from one trunk": number("0123456789", "0199000123", ""),
		"from that trunk only": number("0123456789", "", "carrier"),
		"from nobody":          number("600", "", ""),
		"a call for help":      number("112", "", ""),
		"a phone's":            number("2001", "", ""),
		"a call for help that has somewhere to go": func(t *testing.T) string {
			return ward{yaml: strings.Replace(office, "outgoing:", "emergency: {numbers: FR, via: line}\noutgoing:", 1)}.findings(t, func(ctx context.Context, d *Doctor) { d.Number(ctx, "15", "", "") })
		},
		"premium": number("0899123456", "", ""),
	})
}

// TestRunning has a gateway tell of a trunk.
func TestRunning(t *testing.T) {
	peer := udpPeer(t, says("200 OK"))
	yaml := strings.Replace(trunkAt(peer, ""), `srtp: "off"`, `srtp: "off", register: {user: 4711, password: canary-secret}`, 1)
	yaml += "rooms: []\n"
	told := func(stats trunk.Stats, knocks ...bridge.Knock) func(*testing.T) string {
		return func(t *testing.T) string {
			ask := answering([]desk.Trunk{{Name: "carrier", Registers: true, Stats: stats}}, desk.Phones{}, knocks)
			return ward{yaml: yaml, ask: ask}.examined(t)
		}
	}
	knock := func(address, why, block string) bridge.Knock {
		return bridge.Knock{Address: netip.MustParseAddr(address), Why: why, Block: block, Times: 3, Last: noon.Add(-time.Minute)}
	}
	golden(t, "testdata/running.txtar", map[string]func(*testing.T) string{
		"registered":     told(trunk.Stats{Registered: true, Server: "sip:carrier.example", Until: noon.Local()}),
		"wrong password": told(trunk.Stats{Why: "401 Unauthorized"}),
		"not wanted":     told(trunk.Stats{Why: "403 Forbidden"}),
		"no account":     told(trunk.Stats{Why: "404 Not Found"}),
		"trouble":        told(trunk.Stats{Why: "503 Service Unavailable"}),
		"no answer":      told(trunk.Stats{Why: "REGISTER: no answer from the peer in time"}),
		"about to":       told(trunk.Stats{}),
		"a server is down": told(trunk.Stats{Registered: true, Server: "sip:carrier.example", Until: noon.Local(), Servers: []trunk.Health{{
			URI: "sip:carrier.example", Since: noon.Local(), Why: "OPTIONS: no answer from the peer in time"}}}),
		"an address beside it knocks": told(trunk.Stats{Registered: true, Server: "sip:carrier.example", Until: noon.Local()},
			knock("127.0.7.77", "unknown source", "x"), knock("198.51.100.1", "unknown source", "x")),
	})
}

// examined is trunk with the registration.
func (w ward) examined(t *testing.T) string {
	t.Helper()
	own := writeOwn(t)
	w.yaml = strings.ReplaceAll(w.yaml, "file:own.pem", "file:"+own)
	text := w.findings(t, func(ctx context.Context, d *Doctor) { d.Trunk(ctx, 0) })
	if strings.Contains(text, "canary") {
		t.Errorf("a secret is printed:\n%s", text)
	}
	return text
}

func TestStrangers(t *testing.T) {
	var knocks []bridge.Knock
	for i := range 8 {
		knocks = append(knocks, bridge.Knock{Address: netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}), Times: i + 1, Last: noon.Add(-time.Hour), Why: "unknown source", Block: "x"})
	}
	knocks = append(knocks, bridge.Knock{Address: netip.MustParseAddr("192.0.2.99"), Last: noon.Add(-25 * time.Hour), Block: "x"})
	s := &sheet{}
	s.strangers(knocks, noon)
	if n := len(s.findings); n != 6 || s.findings[5].What != "3 more addresses were not answered" || !strings.HasPrefix(s.findings[0].What, "192.0.2.0 was not answered, 1h ago, 1 times") {
		t.Errorf("got %+v", s.findings)
	}
}

func TestOurs(t *testing.T) {
	d := New(Config{Self: "passerelle-2026-11"})
	for name, want := range map[string]bool{"passerelle": true, "passerelle-2026": true, "passerelle-2026-11": false, "kamailio": false, "": false} {
		if got := d.ours(process{1, name}); got != want {
			t.Errorf("%q: got %v", name, got)
		}
	}
}

func TestHolds(t *testing.T) {
	for _, test := range []struct {
		held, wanted string
		want         bool
	}{
		{"127.0.0.1:5060", "127.0.0.1:5060", true}, {"0.0.0.0:5060", "127.0.0.1:5060", true}, {"[::]:5060", "127.0.0.1:5060", true},
		{"127.0.0.1:5060", "0.0.0.0:5060", true}, {"127.0.0.1:5060", "[::]:5060", true}, {"127.0.0.1:5061", "127.0.0.1:5060", false},
		{"127.0.0.2:5060", "127.0.0.1:5060", false}, {"0.0.0.0:5060", "[::1]:5060", false}, {"[::1]:5060", "0.0.0.0:5060", false},
	} {
		if got := (socket{local: netip.MustParseAddrPort(test.held)}).holds(netip.MustParseAddrPort(test.wanted)); got != test.want {
			t.Errorf("%s, wanted %s: got %v", test.held, test.wanted, got)
		}
	}
}

// TestThisMachine looks at the real /proc: a socket of ours is ours.
func TestThisMachine(t *testing.T) {
	c := udpSocket(t, gatewayIP)
	at := netip.MustParseAddrPort(c.LocalAddr().String())
	l, err := net.Listen("tcp4", gatewayIP+":0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for network, at := range map[string]netip.AddrPort{"udp": at, "tcp": netip.MustParseAddrPort(l.Addr().String())} {
		p := proc("/proc")
		var mine []socket
		for _, s := range p.sockets(network) {
			if s.holds(at) {
				mine = append(mine, s)
			}
		}
		owners := p.owners(mine)
		if len(mine) != 1 || owners[mine[0].inode].pid != os.Getpid() {
			t.Errorf("%s: %+v, %+v", network, mine, owners)
		}
	}
}
