package audio

import (
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"passerelle/codec"
	"passerelle/codec/score"
	"passerelle/codec/wav"
)

// speech returns ten seconds of reference speech at 8 kHz.
func speech(t testing.TB) []int16 {
	t.Helper()
	f, err := os.Open(filepath.Join("..", "..", "testdata", "speech", "rms.wav"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	pcm, rate, err := wav.Read(f)
	if err != nil {
		t.Fatal(err)
	}
	return wav.Resample(pcm, rate, 8000)
}

// noisy returns pcm with white noise at dbov added.
func noisy(pcm []int16, dbov float64) []int16 {
	r := rand.New(rand.NewPCG(7, 8))
	rms := math.Sqrt(powerAt(dbov))
	out := make([]int16, len(pcm))
	for i, s := range pcm {
		out[i] = clamp(int32(s) + int32(r.NormFloat64()*rms))
	}
	return out
}

// TestSpeechThroughTheEngine has one phone speak in a room with the real codecs: a phone beside it hears
// it as PCM, and a phone of another gateway over the room, with the network's losses and jitter.
func TestSpeechThroughTheEngine(t *testing.T) {
	pcm := speech(t)
	for _, test := range []struct {
		rule   string
		loss   int // percent, from the phone and in the room
		jitter time.Duration
		beside float64 // median correlation of 300 ms windows, at least
		far    float64
		gap    time.Duration // longest
	}{
		{"a clean network", 0, 0, 0.99, 0.9, 0},
		{"20 ms of jitter", 0, 20 * ms, 0.99, 0.9, 0},
		{"60 ms of jitter", 0, 60 * ms, 0.98, 0.9, 60 * ms},
		{"1% loss", 1, 0, 0.98, 0.88, 60 * ms},
		{"5% loss", 5, 10 * ms, 0.95, 0.85, 100 * ms},
	} {
		t.Run(test.rule, func(t *testing.T) {
			beside, far := conversation(t, pcm, test.loss, test.jitter)
			for _, got := range []struct {
				who  string
				m    score.Match
				want float64
			}{{"beside", beside, test.beside}, {"far", far, test.far}} {
				t.Logf("%s: %v", got.who, got.m)
				if !got.m.Found() || got.m.Median < got.want {
					t.Errorf("%s: median correlation %.3f, want %.3f", got.who, got.m.Median, got.want)
				}
				if got.m.Longest() > test.gap {
					t.Errorf("%s: a gap of %v", got.who, got.m.Longest())
				}
				if math.Abs(got.m.GainDB) > 1 {
					t.Errorf("%s: %.1f dB louder", got.who, got.m.GainDB)
				}
				if got.m.Clipped > 20*ms && test.loss == 0 {
					t.Errorf("%s: an onset lost %v", got.who, got.m.Clipped)
				}
			}
		})
	}
}

// conversation returns what is heard of pcm beside and far.
func conversation(t *testing.T, pcm []int16, loss int, jitter time.Duration) (beside, far score.Match) {
	near, away := NewEngine(Config{Shards: 1}), NewEngine(Config{Shards: 1})
	room, other := near.NewMix("near"), away.NewMix("far")
	talker, listener, distant := newHandset(t, near, 20*ms), newHandset(t, near, 20*ms), newHandset(t, away, 20*ms)
	talker.phone.Join(room)
	listener.phone.Join(room)
	distant.phone.Join(other)
	track := other.AddTrack("near")
	talker.now = 3 * ms
	talker.phone.SetLoss(float64(loss) / 100)
	toPhone, toRoom := newLink(loss, jitter, 11), newLink(loss, jitter, 12)
	var n int64
	for rest := pcm; len(rest) >= 160; n++ {
		now := time.Duration(n) * tickLength
		near.shards[0].tick(n)
		away.shards[0].tick(n)
		for sub := range tickLength / ms {
			at := now + sub*ms
			if at >= talker.now {
				toPhone.send(talker.frame(rest[:160]), at)
				rest = rest[160:]
			}
			toPhone.deliver(at, talker.phone.PushFrame)
			for _, f := range talker.seat.frames {
				toRoom.send(f, at)
			}
			talker.seat.frames = talker.seat.frames[:0]
			toRoom.deliver(at, track.PushFrame)
			if len(rest) < 160 {
				break
			}
		}
	}
	for range 40 {
		near.shards[0].tick(n)
		away.shards[0].tick(n)
		n++
	}
	t.Logf("talker %+v", talker.phone.Stats())
	t.Logf("track %+v", track.Stats())
	return score.Find(pcm, listener.heard(), 8000), score.Find(pcm, distant.heard(), 8000)
}

// link is a network between two ends.
type link struct {
	r      *rand.Rand
	loss   int
	jitter time.Duration
	last   time.Duration // arrival
	queue  []codec.Frame // on their way
}

func newLink(loss int, jitter time.Duration, seed uint64) *link {
	return &link{r: rand.New(rand.NewPCG(seed, seed)), loss: loss, jitter: jitter}
}

func (l *link) send(f codec.Frame, at time.Duration) {
	if l.r.IntN(100) < l.loss {
		return
	}
	// In order, as the networks of telephones deliver.
	l.last = max(l.last, at+time.Duration(l.r.Int64N(int64(l.jitter)+1)))
	f.Arrival = l.last
	l.queue = append(l.queue, f)
}

func (l *link) deliver(now time.Duration, push func(*codec.Frame)) {
	kept := l.queue[:0]
	for _, f := range l.queue {
		if f.Arrival > now {
			kept = append(kept, f)
			continue
		}
		push(&f)
	}
	l.queue = kept
}

func TestGateClipsNoSpeech(t *testing.T) {
	clean := speech(t)
	for _, test := range []struct {
		rule  string
		noise float64 // dBov
		saved int     // percent of all packets that are not sent, at least
	}{
		{"no noise", -120, 5},
		{"a quiet line", -60, 5},
		{"an office", -50, 5},
	} {
		g := newGate(8000)
		pcm := noisy(clean, test.noise)
		// Two seconds of noise first, as a call begins.
		g.hear(noisy(make([]int16, 16000), test.noise))
		clipped, saved, packets := 0, 0, 0
		for i := 0; i+320 <= len(pcm); i += 160 {
			packets++
			_, open := g.hear(pcm[i : i+160])
			if open {
				continue
			}
			saved++
			// The look-back saves this packet if the next one opens the gate.
			ahead := g
			if _, next := ahead.hear(pcm[i+160 : i+320]); !next && level(power(clean[i:i+160])) < 42 {
				clipped++
			}
		}
		percent := 100 * saved / packets
		t.Logf("%s: %d packets of speech clipped, %d%% saved", test.rule, clipped, percent)
		if clipped > 0 || percent < test.saved {
			t.Errorf("%s: %d packets of speech clipped, %d%% saved", test.rule, clipped, percent)
		}
	}
}

func TestGateClosesOnSteadyNoiseAndStaysOpenForMusic(t *testing.T) {
	for _, test := range []struct {
		rule string
		pcm  []int16
		open bool
	}{
		{"a fan", noisy(make([]int16, 80000), -48), false},
		{"hiss", noisy(make([]int16, 80000), -58), false},
		{"a steady tone", Tone(8000, 10*time.Second, -25, 440), true},
	} {
		g := newGate(8000)
		open := 0
		for rest := test.pcm; len(rest) > 0; rest = rest[160:] {
			if _, is := g.hear(rest[:160]); is && len(rest) <= 32000 {
				open++
			}
		}
		if want := map[bool]int{true: 200, false: 0}[test.open]; open != want {
			t.Errorf("%s: open for %d of the last 200 packets, want %d", test.rule, open, want)
		}
	}
}
