package audio

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// gated is what a gate did with voices in noise.
type gated struct {
	words   int // beginnings of speech after 200 ms without
	lost    int // of those, the ones whose first 100 ms were not let through
	onset   int // ms of beginnings that were not let through
	inside  int // ms of other speech that were not let through
	idle    int // packets without speech
	sent    int // of those, the ones that were let through
	packets int // all
	saved   int // of those, the ones that were not let through
	opened  int // times
}

func (a *gated) add(b gated) {
	a.words += b.words
	a.lost += b.lost
	a.onset += b.onset
	a.inside += b.inside
	a.idle += b.idle
	a.sent += b.sent
	a.packets += b.packets
	a.saved += b.saved
	a.opened += b.opened
}

// through sends pcm through a gate as packets of 20 ms, and says of each 10 ms whether they were let
// through, as part of a packet or of its look-back.
func through(pcm []int16, rate int) (passed []bool, opened int) {
	g := newGate(rate)
	n, was := rate/50, false
	for i := 0; i+n <= len(pcm); i += n {
		_, open := g.hear(pcm[i : i+n])
		if open && !was {
			opened++
			for k := range g.onset(n) * 100 / rate {
				if at := len(passed) - 1 - k; at >= 0 {
					passed[at] = true
				}
			}
		}
		was = open
		passed = append(passed, open, open)
	}
	return passed, opened
}

// judge compares what was let through with where there is speech.
func judge(active, passed []bool) gated {
	var got gated
	quiet, beginning, clipped := 100, false, 0
	for i, speech := range active {
		switch {
		case !speech:
			quiet++
		case quiet >= 20:
			got.words++
			beginning, clipped = true, 0
			fallthrough
		default:
			quiet = 0
			switch {
			case passed[i]:
				beginning = false
			case beginning:
				got.onset += 10
				if clipped += 10; clipped == 100 {
					got.lost++
				}
			default:
				got.inside += 10
			}
		}
		if i%2 == 1 {
			got.count(active[i-1] || speech, passed[i-1] || passed[i])
		}
	}
	return got
}

// count counts a packet.
func (a *gated) count(speech, passed bool) {
	a.packets++
	if !passed {
		a.saved++
	}
	if !speech {
		a.idle++
		if passed {
			a.sent++
		}
	}
}

// inNoise has both voices speak in noise at a ratio of snr dB: each after 4 s of noise, and with 15 s of
// it afterwards, as whoever listens is heard. Speech is what is within 20 dB of its level, which is more
// than ITU-T P.56 would count.
func inNoise(t *testing.T, rate, snr int, noise func(n int) []float64) gated {
	t.Helper()
	var sum gated
	for _, name := range []string{"rms", "slt"} {
		clean := voiceAt(t, name, rate)
		clean = slices.Concat(make([]int16, 4*rate), clean[:len(clean)/(rate/50)*(rate/50)], make([]int16, 15*rate))
		var active []bool
		for step := range slices.Chunk(clean, rate/100) {
			active = append(active, level(power(step)) <= 40)
		}
		passed, opened := through(over(clean, noise(len(clean)), float64(-20-snr)), rate)
		lead := 400 // steps in which the gate learns
		got := judge(active[lead:], passed[lead:])
		got.opened = opened
		sum.add(got)
	}
	return sum
}

func TestGateInNoise(t *testing.T) {
	for _, rate := range []int{8000, 16000} {
		for _, test := range []struct {
			noise string
			make  func(n int) []float64
			sent  [4]int // percent of what is no speech that is let through, at 0, 10, 20 and 30 dB, at most
		}{
			{"white", func(n int) []float64 { return white(n, 1) }, [4]int{20, 20, 20, 20}},
			{"pink", func(n int) []float64 { return pink(n, 2) }, [4]int{30, 25, 20, 20}},
			{"hum", func(n int) []float64 { return hum(n, rate, 5) }, [4]int{20, 20, 20, 20}},
			{"car", func(n int) []float64 { return car(n, rate, 3) }, [4]int{80, 25, 25, 25}},
			{"babble", func(n int) []float64 { return babble(t, n, rate) }, [4]int{100, 100, 100, 80}},
		} {
			for i, snr := range []int{0, 10, 20, 30} {
				got := inNoise(t, rate, snr, test.make)
				sent := 100 * got.sent / got.idle
				row := fmt.Sprintf("%5d Hz, %-6s at %2d dB: %d of %d onsets lost, %2d ms clipped of onsets, %2d ms inside; %3d%% of the pauses sent, %2d%% of all saved, opened %d times",
					rate, test.noise, snr, got.lost, got.words, got.onset, got.inside, sent, 100*got.saved/got.packets, got.opened)
				t.Log(row)
				if got.lost > 0 || snr >= 10 && got.onset+got.inside > 0 || got.onset > 40 || got.inside > 40 {
					t.Errorf("clips speech: %s", row)
				}
				if sent > test.sent[i] {
					t.Errorf("sends more than %d%% of the pauses: %s", test.sent[i], row)
				}
			}
		}
	}
}

