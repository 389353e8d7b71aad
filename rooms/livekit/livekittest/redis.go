package livekittest

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
	"testing"
	"time"
)

// Redis is a real redis-server on loopback. It keeps nothing on disk: a restart forgets everything.
type Redis struct {
	Addr string // host:port

	program *program
	ports   *ports
}

// StartRedis runs a Redis until the test ends.
func StartRedis(t testing.TB) *Redis {
	t.Helper()
	r, err := OpenRedis()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

// OpenRedis runs a Redis until Close.
func OpenRedis() (*Redis, error) {
	dir, err := os.MkdirTemp("", "redis-")
	if err != nil {
		return nil, fmt.Errorf("start redis: %w", err)
	}
	p, err := takePorts()
	if err != nil {
		return nil, fmt.Errorf("start redis: %w", err)
	}
	port := p.port()
	r := &Redis{Addr: loopback(port), ports: p, program: &program{name: "redis-server", path: "redis-server", dir: dir,
		args: []string{"--port", strconv.Itoa(int(port)), "--bind", host, "--save", "", "--appendonly", "no"}}}
	if err := r.run(); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

func (r *Redis) run() error {
	if err := r.program.start(); err != nil {
		return fmt.Errorf("%w (.ci/livekit.sh brings it)", err)
	}
	return r.program.await(10*time.Second, r.answers)
}

// answers says whether Redis is ready (PING, +PONG).
func (r *Redis) answers() bool {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	c, err := new(net.Dialer).DialContext(ctx, "tcp", r.Addr)
	if err != nil {
		return false
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(time.Second))
	if _, err := c.Write([]byte("PING\r\n")); err != nil {
		return false
	}
	line, err := bufio.NewReader(c).ReadString('\n')
	return err == nil && line == "+PONG\r\n"
}

// Kill ends Redis at once.
func (r *Redis) Kill() { r.program.stop() }

// Restart runs Redis again at the same address, empty.
func (r *Redis) Restart(t testing.TB) {
	t.Helper()
	r.Kill()
	if err := r.run(); err != nil {
		t.Fatal(err)
	}
}

// Close ends Redis for good.
func (r *Redis) Close() {
	r.program.stop()
	r.ports.release()
	_ = os.RemoveAll(r.program.dir)
}
