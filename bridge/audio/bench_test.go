package audio

import (
	"fmt"
	"testing"
	"time"

	"passerelle/codec"
	"passerelle/codec/g711"
	"passerelle/codec/opus"
)

// crowd is an engine with one mix of many phones and one voice of the room, all with the real codecs.
type crowd struct {
	engine  *Engine
	shard   *shard
	phones  []*Phone
	talkers int
	track   *Track
	n       int64
	g711    [][]byte // speech as PCMU, 20 ms each
	opus    [][]byte // ... and as Opus
	silence []byte
	frame   codec.Frame
}

func newCrowd(tb testing.TB, phones, talkers int) *crowd {
	tb.Helper()
	e := NewEngine(Config{Shards: 1, Clock: func() time.Duration { return 0 }})
	c := &crowd{engine: e, shard: e.shards[0], talkers: talkers}
	m := e.NewMix("room")
	for range phones {
		p, err := e.NewPhone(PhoneConfig{Kind: codec.PCMU, Up: &sink{}, Down: &sink{}})
		if err != nil {
			tb.Fatal(err)
		}
		p.Join(m)
		c.phones = append(c.phones, p)
	}
	c.track = m.AddTrack("voice")
	c.code(tb)
	c.shard.tick(0)
	c.frame.Kind = codec.PCMU
	for range 100 {
		c.step()
	}
	return c
}

// code prepares a second of loud speech.
func (c *crowd) code(tb testing.TB) {
	enc, err := opus.NewEncoder(opus.Config{Rate: 8000})
	if err != nil {
		tb.Fatal(err)
	}
	mu, err := g711.NewEncoder(codec.PCMU)
	if err != nil {
		tb.Fatal(err)
	}
	pcm := speech(tb)[8000:16000]
	for ; len(pcm) > 0; pcm = pcm[160:] {
		packet := make([]byte, opus.MaxPacket)
		n, err := enc.Encode(packet, pcm[:160])
		if err != nil {
			tb.Fatal(err)
		}
		c.opus = append(c.opus, packet[:n])
		bytes := make([]byte, 160)
		if _, err := mu.Encode(bytes, pcm[:160]); err != nil {
			tb.Fatal(err)
		}
		c.g711 = append(c.g711, bytes)
	}
	c.silence = make([]byte, 160)
	for i := range c.silence {
		c.silence[i] = 0xff
	}
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
		n, err := u.decoder.Decode(u.pcm, c.g711[int(c.n)%len(c.g711)])
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
	c.frame.Timestamp += 160
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
		alone.push(alone.g711[i%len(alone.g711)])
		i++
	})
	gate("up, silent", func() { alone.push(alone.silence) })
	gate("up, with losses and carries", func() {
		alone.frame.Seq += 2
		alone.frame.Timestamp += 320
		alone.frame.Arrival += 2 * tickLength
		alone.push(alone.g711[i%len(alone.g711)][:80+i%80])
		i++
	})
	two := newCrowd(t, 2, 2)
	gate("up, with a phone beside it", func() {
		two.push(two.g711[i%len(two.g711)])
		i++
		two.n++
		two.shard.tick(two.n)
	})
	for _, phones := range []int{1, 10, 100} {
		for _, talkers := range []int{0, phones} {
			c := newCrowd(t, phones, talkers)
			gate(fmt.Sprintf("tick, %d phones, %d talk", phones, talkers), c.step)
		}
	}
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
			c.push(c.g711[i%len(c.g711)])
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
		n, err := dec.Decode(pcm, c.g711[i%len(c.g711)])
		if err != nil {
			b.Fatal(err)
		}
		if _, err := enc.Encode(packet, pcm[:n]); err != nil {
			b.Fatal(err)
		}
		i++
	}
}

// BenchmarkTick is one tick of one mix with one voice of the room in it, without what the phones' packets
// cost on their way up.
func BenchmarkTick(b *testing.B) {
	for _, phones := range []int{1, 10, 100} {
		for _, talking := range []string{"all", "tenth"} {
			talkers := phones
			if talking == "tenth" {
				talkers = (phones + 9) / 10
			}
			b.Run(fmt.Sprintf("phones=%d/talking=%s", phones, talking), func(b *testing.B) {
				c := newCrowd(b, phones, talkers)
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
			})
		}
	}
}
