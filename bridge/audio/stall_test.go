package audio

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"passerelle/codec"
	"passerelle/codec/g711"
)

// still is what stands still, once.
type still struct {
	shard  bool
	reader bool // of the talker's socket
	sender bool // the talker, who sends all at once then
	track  bool // the talker is a voice of the room, and no phone
	length time.Duration
}

// standstill is a room with somebody who talks without a pause, and a phone that listens.
type standstill struct {
	still
	began time.Time
	mu    sync.Mutex
	sent  int // packets that the talker sent
	heard []heardCode
}

// heardCode is what a packet to the listener holds: the number of the talker's packet, or -1.
type heardCode struct {
	at        time.Duration
	timestamp uint32
	number    int
}

const (
	standsStillAt = 10 * time.Second
	standsLength  = 30 * time.Second // of all
	talkerPhase   = 7 * ms
	talkerCodes   = 100 // mu-law codes that tell the talker's packets apart
)

func (s *standstill) now() time.Duration { return time.Since(s.began) }

// during says whether the room stands still, and until when.
func (s *standstill) during() (until time.Duration, still bool) {
	now := s.now()
	until = standsStillAt + s.length
	return until - now, now >= standsStillAt && now < until
}

// run plays it all. Called in a bubble.
func (s *standstill) run(t *testing.T) *Engine {
	s.began = time.Now()
	e := plainEngine(1)
	e.clock = s.now
	ctx, stop := context.WithCancel(t.Context())
	var all sync.WaitGroup
	all.Go(func() { _ = e.Run(ctx) })

	m := e.NewMix("room")
	ear, err := e.NewPhone(PhoneConfig{Kind: codec.PCMU, Down: writer(s.hear), NoGain: true, NoGate: true})
	if err != nil {
		t.Fatal(err)
	}
	ear.Join(m)
	talker := s.talker(t, e, m)
	socket := make(chan codec.Frame, 1<<10)
	all.Go(func() { s.send(ctx, socket) })
	all.Go(func() { s.read(socket, talker) })
	time.Sleep(standsLength)
	stop()
	all.Wait()
	return e
}

func (s *standstill) talker(t *testing.T, e *Engine, m *Mix) codec.Reader {
	if s.track {
		return m.AddTrack("talker")
	}
	p, err := e.NewPhone(PhoneConfig{Kind: codec.PCMU, Down: &sink{}, NoGain: true, NoGate: true})
	if err != nil {
		t.Fatal(err)
	}
	p.Join(m)
	return p
}

// send is the talker: its packets are in the socket at once.
func (s *standstill) send(ctx context.Context, socket chan<- codec.Frame) {
	defer close(socket)
	decoder, _ := g711.NewDecoder(codec.PCMU)
	pcm := make([]int16, 160)
	for n := 0; ctx.Err() == nil; n++ {
		time.Sleep(talkerPhase + time.Duration(n)*20*ms - s.now())
		if rest, still := s.during(); still && s.sender {
			time.Sleep(rest)
		}
		payload := make([]byte, 160)
		for i := range payload {
			payload[i] = codeOf(n)
		}
		f := codec.Frame{Seq: uint16(n), Timestamp: uint32(n * 160), Kind: codec.PCMU, Payload: payload}
		if s.track {
			_, _ = decoder.Decode(pcm, payload)
			f.Kind, f.Timestamp, f.Payload = codec.Opus, uint32(n*960), plainPayload(pcm)
		}
		s.mu.Lock()
		s.sent = n + 1
		s.mu.Unlock()
		socket <- f
	}
}

func codeOf(n int) byte { return byte(0xff - 20 - n%talkerCodes) }

// read is who reads the socket. After a standstill it is a little later than the shard: nobody says who is woken first.
func (s *standstill) read(socket <-chan codec.Frame, to codec.Reader) {
	for f := range socket {
		if rest, still := s.during(); still && s.reader {
			time.Sleep(rest + 200*time.Microsecond)
		}
		f.Arrival = s.now()
		to.PushFrame(&f)
	}
}

