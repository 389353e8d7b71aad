package audio

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"passerelle/codec"
	"passerelle/codec/g711"
)

// house is an engine with phones in mixes, all in virtual time: every tick each phone sends a packet
// first, 5 ms before.
type house struct {
	t      testing.TB
	engine *Engine
	n      int64
	phones []*handset
	tracks []*voiceOfRoom
}

// voiceOfRoom is a room's voice as it is sent.
type voiceOfRoom struct {
	track *Track
	seq   uint16
	ts    uint32
	value int16 // 0 says nothing
}

func newHouse(t testing.TB, shards int) *house {
	return &house{t: t, engine: plainEngine(shards)}
}

// phone adds a phone to m that says value.
func (h *house) phone(m *Mix, ptime time.Duration) *handset {
	s := newHandset(h.t, h.engine, ptime)
	s.now = time.Duration(h.n)*tickLength + 15*ms
	s.phone.Join(m)
	h.phones = append(h.phones, s)
	return s
}

func (h *house) voice(m *Mix) *voiceOfRoom {
	v := &voiceOfRoom{track: m.AddTrack("voice")}
	h.tracks = append(h.tracks, v)
	return v
}

// tick lets every voice say what it says, and ticks every shard.
func (h *house) tick() {
	arrival := time.Duration(h.n)*tickLength + 15*ms
	for _, v := range h.tracks {
		if v.value != 0 {
			v.track.PushFrame(&codec.Frame{Arrival: arrival, Seq: v.seq, Timestamp: v.ts, Kind: codec.Opus, Payload: plainPayload(steady(20*ms, v.value))})
			v.seq++
		}
		v.ts += 960
	}
	h.n++
	for _, s := range h.engine.shards {
		s.tick(h.n)
	}
}

// run ticks while each phone of says speaks its value, and the others send silence.
func (h *house) run(ticks int, says map[*handset]int16) {
	for range ticks {
		for _, p := range h.phones {
			p.now = time.Duration(h.n)*tickLength + 15*ms
			p.send(steady(20*ms, says[p]))
		}
		h.tick()
	}
}

// heard returns what the phone was sent since forget.
func (s *handset) heard() []int16 {
	var all []int16
	for _, f := range s.line.frames {
		dec, err := g711.NewDecoder(f.Kind)
		if err != nil {
			panic(err)
		}
		pcm := make([]int16, len(f.Payload))
		if _, err := dec.Decode(pcm, f.Payload); err != nil {
			panic(err)
		}
		all = append(all, pcm...)
	}
	return all
}

// last returns the last sample that the phone was sent.
func (s *handset) last() int16 {
	all := s.heard()
	if len(all) == 0 {
		return -1
	}
	return all[len(all)-1]
}

func (s *handset) forget() { s.line.frames = nil }

// near says whether two samples are the same but for G.711, twice.
func near(a, b int) bool { return max(a-b, b-a) <= 40+max(a, -a)/12 }

func TestMixMinus(t *testing.T) {
	h := newHouse(t, 1)
	m := h.engine.NewMix("room")
	a, b, c := h.phone(m, 0), h.phone(m, 0), h.phone(m, 0)
	v := h.voice(m)
	for _, test := range []struct {
		rule                string
		says                map[*handset]int16
		room                int16
		hearA, hearB, hearC int
	}{
		{"nobody speaks", nil, 0, 0, 0, 0},
		{"nobody hears himself", map[*handset]int16{a: 1000}, 0, 0, 1000, 1000},
		{"two speak", map[*handset]int16{a: 1000, b: 3000}, 0, 3000, 1000, 4000},
		{"all speak", map[*handset]int16{a: 1000, b: 3000, c: 6000}, 0, 9000, 7000, 4000},
		{"the room speaks", nil, 2000, 2000, 2000, 2000},
		{"the room and one phone speak", map[*handset]int16{c: 4000}, 2000, 6000, 6000, 2000},
		{"too loud is clamped, and own sound goes out whole", map[*handset]int16{a: 30000, b: 30000}, 0, 30000, 30000, 32124},
		{"all quiet again", nil, 0, 0, 0, 0},
	} {
		v.value = test.room
		h.run(30, test.says)
		for _, got := range []struct {
			name string
			s    *handset
			want int
		}{{"a", a, test.hearA}, {"b", b, test.hearB}, {"c", c, test.hearC}} {
			if last := int(got.s.last()); !near(last, got.want) {
				t.Errorf("%s: %s hears %d, want %d", test.rule, got.name, last, got.want)
			}
		}
	}
}

