package dtmf

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"passerelle/codec"
	"passerelle/codec/g711"
)

const allKeys = "0123456789*#ABCD"

// keys is how keys are pressed in a test.
type keys struct {
	rate         int
	pressed      string
	length       float64 // ms
	pause        float64 // ms
	level        float64 // dBm0, of the louder tone
	twist        float64 // dB of the column above the row
	off          float64 // of the frequencies, 0.01 is 1%
	offHigh      bool    // of the columns alone
	noise        float64 // dBm0; 0 is none
	interruption float64 // ms of silence in the middle
	hum          float64 // dBm0 of 50 Hz; 0 is none
}

// sound returns it, with 100 ms of silence at both ends; shift moves it by so many samples.
func (k keys) sound(shift int) []int16 {
	random := rand.New(rand.NewPCG(1, uint64(shift)))
	rate := float64(k.rate)
	ms := func(length float64) []float64 { return make([]float64, int(length*rate/1000)) }
	out := append(ms(100), make([]float64, shift)...)
	for _, key := range k.pressed {
		low, high, err := Frequencies(key)
		if err != nil {
			panic(err)
		}
		if !k.offHigh {
			low *= 1 + k.off
		}
		high *= 1 + k.off
		lowAt, highAt := k.level, k.level
		if k.twist > 0 {
			lowAt -= k.twist
		} else {
			highAt += k.twist
		}
		a, b := math.Sqrt(2*powerOf(lowAt)), math.Sqrt(2*powerOf(highAt))
		tone := ms(k.length)
		broken := int(k.interruption * rate / 1000)
		p, q := random.Float64()*2*math.Pi, random.Float64()*2*math.Pi
		for i := range tone {
			if from := (len(tone) - broken) / 2; i >= from && i < from+broken {
				continue
			}
			at := 2 * math.Pi * float64(i) / rate
			tone[i] = a*math.Sin(low*at+p) + b*math.Sin(high*at+q)
		}
		out = append(append(out, tone...), ms(k.pause)...)
	}
	out = append(out, ms(100)...)
	pcm := make([]int16, len(out))
	for i, x := range out {
		if k.noise != 0 {
			x += random.NormFloat64() * math.Sqrt(powerOf(k.noise))
		}
		if k.hum != 0 {
			x += math.Sqrt(2*powerOf(k.hum)) * math.Sin(2*math.Pi*50*float64(i)/rate)
		}
		pcm[i] = int16(max(-32768, min(32767, math.Round(x))))
	}
	return pcm
}

// heardIn returns the keys that are heard in pcm, in packets of 20 ms.
func heardIn(rate int, pcm []int16) string {
	var heard strings.Builder
	d := NewDetector(rate)
	for packet := rate / 50; len(pcm) > 0; pcm = pcm[min(packet, len(pcm)):] {
		d.Hear(pcm[:min(packet, len(pcm))], func(key rune) { heard.WriteRune(key) })
	}
	return heard.String()
}

// overLine returns pcm as it is after G.711.
func overLine(t testing.TB, pcm []int16) []int16 {
	encoder, err := g711.NewEncoder(codec.PCMA)
	if err != nil {
		t.Fatal(err)
	}
	decoder, err := g711.NewDecoder(codec.PCMA)
	if err != nil {
		t.Fatal(err)
	}
	const packet = 160
	payload, out := make([]byte, packet), make([]int16, 0, len(pcm))
	for ; len(pcm) >= packet; pcm = pcm[packet:] {
		if _, err := encoder.Encode(payload, pcm[:packet]); err != nil {
			t.Fatal(err)
		}
		n := len(out)
		if _, err := decoder.Decode(out[n:n+packet], payload); err != nil {
			t.Fatal(err)
		}
		out = out[:n+packet]
	}
	return out
}

