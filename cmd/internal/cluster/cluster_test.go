package cluster

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"passerelle/rooms/livekit/livekittest"
	"passerelle/sip/digest/ledgertest"
	"passerelle/sip/registrar"
	"passerelle/sip/registrar/registrartest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// startRedis runs a real one.
func startRedis(t *testing.T) *livekittest.Redis {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Skip("no redis-server: .ci/livekit.sh brings it")
	}
	return livekittest.StartRedis(t)
}

// lines is a log that can be searched.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lines) count(what string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), what)
}

// node is one gateway.
type node struct {
	*Cluster
	log  *lines
	stop func()
}

// open makes a gateway; its Run begins with begin.
func open(t *testing.T, address, name string, change func(*Config)) *node {
	t.Helper()
	n := &node{log: &lines{}}
	c := Config{
		Address: address, Name: name, Prefix: "test:" + t.Name() + ":",
		Log: slog.New(slog.NewTextHandler(n.log, nil)), Lease: time.Second,
	}
	if change != nil {
		change(&c)
	}
	n.Cluster = New(c)
	n.Announce("nobody", at("sip:127.0.0.1:5060;transport=tcp"))
	return n
}

// at is a gateway with one network.
func at(place string) func(context.Context) map[string][]string {
	return func(context.Context) map[string][]string { return map[string][]string{"voice": {place}} }
}

// begin runs it until stop, or the end of the test.
func (n *node) begin(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { n.Run(ctx); close(ended) }()
	n.stop = func() { cancel(); <-ended }
	t.Cleanup(n.stop)
}

// pairOf makes two that know each other.
func pairOf(t *testing.T, address string) (a, b *node) {
	t.Helper()
	a, b = open(t, address, "a", nil), open(t, address, "b", nil)
	for _, n := range []*node{a, b} {
		n.begin(t)
	}
	await(t, "they know each other", func() bool { return a.others() == 1 && b.others() == 1 })
	return a, b
}

func await(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(15 * time.Second); !is(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within 15 s", what)
		}
	}
}

func TestContracts(t *testing.T) {
	t.Parallel()
	redis := startRedis(t)
	a, b := pairOf(t, redis.Addr)
	registrartest.Contract(t, a.Bindings(), b.Bindings())
	ledgertest.Contract(t, open(t, redis.Addr, "alone", nil).Guesses()) // Redis was never there
}

func TestGuessesInRedis(t *testing.T) {
	t.Parallel()
	redis := startRedis(t)
	a := open(t, redis.Addr, "a", nil)
	b := open(t, redis.Addr, "b", nil)
	at, bt := a.Guesses(), b.Guesses()
	a.begin(t)
	b.begin(t)
	await(t, "redis is there", func() bool { return a.up.Load() && b.up.Load() })
	ledgertest.Contract(t, at)

	look := func(want int) {
		t.Helper()
		if x, y := at.Look([]string{"s"})[0].Wrong, bt.Look([]string{"s"})[0].Wrong; x != want || y != want {
			t.Errorf("a counts %d, b %d; want %d", x, y, want)
		}
	}
	at.Wrong([]string{"s"})
	at.Wrong([]string{"s"})
	bt.Wrong([]string{"s"})
	look(3)

	// Redis is away: each counts its own. It comes back empty, and knows everything once.
	redis.Kill()
	at.Wrong([]string{"s"})
	if x, y := at.Look([]string{"s"})[0].Wrong, bt.Look([]string{"s"})[0].Wrong; x != 3 || y != 1 {
		t.Errorf("alone a counts %d, b %d; want 3 and 1", x, y)
	}
	redis.Restart(t)
	await(t, "they know it all again", func() bool { return bt.Look([]string{"s"})[0].Wrong == 4 })
	look(4)
	for _, n := range []*node{a, b} {
		if away, back := n.log.count("redis is away"), n.log.count("redis is back"); away != 1 || back != 1 {
			t.Errorf("%s says %d times that Redis is away and %d times that it is back, want once each\n%s", n.config.Name, away, back, n.log.text.String())
		}
	}
	bt.Forget("s")
	look(0)
}