func TestMixSilenceIsDigital(t *testing.T) {
	h := newHouse(t, 1)
	m := h.engine.NewMix("room")
	a, b := h.phone(m, 0), h.phone(m, 0)
	h.voice(m)
	h.run(50, nil)
	for _, s := range []*handset{a, b} {
		if pcm := s.heard(); len(pcm) != 50*160 || !slices.Equal(pcm, make([]int16, len(pcm))) {
			t.Error("silence is not digital silence, or has holes")
		}
	}
}

func TestMixMutedPhoneIsHeardByNobody(t *testing.T) {
	h := newHouse(t, 1)
	m := h.engine.NewMix("room")
	a, b := h.phone(m, 0), h.phone(m, 0)
	h.run(20, map[*handset]int16{a: 5000})
	if !near(int(b.last()), 5000) {
		t.Fatalf("b hears %d before the mute", b.last())
	}
	a.phone.SetMuted(true)
	h.run(3, map[*handset]int16{a: 5000}) // what was said before is still on its way
	a.seat.frames = nil
	b.forget()
	h.run(50, map[*handset]int16{a: 5000})
	if pcm := b.heard(); !slices.Equal(pcm, make([]int16, len(pcm))) {
		t.Error("the phone beside it hears a muted phone")
	}
	for _, pcm := range a.heardAtSeat() {
		if pcm != 0 {
			t.Fatal("the room hears a muted phone")
		}
	}
	a.phone.SetMuted(false)
	h.run(20, map[*handset]int16{a: 5000})
	if !near(int(b.last()), 5000) {
		t.Errorf("b hears %d after the mute", b.last())
	}
}

func TestMixOneAlonePaysForNoRing(t *testing.T) {
	h := newHouse(t, 1)
	m := h.engine.NewMix("room")
	a := h.phone(m, 0)
	h.run(20, map[*handset]int16{a: 5000})
	if n := a.phone.Stats().Ring.Packets; n != 0 {
		t.Errorf("%d packets in the ring of a phone that stands alone", n)
	}
	b := h.phone(m, 0)
	h.run(20, map[*handset]int16{a: 5000})
	if !near(int(b.last()), 5000) || a.last() != 0 {
		t.Errorf("with two, b hears %d and a %d", b.last(), a.last())
	}
	b.phone.Leave()
	h.run(5, nil)
	before := a.phone.Stats().Ring.Packets
	h.run(20, map[*handset]int16{a: 5000})
	if n := a.phone.Stats().Ring.Packets - before; n != 0 {
		t.Errorf("%d packets in the ring of a phone that stands alone again", n)
	}
	b.phone.Join(m)
	b.forget()
	h.run(20, map[*handset]int16{a: 5000})
	if !near(int(b.last()), 5000) {
		t.Errorf("back again, b hears %d", b.last())
	}
}

func TestMixEncodesOnceForAllWhoHearTheSame(t *testing.T) {
	h := newHouse(t, 1)
	m := h.engine.NewMix("room")
	for range 10 {
		h.phone(m, 0)
	}
	v := h.voice(m)
	v.value = 1000
	count := &countingEncoder{Encoder: h.engine.shards[0].work.shared[codec.PCMU].encoder}
	h.engine.shards[0].work.shared[codec.PCMU].encoder = count
	h.run(10, nil)
	if count.n != 10 {
		t.Errorf("%d encodes in 10 ticks with nobody talking, want 10", count.n)
	}
	h.run(20, map[*handset]int16{h.phones[0]: 5000})
	count.n = 0
	h.run(10, map[*handset]int16{h.phones[0]: 5000})
	if count.n != 20 {
		t.Errorf("%d encodes in 10 ticks with one talking, want 20", count.n)
	}
}

