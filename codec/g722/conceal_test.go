package g722

import (
	"math"
	"testing"
)

// After a loss the sound of the encoder comes back quickly, and without ringing: of the 10 ms pieces of
// speech in the first 80 ms few are much louder than they should be.
func TestReturnFromLoss(t *testing.T) {
	tests := []struct {
		name    string
		packets int     // of 20 ms, lost of each 12
		snr     float64 // 40 to 50 ms after the loss, in dB; a decoder that begins anew has 3
		loud    float64 // share of pieces that are 4 dB too loud; without doubt 0.05 to 0.13
	}{
		{"one packet", 1, 14, 0.03},
		{"two", 2, 11.5, 0.02},
		{"three", 3, 9.5, 0.02},
		{"five", 5, 7, 0.025},
	}
	for _, tt := range tests {
		snr, loud := comeBack(t, tt.packets)
		t.Logf("%s lost: %.1f dB, %.3f too loud", tt.name, snr, loud)
		if snr < tt.snr || loud > tt.loud {
			t.Errorf("%s lost: 50 ms later %.1f dB over the error, want %.1f; %.3f of the pieces too loud, want %.3f at most",
				tt.name, snr, tt.snr, loud, tt.loud)
		}
	}
}

// comeBack loses packets, and returns how near to the sound without loss the sound is after 40 ms, and how
// much of it is too loud.
func comeBack(t *testing.T, packets int) (snr, loud float64) {
	const every, packet, piece = 12, 160, 160 // packets; bytes; samples
	pieces, returns := 0, 0
	for _, voice := range []string{"rms", "slt"} {
		code := encode(t, speech(t, voice))
		whole := decode(t, code)
		for phase := range 6 {
			d, heard := NewDecoder(), make([]int16, len(whole))
			for i := 0; (i+1)*packet <= len(code); i++ {
				out := heard[2*i*packet:][:2*packet]
				if (i+2*phase)%every < packets {
					mustDo(t)(d.Conceal(out))
				} else {
					mustDo(t)(d.Decode(out, code[i*packet:][:packet]))
				}
			}
			for i := range len(code)/packet - 4 {
				at := 2 * packet * (i + 1)
				if (i+2*phase)%every != packets-1 || power(whole[at:][:piece]) < 300*300 {
					continue
				}
				returns++
				for n := range 8 {
					p, q := power(whole[at+n*piece:][:piece]), power(heard[at+n*piece:][:piece])
					pieces++
					if p > 300*300 && q > 2.5*p {
						loud++
					}
				}
				snr += nearness(whole[at+4*piece:][:piece], heard[at+4*piece:][:piece])
			}
		}
	}
	return snr / float64(returns), loud / float64(pieces)
}

func power(pcm []int16) (sum float64) {
	for _, s := range pcm {
		sum += float64(s) * float64(s)
	}
	return sum / float64(len(pcm))
}

func nearness(want, got []int16) float64 {
	off := 1.0
	for i := range want {
		off += math.Pow(float64(want[i])-float64(got[i]), 2) / float64(len(want))
	}
	return min(max(10*math.Log10((power(want)+1)/off), -10), 40)
}

func TestConcealFades(t *testing.T) {
	d, pcm := NewDecoder(), make([]int16, 960)
	code := encode(t, speech(t, "rms")[16000:32000])
	mustDo(t)(d.Decode(make([]int16, 16000), code))
	mustDo(t)(d.Conceal(pcm))
	if power(pcm[:160]) < 100*100 {
		t.Error("the first 10 ms of a loss are silent")
	}
	mustDo(t)(d.Conceal(pcm))
	if power(pcm) != 0 {
		t.Error("sound is made up after 60 ms")
	}
}
