package audio

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"passerelle/codec"
	"passerelle/codec/g711"
	"passerelle/codec/g722"
	"passerelle/codec/opus"
)

// hall is an engine at 16 kHz with the real codecs: one mix, phones of all kinds in it, and a voice of the room.
// Everybody says tones, so that one hears whom everybody hears.
type hall struct {
	t      testing.TB
	engine *Engine
	mix    *Mix
	sets   []*set
	room   *singer // of the room; nil is nobody
	track  *Track
	n      int64
}

// singer says tones, as packets of one kind.
type singer struct {
	kind  codec.Kind
	rate  int
	code  codec.Encoder
	tones []float64 // Hz; none is silence
	at    int       // samples so far
	seq   uint16
	ts    uint32
	bytes [opus.MaxPacket]byte
}

func newSinger(t testing.TB, kind codec.Kind, tones ...float64) *singer {
	t.Helper()
	s := &singer{kind: kind, rate: soundRate(kind, 16000), tones: tones, seq: 65530, ts: math.MaxUint32 - 1000}
	var err error
	switch kind {
	case codec.G722:
		s.code = g722.NewEncoder()
	case codec.Opus:
		s.code, err = opus.NewEncoder(opus.Config{Rate: s.rate})
	default:
		s.code, err = g711.NewEncoder(kind)
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// sing returns the next packet, of length.
func (s *singer) sing(length time.Duration, now time.Duration) *codec.Frame {
	pcm := make([]int16, samples(length, s.rate))
	for i := range pcm {
		var sum float64
		for _, hz := range s.tones {
			sum += 3000 * math.Sin(2*math.Pi*hz*float64(s.at+i)/float64(s.rate))
		}
		pcm[i] = int16(sum)
	}
	s.at += len(pcm)
	n, err := s.code.Encode(s.bytes[:], pcm)
	if err != nil {
		panic(err)
	}
	f := &codec.Frame{Arrival: now, Seq: s.seq, Timestamp: s.ts, Kind: s.kind, Payload: s.bytes[:n]}
	s.seq++
	s.ts += uint32(samples(length, s.kind.ClockRate()))
	return f
}

// set is a phone of any kind.
type set struct {
	*singer
	phone *Phone
	seat  *recorder
	line  *recorder
}

func newHall(t testing.TB) *hall {
	h := &hall{t: t, engine: NewEngine(Config{Shards: 1, Clock: func() time.Duration { return 0 }})}
	h.mix = h.engine.NewMix("room")
	return h
}

func (h *hall) phone(kind codec.Kind, ptime time.Duration, tones ...float64) *set {
	h.t.Helper()
	s := &set{singer: newSinger(h.t, kind, tones...), seat: &recorder{}, line: &recorder{}}
	var err error
	s.phone, err = h.engine.NewPhone(PhoneConfig{Kind: kind, PTime: ptime, Up: s.seat, Down: s.line, NoGain: true})
	if err != nil {
		h.t.Fatal(err)
	}
	s.phone.Join(h.mix)
	h.sets = append(h.sets, s)
	return s
}

func (h *hall) sings(tones ...float64) {
	h.room = newSinger(h.t, codec.Opus, tones...)
	h.track = h.mix.AddTrack("voice")
}

// run lets everybody say 20 ms, and ticks.
func (h *hall) run(ticks int) {
	for range ticks {
		now := time.Duration(h.n)*tickLength + 15*ms
		for _, s := range h.sets {
			s.phone.PushFrame(s.sing(20*ms, now))
		}
		if h.room != nil {
			h.track.PushFrame(h.room.sing(20*ms, now))
		}
		h.n++
		h.engine.shards[0].tick(h.n)
	}
}

// listen decodes packets, all of one kind.
func listen(t testing.TB, frames []codec.Frame) (pcm []int16, rate int) {
	t.Helper()
	var d codec.Decoder
	var err error
	kind := frames[0].Kind
	rate = soundRate(kind, 16000)
	switch kind {
	case codec.G722:
		d = g722.NewDecoder()
	case codec.Opus:
		d, err = opus.NewDecoder(rate)
	default:
		d, err = g711.NewDecoder(kind)
	}
	if err != nil {
		t.Fatal(err)
	}
	block := make([]int16, samples(120*ms, rate))
	for _, f := range frames {
		n, err := d.Decode(block, f.Payload)
		if err != nil || f.Kind != kind {
			t.Fatalf("a packet of %v among %v: %v", f.Kind, kind, err)
		}
		pcm = append(pcm, block[:n]...)
	}
	return pcm, rate
}

// hears returns which of the tones are heard in the second half of the packets, at about the loudness of one that
// is said.
func hears(t testing.TB, frames []codec.Frame, tones ...float64) (heard []float64) {
	t.Helper()
	pcm, rate := listen(t, frames)
	pcm = pcm[len(pcm)/2:]
	for _, hz := range tones {
		var re, im, all float64
		for i, s := range pcm {
			w := 1 - math.Cos(2*math.Pi*(float64(i)+0.5)/float64(len(pcm)))
			sin, cos := math.Sincos(2 * math.Pi * hz * float64(i) / float64(rate))
			re, im, all = re+w*float64(s)*cos, im+w*float64(s)*sin, all+w
		}
		switch loud := 2 * math.Hypot(re, im) / all; {
		case loud > 4500:
			t.Errorf("%v Hz is heard at %.0f, and was said at 3000", hz, loud)
		case loud > 1500:
			heard = append(heard, hz)
		case loud > 200: // -24 dB
			t.Errorf("%v Hz is heard at %.0f: neither as it was said nor not at all", hz, loud)
		}
	}
	return heard
}

// TestEverybodyHearsTheOthers: whatever they speak, each phone hears all that the others say, as far as its codec
// can, and nothing of itself.
func TestEverybodyHearsTheOthers(t *testing.T) {
	h := newHall(t)
	narrow, beside := h.phone(codec.PCMU, 20*ms, 500), h.phone(codec.PCMA, 20*ms, 900)
	wide := h.phone(codec.G722, 20*ms, 1300, 5300)
	silent, hushed := h.phone(codec.PCMA, 20*ms), h.phone(codec.G722, 20*ms)
	relayed := h.phone(codec.Opus, 20*ms, 2100, 6100)
	h.sings(2500, 5700)
	h.run(100)
	all := []float64{500, 900, 1300, 5300, 2100, 6100, 2500, 5700}
	low := []float64{500, 900, 1300, 2100, 2500}
	images := []float64{7500, 7100, 6700, 5500, 2700, 2300, 1900} // of those, in the other half of the band
	for _, test := range []struct {
		who  string
		set  *set
		want []float64
	}{
		{"a narrow phone that speaks", narrow, without(low, 500)},
		{"another one beside it", beside, without(low, 900)},
		{"a wide phone that speaks", wide, without(all, 1300, 5300)},
		{"a narrow phone that is silent", silent, low},
		{"a wide phone that is silent", hushed, all},
		{"an Opus phone", relayed, without(all, 2100, 6100)},
	} {
		t.Run(test.who, func(t *testing.T) {
			tones := slices.Concat(all, images[:3])
			if test.set.rate == 8000 {
				tones = slices.Concat(low, images[4:])
			}
			if got := hears(t, test.set.line.frames, tones...); !slices.Equal(got, test.want) {
				t.Errorf("hears %v, want %v", got, test.want)
			}
			if p, d := test.set.phone.Stats().UpErrors, test.set.phone.Stats().DownErrors; p+d > 0 {
				t.Errorf("%d errors up, %d down", p, d)
			}
		})
	}
	if got := hears(t, wide.seat.frames, 1300, 5300); len(got) != 2 {
		t.Errorf("of a wide phone the room hears %v", got)
	}
}

func without(tones []float64, own ...float64) []float64 {
	return slices.DeleteFunc(slices.Clone(tones), func(hz float64) bool { return slices.Contains(own, hz) })
}

// TestPacketsOfWideLines: the packets to a phone have the size and the timestamps of its codec, without a hole.
func TestPacketsOfWideLines(t *testing.T) {
	for _, test := range []struct {
		kind  codec.Kind
		ptime time.Duration
		step  uint32 // RTP time
		size  int    // bytes; 0 is any
	}{
		{codec.G722, 10 * ms, 80, 80}, {codec.G722, 20 * ms, 160, 160}, {codec.G722, 30 * ms, 240, 240}, {codec.G722, 60 * ms, 480, 480},
		{codec.Opus, 10 * ms, 480, 0}, {codec.Opus, 20 * ms, 960, 0}, {codec.Opus, 40 * ms, 1920, 0}, {codec.Opus, 60 * ms, 2880, 0},
	} {
		t.Run(fmt.Sprint(test.kind, test.ptime), func(t *testing.T) {
			h := newHall(t)
			s := h.phone(test.kind, test.ptime)
			h.sings(700, 5300)
			h.run(60)
			frames := s.line.frames
			if want := int(60 * tickLength / test.ptime); len(frames) != want {
				t.Fatalf("%d packets in 60 ticks, want %d", len(frames), want)
			}
			for i, f := range frames {
				if f.Timestamp != uint32(i)*test.step || f.Marker != (i == 0) || test.size > 0 && len(f.Payload) != test.size {
					t.Fatalf("packet %d has %d bytes at %d, marker %v", i, len(f.Payload), f.Timestamp, f.Marker)
				}
			}
			if got := hears(t, frames, 700, 5300); len(got) != 2 {
				t.Errorf("hears %v", got)
			}
		})
	}
}

// TestPlayedToOneNarrowPhone: a prompt is heard by the phone that it is played to, at its rate, and has an end.
func TestPlayedToOneNarrowPhone(t *testing.T) {
	h := newHall(t)
	one, other := h.phone(codec.PCMA, 20*ms), h.phone(codec.PCMA, 20*ms)
	player := one.phone.Play(Sound{PCM: Tone(16000, time.Second, -20.7, 1000, 5000)})
	h.run(51)
	select {
	case <-player.Done():
	default:
		t.Error("the prompt has no end")
	}
	if got := hears(t, one.line.frames[:50], 1000, 3000); !slices.Equal(got, []float64{1000}) {
		t.Errorf("the phone hears %v of the prompt, want 1000 Hz", got)
	}
	h.run(2)
	if got, _ := listen(t, one.line.frames[52:]); !slices.Equal(got, listening(t, other.line.frames[52:])) {
		t.Error("after the prompt's end something of it is heard")
	}
	if got := hears(t, other.line.frames, 1000, 3000); len(got) > 0 {
		t.Errorf("the phone beside hears %v", got)
	}
}

func listening(t *testing.T, frames []codec.Frame) []int16 {
	pcm, _ := listen(t, frames)
	return pcm
}

// TestAnotherCodecInTheCall: a re-INVITE changes the codec; what the seat gets goes on, and both sides are heard at
// the new rate.
func TestAnotherCodecInTheCall(t *testing.T) {
	kinds := []codec.Kind{codec.PCMA, codec.G722, codec.Opus, codec.G722, codec.PCMU, codec.Opus, codec.PCMA}
	h := newHall(t)
	s := h.phone(kinds[0], 20*ms, 700)
	beside := h.phone(codec.G722, 20*ms, 1100, 5300)
	h.run(50)
	for i, kind := range kinds[1:] {
		sent, heard, theirs := len(s.seat.frames), len(s.line.frames), len(beside.line.frames)
		if err := s.phone.Renegotiate(kind, 20*ms, 0); err != nil {
			t.Fatal(err)
		}
		s.singer = newSinger(t, kind, 700, 3100)
		h.run(60)
		if frames := s.line.frames[heard:]; frames[0].Kind != kind || !frames[0].Marker {
			t.Errorf("%v: what the line gets begins with %v, marker %v", kind, frames[0].Kind, frames[0].Marker)
		}
		wide := []float64{1100}
		if s.rate == 16000 {
			wide = append(wide, 5300)
		}
		if got := hears(t, s.line.frames[heard+1:], append([]float64{700}, wide...)...); !slices.Equal(got, wide) {
			t.Errorf("%v: the phone hears %v, want %v", kind, got, wide)
		}
		if got := hears(t, beside.line.frames[theirs:], 700, 3100, 1100); !slices.Equal(got, []float64{700, 3100}) {
			t.Errorf("%v: the phone beside hears %v", kind, got)
		}
		if got := hears(t, s.seat.frames[sent+5:], 700, 3100); len(got) != 2 {
			t.Errorf("%v: the room hears %v", kind, got)
		}
		if i > 0 && len(s.seat.frames)-sent < 55 {
			t.Errorf("%v: %d packets in 60 ticks", kind, len(s.seat.frames)-sent)
		}
	}
	contiguous(t, s.seat.frames)
	for i, f := range s.seat.frames[1:] {
		if step := int32(f.Timestamp - s.seat.frames[i].Timestamp); step <= 0 || step > 3*960 {
			t.Errorf("packet %d: %d of RTP time after the one before", i+1, step)
		}
	}
	if st := s.phone.Stats(); st.Malformed+st.UpErrors+st.DownErrors > 0 {
		t.Errorf("%+v", st)
	}
}

func TestNoWidePhoneInANarrowEngine(t *testing.T) {
	e := plainEngine(1)
	p, err := e.NewPhone(PhoneConfig{Kind: codec.PCMA, Up: &sink{}, Down: &sink{}})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Renegotiate(codec.G722, 0, 0); err == nil {
		t.Error("G.722 in an engine at 8 kHz")
	}
	f := codec.Frame{Kind: codec.PCMA, Payload: bytes.Repeat([]byte{0xd5}, 160)}
	if p.PushFrame(&f); p.Stats().Malformed > 0 {
		t.Error("after a change that failed the codec before is not understood")
	}
}