type countingEncoder struct {
	codec.Encoder
	n int
}

func (c *countingEncoder) Encode(dst []byte, pcm []int16) (int, error) {
	c.n++
	return c.Encoder.Encode(dst, pcm)
}

func TestDownPTime(t *testing.T) {
	for _, test := range []struct {
		ptime time.Duration
		size  int
	}{{10 * ms, 80}, {20 * ms, 160}, {30 * ms, 240}, {40 * ms, 320}, {60 * ms, 480}} {
		h := newHouse(t, 1)
		m := h.engine.NewMix("room")
		a := h.phone(m, test.ptime)
		v := h.voice(m)
		v.value = 1234
		h.run(60, nil)
		frames := a.line.frames
		if want := 60 * 160 / test.size; len(frames) != want {
			t.Errorf("%v: %d packets in 60 ticks, want %d", test.ptime, len(frames), want)
		}
		for i, f := range frames {
			if len(f.Payload) != test.size || f.Timestamp != uint32(i*test.size) || f.Marker != (i == 0) || f.Kind != codec.PCMU {
				t.Errorf("%v: packet %d has %d bytes at %d, marker %v, %v", test.ptime, i, len(f.Payload), f.Timestamp, f.Marker, f.Kind)
			}
		}
	}
}

func TestDownRenegotiated(t *testing.T) {
	h := newHouse(t, 1)
	m := h.engine.NewMix("room")
	a := h.phone(m, 60*ms)
	h.run(4, nil) // 20 ms are kept
	a.forget()
	if err := a.phone.Renegotiate(codec.PCMA, 20*ms, 0); err != nil {
		t.Fatal(err)
	}
	h.tick()
	h.tick()
	if len(a.line.frames) != 2 {
		t.Fatalf("%d packets, want 2", len(a.line.frames))
	}
	for i, f := range a.line.frames {
		if f.Kind != codec.PCMA || f.Timestamp != uint32(4+i)*160 || f.Marker != (i == 0) || len(f.Payload) != 160 {
			t.Errorf("packet %d: %v at %d, marker %v, %d bytes", i, f.Kind, f.Timestamp, f.Marker, len(f.Payload))
		}
	}
}

func TestDownRefusals(t *testing.T) {
	e := plainEngine(1)
	for _, test := range []struct {
		kind  codec.Kind
		ptime time.Duration
		want  error
	}{{codec.ComfortNoise, 0, ErrKind}, {codec.G722, 0, ErrKind}, {codec.PCMU, 25 * ms, ErrPTime}, {codec.Opus, 30 * ms, ErrPTime}} {
		if _, err := e.NewPhone(PhoneConfig{Kind: test.kind, PTime: test.ptime}); !errors.Is(err, test.want) {
			t.Errorf("%v %v: %v, want %v", test.kind, test.ptime, err, test.want)
		}
	}
}

func TestSkippedTicksAdvanceTimestamps(t *testing.T) {
	h := newHouse(t, 1)
	m := h.engine.NewMix("room")
	a := h.phone(m, 0)
	h.run(5, nil)
	h.n += 7
	h.run(5, nil)
	f := a.line.frames
	if len(f) != 10 || f[5].Timestamp-f[4].Timestamp != 8*160 || !f[5].Marker {
		t.Errorf("over 7 skipped ticks: %d packets, timestamp +%d, marker %v", len(f), f[5].Timestamp-f[4].Timestamp, f[5].Marker)
	}
	for i := 6; i < 10; i++ {
		if f[i].Timestamp-f[i-1].Timestamp != 160 || f[i].Marker {
			t.Errorf("packet %d: timestamp +%d, marker %v", i, f[i].Timestamp-f[i-1].Timestamp, f[i].Marker)
		}
	}
}

