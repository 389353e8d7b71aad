//go:build peers

package livekit_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
	lk "github.com/livekit/protocol/livekit"
	"google.golang.org/protobuf/proto"

	"passerelle/rooms/livekit"
	"passerelle/rooms/livekit/livekittest"
)

// front stands before a real server, and is older, or has other wishes.
type front struct {
	http   *httptest.Server
	server *url.URL
	old    bool // does not know /rtc/v1
	// What is done to messages on their way; nil leaves them as they are.
	up   func(*lk.SignalRequest)
	down func(*lk.SignalResponse)

	calls, refused atomic.Int32
	work           sync.WaitGroup
}

func (f *front) open(t *testing.T, server *livekittest.Server) *url.URL {
	t.Helper()
	f.server = server.URL()
	f.http = httptest.NewServer(f)
	t.Cleanup(func() { f.http.Close(); f.work.Wait() })
	u, err := url.Parse(f.http.URL)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.work.Add(1)
	defer f.work.Done()
	if f.old && strings.HasPrefix(r.URL.Path, "/rtc/v1") {
		f.refused.Add(1)
		http.NotFound(w, r)
		return
	}
	f.calls.Add(1)
	at := *f.server
	at.Path, at.RawQuery = r.URL.Path, r.URL.RawQuery
	there, _, err := websocket.Dial(r.Context(), at.String(), &websocket.DialOptions{HTTPHeader: http.Header{"Authorization": r.Header["Authorization"]}})
	if err != nil {
		http.Error(w, "no", http.StatusBadGateway)
		return
	}
	defer there.CloseNow()
	here, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	defer here.CloseNow()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var both sync.WaitGroup
	both.Go(func() { defer cancel(); carry(ctx, there, here, &lk.SignalRequest{}, f.up) })
	both.Go(func() { defer cancel(); carry(ctx, here, there, &lk.SignalResponse{}, f.down) })
	both.Wait()
}

// carry carries messages one way until either side closes.
func carry[M proto.Message](ctx context.Context, to, from *websocket.Conn, m M, edit func(M)) {
	from.SetReadLimit(1 << 20)
	for {
		kind, data, err := from.Read(ctx)
		if err != nil {
			return
		}
		if edit != nil && proto.Unmarshal(data, m) == nil {
			edit(m)
			if data, err = proto.Marshal(m); err != nil {
				return
			}
		}
		if to.Write(ctx, kind, data) != nil {
			return
		}
	}
}

func TestAServerOfBeforeIsSpokenToStepByStep(t *testing.T) {
	f := &front{old: true}
	here := clusterAt(t, shared, f.open(t, shared))
	o := newOutageOf(t, here, cluster(t, shared))
	room, _ := open(t, here, t.Name())
	second := seat(t, room, phone())
	if n := f.refused.Load(); n != 1 {
		t.Errorf("/rtc/v1 was tried %d times, want once for all", n)
	}
	if err := second.Close(); err != nil {
		t.Error(err)
	}
	o.flows("at an older server", 5*time.Second)
}

func TestTheServerWantsMediaToBeRelayed(t *testing.T) {
	server := withTURN(t, false)
	f := &front{down: func(m *lk.SignalResponse) {
		if j := m.GetJoin(); j != nil {
			j.ClientConfiguration = &lk.ClientConfiguration{ForceRelay: lk.ClientConfigSetting_ENABLED}
		}
	}}
	here := clusterAt(t, server, f.open(t, server))
	o := newOutageOf(t, here, cluster(t, server))
	o.await("the server sees the listener and the phone behind its TURN server", 5*time.Second, func() bool {
		return strings.Count(server.Log(), `"connectionType": "turn"`) == 2
	})
	o.flows("by the relay", 5*time.Second)
}

func TestNoDirectWayWorks(t *testing.T) {
	server := withTURN(t, true)
	server.Relay.Only(firstRelayed, lastRelayed)
	o := newOutageOf(t, cluster(t, server), cluster(t, server))
	o.flows("by the TURN server, unasked: nothing else passes", 5*time.Second)
}

// The ports from which the TURN server sends for others.
const firstRelayed, lastRelayed = 31000, 31999

// withTURN starts a server that has a TURN server; walled, its media have a relay in front of them.
func withTURN(t *testing.T, walled bool) *livekittest.Server {
	t.Helper()
	c, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	port := c.LocalAddr().(*net.UDPAddr).Port
	_ = c.Close()
	host, allowed := "127.0.0.1", ""
	if walled {
		host = "127.0.0.2" // what the server calls itself by then
	}
	if livekittest.AtLeast(t, 1, 12) { // these relay to addresses of this machine only where they are told to
		allowed = ", allow_restricted_peer_cidrs: [127.0.0.0/8]"
	}
	return livekittest.Start(t, livekittest.Options{Relay: walled, ExtraYAML: fmt.Sprintf(
		"turn: {enabled: true, udp_port: %d, relay_range_start: %d, relay_range_end: %d, bind_addresses: [%s]%s}",
		port, firstRelayed, lastRelayed, host, allowed)})
}

// clusterAt is a gateway's side of a server behind a front.
func clusterAt(t *testing.T, server *livekittest.Server, at *url.URL) *livekit.Cluster {
	t.Helper()
	c, err := livekit.New(livekit.Config{URL: at, Key: server.Key, Secret: server.Secret, Log: logOf(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}
