package audio

import (
	"math"
	"math/rand/v2"
	"slices"
	"sort"
	"testing"
	"time"
)

// trace is a source and the network between it and a jitter buffer, in virtual time. What each sample
// holds is its packet's number, counted from 1, so that what is played says when it was spoken.
type trace struct {
	length  time.Duration                    // of the trace
	ptime   time.Duration                    // 0 is 20 ms
	phase   time.Duration                    // of the ticks
	network func(i int) time.Duration        // delay of packet i
	lost    func(i int) bool                 // or nil
	pause   func(i int) bool                 // packet i is silence that is not sent, or nil
	drift   float64                          // of the source's clock: 200e-6 is slow
	marked  bool                             // the first packet of a pause is sent, as DTX
	value   func(i int) int16                // of its samples; nil is i+1
	stamp   func(i int) (ts uint32, seq int) // changes what a packet says of itself, or nil
}

// played is what came out of a jitter buffer.
type played struct {
	delays   []time.Duration // of each packet, from its arrival were there no jitter to its first tick
	at       []time.Duration // ... that tick
	heard    map[int]int     // ticks in which a packet was heard
	silent   int             // ticks without sound after the first
	stats    JitterStats
	recovers int
}

type arrival struct {
	at time.Duration
	p  packet
	n  int
}

// arrivals returns all packets of the trace, as they arrive.
func (tr *trace) arrivals() []arrival {
	if tr.ptime == 0 {
		tr.ptime = 20 * ms
	}
	var all []arrival
	seq, paused := 0, false
	for i := 0; time.Duration(i)*tr.ptime < tr.length; i++ {
		spoken := time.Duration(float64(i) * float64(tr.ptime) * (1 + tr.drift))
		silence := false
		if tr.pause != nil && tr.pause(i) {
			if paused || !tr.marked {
				paused = true
				continue
			}
			paused, silence = true, true
		} else {
			paused = false
		}
		seq++
		if tr.lost != nil && tr.lost(i) {
			continue
		}
		a := arrival{at: time.Second + spoken + tr.network(i), n: i + 1}
		value := int16(i + 1)
		if tr.value != nil {
			value = tr.value(i)
		}
		a.p = packet{
			seq: uint16(seq + 65000), timestamp: uint32(i)*uint32(samples(tr.ptime, mediaRate)) - 100000, silence: silence,
			arrival: a.at, buffers: buffers{payload: plainPayload(steady(tr.ptime, value))},
		}
		if tr.stamp != nil {
			ts, s := tr.stamp(i)
			a.p.timestamp += ts
			a.p.seq += uint16(s)
		}
		all = append(all, a)
	}
	sort.SliceStable(all, func(a, b int) bool { return all[a].at < all[b].at })
	return all
}

func plainPayload(pcm []int16) []byte {
	payload := make([]byte, 1+2*len(pcm))
	if _, err := (&plainOpus{}).Encode(payload, pcm); err != nil {
		panic(err)
	}
	return payload
}

// run plays the trace.
func (tr *trace) run() played {
	all := tr.arrivals()
	out := played{heard: map[int]int{}}
	r := newRing(trackRing)
	dec := &plainOpus{}
	j := newJitter(r, &trackVoice{decoder: dec, rate: 8000}, 8000, trackWindow)
	block := make([]int16, 160)
	end := all[len(all)-1].at + time.Second
	for now := time.Second + tr.phase; now < end; now += tickLength {
		for len(all) > 0 && all[0].at <= now {
			if p := r.free(); p != nil {
				*p = all[0].p
				r.push()
			}
			all = all[1:]
		}
		if !j.pull(now, block) {
			out.silent++
			continue
		}
		seen := int16(0)
		for _, s := range block {
			if s == 0 || s == seen {
				continue
			}
			seen = s
			n := int(s)
			if out.heard[n] == 0 {
				ideal := time.Second + time.Duration(float64(n-1)*float64(tr.ptime)*(1+tr.drift))
				out.delays = append(out.delays, now-ideal)
				out.at = append(out.at, now)
			}
			out.heard[n]++
		}
	}
	out.stats, out.recovers = j.stats(), dec.recovered
	return out
}

func (p *played) percentile(q float64) time.Duration {
	sorted := slices.Sorted(slices.Values(p.delays))
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}

func constant(d time.Duration) func(int) time.Duration {
	return func(int) time.Duration { return d }
}

// uniform delays by 0 to most, packets in any order.
func uniform(most time.Duration) func(int) time.Duration {
	r := rand.New(rand.NewPCG(1, 2))
	return func(int) time.Duration { return time.Duration(r.Int64N(int64(most) + 1)) }
}

