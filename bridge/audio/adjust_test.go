package audio

import (
	"slices"
	"testing"
	"time"
)

// stream is a source of 20 ms packets of real speech and its jitter buffer, in virtual time, for traces that are too
// long to be kept.
type stream struct {
	j     *jitter
	voice []int16 // 8 kHz, played round and round
	block []int16
	sent  int     // packets
	heard []int16 // if it is kept
	keep  bool
}

func newStream(voice []int16) *stream {
	return &stream{
		j:     newJitter(newRing(trackRing), &trackVoice{decoder: &plainOpus{}, rate: 8000}, 8000, trackWindow),
		voice: voice[:len(voice)/160*160], block: make([]int16, 160),
	}
}

// send puts the next packet into the ring, as it arrives.
func (s *stream) send(arrival time.Duration) {
	p := s.j.in.free()
	if p == nil {
		panic("the ring is full")
	}
	at := s.sent * 160 % len(s.voice)
	if cap(p.payload) < 321 {
		p.payload = make([]byte, 321)
	}
	p.payload = p.payload[:321]
	if _, err := (&plainOpus{}).Encode(p.payload, s.voice[at:at+160]); err != nil {
		panic(err)
	}
	p.seq, p.timestamp, p.arrival, p.silence = uint16(s.sent), uint32(s.sent*960), arrival, false
	s.j.in.push()
	s.sent++
}

// tick pulls a block.
func (s *stream) tick(now time.Duration) {
	clear(s.block)
	s.j.pull(now, s.block)
	if s.keep {
		s.heard = append(s.heard, s.block...)
	}
}

// loud is speech without its pauses: nothing to cut on.
func loud(voice []int16) []int16 {
	var out []int16
	for block := range slices.Chunk(voice[:len(voice)/160*160], 160) {
		if level(power(block)) < 35 {
			out = append(out, block...)
		}
	}
	return out
}

// For an hour a source's clock is 200 ppm off: 0.72 s in all. The delay stays where it is, and nothing is lost or made up.
func TestJitterBufferDriftForAnHour(t *testing.T) {
	voice := voiceAt(t, "slt", 8000)
	for _, test := range []struct {
		rule  string
		drift float64
		voice []int16
	}{
		{"a slow source", 200e-6, voice},
		{"a fast source", -200e-6, voice},
		{"a slow source that never pauses", 200e-6, loud(voice)},
		{"a fast source that never pauses", -200e-6, loud(voice)},
	} {
		s := newStream(test.voice)
		arrives := func() time.Duration {
			return time.Second + time.Duration(float64(s.sent)*20e6*(1+test.drift)) + time.Duration(s.sent*7%5)*ms
		}
		var least, most time.Duration = time.Hour, 0
		for now := time.Second; now < time.Hour; now += tickLength {
			for arrives() <= now {
				s.send(arrives())
			}
			s.tick(now)
			if now > 10*time.Second {
				delay := time.Duration(s.j.count.delay.Load())
				least, most = min(least, delay), max(most, delay)
			}
		}
		got := s.j.stats()
		t.Logf("%s: delay %v to %v, %+v", test.rule, least, most, got)
		if most > 65*ms || least < 0 {
			t.Errorf("%s: delays from %v to %v", test.rule, least, most)
		}
		if got.Lost+got.Late+got.Dropped+got.Restarts > 0 || got.Concealed > 10 {
			t.Errorf("%s: %+v", test.rule, got)
		}
		if got.Inserted+got.Cut+got.Shortened+got.Lengthened < 20 {
			t.Errorf("%s: it was never adjusted: %+v", test.rule, got)
		}
	}
}