func TestHoldSendsNothing(t *testing.T) {
	h := newHouse(t, 1)
	m := h.engine.NewMix("room")
	a := h.phone(m, 0)
	h.run(5, nil)
	a.phone.Hold(true)
	h.run(5, nil)
	if len(a.line.frames) != 5 {
		t.Errorf("%d packets on hold", len(a.line.frames)-5)
	}
	a.phone.Hold(false)
	h.run(1, nil)
	if f := a.line.frames[5]; f.Timestamp != 10*160 || !f.Marker {
		t.Errorf("after hold: timestamp %d, marker %v", f.Timestamp, f.Marker)
	}
}

func TestSoundsGoByWhileAPhoneIsOnHold(t *testing.T) {
	h := newHouse(t, 1)
	m := h.engine.NewMix("room")
	a := h.phone(m, 0)
	h.run(1, nil)
	a.phone.Hold(true)
	first := a.phone.Play(Sound{PCM: steady(40*ms, 3000)})
	second := a.phone.Play(Sound{PCM: steady(80*ms, 1000), After: first})
	h.run(5, nil)
	isDone(t, first, true)
	isDone(t, second, false)
	a.phone.Hold(false)
	a.forget()
	h.run(3, nil)
	for i, s := range a.heard() {
		want := []int{1000, 0, 0}[i/160]
		if !near(int(s), want) {
			t.Fatalf("after hold, sample %d is %d, want %d", i, s, want)
		}
	}
	isDone(t, second, true)
}

func TestPhoneMovesBetweenShards(t *testing.T) {
	h := newHouse(t, 2)
	var mixes []*Mix
	for range 3 {
		mixes = append(mixes, h.engine.NewMix("room"))
	}
	if mixes[0].shard == mixes[1].shard {
		t.Fatal("two mixes on one of two shards")
	}
	a, b := h.phone(mixes[0], 0), h.phone(mixes[1], 0)
	h.run(10, nil)
	a.phone.Join(mixes[1])
	h.run(2, nil)
	h.run(30, map[*handset]int16{a: 5000})
	if !near(int(b.last()), 5000) {
		t.Errorf("b hears %d of the phone that moved in", b.last())
	}
	// There and back again, and again, faster than letters are read.
	for range 3 {
		a.phone.Join(mixes[0])
		a.phone.Leave()
		a.phone.Join(mixes[2])
		a.phone.Join(mixes[1])
		h.run(3, nil)
	}
	if s := h.engine.Stats(); s.Phones != 2 || s.Mixes != 3 {
		t.Errorf("%d phones in %d mixes, want 2 in 3", s.Phones, s.Mixes)
	}
	for i, f := range a.line.frames[1:] {
		if step := f.Timestamp - a.line.frames[i].Timestamp; step == 0 || step > 3*160 || f.Marker != (step != 160) {
			t.Errorf("packet %d: timestamp +%d, marker %v", i+1, step, f.Marker)
		}
	}
	a.phone.Close()
	h.run(2, nil)
	a.forget()
	h.run(3, nil)
	if len(a.line.frames) > 0 || h.engine.Stats().Phones != 1 {
		t.Error("a closed phone is still there")
	}
}