// hear is the listener's line; the shard stands still in it.
func (s *standstill) hear(f *codec.Frame) error {
	s.mu.Lock()
	number := int(codeOf(0)) - int(f.Payload[80])
	if number < 0 || number >= talkerCodes {
		number = -1
	} else { // the newest that looks like this
		number = s.sent - 1 - (s.sent-1-number+talkerCodes)%talkerCodes
	}
	s.heard = append(s.heard, heardCode{s.now(), f.Timestamp, number})
	s.mu.Unlock()
	if rest, still := s.during(); still && s.shard {
		time.Sleep(rest)
	}
	return nil
}

// gap returns the longest time for which the listener was sent nothing of the talker.
func (s *standstill) gap() (longest time.Duration) {
	last := time.Second
	for _, h := range s.heard {
		if h.number >= 0 && h.at > last {
			longest = max(longest, h.at-last-tickLength)
			last = h.at
		}
	}
	return longest
}

// missed counts packets of the talker that were never heard, and packets to the listener with nothing of it.
func (s *standstill) missed() (missing, blank int) {
	heard := make(map[int]bool)
	first, last := -1, 0
	for _, h := range s.heard {
		switch {
		case h.at < time.Second:
		case h.number < 0:
			blank++
		default:
			if first < 0 {
				first = h.number
			}
			last = h.number
			heard[h.number] = true
		}
	}
	return last - first + 1 - len(heard), blank
}

// delay returns the most that a packet took to the listener in the second after at.
func (s *standstill) delay(at time.Duration) (most time.Duration) {
	for _, h := range s.heard {
		if h.number >= 0 && h.at >= at && h.at < at+time.Second {
			most = max(most, h.at-talkerPhase-time.Duration(h.number)*20*ms)
		}
	}
	return most
}

// TestStandstill proves that nobody hears a longer gap than that for which something stood still, and a tick, and that
// the delay is what it was soon after: at once where it was this machine, which says nothing about the network.
func TestStandstill(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		rule  string
		what  still
		again time.Duration // until the delay is what it was
		more  time.Duration // or nearly
	}{
		{"the shard alone", still{shard: true}, 0, 0},
		{"the shard alone, under a room's voice", still{shard: true, track: true}, 0, 0},
		{"the machine", still{shard: true, reader: true}, 0, 0},
		{"the machine, under a room's voice", still{shard: true, reader: true, track: true}, 0, 0},
		{"the talker", still{sender: true}, 8 * time.Second, cutOver},
		{"the talker, a room's voice", still{sender: true, track: true}, 8 * time.Second, cutOver},
	} {
		for _, stall := range []time.Duration{20 * ms, 40 * ms, 60 * ms, 100 * ms, 150 * ms, 200 * ms} {
			t.Run(test.rule+" for "+stall.String(), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					s := &standstill{still: test.what}
					s.length = stall
					e := s.run(t)
					skipped := int(e.Stats().Skipped)
					gap, before, after := s.gap(), s.delay(standsStillAt-2*time.Second), s.delay(standsStillAt+stall+test.again+20*ms)
					missing, blank := s.missed()
					t.Logf("gap %v, %d ticks skipped, %d packets missing, %d without him; delay %v, then %v, %v after %v",
						gap, skipped, missing, blank, before, s.delay(standsStillAt+stall+20*ms), after, test.again)
					if gap > stall+tickLength {
						t.Errorf("a gap of %v", gap)
					}
					if after > before+test.more {
						t.Errorf("the delay is %v, was %v", after, before)
					}
					if s.shard && (missing > skipped+1 || blank > 0) {
						t.Errorf("%d packets were never heard and %d were sent without him, with %d ticks skipped", missing, blank, skipped)
					}
				})
			})
		}
	}
}
