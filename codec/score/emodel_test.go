package score

import (
	"math"
	"testing"
	"time"

	"passerelle/codec"
)

// TestEModel has the values that the recommendations print, or that follow from one formula by hand.
func TestEModel(t *testing.T) {
	const ms = time.Millisecond
	concealed, bare := EquipmentOf(codec.PCMA, true), EquipmentOf(codec.PCMU, false)
	for _, c := range []struct {
		name string
		path Path
		r    float64
		mos  float64
	}{
		{"the default of G.107: R is 93.2, MOS 4.41", Path{}, 93.2, 4.41},
		{"100 ms is not noticed", Path{Delay: 100 * ms}, 93.2, 4.41},
		{"200 ms cost 3.04: x is 1", Path{Delay: 200 * ms}, 93.2 - 3.04, 4.34},
		{"400 ms cost 24.07: x is 2", Path{Delay: 400 * ms}, 93.2 - 24.07, 3.56},
		{"1% lost without concealment costs 95/5.3", Path{Loss: 0.01, Equipment: bare}, 93.2 - 95/5.3, 3.83},
		{"5% lost with concealment cost 95*5/30.1", Path{Loss: 0.05, Equipment: concealed}, 93.2 - 95*5/30.1, 3.92},
		{"... in bursts of twice the length more", Path{Loss: 0.05, BurstRatio: 2, Equipment: concealed}, 93.2 - 95*5/27.6, 3.86},
		{"a burst ratio below 1 is taken as 1", Path{Loss: 0.05, BurstRatio: 0.5, Equipment: concealed}, 93.2 - 95*5/30.1, 3.92},
		{"G.729A with 2% lost (G.113: Ie 11, Bpl 19)", Path{Loss: 0.02, Equipment: Equipment{11, 19}}, 93.2 - 11 - 84*2/21., 3.79},
		{"everything lost", Path{Loss: 1}, 93.2 - 95*100/104.3, 1},
		{"worse than nothing is nothing", Path{Loss: 1, Delay: time.Second}, 0, 1},
	} {
		if got := c.path.R(); math.Abs(got-c.r) > 0.06 {
			t.Errorf("%s: R is %.2f, want %.2f", c.name, got, c.r)
		}
		if got := c.path.MOS(); math.Abs(got-c.mos) > 0.01 {
			t.Errorf("%s: MOS is %.3f, want %.2f", c.name, got, c.mos)
		}
	}
}

// TestMOS has the limits of user satisfaction of G.107 annex B, table B.1, which prints 4.03 for 80.
func TestMOS(t *testing.T) {
	for _, c := range []struct{ r, mos float64 }{
		{90, 4.34}, {80, 4.024}, {70, 3.60}, {60, 3.10}, {50, 2.58}, {0, 1}, {-5, 1}, {3, 1}, {100, 4.5}, {120, 4.5},
	} {
		if got := MOS(c.r); math.Abs(got-c.mos) > 0.005 {
			t.Errorf("R %v is a MOS of %.3f, want %.2f", c.r, got, c.mos)
		}
	}
}

func TestBurstRatio(t *testing.T) {
	for _, c := range []struct {
		name                  string
		lost, bursts, packets int
		want                  float64
	}{
		{"nothing lost", 0, 0, 1000, 1},
		{"one by one at 10%: shorter than by chance", 100, 100, 1000, 0.9},
		{"by chance: mean length 1/(1-p)", 90, 81, 900, 1},
		{"bursts of four at 20%", 200, 50, 1000, 3.2},
		{"all lost", 10, 1, 10, 1},
	} {
		if got := BurstRatio(c.lost, c.bursts, c.packets); math.Abs(got-c.want) > 1e-9 {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}