func TestMixEnds(t *testing.T) {
	h := newHouse(t, 1)
	m := h.engine.NewMix("room")
	a := h.phone(m, 0)
	v := h.voice(m)
	h.run(2, nil)
	if m.Err() != nil {
		t.Errorf("an open mix has error %v", m.Err())
	}
	m.Close()
	m.Close()
	h.run(2, nil)
	select {
	case <-m.Done():
	default:
		t.Error("a closed mix is not done")
	}
	if m.Err() != nil {
		t.Errorf("a closed mix has error %v", m.Err())
	}
	v.track.Close()
	v.track.Close()
	if s := h.engine.Stats(); s.Mixes+s.Phones+s.Tracks != 0 {
		t.Errorf("left behind: %+v", s)
	}
	next := h.engine.NewMix("next")
	a.phone.Join(m) // too late: nowhere
	a.phone.Join(next)
	a.forget()
	h.run(3, nil)
	if len(a.line.frames) != 3 {
		t.Errorf("%d packets from the next mix, want 3", len(a.line.frames))
	}
	a.phone.Close()
	next.Close()
	h.run(1, nil)
	if load := h.engine.shards[0].load.Load(); load != 0 {
		t.Errorf("load %d of an empty shard", load)
	}
}

func TestAPanicEndsOneMix(t *testing.T) {
	h := newHouse(t, 1)
	bad, good := h.engine.NewMix("bad"), h.engine.NewMix("good")
	a, b := h.phone(bad, 0), h.phone(good, 0)
	h.run(2, nil)
	a.phone.visit(func(*shard) { a.phone.out = nil }) // WriteFrame on nothing
	b.forget()
	h.run(3, nil)
	var panicked *PanicError
	if !errors.As(bad.Err(), &panicked) || panicked.Mix != "bad" || !strings.Contains(string(panicked.Stack), "packetizer") {
		t.Errorf("the bad mix ended with %v", bad.Err())
	}
	if len(b.line.frames) != 3 || good.Err() != nil {
		t.Errorf("the good mix sent %d packets, want 3", len(b.line.frames))
	}
	if s := h.engine.Stats(); s.Panics != 1 || s.Mixes != 1 {
		t.Errorf("statistics: %+v", s)
	}
	a.phone.visit(func(*shard) { panic("in a letter") })
	h.run(1, nil)
	if s := h.engine.Stats(); s.Panics != 2 || len(b.line.frames) != 4 {
		t.Errorf("a letter that panics: %+v", s)
	}
}

func TestPlayers(t *testing.T) {
	h := newHouse(t, 1)
	m := h.engine.NewMix("room")
	a, b := h.phone(m, 0), h.phone(m, 0)
	h.run(1, nil)

	one := a.phone.Play(Sound{PCM: steady(50*ms, 3000)})
	a.forget()
	b.forget()
	h.run(4, nil)
	pcm := a.heard()
	for i, s := range pcm {
		want := 0
		if i < 400 {
			want = 3000
		}
		if !near(int(s), want) {
			t.Fatalf("sample %d of a's own sound is %d", i, s)
		}
	}
	if b.last() != 0 {
		t.Error("b hears what is played to a")
	}
	isDone(t, one, true)

	all := m.Play(Sound{PCM: steady(30*ms, 2000), Loop: true})
	own := a.phone.Play(Sound{PCM: steady(time.Second, 3000)})
	h.run(10, map[*handset]int16{a: 5000})
	if !near(int(a.last()), 5000) || !near(int(b.last()), 7000) {
		t.Errorf("a hears %d, want 5000; b hears %d, want 7000", a.last(), b.last())
	}
	isDone(t, all, false)
	isDone(t, own, false)
	all.Stop()
	own.Stop()
	h.run(2, map[*handset]int16{a: 5000})
	if a.last() != 0 || !near(int(b.last()), 5000) {
		t.Errorf("stopped: a hears %d, b hears %d", a.last(), b.last())
	}
	isDone(t, all, true)
	isDone(t, own, true)

	ended, closed := m.Play(Sound{PCM: steady(time.Second, 1), Loop: true}), a.phone.Play(Sound{PCM: steady(time.Second, 1)})
	h.run(1, nil)
	m.Close()
	h.run(1, nil)
	isDone(t, ended, true)
	isDone(t, closed, false)
	a.phone.Close()
	h.run(1, nil)
	isDone(t, closed, true)
	late, later := m.Play(Sound{PCM: steady(time.Second, 1)}), a.phone.Play(Sound{PCM: steady(time.Second, 1)})
	h.run(1, nil)
	isDone(t, late, true)
	isDone(t, later, true)
}

