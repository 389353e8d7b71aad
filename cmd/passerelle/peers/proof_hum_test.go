//go:build peers

package peers

import (
	"math"
	"testing"
	"time"

	"passerelle/codec/score"
)

// TestHums proves the instrument of the proof: a dozen hums are told apart, and one that pauses, or sounds
// twice, is found.
func TestHums(t *testing.T) {
	t.Parallel()
	const hums, seconds = 12, 4
	begin := time.Now()
	at := func(second float64) time.Time { return begin.Add(time.Duration(second * float64(time.Second))) }
	var h Hearing
	for frame := range seconds * 50 {
		sum := make([]int16, score.Rate/50)
		for i := range hums {
			if i == 7 || i == 3 && frame >= 100 && frame < 125 {
				continue
			}
			for k, v := range HumOf(i).PCM(score.Rate) {
				sum[k] += v
				if i == 5 {
					sum[k] += v
				}
			}
		}
		h.add(at(float64(frame)/50), sum)
	}
	for i := range hums {
		want := map[int]float64{7: score.Floor, 5: humLevel + 6}[i]
		if want == 0 {
			want = humLevel
		}
		got := h.Level(HumOf(i), at(0), at(seconds))
		if i == 7 && got < humAbsent {
			continue
		}
		if math.Abs(got-want) > 0.2 {
			t.Errorf("hum %d is heard at %.1f dBov, want %.1f", i, got, want)
		}
	}
	if got := h.Absent(HumOf(3), at(1), at(seconds-1)); got < 460*time.Millisecond || got > 520*time.Millisecond {
		t.Errorf("a hum that pauses for 500 ms is absent for %v", got)
	}
	if since, ok := h.Steady(HumOf(3), at(1.5)); !ok || since.Sub(at(2.5)).Abs() > 40*time.Millisecond {
		t.Errorf("a hum that comes back after 2.5 s is steady: %v, since %v", ok, since.Sub(begin))
	}
	if _, ok := h.Steady(HumOf(5), at(0)); ok {
		t.Error("a hum that sounds twice counts as one")
	}
}
