package audio

import (
	"fmt"
	"testing"
	"time"

	"passerelle/codec"
	"passerelle/codec/g711"
	"passerelle/codec/opus"
	"passerelle/codec/wav"
)

// crowd is an engine with one mix of many phones and one voice of the room, all with the real codecs.
type crowd struct {
	engine  *Engine
	shard   *shard
	phones  []*Phone
	talkers int
	track   *Track
	n       int64
	kind    codec.Kind
	said    [][]byte // speech as kind, 20 ms each
	opus    [][]byte // ... and as Opus
	silence []byte
	frame   codec.Frame
}

func newCrowd(tb testing.TB, phones, talkers int) *crowd {
	tb.Helper()
	return newCrowdOf(tb, codec.PCMU, phones, talkers)
}

func newCrowdOf(tb testing.TB, kind codec.Kind, phones, talkers int) *crowd {
	tb.Helper()
	e := NewEngine(Config{Shards: 1, Clock: func() time.Duration { return 0 }})
	c := &crowd{engine: e, shard: e.shards[0], talkers: talkers, kind: kind}
	m := e.NewMix("room")
	for range phones {
		p, err := e.NewPhone(PhoneConfig{Kind: kind, Up: &sink{}, Down: &sink{}})
		if err != nil {
			tb.Fatal(err)
		}
		p.Join(m)
		c.phones = append(c.phones, p)
	}
	c.track = m.AddTrack("voice")
	c.code(tb)
	c.shard.tick(0)
	c.frame.Kind = kind
	for range 100 {
		c.step()
	}
	return c
}

// code prepares a second of loud speech.
func (c *crowd) code(tb testing.TB) {
	pcm := speech(tb)[8000:16000]
	c.opus = code(tb, codec.Opus, pcm)
	c.said = code(tb, c.kind, pcm)
	c.silence = code(tb, c.kind, make([]int16, 8000))[49]
}

// code returns sound at 8 kHz in packets of 20 ms.
func code(tb testing.TB, kind codec.Kind, pcm []int16) (packets [][]byte) {
	s := newSinger(tb, kind)
	pcm = wav.Resample(pcm, 8000, s.rate)
	for size := s.rate / 50; len(pcm) >= size; pcm = pcm[size:] {
		packet := make([]byte, opus.MaxPacket)
		n, err := s.code.Encode(packet, pcm[:size])
		if err != nil {
			tb.Fatal(err)
		}
		packets = append(packets, packet[:n])
	}
	return packets
}

// say lets every phone and the room send the packets of the tick to come, into their rings alone: what
// the encoders of the way up cost is not the tick's.
func (c *crowd) say() {
	at := time.Duration(c.n)*tickLength + 5*ms
	for i, p := range c.phones {
		u := &p.up
		if i >= c.talkers || !u.heard.Load() {
			continue
		}
		n, err := u.decoder.Decode(u.pcm, c.said[int(c.n)%len(c.said)])
		if err != nil {
			panic(err)
		}
		u.at, u.arrival = uint32(c.n)*960, at
		u.toRing(u.pcm[:n], u.at)
	}
	c.track.PushFrame(&codec.Frame{
		Arrival: at, Seq: uint16(c.n), Timestamp: uint32(c.n) * 960, Kind: codec.Opus,
		Payload: c.opus[int(c.n)%len(c.opus)],
	})
}

func (c *crowd) step() {
	c.say()
	c.n++
	c.shard.tick(c.n)
}

// push sends phone 0's next packet all the way up.
func (c *crowd) push(payload []byte) {
	c.frame.Seq++
	c.frame.Timestamp += uint32(c.kind.ClockRate() / 50)
	c.frame.Arrival += tickLength
	c.frame.Payload = payload
	c.phones[0].PushFrame(&c.frame)
}