func TestBindingsAreTold(t *testing.T) {
	t.Parallel()
	redis := startRedis(t)
	a, b := open(t, redis.Addr, "a", nil), open(t, redis.Addr, "b", nil)
	desk := registrar.New(registrar.Config{Store: a.Bindings()})
	a.OnReturn(desk.ShareAll)
	go desk.Share(t.Context())
	a.begin(t)
	b.begin(t)
	await(t, "redis is there", func() bool { return a.up.Load() && b.up.Load() })
	desk.Register(registrar.Register{Phone: "2001", CallID: "x", CSeq: 1, Contacts: []string{"<sip:desk>"}, Direct: true,
		Flow: registrar.Flow{Network: "udp", Remote: netip.MustParseAddrPort("192.0.2.7:5060"), Local: netip.MustParseAddrPort("192.0.2.1:5060")}})
	seen := func() bool {
		all, err := b.Bindings().Load("2001")
		return err == nil && len(all) == 1 && all[0].Gateway == "a"
	}
	if !seen() {
		t.Error("b does not see what a has answered")
	}
	redis.Restart(t)
	await(t, "b sees it in the new Redis", seen)
}

func TestMembers(t *testing.T) {
	t.Parallel()
	redis := startRedis(t)
	a, b := pairOf(t, redis.Addr)
	if !a.Knows(netip.MustParseAddr("127.0.0.1")) || a.Knows(netip.MustParseAddr("127.0.0.2")) {
		t.Error("a knows other addresses than b's")
	}
	twin := open(t, redis.Addr, "a", nil)
	twin.begin(t)
	await(t, "the same name twice is told", func() bool { return twin.log.count("has the same name") == 1 })
	twin.stop()
	b.stop()
	await(t, "b is gone", func() bool { return a.others() == 0 })
	if a.log.count("another gateway is gone") != 1 || a.Knows(netip.MustParseAddr("127.0.0.1")) {
		t.Error("b is known yet")
	}
}

// TestSilentRedis has a Redis that takes connections and says nothing: nobody waits for it longer than once.
func TestSilentRedis(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	n := open(t, silent.Addr().String(), "a", nil)
	n.begin(t)
	await(t, "it is away", func() bool { return n.log.count("redis is away") == 1 })
	began := time.Now()
	for range 1000 {
		if _, err := n.Bindings().Load("2001"); err == nil {
			t.Fatal("loaded from nowhere")
		}
	}
	if took := time.Since(began); took > 100*patience { // they would take ten times as long
		t.Errorf("1000 look-ups took %v, want no waiting", took)
	}
}

// TestPassword holds that a wrong password is told, and not shown.
func TestPassword(t *testing.T) {
	t.Parallel()
	server := startRedis(t)
	client := redis.NewClient(&redis.Options{Addr: server.Addr})
	defer client.Close()
	if err := client.ConfigSet(t.Context(), "requirepass", "kerfuffle").Err(); err != nil {
		t.Fatal(err)
	}
	n := open(t, server.Addr, "a", func(c *Config) { c.Password = "canary" })
	n.begin(t)
	await(t, "it is told", func() bool { return n.log.count("redis is away") == 1 })
	if n.log.count("canary") != 0 || n.State().Redis.Up || n.State().Redis.Why == "" {
		t.Errorf("%+v\n%s", n.State(), n.log.text.String())
	}
}

// TestRedisComesLate has a gateway begin before its Redis: both is told, once.
func TestRedisComesLate(t *testing.T) {
	t.Parallel()
	server := startRedis(t)
	server.Kill()
	n := open(t, server.Addr, "a", nil)
	n.begin(t)
	await(t, "it is away", func() bool { return n.log.count("redis is away") > 0 })
	server.Restart(t)
	await(t, "it is there", n.up.Load)
	await(t, "that is told", func() bool { return n.log.count("redis is back") > 0 })
	if away, back := n.log.count("redis is away"), n.log.count("redis is back"); away != 1 || back != 1 {
		t.Errorf("told %d and %d times, want once each", away, back)
	}
}