// queued delays by 0 to most without overtaking.
func queued(most time.Duration) func(int) time.Duration {
	r := rand.New(rand.NewPCG(3, 4))
	var before time.Duration
	return func(int) time.Duration {
		before = max(before-20*ms, time.Duration(r.Int64N(int64(most)+1)))
		return before
	}
}

func rate(percent int) func(int) bool {
	return func(i int) bool { return rand.New(rand.NewPCG(5, uint64(i))).IntN(100) < percent }
}

// atTheEnd is how many blocks are made up when a trace ends without a word.
const atTheEnd = 5

func TestJitterBuffer(t *testing.T) {
	const minute = time.Minute
	for _, test := range []struct {
		rule   string
		tr     trace
		median time.Duration // of the delay, at most
		most   time.Duration // 99% of it
		made   uint64        // blocks made up, at most
		missed int           // packets never heard that were not lost, at most
	}{
		{"no jitter, ticks just before packets", trace{network: constant(0), phase: 19900 * time.Microsecond}, 41 * ms, 41 * ms, 0, 0},
		{"no jitter, ticks just after packets", trace{network: constant(0), phase: 100 * time.Microsecond}, 30 * ms, 41 * ms, 0, 0},
		{"no jitter, ticks between", trace{network: constant(0), phase: 10 * ms}, 30 * ms, 41 * ms, 0, 0},
		{"a long way is no jitter", trace{network: constant(150 * ms), phase: 7 * ms}, 188 * ms, 191 * ms, 0, 0},
		{"packets of 10 ms", trace{network: constant(0), ptime: 10 * ms, phase: 3 * ms}, 43 * ms, 51 * ms, 0, 0},
		{"packets of 40 ms", trace{network: constant(0), ptime: 40 * ms, phase: 3 * ms}, 30 * ms, 41 * ms, 0, 0},
		{"packets of 60 ms", trace{network: constant(0), ptime: 60 * ms, phase: 3 * ms}, 30 * ms, 41 * ms, 0, 0},
		{"jitter of 20 ms", trace{network: uniform(20 * ms), phase: 3 * ms}, 50 * ms, 60 * ms, 5, 5},
		{"jitter of 60 ms, out of order", trace{network: uniform(60 * ms), phase: 3 * ms}, 90 * ms, 105 * ms, 45, 45},
		{"jitter of 60 ms, in order", trace{network: queued(60 * ms), phase: 3 * ms}, 95 * ms, 130 * ms, 20, 0},
		{"jitter of 120 ms", trace{network: uniform(120 * ms), phase: 3 * ms}, 150 * ms, 165 * ms, 60, 60},
		{"a talker who pauses", trace{network: uniform(30 * ms), marked: true, pause: func(i int) bool { return i%100 > 50 }}, 65 * ms, 80 * ms, 40, 5},
		{"pauses without DTX packets", trace{network: constant(0), pause: func(i int) bool { return i%100 > 50 }}, 30 * ms, 41 * ms, 5 * 30, 0},
		{"one in ten is overtaken", trace{network: func(i int) time.Duration { return time.Duration((i%10)/9) * 50 * ms }, phase: 3 * ms}, 85 * ms, 100 * ms, 6, 5},
		{"bursts of 300 ms", trace{network: func(i int) time.Duration { return time.Duration(14-i%15) * 20 * ms }}, 330 * ms, 350 * ms, 20, 0},
	} {
		t.Run(test.rule, func(t *testing.T) {
			test.tr.length = minute
			got := test.tr.run()
			made := got.stats.Concealed + got.stats.Recovered
			if !test.tr.marked {
				made -= atTheEnd
			}
			missed := len(test.tr.arrivals()) - len(got.delays)
			if test.tr.marked {
				missed -= 30 // DTX packets
			}
			p50, p99 := got.percentile(0.5), got.percentile(0.99)
			t.Logf("delay p50 %v p99 %v, %d made up, %d missed, %+v", p50, p99, made, missed, got.stats)
			if p50 > test.median || p99 > test.most {
				t.Errorf("delay p50 %v, p99 %v; want at most %v, %v", p50, p99, test.median, test.most)
			}
			if made > test.made {
				t.Errorf("%d blocks made up, want at most %d", made, test.made)
			}
			if missed > test.missed {
				t.Errorf("%d packets missed, want at most %d", missed, test.missed)
			}
		})
	}
}

