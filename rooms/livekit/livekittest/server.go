// Package livekittest runs real LiveKit servers and Redis on loopback for tests, and brings people into their
// rooms who share no code with the client under test. It does not know what a gateway is.
package livekittest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/livekit/protocol/auth"
)

// host is where everybody lives.
const host = "127.0.0.1"

// The key of every server here, so that any number of them can be one cluster.
const (
	testKey    = "APIpasserelle"
	testSecret = "of-tests-only-and-long-enough-for-a-signature"
)

// Options says what a server is like; the zero value is one node on its own.
type Options struct {
	Redis    *Redis   // what makes nodes a cluster; without it the server has no SIP API
	Webhooks []string // URLs that are told what happens in the rooms
	Relay    bool     // people reach the server through Server.Relay only, which can be cut
	// ExtraYAML is laid over the server's configuration.
	ExtraYAML string
}

// Server is a real livekit-server, one node. Its methods may be called from one goroutine at a time.
type Server struct {
	Key, Secret string
	Relay       *Relay // nil unless asked for

	program *program
	ports   *ports
	http    uint16 // port
	api     *API
}

// Start runs a server until the test ends; a test that fails is shown its errors.
func Start(t testing.TB, o Options) *Server {
	t.Helper()
	s, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	s.Show(t)
	return s
}

// Cluster runs several nodes that share o.Redis, until the test ends.
func Cluster(t testing.TB, nodes int, o Options) []*Server {
	t.Helper()
	var all []*Server
	for range nodes {
		all = append(all, Start(t, o))
	}
	return all
}

// Open runs a server until Close, for the tests of a whole package (TestMain).
func Open(o Options) (*Server, error) {
	binary, err := findBinary()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "livekit-")
	if err != nil {
		return nil, fmt.Errorf("start LiveKit: %w", err)
	}
	p, err := takePorts()
	if err != nil {
		return nil, fmt.Errorf("start LiveKit: %w", err)
	}
	file := filepath.Join(dir, "livekit.yaml")
	s := &Server{Key: testKey, Secret: testSecret, ports: p, http: p.port(),
		program: &program{name: "livekit-server", path: binary, args: []string{"--config", file}, dir: dir}}
	udp, tcp := p.port(), p.port()
	s.api = &API{s: s, http: &http.Client{Transport: &http.Transport{}, Timeout: 15 * time.Second}}
	if err := s.run(o, file, udp, tcp); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// run writes the configuration and starts what Open has prepared.
func (s *Server) run(o Options, file string, udp, tcp uint16) error {
	text, err := settings(o, s.http, udp, tcp)
	if err != nil {
		return err
	}
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return fmt.Errorf("start LiveKit: %w", err)
	}
	if err := s.again(); err != nil || !o.Relay {
		return err
	}
	s.Relay, err = openRelay(s.http, udp)
	return err
}

// again starts the program and waits until it serves.
func (s *Server) again() error {
	if err := s.program.start(); err != nil {
		return err
	}
	return s.program.await(20*time.Second, s.ready)
}

// ready says whether the server takes participants: it answers 406 until its node is registered.
func (s *Server) ready() bool {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	ask, err := http.NewRequestWithContext(ctx, http.MethodGet, s.direct(), nil)
	if err != nil {
		return false
	}
	r, err := s.api.http.Do(ask)
	if err != nil {
		return false
	}
	defer r.Body.Close()
	return r.StatusCode == http.StatusOK
}

// direct is the server's address without a relay, for the API.
func (s *Server) direct() string { return "http://" + loopback(s.http) }

// URL returns where participants connect: through the relay, if there is one.
func (s *Server) URL() *url.URL {
	at := host
	if s.Relay != nil {
		at = relayHost
	}
	return &url.URL{Scheme: "ws", Host: net.JoinHostPort(at, strconv.Itoa(int(s.http)))}
}

// Pid returns the id of the server's process, for measurements.
func (s *Server) Pid() int { return s.program.cmd.Process.Pid }

// Signal sends a signal to the server; it does not wait.
func (s *Server) Signal(signal os.Signal) error { return s.program.signal(signal) }

// Kill ends the server at once, with no word to anybody.
func (s *Server) Kill() { s.program.stop() }

// Restart runs the server again, at the same ports with the same configuration.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	s.Kill()
	if err := s.again(); err != nil {
		t.Fatal(err)
	}
}

// Show prints the server's last errors when the test has failed.
func (s *Server) Show(t testing.TB) {
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("LiveKit's last errors:\n%s", s.program.complaints(logTail))
		}
	})
}

// Log returns what the server wrote.
func (s *Server) Log() string { return s.program.log(1 << 20) }

// Close ends the server for good; its log goes with it.
func (s *Server) Close() {
	if s.Relay != nil {
		s.Relay.close()
	}
	s.program.stop()
	s.api.http.CloseIdleConnections()
	s.ports.release()
	_ = os.RemoveAll(s.program.dir)
}

// Token signs a token of this server's key.
func (s *Server) Token(set func(*auth.AccessToken)) (string, error) {
	token := auth.NewAccessToken(s.Key, s.Secret).SetValidFor(time.Hour)
	set(token)
	text, err := token.ToJWT()
	if err != nil {
		return "", fmt.Errorf("sign a token: %w", err)
	}
	return text, nil
}

// AtLeast reports whether the server that Start runs is of that version or newer.
func AtLeast(t testing.TB, major, minor int) bool {
	t.Helper()
	binary, err := findBinary()
	if err != nil {
		t.Fatal(err)
	}
	said, err := exec.CommandContext(t.Context(), binary, "--version").Output()
	if err != nil {
		t.Fatalf("ask LiveKit for its version: %v", err)
	}
	var is [2]int
	if _, err := fmt.Sscanf(string(said), "livekit-server version %d.%d", &is[0], &is[1]); err != nil {
		t.Fatalf("LiveKit calls itself %q: %v", said, err)
	}
	return slices.Compare(is[:], []int{major, minor}) >= 0
}

// findBinary returns the server's program: PASSERELLE_LIVEKIT, or what .ci/livekit.sh built.
func findBinary() (string, error) {
	if path := os.Getenv("PASSERELLE_LIVEKIT"); path != "" {
		return path, nil
	}
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("look for LiveKit: %w", err)
	}
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("look for LiveKit: not in a module; set PASSERELLE_LIVEKIT")
		}
	}
	path := filepath.Join(dir, ".cache", "bin", "livekit-server")
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("look for LiveKit: %w (.ci/livekit.sh builds it)", err)
	}
	return path, nil
}

func loopback(port uint16) string { return net.JoinHostPort(host, strconv.Itoa(int(port))) }