// TestKeys holds what Q.24 wants of a receiver, key by key, and at each place that 10 ms have.
func TestKeys(t *testing.T) {
	type test struct {
		rule string
		keys keys
		want string // of allKeys; "-" is none
	}
	plain := keys{pressed: allKeys, length: 70, pause: 70, level: -10}
	with := func(change func(*keys)) keys { k := plain; change(&k); return k }
	tests := []test{
		{"as telephones press them", plain, allKeys},
		{"40 ms, and 40 ms of pause", with(func(k *keys) { k.length, k.pause = 40, 40 }), allKeys},
		{"held for a second", with(func(k *keys) { k.length = 1000 }), allKeys},
		{"20 ms are no key", with(func(k *keys) { k.length = 20 }), "-"},
		{"a break of 10 ms is no pause", with(func(k *keys) { k.length, k.interruption = 100, 10 }), allKeys},
		{"the same key twice", with(func(k *keys) { k.pressed, k.length, k.pause = "1122##", 50, 40 }), "1122##"},
		{"one after the other without a pause", with(func(k *keys) { k.pressed, k.pause = "159D", 0 }), "159D"},
		{"noise 15 dB below", with(func(k *keys) { k.noise = -22 }), allKeys},
		{"noise 15 dB below, 1.5% of its frequencies, twist", with(func(k *keys) { k.noise, k.off, k.twist = -22, 0.015, 4 }), allKeys},
		{"noise 3 dB below", with(func(k *keys) { k.noise = -10 }), "-"},
		{"hum of the mains 15 dB below", with(func(k *keys) { k.hum = -22 }), allKeys},
		{"a column 12 dB above its row", with(func(k *keys) { k.twist = 12 }), "-"},
		{"a row 14 dB above its column", with(func(k *keys) { k.twist = -14 }), "-"},
		{"quieter than any line", with(func(k *keys) { k.level = -42 }), "-"},
	}
	for _, level := range []float64{-3, -6, -12, -18, -24, -30} {
		for _, twist := range []float64{0, 4, -4, -8} {
			if level+min(twist, -twist) < -34 {
				continue
			}
			tests = append(tests, test{fmt.Sprintf("%v dBm0, twist %v dB", level, twist),
				with(func(k *keys) { k.level, k.twist = level, twist }), allKeys})
		}
	}
	for _, off := range []float64{0.015, -0.015} {
		tests = append(tests, test{fmt.Sprintf("%+.1f%% of its frequencies", 100*off), with(func(k *keys) { k.off = off }), allKeys},
			test{fmt.Sprintf("%+.1f%% of its frequencies, 40 ms, twist", 100*off), with(func(k *keys) { k.off, k.length, k.pause, k.twist = off, 40, 40, -8 }), allKeys})
	}
	for _, off := range []float64{0.035, -0.035, 0.05, -0.05} {
		tests = append(tests, test{fmt.Sprintf("%+.1f%% of its frequencies are no key", 100*off), with(func(k *keys) { k.off = off }), "-"},
			test{fmt.Sprintf("%+.1f%% of its column's frequency is no key", 100*off), with(func(k *keys) { k.off, k.offHigh = off, true }), "-"})
	}
	for _, test := range tests {
		for _, rate := range []int{8000, 16000} {
			t.Run(fmt.Sprintf("%s at %d Hz", test.rule, rate), func(t *testing.T) {
				test.keys.rate = rate
				for shift := 0; shift < rate/100; shift += rate / 800 {
					pcm := test.keys.sound(shift)
					if rate == 8000 {
						pcm = overLine(t, pcm)
					}
					if got := heardIn(rate, pcm); got != strings.Trim(test.want, "-") {
						t.Fatalf("%q is heard where %q is pressed, shifted by %d", got, test.keys.pressed, shift)
					}
				}
			})
		}
	}
}

// A packet of any length makes no difference, and what is in it is not kept.
func TestHearTakesAnyPieces(t *testing.T) {
	pcm := keys{rate: narrow, pressed: allKeys, length: 50, pause: 50, level: -10}.sound(0)
	for _, piece := range []int{1, 7, 80, 160, 240, 480, len(pcm)} {
		heard := ""
		d := NewDetector(narrow)
		for rest := pcm; len(rest) > 0; rest = rest[min(piece, len(rest)):] {
			d.Hear(slices.Clone(rest[:min(piece, len(rest))]), func(key rune) { heard += string(key) })
		}
		if heard != allKeys {
			t.Errorf("in pieces of %d samples %q is heard", piece, heard)
		}
	}
}

// TestDown holds how soon a key is known to be down, and to be up again.
func TestDown(t *testing.T) {
	pcm := keys{rate: narrow, pressed: "5", length: 100, level: -10}.sound(0) // from 100 ms to 200
	d := NewDetector(narrow)
	down, up := 0, 0
	for ms := 10; ms*8 <= len(pcm); ms += 10 {
		d.Hear(pcm[ms*8-80:ms*8], func(rune) {})
		switch {
		case d.Down() && down == 0:
			down = ms - 100
		case !d.Down() && down > 0 && up == 0:
			up = ms - 200
		}
	}
	if down != 30 || up <= 0 || up > 50 {
		t.Errorf("down %d ms after it was pressed, up %d ms after it was released; want 30, and 50 at most", down, up)
	}
}

// TestHearAllocatesNothing also holds for a key.
func TestHearAllocatesNothing(t *testing.T) {
	pcm := keys{rate: narrow, pressed: allKeys, length: 50, pause: 50, level: -10}.sound(0)
	d := NewDetector(narrow)
	n := 0
	pressed := func(rune) { n++ }
	if allocs := testing.AllocsPerRun(10, func() { d.Hear(pcm, pressed) }); allocs > 0 || n == 0 {
		t.Errorf("%v allocations, %d keys", allocs, n)
	}
}

// BenchmarkHear is a packet of 20 ms.
func BenchmarkHear(b *testing.B) {
	for name, pcm := range map[string][]int16{
		"speech":  voice(b, "rms", 1),
		"keys":    keys{rate: narrow, pressed: allKeys, length: 50, pause: 50, level: -10}.sound(0),
		"silence": make([]int16, narrow),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			d := NewDetector(narrow)
			pressed := func(rune) {}
			at := 0
			for b.Loop() {
				d.Hear(pcm[at:at+160], pressed)
				if at += 160; at+160 > len(pcm) {
					at = 0
				}
			}
		})
	}
}
