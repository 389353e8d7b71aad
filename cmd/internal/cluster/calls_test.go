package cluster

import (
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// home is where both are.
var home = netip.MustParseAddr("192.0.2.1")

// acquainted makes two gateways that know each other, without a Redis.
func acquainted(t *testing.T) (a, b *Cluster) {
	t.Helper()
	places := map[string][]string{"voice": {"sip:192.0.2.1:5060;transport=tcp"}}
	a, b = New(Config{Name: "a"}), New(Config{Name: "b"})
	b.key = a.key
	for _, c := range []*Cluster{a, b} {
		c.meet(map[string]member{"a": {Instance: "x", Places: places}, "b": {Instance: "y", Places: places}})
		t.Cleanup(func() { c.client.Close() })
	}
	return a, b
}

func TestErrands(t *testing.T) {
	for _, c := range []struct {
		rule   string
		change func(t *testing.T, a, b *Cluster, value string) string
		taken  bool
	}{
		{"as it was sent", func(_ *testing.T, _, _ *Cluster, v string) string { return v }, true},
		{"looked at before", func(t *testing.T, _, b *Cluster, v string) string { _, _ = b.Check(t.Context(), v, home); return v }, true},
		{"done before", func(t *testing.T, _, b *Cluster, v string) string { _, _ = b.Do(t.Context(), v, home); return v }, false},
		{"a minute old", func(_ *testing.T, _, _ *Cluster, v string) string { time.Sleep(2*proofTime + time.Second); return v }, false},
		{"half a minute old, and the clocks apart", func(_ *testing.T, _, _ *Cluster, v string) string { time.Sleep(proofTime + time.Second); return v }, true},
		{"with another key", func(t *testing.T, _, b *Cluster, v string) string { b.key = "another"; return v }, false},
		{"for another gateway", func(_ *testing.T, a, _ *Cluster, _ string) string {
			_, v, _ := a.Send("a", "voice", "2001", "x")
			return v
		}, false},
		{"changed", func(_ *testing.T, _, _ *Cluster, v string) string { return "A" + v[1:] }, false},
		{"without its proof", func(_ *testing.T, _, _ *Cluster, v string) string { v, _, _ = strings.Cut(v, "."); return v }, false},
		{"nothing", func(*testing.T, *Cluster, *Cluster, string) string { return "" }, false},
		{"too long", func(_ *testing.T, _, _ *Cluster, v string) string { return v + strings.Repeat(" ", maxErrand) }, false},
	} {
		t.Run(c.rule, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b := acquainted(t)
				uri, value, ok := a.Send("b", "voice", "2001", "<urn:x> 1")
				if !ok || uri != "sip:192.0.2.1:5060;transport=tcp" {
					t.Fatalf("sent to %q, %v", uri, ok)
				}
				e, err := b.Do(t.Context(), c.change(t, a, b, value), home)
				if (err == nil) != c.taken || err == nil && (e.Phone != "2001" || e.Binding != "<urn:x> 1" || e.From != "a" || e.Network != "voice") {
					t.Errorf("%+v, %v; taken: want %v", e, err, c.taken)
				}
			})
		})
	}
}

func TestNobodyIsSentToTheDead(t *testing.T) {
	a, _ := acquainted(t)
	if _, _, ok := a.Send("b", "elsewhere", "2001", "x"); ok {
		t.Error("b is asked on a network that it is not on")
	}
	gone := a.members["b"]
	gone.ago = silence
	a.meet(map[string]member{"b": gone})
	if _, _, ok := a.Send("b", "voice", "2001", "x"); ok {
		t.Error("b is gone, and is asked")
	}
}

// FuzzErrand holds that what is sealed is read, and nothing else is.
func FuzzErrand(f *testing.F) {
	f.Add("key", "2001", "sip:2001@desk", "a.b")
	f.Fuzz(func(t *testing.T, key, phone, binding, junk string) {
		e := Errand{Phone: strings.ToValidUTF8(phone, ""), Binding: strings.ToValidUTF8(binding, ""), Until: 1}
		value := seal(key, e)
		if got, err := unseal(key, value); len(value) <= maxErrand && (err != nil || got != e) {
			t.Errorf("%+v is read as %+v, %v", e, got, err)
		}
		if got, err := unseal(key, junk); err == nil && seal(key, got) != junk {
			t.Errorf("%q is read as %+v", junk, got)
		}
	})
}