func TestJitterBufferLoss(t *testing.T) {
	for _, percent := range []int{1, 5, 10} {
		tr := trace{length: time.Minute, network: uniform(15 * ms), phase: 5 * ms, lost: rate(percent)}
		got := tr.run()
		lost := 3000 - len(tr.arrivals())
		made := int(got.stats.Concealed+got.stats.Recovered) - atTheEnd
		t.Logf("%d%%: p50 %v, %+v", percent, got.percentile(0.5), got.stats)
		if int(got.stats.Lost) < lost*95/100 || int(got.stats.Lost) > lost+5 {
			t.Errorf("%d%%: %d counted lost, want %d", percent, got.stats.Lost, lost)
		}
		if made < lost*9/10 || made > lost+20 {
			t.Errorf("%d%%: %d made up for %d lost", percent, made, lost)
		}
		if got.stats.Recovered < uint64(lost)/2 {
			t.Errorf("%d%%: %d of %d recovered from the next packet's FEC", percent, got.stats.Recovered, lost)
		}
		if p50 := got.percentile(0.5); p50 > 50*ms {
			t.Errorf("%d%%: loss adds delay: p50 %v", percent, p50)
		}
	}
}

func TestJitterBufferDrift(t *testing.T) {
	for _, test := range []struct {
		rule  string
		drift float64
		pause func(int) bool
		most  time.Duration
	}{
		{"slow source, pauses", 200e-6, func(i int) bool { return i%250 > 200 }, 45 * ms},
		{"fast source, pauses", -200e-6, func(i int) bool { return i%250 > 200 }, 45 * ms},
		{"slow source, no pause", 200e-6, nil, 45 * ms},
		{"fast source, no pause", -200e-6, nil, 45 * ms},
	} {
		tr := trace{length: 10 * time.Minute, network: constant(5 * ms), drift: test.drift, pause: test.pause, marked: true}
		tr.value = func(i int) int16 { return int16(1 + i%30000) }
		got := tr.run()
		late := time.Duration(0)
		for _, d := range got.delays {
			late = max(late, d)
		}
		t.Logf("%s: p50 %v, most %v, %+v", test.rule, got.percentile(0.5), late, got.stats)
		if late > test.most {
			t.Errorf("%s: delay up to %v, want %v", test.rule, late, test.most)
		}
		if n := got.stats.Concealed; n > atTheEnd+6 {
			t.Errorf("%s: %d blocks made up", test.rule, n)
		}
	}
}

func TestJitterBufferDriftIsAbsorbedOnSilence(t *testing.T) {
	for _, drift := range []float64{200e-6, -200e-6} {
		tr := trace{length: 10 * time.Minute, network: constant(5 * ms), drift: drift}
		// Quiet now and then, never silent.
		tr.value = func(i int) int16 {
			if i%50 == 0 {
				return 1
			}
			return 10000
		}
		got := tr.run()
		s := got.stats
		t.Logf("%+v", s)
		if s.Concealed+s.Recovered > atTheEnd || s.Cut+s.Inserted < 4 || s.Cut+s.Inserted > 8 {
			t.Errorf("drift %v: %+v, want about 6 blocks cut or inserted and nothing made up", drift, s)
		}
	}
}

func TestJitterBufferJumps(t *testing.T) {
	for _, test := range []struct {
		rule  string
		stamp func(i int) (uint32, int)
	}{
		{"another source", func(i int) (uint32, int) {
			if i < 1000 {
				return 0, 0
			}
			return 123456789, 20000
		}},
		{"timestamps jump forwards", func(i int) (uint32, int) {
			if i < 1000 {
				return 0, 0
			}
			return 480000, 0
		}},
		{"timestamps jump backwards", func(i int) (uint32, int) {
			if i < 1000 {
				return 0, 0
			}
			return math.MaxUint32 - 480000, 0
		}},
		{"sequence numbers jump", func(i int) (uint32, int) {
			if i < 1000 {
				return 0, 0
			}
			return 0, 30000
		}},
	} {
		tr := trace{length: 40 * time.Second, network: constant(0), phase: 7 * ms, stamp: test.stamp}
		got := tr.run()
		if missed := 2000 - len(got.delays); missed > 2 {
			t.Errorf("%s: %d packets missed", test.rule, missed)
		}
		if got.stats.Restarts != 1 {
			t.Errorf("%s: %d restarts, want 1", test.rule, got.stats.Restarts)
		}
		if late := got.delays[len(got.delays)-1]; late > 41*ms {
			t.Errorf("%s: delay %v at the end", test.rule, late)
		}
	}
}

func TestJitterBufferOutage(t *testing.T) {
	// The network holds everything back for 300 ms, once.
	tr := trace{length: 40 * time.Second, phase: 7 * ms, network: func(i int) time.Duration {
		return max(0, 300*ms-time.Duration(max(0, i-1000))*20*ms) * time.Duration(min(1, i/1000))
	}}
	tr.value = func(i int) int16 { // a pause a second
		if i%50 < 5 {
			return 0
		}
		return int16(i + 1)
	}
	got := tr.run()
	t.Logf("%+v", got.stats)
	if got.stats.Target > 20*ms {
		t.Errorf("one outage raised the target to %v", got.stats.Target)
	}
	if missed := 2000*9/10 - len(got.delays); missed > 5 {
		t.Errorf("%d packets missed", missed)
	}
	if late := got.delays[len(got.delays)-1]; late > 60*ms {
		t.Errorf("delay %v 20 seconds later", late)
	}
}

