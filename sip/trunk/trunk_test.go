package trunk

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"passerelle/sip"
	"passerelle/sip/digest"
)

// carrier answers requests on paper. Its rules are asked under the lock: "a" is server one, "b" two.
type carrier struct {
	mu    sync.Mutex
	began time.Time
	log   []string // "REGISTER a 3600 @0"
	rule  func(server, method string, at time.Duration) string
}

// Ask gives what the rule says: "200", "423 Min-Expires: 90", "" is no answer.
func (c *carrier) Ask(ctx context.Context, a sip.Ask) (sip.Reply, error) {
	c.mu.Lock()
	at := time.Since(c.began)
	server := strings.TrimPrefix(a.To, "sip:")
	if a.Method == "REGISTER" {
		c.log = append(c.log, fmt.Sprintf("%s %s @%d", server, a.Headers[0].Value, int(at.Seconds())))
	}
	text := c.rule(server, a.Method, at)
	c.mu.Unlock()
	if text == "" {
		<-ctx.Done()
		return sip.Reply{CSeq: a.CSeq + 1}, errors.New("no answer")
	}
	return reply(a, text), nil
}

func reply(a sip.Ask, text string) sip.Reply {
	status, headers, _ := strings.Cut(text, " ")
	var code int
	fmt.Sscan(status, &code)
	name, value, _ := strings.Cut(headers, ": ")
	r := sip.NewReply(code, "As It Says", map[string][]string{name: {value}})
	r.CSeq, r.Source = a.CSeq+1, netip.MustParseAddrPort("192.0.2.1:5060")
	r.Contact = "sip:" + a.Contact + "@10.0.0.1:5060"
	return r
}

// play runs a trunk with two servers for a while.
func play(t *testing.T, health time.Duration, last time.Duration, rule func(server, method string, at time.Duration) string, meanwhile func(*Trunk)) []string {
	t.Helper()
	var log []string
	synctest.Test(t, func(t *testing.T) {
		c := &carrier{began: time.Now(), rule: rule}
		k := New(Config{
			Name: "carrier", Servers: []string{"sip:a", "sip:b"}, Health: health,
			Register: &Registration{User: "4711", Keys: digest.NewKeyring("4711", "secret"), Expires: time.Hour},
		}, c)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- k.Run(ctx) }()
		time.Sleep(last)
		synctest.Wait()
		if meanwhile != nil {
			meanwhile(k)
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		log = c.log
	})
	return log
}

// when returns at which second a line of the log was.
func when(line string) int {
	var at int
	_, text, _ := strings.Cut(line, "@")
	fmt.Sscan(text, &at)
	return at
}

func always(text string) func(string, string, time.Duration) string {
	return func(string, string, time.Duration) string { return text }
}

func TestRegistrationIsRefreshedAndTakenBack(t *testing.T) {
	log := play(t, 0, 3*time.Hour, always("200 contact: <sip:4711@10.0.0.1:5060>;expires=600"), func(k *Trunk) {
		if s := k.Stats(); !s.Registered || s.Server != "sip:a" || time.Until(s.Until) > 600*time.Second {
			t.Errorf("got %+v", s)
		}
		if !k.Is(netip.MustParseAddr("192.0.2.1")) || k.Is(netip.MustParseAddr("192.0.2.2")) {
			t.Error("whoever answered is the trunk, and nobody else")
		}
	})
	for i := 1; i < len(log)-1; i++ {
		if wait := when(log[i]) - when(log[i-1]); wait < 449 || wait > 541 {
			t.Errorf("%q after %d s, want 450 to 540 of 600", log[i], wait)
		}
	}
	if !strings.HasPrefix(log[0], "a 3600 @0") || !strings.HasPrefix(log[len(log)-1], "a 0 ") {
		t.Errorf("got %q, want a beginning and an end", log)
	}
}

func TestFailover(t *testing.T) {
	down := func(server, _ string, at time.Duration) string {
		switch {
		case server == "a" && at < time.Hour:
			return ""
		case server == "a":
			return "200 contact: <sip:x@a>;expires=60"
		}
		return "200 expires: 60"
	}
	log := play(t, 30*time.Second, 2*time.Hour, down, func(k *Trunk) {
		if s := k.Stats(); s.Server != "sip:a" {
			t.Errorf("after all is well again: %+v", s)
		}
	})
	if !strings.HasPrefix(log[0], "a ") || !strings.HasPrefix(log[1], "b ") || when(log[1]) != 10 {
		t.Errorf("got %q, want b after a has not answered", log[:2])
	}
	// Once a is known to be down, it is not waited for.
	for _, line := range log[2:] {
		if at := when(line); strings.HasPrefix(line, "a ") && at > 10 && at < 3600 {
			t.Errorf("%q while a is down", line)
		}
	}
}

func TestBackOff(t *testing.T) {
	for _, c := range []struct {
		rule      string
		answer    string
		low, high []int // seconds between the rounds
		reason    string
	}{
		{"nobody answers", "", []int{22, 24, 28, 36}, []int{25, 29, 37, 53}, "no answer"},
		{"trouble", "503", []int{2, 4, 8, 16, 32, 64, 128, 150, 150}, []int{5, 9, 17, 33, 65, 129, 257, 301, 301}, "503 As It Says"},
		{"not before a while", "503 retry-after: 100", []int{100, 100}, []int{101, 101}, "503 As It Says"},
		{"the password is wrong", "401", []int{540, 540}, []int{661, 661}, "401 As It Says"},
		{"we are not wanted", "403", []int{540, 540}, []int{661, 661}, "403 As It Says"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			log := play(t, 0, time.Hour, always(c.answer), func(k *Trunk) {
				if s := k.Stats(); s.Registered || s.Why != c.reason {
					t.Errorf("got %+v, want %q", s, c.reason)
				}
			})
			log = slices.DeleteFunc(log, func(line string) bool { return !strings.HasPrefix(line, "a ") })
			if len(log) <= len(c.low) {
				t.Fatalf("got %q", log)
			}
			for i := range c.low {
				if wait := when(log[i+1]) - when(log[i]); wait < c.low[i]-1 || wait > c.high[i] {
					t.Errorf("round %d after %d s, want %d to %d", i+1, wait, c.low[i], c.high[i])
				}
			}
			if last := log[len(log)-1]; strings.HasPrefix(last, "a 0 ") {
				t.Errorf("%q takes back what was never given", last)
			}
		})
	}
}

func TestTooBrief(t *testing.T) {
	calls := 0
	log := play(t, 0, time.Minute, func(string, string, time.Duration) string {
		calls++
		if calls == 1 {
			return "423 min-expires: 7200"
		}
		return "200 expires: 7200"
	}, nil)
	if len(log) != 3 || log[0] != "a 3600 @0" || log[1] != "a 7200 @0" || !strings.HasPrefix(log[2], "a 0 ") {
		t.Errorf("got %q", log)
	}
}

func TestHealth(t *testing.T) {
	for _, c := range []struct {
		rule, answer string
		up           bool
	}{
		{"200", "200", true}, {"it knows no OPTIONS", "405", true}, {"it knows us not", "404", true}, {"it wants a proof", "401", true},
		{"it closes", "503", false}, {"a proxy finds nobody", "408", false}, {"nobody answers", "", false},
	} {
		play(t, 30*time.Second, time.Minute, func(_, method string, _ time.Duration) string {
			if method == "REGISTER" {
				return "200"
			}
			return c.answer
		}, func(k *Trunk) {
			if s := k.Stats().Servers[0]; s.Up != c.up || (s.Why == "") != c.up {
				t.Errorf("%s: got %+v", c.rule, s)
			}
		})
	}
}
