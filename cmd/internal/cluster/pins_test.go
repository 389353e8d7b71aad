package cluster

import (
	"testing"
	"time"

	"passerelle/bridge/guess"
	"passerelle/bridge/guess/guesstest"
)

func TestPINsContract(t *testing.T) {
	t.Parallel()
	n := open(t, startRedis(t).Addr, "a", nil)
	p := n.PINs(new(guess.Memory))
	n.begin(t)
	await(t, "redis is there", n.up.Load)
	guesstest.Contract(t, p, time.Sleep)
}

// TestPINs has two gateways count together, lose Redis, and find it again, empty.
func TestPINs(t *testing.T) {
	t.Parallel()
	server := startRedis(t)
	a, b := open(t, server.Addr, "a", nil), open(t, server.Addr, "b", nil)
	ap, bp := a.PINs(new(guess.Memory)), b.PINs(new(guess.Memory))
	a.begin(t)
	b.begin(t)
	await(t, "they know each other", func() bool { return a.others() == 1 && b.others() == 1 })
	ap.Add("x", 3, time.Minute)
	if n := bp.Add("x", 1, time.Minute); n != 4 || ap.Read([]string{"x", "y"})[0] != 4 {
		t.Errorf("together they count %d, want 4", n)
	}
	if n := a.Share(20); n != 20 {
		t.Errorf("together each may %d, want 20", n)
	}
	server.Kill()
	if n := ap.Add("x", 1, time.Minute); n != 4 {
		t.Errorf("alone a counts %d, want 4", n)
	}
	if n := a.Share(20); n != 10 {
		t.Errorf("alone it may %d, want 10", n)
	}
	server.Restart(t)
	await(t, "all is known again", func() bool { return a.up.Load() && b.up.Load() && bp.Read([]string{"x"})[0] == 5 })
}
