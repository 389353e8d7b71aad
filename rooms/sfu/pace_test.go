package sfu

import (
	"net/netip"
	"testing"
	"time"
)

func TestPaceOfAMicrophone(t *testing.T) {
	for name, c := range map[string]struct {
		size, offered, kept int
	}{
		"a voice passes":           {120, 100, 100},
		"too many packets do not":  {10, 1000, microphonePackets},
		"too many bytes do not":    {1200, 150, microphoneBytes / 1200},
		"and the next second does": {1, 1, 1},
	} {
		var p pace
		for second := range 3 {
			kept := 0
			for range c.offered {
				if p.keeps(c.size, time.Duration(second)*time.Second+time.Hour) {
					kept++
				}
			}
			if kept != c.kept {
				t.Errorf("%s: in second %d %d of %d packets are kept, want %d", name, second, kept, c.offered, c.kept)
			}
		}
	}
}

func TestFloodOfPackets(t *testing.T) {
	f := newFlood()
	eve, ada := netip.MustParseAddrPort("192.0.2.1:1000"), netip.MustParseAddrPort("192.0.2.1:1001")
	now := time.Now()
	passed := 0
	for range 10 * floodPackets {
		if f.passes(eve, now) {
			passed++
		}
	}
	if passed != floodPackets {
		t.Errorf("%d packets of a flood passed, want %d", passed, floodPackets)
	}
	if !f.passes(ada, now) {
		t.Errorf("a packet from elsewhere did not pass")
	}
	if !f.passes(eve, now.Add(floodWindow)) {
		t.Errorf("after a while no packet passes")
	}
	if got := testing.AllocsPerRun(100, func() { f.passes(ada, now) }); got != 0 {
		t.Errorf("%v allocations a packet, want 0", got)
	}
}