func TestJitterBufferLongOutageLeavesNoDelay(t *testing.T) {
	for _, held := range []time.Duration{700 * ms, 1500 * ms, 3 * time.Second} {
		tr := trace{length: 30 * time.Second, phase: 7 * ms, network: func(i int) time.Duration {
			return max(0, held-time.Duration(max(0, i-1000))*20*ms) * time.Duration(min(1, i/1000))
		}}
		got := tr.run()
		for i, at := range got.at {
			if d := got.delays[i]; at > 23*time.Second+held && d > 100*ms {
				t.Errorf("held for %v: delay %v two seconds after that: %+v", held, d, got.stats)
				break
			}
		}
		if missed := 1500 - len(got.delays); missed > int(held/(20*ms)) {
			t.Errorf("held for %v: %d packets missed", held, missed)
		}
	}
}

func TestJitterBufferSourceWhoseClockStops(t *testing.T) {
	// It says something for a second, and nothing for 600 ms, in which its timestamps stand still.
	stops := func(i int) time.Duration { return time.Duration(i/50) * 600 * ms }
	tr := trace{length: 30 * time.Second, phase: 7 * ms, network: stops}
	got := tr.run()
	t.Logf("%+v", got.stats)
	if missed := 1500 - len(got.delays); missed > 0 {
		t.Errorf("%d packets missed", missed)
	}
	for i, d := range got.delays {
		if late := d - stops(i); late > 41*ms {
			t.Fatalf("packet %d: delay %v", i, late)
		}
	}
}

func TestJitterBufferSkippedTicksLeaveNoDelay(t *testing.T) {
	r := newRing(trackRing)
	j := newJitter(r, &trackVoice{decoder: &plainOpus{}, rate: 8000}, 8000, trackWindow)
	tr := trace{length: 10 * time.Second, network: constant(0)}
	all := tr.arrivals()
	block := make([]int16, 160)
	var late time.Duration
	for tick := range 500 {
		now := time.Second + 7*ms + time.Duration(tick)*tickLength
		for len(all) > 0 && all[0].at <= now {
			*r.free() = all[0].p
			r.push()
			all = all[1:]
		}
		if tick >= 200 && tick < 220 {
			continue // the shard stands still
		}
		if tick == 220 {
			j.skip()
		}
		if j.pull(now, block) && block[80] != 0 {
			late = now - time.Second - time.Duration(block[80]-1)*20*ms
		}
		if tick > 222 && late > 41*ms {
			t.Fatalf("tick %d: delay %v", tick, late)
		}
	}
}

func TestJitterBufferSilenceIsDigital(t *testing.T) {
	r := newRing(trackRing)
	j := newJitter(r, &trackVoice{decoder: &plainOpus{}, rate: 8000}, 8000, trackWindow)
	block := steady(20*ms, 99)
	for i := range 100 {
		if j.pull(time.Duration(i)*tickLength, block) {
			t.Fatal("sound from nowhere")
		}
	}
	if block[0] != 99 {
		t.Error("a silent source wrote to the block")
	}
}

func TestJitterBufferAfterALongMute(t *testing.T) {
	for _, hidden := range []int{100, 1500, 65536 - 900, 65536 - 10} {
		j := newJitter(newRing(64), &trackVoice{decoder: &plainOpus{}, rate: 8000}, 8000, 64)
		out := make([]int16, 160)
		push := func(i int) {
			p := j.in.free()
			p.seq, p.timestamp, p.arrival = uint16(i), uint32(i*960), time.Duration(i)*20*ms+7*ms
			p.payload = append(p.payload[:0], plainPayload(steady(20*ms, 1000))...)
			j.in.push()
		}
		for i := range 200 {
			push(i)
			j.pull(time.Duration(i)*20*ms+10*ms, out)
		}
		for i := 200; i < 200+hidden; i++ {
			j.pull(time.Duration(i)*20*ms+10*ms, out)
		}
		var heard int
		for i := 200 + hidden; i < 250+hidden; i++ {
			push(i)
			if j.pull(time.Duration(i)*20*ms+10*ms, out) {
				heard++
			}
		}
		if heard < 45 {
			t.Errorf("after %d packets that were kept back, %d of 50 ticks sound", hidden, heard)
		}
	}
}