// Sound that is always the same closes the gate within three seconds, however loud; hum and noise.
func TestGateClosesOnWhatNeverChanges(t *testing.T) {
	for _, rate := range []int{8000, 16000} {
		n := 12 * rate
		for _, test := range []struct {
			rule  string
			noise []float64
			dbov  float64
		}{
			{"hiss", white(n, 1), -58},
			{"a fan", pink(n, 2), -48},
			{"a loud fan", pink(n, 2), -25},
			{"a hall of machines", white(n, 3), -18},
			{"hum", hum(n, rate, 4), -45},
			{"loud hum", hum(n, rate, 4), -20},
		} {
			passed, opened := through(over(make([]int16, n), test.noise, test.dbov), rate)
			late := 0
			for _, p := range passed[350:] {
				if p {
					late++
				}
			}
			if late > 0 || opened > 1 {
				t.Errorf("%d Hz, %s: open for %d of %d steps after 3.5 s, opened %d times; want never, and at most once",
					rate, test.rule, late, len(passed)-350, opened)
			}
		}
	}
}

// A note may be held for longer than noise needs to be told from it; what never ends is no music.
func TestGateStaysOpenForTones(t *testing.T) {
	for _, hz := range []float64{330, 440, 700} {
		passed, _ := through(Tone(8000, time.Minute, -25, hz), 8000)
		for i, open := range passed {
			if at := time.Duration(i) * 10 * ms; !open && at < 10*time.Second || open && at > 50*time.Second {
				t.Errorf("%v Hz: open %v after %v; want it open for 10 s, and closed after 50", hz, open, at)
				break
			}
		}
	}
}

func TestGateDoesNotChatter(t *testing.T) {
	for _, rate := range []int{8000, 16000} {
		breath := make([]float64, 20*rate)
		for i, w := range pink(len(breath), 6) {
			if at := i % (4 * rate); at < rate/2 { // half a second, every four
				breath[i] = w * float64(at) / float64(rate)
			}
		}
		for _, test := range []struct {
			rule         string
			pcm          []int16
			opened, sent int // times, percent; at most
		}{
			{"music", over(make([]int16, 30*rate), music(30*rate, rate), -22), 1, 100},
			{"music at a distance", over(make([]int16, 30*rate), music(30*rate, rate), -45), 3, 100},
			{"breath", over(make([]int16, len(breath)), breath, -62), 5, 25},
		} {
			passed, opened := through(test.pcm, rate)
			sent := 0
			for _, p := range passed {
				if p {
					sent++
				}
			}
			sent = 100 * sent / len(passed)
			t.Logf("%d Hz, %s: opened %d times, %d%% sent", rate, test.rule, opened, sent)
			if opened > test.opened || sent > test.sent {
				t.Errorf("%d Hz, %s: opened %d times and sent %d%%; want at most %d and %d", rate, test.rule, opened, sent, test.opened, test.sent)
			}
			if test.sent == 100 && sent < 90 {
				t.Errorf("%d Hz, %s: %d%% sent, want nearly all", rate, test.rule, sent)
			}
		}
	}
}

// However packets cut the sound, what is judged is the same.
func TestGateInPacketsOfAnyLength(t *testing.T) {
	pcm := voiceAt(t, "slt", 8000)
	whole := newGate(8000)
	for _, length := range []int{8, 40, 80, 160, 200, 240, 480, 960} {
		g := newGate(8000)
		whole = newGate(8000)
		var voices, want int
		for piece := range slices.Chunk(pcm, length) {
			g.hear(piece)
		}
		for piece := range slices.Chunk(pcm, 80) {
			whole.hear(piece)
		}
		voices, want = int(g.talker), int(whole.talker)
		if voices != want || g.noise.floor != whole.noise.floor {
			t.Errorf("packets of %d samples: the talker has %d, the noise %v; want %d, %v", length, voices, g.noise.floor, want, whole.noise.floor)
		}
	}
}

// What is in one band is found there, and 30 dB less of it two bands away.
func TestBands(t *testing.T) {
	for _, rate := range []int{8000, 16000} {
		fresh := newBands(rate)
		middles := []float64{125, 375, 750, 1500, 3000, 6000}[:fresh.count()]
		for band, hz := range middles {
			b := newBands(rate)
			var sum bandPowers
			var low lowBand
			for step := range slices.Chunk(Tone(rate, 500*ms, -20, hz), rate/100) {
				var p bandPowers
				b.hear(step, &p, &low)
				for k := range p {
					sum[k] += p[k] / 50
				}
			}
			for k := range middles {
				over := float64(sum[k]) / powerAt(-20)
				if k == band && (over < 0.8 || over > 1.1) || (k < band-1 || k > band+1) && over > 0.001 {
					t.Errorf("%d Hz: of %v Hz, %.5f of the power is in band %d", rate, hz, over, k)
				}
			}
		}
	}
}

func BenchmarkGate(b *testing.B) {
	for _, rate := range []int{8000, 16000} {
		n := rate / 50
		for _, sound := range []struct {
			what string
			pcm  []int16
		}{
			{"speech", voiceAt(b, "slt", rate)},
			{"noise", over(make([]int16, 4*rate), pink(4*rate, 1), -45)},
			{"silence", make([]int16, n)},
		} {
			b.Run(fmt.Sprintf("%d/%s", rate, sound.what), func(b *testing.B) {
				g, i := newGate(rate), 0
				b.ReportAllocs()
				for b.Loop() {
					if i+n > len(sound.pcm) {
						i = 0
					}
					g.hear(sound.pcm[i : i+n])
					i += n
				}
			})
		}
	}
}
