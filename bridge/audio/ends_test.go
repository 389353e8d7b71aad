package audio

import (
	"testing"
	"time"

	"passerelle/codec"
	"passerelle/codec/conceal"
)

// Tests of what one packet more or less, or later, does to those who hear it.

func TestLossOnTheWayUpAddsNoDelayBeside(t *testing.T) {
	h := newHouse(t, 1)
	m := h.engine.NewMix("room")
	a := h.phone(m, 0)
	h.phone(m, 0)
	says := map[*handset]int16{a: 5000}
	for range 40 {
		h.run(10, says)
		a.lose(160)
		h.tick()
	}
	s := a.phone.Stats()
	if s.Concealed != 39 { // the last is still unknown
		t.Errorf("%d losses concealed for the room, want 39", s.Concealed)
	}
	if s.Ring.Lost != 39 || s.Ring.Concealed+s.Ring.Recovered < 39 || s.Ring.Inserted != 0 || s.Ring.Target > 20*ms {
		t.Errorf("beside it: %+v; want 39 lost, made up, and nothing inserted", s.Ring)
	}
}

func TestOnsetsAddNoDelayBeside(t *testing.T) {
	for _, ptime := range []time.Duration{20 * ms, 60 * ms} {
		h := newHouse(t, 1)
		m := h.engine.NewMix("room")
		a, _ := h.phone(m, 0), h.phone(m, 0)
		ticks := int(ptime / tickLength)
		for n := range 600 {
			value := int16(0)
			if n%20 < 3 {
				value = 5000
			}
			a.now = time.Duration(h.n)*tickLength + 15*ms
			a.send(steady(ptime, value))
			for range ticks {
				h.tick()
			}
		}
		if s := a.phone.Stats().Ring; s.Target > 20*ms || s.Concealed+s.Lost+s.Inserted > 0 {
			t.Errorf("%v: %+v; want a target of at most 20 ms, and nothing made up", ptime, s)
		}
	}
}

func TestOldSoundIsNotHeardByWhoComesLater(t *testing.T) {
	h := newHouse(t, 1)
	m := h.engine.NewMix("room")
	a, b := h.phone(m, 0), h.phone(m, 0)
	h.run(10, map[*handset]int16{a: 5000})
	b.phone.Leave()
	a.phone.PushFrame(&codec.Frame{ // between the letter and the tick
		Arrival: a.now, Seq: a.seq, Timestamp: a.ts, Kind: codec.PCMU, Payload: a.frame(steady(20*ms, 5000)).Payload,
	})
	h.run(100, nil)
	b.phone.Join(m)
	b.forget()
	h.run(20, nil)
	for _, s := range b.heard() {
		if s != 0 {
			t.Fatal("sound of two seconds ago")
		}
	}
	b.phone.Leave()
	h.run(1, nil)
	h.run(100, map[*handset]int16{b: 5000})
	if s := b.phone.Stats().Ring; s.Dropped > 0 {
		t.Errorf("%d packets of a phone in no mix found its ring full", s.Dropped)
	}
}

func TestTrackFallsSilentAtDTX(t *testing.T) {
	h := newHouse(t, 1)
	m := h.engine.NewMix("room")
	a := h.phone(m, 0)
	v := h.voice(m)
	v.value = 5000
	h.run(10, nil)
	v.value = 0
	v.track.PushFrame(&codec.Frame{Arrival: time.Duration(h.n)*tickLength + 15*ms, Seq: v.seq, Timestamp: v.ts, Kind: codec.Opus, Payload: []byte{8}})
	h.run(20, nil)
	if s := v.track.Stats(); s.Concealed+s.Lost > 0 {
		t.Errorf("%+v: DTX is no loss", s)
	}
	if a.last() != 0 {
		t.Error("silence is not digital")
	}
}

func TestSoundFadesOut(t *testing.T) {
	r := newRing(trackRing)
	j := newJitter(r, &phoneVoice{past: conceal.New(8000)}, 8000, trackWindow)
	block := make([]int16, 160)
	*r.free() = packet{seq: 1, timestamp: 960, buffers: buffers{pcm: steady(20*ms, 8000)}}
	r.push()
	*r.free() = packet{seq: 2, timestamp: 1920, silence: true}
	r.push()
	if !j.pull(20*ms, block) || block[159] != 8000 {
		t.Fatalf("the sound is not there: %d", block[159])
	}
	if !j.pull(40*ms, block) {
		t.Fatal("no fade")
	}
	before := int16(8000)
	for i, s := range block {
		if s > before || before-s > 200 {
			t.Fatalf("sample %d: %d after %d", i, s, before)
		}
		before = s
	}
	if before != 0 || j.pull(60*ms, block) {
		t.Error("no silence after the fade")
	}
}