func TestASoundWaitsForTheOneBeforeIt(t *testing.T) {
	h := newHouse(t, 1)
	m := h.engine.NewMix("room")
	a := h.phone(m, 0)
	h.run(1, nil)
	a.forget()
	first := a.phone.Play(Sound{PCM: steady(40*ms, 3000)})
	second := a.phone.Play(Sound{PCM: steady(40*ms, 1000), After: first})
	third := a.phone.Play(Sound{PCM: steady(40*ms, 2000), After: second})
	h.run(7, nil)
	for i, s := range a.heard() {
		want := []int{3000, 3000, 1000, 1000, 2000, 2000, 0}[i/160]
		if !near(int(s), want) {
			t.Fatalf("sample %d is %d, want %d", i, s, want)
		}
	}
	isDone(t, third, true)

	a.forget()
	stopped := a.phone.Play(Sound{PCM: steady(time.Second, 3000)})
	next := a.phone.Play(Sound{PCM: steady(40*ms, 1000), After: stopped})
	stopped.Stop()
	h.run(2, nil)
	if !near(int(a.last()), 1000) {
		t.Errorf("after a sound that was stopped the phone hears %d, want 1000", a.last())
	}
	next.Stop()
}

func isDone(t *testing.T, p *Player, want bool) {
	t.Helper()
	got := false
	select {
	case <-p.Done():
		got = true
	default:
	}
	if got != want {
		t.Errorf("player done: %v, want %v", got, want)
	}
}

func TestDownDelay(t *testing.T) {
	// From the room's packet to the phone's, over all phases of the tick.
	var sum time.Duration
	var all []time.Duration
	for phase := time.Duration(0); phase < tickLength; phase += ms {
		e := plainEngine(1)
		s := e.shards[0]
		m := e.NewMix("room")
		line := &recorder{}
		p, err := e.NewPhone(PhoneConfig{Kind: codec.PCMU, Up: &sink{}, Down: line})
		if err != nil {
			t.Fatal(err)
		}
		p.Join(m)
		track := m.AddTrack("voice")
		for n := int64(0); n < 100; n++ {
			s.tick(n)
			value := int16(0)
			if n == 60 {
				value = 8000
			}
			track.PushFrame(&codec.Frame{
				Arrival: time.Duration(n)*tickLength + phase, Seq: uint16(n), Timestamp: uint32(n) * 960,
				Kind: codec.Opus, Payload: plainPayload(steady(20*ms, 1+value)),
			})
		}
		sent := time.Duration(-1)
		for n, f := range line.frames {
			if f.Payload[80] != line.frames[50].Payload[80] && n > 50 {
				sent = time.Duration(n) * tickLength
				break
			}
		}
		delay := sent - (60*tickLength + phase)
		all = append(all, delay)
		sum += delay
	}
	slices.Sort(all)
	t.Logf("down: p50 %v, from %v to %v", all[len(all)/2], all[0], all[len(all)-1])
	if p50 := all[len(all)/2]; p50 > 45*ms || all[0] < 0 {
		t.Errorf("down: p50 %v, want at most 45 ms", p50)
	}
}

func TestMixAPhoneLeftAloneWhileItSpeaksHearsTheRoomAlone(t *testing.T) {
	h := newHouse(t, 1)
	m := h.engine.NewMix("room")
	a, b := h.phone(m, 0), h.phone(m, 0)
	v := h.voice(m)
	h.run(30, map[*handset]int16{a: 8000})
	b.phone.Leave()
	v.value = 2000
	h.run(60, nil)
	a.forget()
	h.run(20, nil)
	for _, s := range a.heard() {
		if !near(int(s), 2000) {
			t.Fatalf("alone, it hears %d, want the room's 2000", s)
		}
	}
}