func TestNothingIsAllocatedPerFrame(t *testing.T) {
	gate := func(what string, f func()) {
		t.Helper()
		for range 200 {
			f()
		}
		if n := testing.AllocsPerRun(200, f); n != 0 {
			t.Errorf("%s: %v allocations, want 0", what, n)
		}
	}
	alone, i := newCrowd(t, 1, 0), 0
	gate("up, talking", func() {
		alone.push(alone.said[i%len(alone.said)])
		i++
	})
	gate("up, silent", func() { alone.push(alone.silence) })
	gate("up, with losses and carries", func() {
		alone.frame.Seq += 2
		alone.frame.Timestamp += 320
		alone.frame.Arrival += 2 * tickLength
		alone.push(alone.said[i%len(alone.said)][:80+i%80])
		i++
	})
	two := newCrowd(t, 2, 2)
	gate("up, with a phone beside it", func() {
		two.push(two.said[i%len(two.said)])
		i++
		two.n++
		two.shard.tick(two.n)
	})
	for _, kind := range []codec.Kind{codec.G722, codec.Opus} {
		i := 0
		two := newCrowdOf(t, kind, 2, 2)
		gate(fmt.Sprintf("up, %v, with a phone beside it", kind), func() {
			two.push(two.said[i%len(two.said)])
			i++
			two.n++
			two.shard.tick(two.n)
		})
		gate(fmt.Sprintf("up, %v, with losses", kind), func() {
			two.frame.Seq += 2
			two.frame.Timestamp += uint32(kind.ClockRate() / 25)
			two.frame.Arrival += 2 * tickLength
			two.push(two.said[i%len(two.said)])
			i++
		})
		gate(fmt.Sprintf("tick, %v", kind), newCrowdOf(t, kind, 10, 5).step)
	}
	for _, phones := range []int{1, 10, 100} {
		for _, talkers := range []int{0, phones} {
			c := newCrowd(t, phones, talkers)
			gate(fmt.Sprintf("tick, %d phones, %d talk", phones, talkers), c.step)
		}
	}
	loud := newCrowd(t, 10, 2)
	for _, p := range loud.phones {
		p.SetVolume(12)
	}
	gate("tick, 10 phones turned up", loud.step)
	lossy := newCrowd(t, 2, 2)
	gate("tick, with losses", func() {
		if lossy.n%7 == 0 {
			lossy.n++
			lossy.shard.tick(lossy.n)
		}
		lossy.step()
	})
}

// BenchmarkUp is one packet from a phone, all the way to the seat.
func BenchmarkUp(b *testing.B) {
	b.Run("talking", func(b *testing.B) {
		c, i := newCrowd(b, 1, 0), 0
		b.ReportAllocs()
		for b.Loop() {
			c.push(c.said[i%len(c.said)])
			i++
		}
	})
	b.Run("silent", func(b *testing.B) {
		c := newCrowd(b, 1, 0)
		b.ReportAllocs()
		for b.Loop() {
			c.push(c.silence)
		}
	})
}

// BenchmarkFloor is what no gateway can do without for a talking phone: the same Opus encodes through
// the same binding at the same complexity, and the same G.711 decodes.
func BenchmarkFloor(b *testing.B) {
	c := newCrowd(b, 1, 0)
	enc, err := c.engine.newEncoder(8000)
	if err != nil {
		b.Fatal(err)
	}
	dec, err := g711.NewDecoder(codec.PCMU)
	if err != nil {
		b.Fatal(err)
	}
	pcm, packet, i := make([]int16, 960), make([]byte, opus.MaxPacket), 0
	b.ReportAllocs()
	for b.Loop() {
		n, err := dec.Decode(pcm, c.said[i%len(c.said)])
		if err != nil {
			b.Fatal(err)
		}
		if _, err := enc.Encode(packet, pcm[:n]); err != nil {
			b.Fatal(err)
		}
		i++
	}
}

// BenchmarkUpWide is one packet from a wide phone.
func BenchmarkUpWide(b *testing.B) {
	for _, kind := range []codec.Kind{codec.G722, codec.Opus} {
		b.Run(kind.String(), func(b *testing.B) {
			c, i := newCrowdOf(b, kind, 1, 0), 0
			b.ReportAllocs()
			for b.Loop() {
				c.push(c.said[i%len(c.said)])
				i++
			}
		})
	}
}

// BenchmarkTick is one tick of one mix with one voice of the room in it, without what the phones' packets
// cost on their way up.
func BenchmarkTick(b *testing.B) {
	for _, phones := range []int{1, 10, 100} {
		for _, talking := range []string{"all", "tenth"} {
			b.Run(fmt.Sprintf("phones=%d/talking=%s", phones, talking), func(b *testing.B) {
				benchTick(b, codec.PCMU, phones, talking == "all")
			})
		}
	}
	for _, kind := range []codec.Kind{codec.G722, codec.Opus} {
		b.Run(fmt.Sprintf("phones=100/talking=tenth/codec=%v", kind), func(b *testing.B) {
			benchTick(b, kind, 100, false)
		})
	}
}

func benchTick(b *testing.B, kind codec.Kind, phones int, all bool) {
	talkers := phones
	if !all {
		talkers = (phones + 9) / 10
	}
	c := newCrowdOf(b, kind, phones, talkers)
	var said time.Duration
	b.ReportAllocs()
	for b.Loop() {
		began := time.Now()
		c.say()
		said += time.Since(began)
		c.n++
		c.shard.tick(c.n)
	}
	b.ReportMetric(float64((b.Elapsed()-said).Nanoseconds())/float64(b.N), "ns/tick")
}
