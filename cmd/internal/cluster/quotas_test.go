package cluster

import (
	"log/slog"
	"net"
	"testing"
	"time"

	"passerelle/bridge/outgoing"
	"passerelle/bridge/outgoing/outgoingtest"
)

func newLocal(t *testing.T) *outgoing.Local {
	t.Helper()
	l, err := outgoing.NewLocal("", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestQuotasContract(t *testing.T) {
	t.Parallel()
	n := open(t, startRedis(t).Addr, "a", nil)
	q := n.Quotas(newLocal(t))
	n.begin(t)
	await(t, "redis is there", n.up.Load)
	outgoingtest.Contract(t, q)
}

// TestQuotas has two gateways share ten minutes and two places, lose Redis, and find it again, empty.
func TestQuotas(t *testing.T) {
	t.Parallel()
	server := startRedis(t)
	a, b := open(t, server.Addr, "a", nil), open(t, server.Addr, "b", nil)
	aq, bq := a.Quotas(newLocal(t)), b.Quotas(newLocal(t))
	a.begin(t)
	b.begin(t)
	await(t, "they know each other", func() bool { return a.others() == 1 && b.others() == 1 })
	claim := func(holder string, minutes int) outgoing.Claim {
		return outgoing.Claim{
			Holder: holder, Until: time.Now().Add(time.Minute), Day: "2026-11-28", Minutes: minutes,
			Places: []outgoing.Share{{Name: "calls", Most: 2}}, Used: []outgoing.Share{{Name: "minutes", Most: 10}},
		}
	}
	take := func(s outgoing.Store, holder string, minutes int, want string) {
		t.Helper()
		if full, err := s.Take(t.Context(), claim(holder, minutes)); full != want || err != nil {
			t.Errorf("%s takes %d minutes: %q is in the way, %v; want %q", holder, minutes, full, err, want)
		}
	}
	take(aq, "a1", 4, "")
	take(bq, "b1", 2, "")
	take(aq, "a2", 1, "calls")
	take(bq, "b1", 5, "minutes")
	if err := bq.Give(t.Context(), claim("b1", 0)); err != nil {
		t.Error(err)
	}
	take(aq, "a2", 1, "") // the place of the other gateway

	server.Kill()
	await(t, "it is away", func() bool { return !a.up.Load() && !b.up.Load() })
	take(aq, "a1", 1, "minutes") // its own half is used up
	take(bq, "b1", 3, "")
	take(bq, "b2", 0, "calls") // one of two is its half
	server.Restart(t)
	await(t, "what was used is known again", func() bool {
		full, err := bq.Take(t.Context(), claim("a1", 1))
		return full == "minutes" && err == nil && b.up.Load() && a.up.Load()
	})
	take(aq, "a3", 0, "calls") // and who has places: a1, a2 and b1
}

// TestPlacesLapse is a gateway that dies with a call.
func TestPlacesLapse(t *testing.T) {
	t.Parallel()
	server := startRedis(t)
	a, b := open(t, server.Addr, "a", nil), open(t, server.Addr, "b", nil)
	aq, bq := a.Quotas(newLocal(t)), b.Quotas(newLocal(t))
	a.begin(t)
	b.begin(t)
	await(t, "redis is there", func() bool { return a.up.Load() && b.up.Load() })
	c := outgoing.Claim{Holder: "gone", Until: time.Now().Add(time.Second), Places: []outgoing.Share{{Name: "calls", Most: 1}}}
	if full, err := aq.Take(t.Context(), c); full != "" || err != nil {
		t.Fatal(full, err)
	}
	c.Holder, c.Until = "next", time.Now().Add(time.Minute)
	if full, _ := bq.Take(t.Context(), c); full != "calls" {
		t.Error("the place is free at once")
	}
	await(t, "it lapses", func() bool { full, err := bq.Take(t.Context(), c); return full == "" && err == nil })
}

// TestUnsure has a Redis fall silent: the call that asked it is not let out, and the next one comes from the gateway's share.
func TestUnsure(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	n := open(t, silent.Addr().String(), "a", nil)
	defer n.Close()
	q := n.Quotas(newLocal(t))
	n.up.Store(true)
	c := outgoing.Claim{Holder: "one", Until: time.Now().Add(time.Minute), Places: []outgoing.Share{{Name: "calls", Most: 1}}}
	if full, err := q.Take(t.Context(), c); full != "" || err == nil {
		t.Errorf("let out: %q, %v", full, err)
	}
	c.Holder = "two"
	if full, err := q.Take(t.Context(), c); full != "" || err != nil {
		t.Errorf("its own share: %q, %v", full, err)
	}
	c.Holder = "three"
	if full, _ := q.Take(t.Context(), c); full != "calls" {
		t.Error("its own share is taken twice")
	}
}