func TestJitterBufferCountsDuplicatesAndLate(t *testing.T) {
	r := newRing(trackRing)
	j := newJitter(r, &trackVoice{decoder: &plainOpus{}, rate: 8000}, 8000, trackWindow)
	block := make([]int16, 160)
	push := func(i int) {
		*r.free() = packet{
			seq: uint16(i), timestamp: uint32(i) * 960, arrival: time.Duration(i) * 20 * ms,
			buffers: buffers{payload: plainPayload(steady(20*ms, int16(i)))},
		}
		r.push()
	}
	for i := 1; i < 20; i++ {
		if i == 10 {
			continue
		}
		push(i)
		push(i) // waits
		if i > 5 {
			push(i - 5) // was played, or lost
		}
		j.pull(time.Duration(i+1)*20*ms, block)
	}
	if s := j.stats(); s.Duplicates != 18+13-1 || s.Late != 1 || s.Lost != 1 {
		t.Errorf("%+v; want 30 duplicates, 1 late, 1 lost", s)
	}
}

func TestJitterBufferAtTheLeastDelay(t *testing.T) {
	// After a pause the target is 10 ms; ticks come 13 ms after packets.
	pause := func(i int) bool { return i%400 < 25 }
	for _, test := range []struct {
		rule   string
		ptime  time.Duration
		jitter time.Duration
		lost   func(int) bool
		most   time.Duration // delay of the second half
		made   int           // blocks per packet lost, at most
	}{
		{"20 ms", 20 * ms, 0, nil, 20 * ms, 0},
		{"10 ms", 10 * ms, 4 * ms, nil, 45 * ms, 0},
		{"20 ms with losses", 20 * ms, 0, rate(5), 20 * ms, 1},
	} {
		tr := trace{length: time.Minute, ptime: test.ptime, network: uniform(test.jitter), phase: 13 * ms, pause: pause, marked: true, lost: test.lost}
		got := tr.run()
		made := int(got.stats.Concealed+got.stats.Recovered) - atTheEnd
		lost := int(got.stats.Lost)
		t.Logf("%s: %+v", test.rule, got.stats)
		if made > lost*test.made+4 || made < lost*test.made*9/10 {
			t.Errorf("%s: %d blocks made up for %d packets", test.rule, made, lost)
		}
		for _, d := range got.delays[len(got.delays)/2:] {
			if d > test.most {
				t.Errorf("%s: delay %v, want %v", test.rule, d, test.most)
				break
			}
		}
	}
}

func TestJitterBufferSourceWhoseClockStopsOnce(t *testing.T) {
	// Its timestamps stand still for 400 ms, once; a minute later nothing of it is left.
	stopped := func(i int) time.Duration {
		if i < 50 {
			return 0
		}
		return 400 * ms
	}
	tr := trace{length: time.Minute, phase: 7 * ms, network: stopped, marked: true, pause: func(i int) bool { return i > 50 && i%50 > 40 }}
	got := tr.run()
	for i, d := range got.delays[50:] {
		if d > 441*ms {
			t.Fatalf("packet %d: delay %v", i, d-400*ms)
		}
	}
}

func TestTargetGrowsAtOnceAndDecaysSlowly(t *testing.T) {
	d := newDelayMeter()
	var at time.Duration
	arrive := func(lag time.Duration) {
		at += 20 * ms
		d.arrived(at+lag, at, 0, false)
	}
	for range 50 {
		arrive(0)
	}
	arrive(100 * ms)
	if d.target > firstTarget {
		t.Errorf("one late packet raised the target to %v", d.target)
	}
	arrive(100 * ms)
	if d.target < 100*ms || d.target > 115*ms {
		t.Errorf("two late packets: target %v, want a little over 100 ms", d.target)
	}
	before := d.target
	for range 50 {
		arrive(0)
		if before-d.target > ms/2 {
			t.Fatalf("the target fell from %v to %v with one packet", before, d.target)
		}
		before = d.target
	}
	for range 1500 {
		arrive(0)
	}
	if d.target != leastTarget {
		t.Errorf("half a minute later the target is %v, want %v", d.target, leastTarget)
	}
}

func TestPacketizerSendsNoTickTwice(t *testing.T) {
	line := &recorder{}
	d := packetizer{line: must(plainEngine(1).newLine(codec.PCMU, 0, 0))}
	for _, n := range []int64{5, 6, 6, 5, 7} {
		d.write(line, n, make([]byte, 160), &codec.Frame{})
	}
	if len(line.frames) != 3 || line.frames[2].Timestamp != 320 || line.frames[2].Marker {
		t.Errorf("%d packets, want 3: %+v", len(line.frames), line.frames)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestASkippedTickIsForgottenInSilence(t *testing.T) {
	r := newRing(trackRing)
	j := newJitter(r, &trackVoice{decoder: &plainOpus{}, rate: 8000}, 8000, trackWindow)
	block := make([]int16, 160)
	j.skip()
	j.pull(time.Second, block)
	for i := range 5 { // the first is 60 ms late
		*r.free() = packet{
			seq: uint16(i), timestamp: uint32(i) * 960, arrival: 2*time.Second + time.Duration(max(60, i*20))*ms,
			buffers: buffers{payload: plainPayload(steady(20*ms, 1))},
		}
		r.push()
	}
	j.pull(2*time.Second+100*ms, block)
	if n := j.stats().Dropped; n != 0 {
		t.Errorf("%d packets dropped for a tick that was skipped in silence", n)
	}
}
