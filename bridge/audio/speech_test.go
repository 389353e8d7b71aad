package audio

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"passerelle/codec"
	"passerelle/codec/score"
)

// speech returns ten seconds of reference speech at 8 kHz.
func speech(t testing.TB) []int16 {
	t.Helper()
	return voiceAt(t, "rms", 8000)
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
	talker.phone.up.gain.off = false
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