// A delay of 300 ms too much is gone two seconds later, in the middle of speech, by periods and without a click.
func TestJitterBufferCatchesUpInSpeech(t *testing.T) {
	voice := loud(voiceAt(t, "rms", 8000))
	s := newStream(voice)
	s.keep = true
	arrives := func() time.Duration {
		at := time.Second + time.Duration(s.sent)*20*ms
		if held := 5*time.Second + 300*ms; at > 5*time.Second && at < held {
			return held
		}
		return at
	}
	var after time.Duration
	for now := time.Second + 5*ms; now < 9*time.Second; now += tickLength {
		for arrives() <= now {
			s.send(arrives())
		}
		s.tick(now)
		if now > 8*time.Second {
			after = max(after, time.Duration(s.j.count.delay.Load()))
		}
	}
	got := s.j.stats()
	t.Logf("%v, %+v", after, got)
	if after > 70*ms || got.Shortened < 10 || got.Lost > 0 {
		t.Errorf("the delay is %v three seconds later: %+v", after, got)
	}
	step, _ := steepest(voice)
	if s, _ := steepest(s.heard[6*8000:]); s > 1.1*step {
		t.Errorf("a step of %.0f, the voice's own are %.0f: a click", s, step)
	}
}

// Where packets begin to be late by up to 80 ms, the target is there at once; where they are no more, it comes back by 20
// ms a second.
func TestJitterBufferTargetGrowsAtOnceAndFallsSlowly(t *testing.T) {
	s := newStream(voiceAt(t, "slt", 8000))
	target := func() time.Duration { return s.j.meter.target }
	var grown, kept, fallen time.Duration
	pending := []time.Duration{}
	for now := time.Second; now < 25*time.Second; now += ms {
		if now%(20*ms) == 0 {
			late := time.Duration(0)
			if now >= 10*time.Second && now < 13*time.Second {
				late = time.Duration(len(pending)%2+int(now/(20*ms))%5) * 20 * ms
			}
			if n := len(pending); n > 0 {
				late = max(late, pending[n-1]-now) // in order
			}
			pending = append(pending, now+late)
		}
		for len(pending) > 0 && pending[0] <= now {
			s.send(pending[0])
			pending = pending[1:]
		}
		if now%(20*ms) == 5*ms {
			s.tick(now)
		}
		switch now {
		case 10*time.Second + 300*ms:
			grown = target()
		case 14 * time.Second:
			kept = target()
		case 24 * time.Second:
			fallen = target()
		}
	}
	t.Logf("%v, %v, %v", grown, kept, fallen)
	if grown < 80*ms || kept < 60*ms || fallen > 45*ms {
		t.Errorf("target %v 300 ms after jitter of 80 ms began, %v a second after it ended, %v ten seconds after that", grown, kept, fallen)
	}
}

// A network that delivers everything twice, and every third pair in the wrong order, changes nothing that is heard.
func TestJitterBufferDuplicatesAndOrder(t *testing.T) {
	plain := trace{length: 20 * time.Second, network: constant(10 * ms), phase: 3 * ms}
	want := plain.run()
	r := newRing(trackRing)
	j := newJitter(r, &trackVoice{decoder: &plainOpus{}, rate: 8000}, 8000, trackWindow)
	all := plain.arrivals()
	for i := 3; i < len(all); i += 3 { // the later one overtakes by 1 ms
		all[i].at, all[i].p.arrival = all[i-1].at-ms, all[i-1].at-ms
		all[i], all[i-1] = all[i-1], all[i]
	}
	block, heard := make([]int16, 160), map[int16]bool{}
	for now := time.Second + 3*ms; now < 22*time.Second; now += tickLength {
		for len(all) > 0 && all[0].at <= now {
			for range 2 {
				p := r.free()
				p.payload = append(p.payload[:0], all[0].p.payload...)
				p.seq, p.timestamp, p.arrival, p.silence = all[0].p.seq, all[0].p.timestamp, all[0].p.arrival, false
				r.push()
			}
			all = all[1:]
		}
		if j.pull(now, block) {
			heard[block[80]] = true
		}
	}
	got := j.stats()
	t.Logf("%+v", got)
	if len(heard) < len(want.delays) || got.Duplicates != 1000 || got.Lost+got.Late+got.Dropped+got.Restarts > 0 || got.Concealed != atTheEnd {
		t.Errorf("%d packets heard of %d, %+v", len(heard), len(want.delays), got)
	}
}
