package chorus

import (
	"bytes"
	"context"
	"math"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"passerelle/codec"
	"passerelle/codec/score"
	"passerelle/codec/wav"
	"passerelle/testdata/speech"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestBook keeps the book of one stream with everything in it that can go wrong.
func TestBook(t *testing.T) {
	var e ear
	v := newVoice(Line{}, 0, Network{})
	hear := func(ms int, seq uint16, timestamp uint32) {
		packet := make([]byte, headerSize+1)
		v.seq, v.timestamp = seq, timestamp
		v.header(packet)
		e.hear(time.Duration(ms)*time.Millisecond, packet, 8000)
	}
	hear(0, 65533, 1000)
	hear(20, 65534, 1160)
	e.open()
	hear(40, 65535, 1320)
	hear(140, 4, 2120) // 0 to 3 are missing, after a gap of 100 ms
	hear(145, 2, 1800) // late
	hear(150, 2, 1800) // and again
	hear(160, 5, 2440) // the timestamp ran ahead by a frame
	hear(180, 7, 2760) // 6 is missing
	hear(200, 8, 2920) // in time
	e.reported = 7
	got := e.book(300 * time.Millisecond) // a gap that lasts
	want := Book{Received: 7, Missing: 4, Bursts: 3, Late: 1, Twice: 1, Jumps: 1, Gaps: 2, Longest: 100 * time.Millisecond, Reported: 7}
	want.Jitter, want.Lag, want.Transit = got.Jitter, got.Lag, got.Transit
	if got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if got.Expected() != 10 {
		t.Errorf("%d packets should have come, want 10", got.Expected())
	}
	if got.Clean() {
		t.Error("that is clean")
	}
}

// TestBookOfLongLosses loses what leaves the window of 64, and nothing of what was lost before the book was opened.
func TestBookOfLongLosses(t *testing.T) {
	var e ear
	v := newVoice(Line{}, 0, Network{})
	packet := make([]byte, headerSize+1)
	for i := range 1000 {
		v.header(packet)
		if i == 300 {
			e.open()
		}
		if i >= 250 && i < 280 || i >= 400 && i < 500 || i >= 700 && i%2 == 0 {
			continue
		}
		e.hear(time.Duration(i)*frameTime, packet, 8000)
	}
	book := e.book(1000 * frameTime)
	if book.Missing != 250 || book.Bursts != 151 || book.Received != 450 || book.Longest != 101*frameTime {
		t.Errorf("%+v; want 250 missing in 151 bursts, 450 received, 2.02 s at most between two", book)
	}
}

// TestPlayout weighs delay against loss.
func TestPlayout(t *testing.T) {
	equipment := score.EquipmentOf(codec.PCMA, true)
	var b Book
	b.Received = 1000
	b.Lag[0], b.Lag[50] = 500, 500
	p := b.Playout(10*time.Millisecond, 0, equipment)
	if p.Depth != 50*time.Millisecond || p.Path.Loss != 0 || p.Path.Delay != 80*time.Millisecond {
		t.Errorf("half the packets 50 ms late, and nobody minds 80 ms: %+v", p)
	}
	b.Lag[0], b.Lag[50], b.Lag[255] = 999, 0, 1
	if p = b.Playout(100*time.Millisecond, 0, equipment); p.Depth != 20*time.Millisecond || math.Abs(p.Path.Loss-0.001) > 1e-9 {
		t.Errorf("nobody waits for one in a thousand: %+v", p)
	}
	b.Missing, b.Bursts = 500, 500
	if p = b.Playout(0, 0.1, equipment); math.Abs(p.Path.Loss-(1-0.9*999./1500)) > 1e-9 {
		t.Errorf("a tenth lost before, a third after, and one too late: %+v", p)
	}
}

// TestNetwork has the loss that it is told, in bursts of the length that it is told, the same each time.
func TestNetwork(t *testing.T) {
	const packets = 200000
	for _, n := range []Network{{Loss: 0.05, Seed: 1}, {Loss: 0.05, Burst: 4, Seed: 2}, {Loss: 1}, {Loss: 0.1, Jitter: 30 * time.Millisecond, Delay: 5 * time.Millisecond, Seed: 3}} {
		p, again := n.path(7), n.path(7)
		lost, bursts, losing := 0, 0, false
		var last, most, least time.Duration
		least = time.Hour
		for i := range packets {
			leaves := time.Duration(i) * frameTime
			at, ok := p.arrives(leaves)
			if at2, ok2 := again.arrives(leaves); at2 != at || ok2 != ok {
				t.Fatalf("%+v: the same seed has another fate", n)
			}
			if !ok {
				lost++
				if !losing {
					bursts++
				}
			} else {
				if at < last {
					t.Fatalf("%+v: a packet overtakes", n)
				}
				last = at
				most, least = max(most, at-leaves), min(least, at-leaves)
			}
			losing = !ok
		}
		if got := float64(lost) / packets; math.Abs(got-n.Loss) > 0.005 {
			t.Errorf("%+v: %.4f are lost", n, got)
		}
		if n.Loss < 1 {
			want := max(n.Burst, 1/(1-n.Loss))
			if got := float64(lost) / float64(bursts); math.Abs(got-want) > 0.15 {
				t.Errorf("%+v: bursts are %.2f long, want %.2f", n, got, want)
			}
			if least < n.Delay || most > n.Delay+n.Jitter {
				t.Errorf("%+v: packets take %v to %v", n, least, most)
			}
		}
	}
}

// TestRoom has the share of talkers that it is told, each in turns, and everybody gets one.
func TestRoom(t *testing.T) {
	sound := testSound(t)
	x := &Chorus{Config: Config{Sound: sound, Talkers: 0.1}, from: map[netip.AddrPort]*Voice{}, rooms: map[string]*room{}}
	r := newRoom(1)
	for i := range 40 {
		r.members = append(r.members, newVoice(Line{}, i, Network{}))
	}
	talked := map[*Voice]bool{}
	for tick := range 50 * 600 {
		r.step(tick, x.Talkers)
		n := 0
		for _, v := range r.members {
			if v.until > tick {
				n++
				talked[v] = true
			}
			v.next(tick, sound)
		}
		if n != 4 {
			t.Fatalf("in tick %d %d of 40 talk, want 4", tick, n)
		}
	}
	if len(talked) != 40 {
		t.Errorf("in ten minutes %d of 40 have talked", len(talked))
	}
	if len(r.chirps) == 0 || r.chirps[0].Voice != r.members[0] {
		t.Errorf("%d chirps", len(r.chirps))
	}
}

func testSound(t testing.TB) *Sound {
	t.Helper()
	pcm, rate, err := wav.Read(bytes.NewReader(speech.Woman))
	if err != nil {
		t.Fatal(err)
	}
	sound, err := NewSound(codec.PCMA, WithoutPauses(wav.Resample(pcm, rate, score.Rate)), -65)
	if err != nil {
		t.Fatal(err)
	}
	return sound
}

// TestWithoutPauses leaves the words and takes the silence.
func TestWithoutPauses(t *testing.T) {
	pcm, err := score.ReadFile("../../../testdata/speech/rms.wav")
	if err != nil {
		t.Fatal(err)
	}
	dense := WithoutPauses(pcm)
	if s := float64(len(dense)) / float64(len(pcm)); s < 0.6 || s > 0.95 {
		t.Errorf("%.2f of the speech are left", s)
	}
	if a, b := score.Level(pcm)+10*math.Log10(float64(len(pcm))), score.Level(dense)+10*math.Log10(float64(len(dense))); math.Abs(a-b) > 0.05 {
		t.Errorf("the words have lost %.2f dB", a-b)
	}
}

// mirror is two phones' far end: what the one sends the other gets, a time later.
type mirror struct {
	conns [2]*net.UDPConn
	work  sync.WaitGroup
}

func newMirror(t *testing.T, later time.Duration) *mirror {
	t.Helper()
	m := &mirror{}
	for i := range m.conns {
		conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			t.Fatal(err)
		}
		m.conns[i] = conn
	}
	for i, conn := range m.conns {
		type late struct {
			packet []byte
			from   netip.AddrPort
			due    time.Time
		}
		waiting := make(chan late, 1000) // in their order, however late this machine is
		m.work.Go(func() {
			defer close(waiting)
			b := make([]byte, 2048)
			for {
				n, from, err := conn.ReadFromUDPAddrPort(b)
				if err != nil {
					return
				}
				waiting <- late{slices.Clone(b[:n]), from, time.Now().Add(later)}
			}
		})
		m.work.Go(func() {
			for l := range waiting {
				<-time.After(time.Until(l.due))
				m.conns[1-i].WriteToUDPAddrPort(l.packet, l.from)
			}
		})
	}
	t.Cleanup(func() {
		for _, conn := range m.conns {
			conn.Close()
		}
		m.work.Wait()
	})
	return m
}

// poke sends every thread of this process signals of the kind that the runtime sends itself, until the test ends.
func poke(t *testing.T) {
	quit := make(chan struct{})
	var work sync.WaitGroup
	work.Go(func() {
		for {
			select {
			case <-quit:
				return
			case <-time.After(time.Millisecond):
				threads, _ := os.ReadDir("/proc/self/task")
				for _, thread := range threads {
					id, _ := strconv.Atoi(thread.Name())
					_ = unix.Tgkill(os.Getpid(), id, unix.SIGURG)
				}
			}
		}
	})
	t.Cleanup(func() { close(quit); work.Wait() })
}

// TestListen has two phones talk through a mirror: the listener knows how late it is, and finds the sound whole, whoever
// wakes the chorus too early.
func TestListen(t *testing.T) {
	poke(t)
	const later = 30 * time.Millisecond
	m := newMirror(t, later)
	x, err := Start(Config{Address: netip.MustParseAddrPort("127.0.0.1:0"), Sound: testSound(t), Talkers: 0.5})
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	var voices []*Voice
	for i, conn := range m.conns {
		voices = append(voices, x.Add(Line{Remote: conn.LocalAddr().(*net.UDPAddr).AddrPort(), PayloadType: 8, Room: "r", Listen: i == 1}))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
	defer cancel()
	<-ctx.Done()
	e := x.Evidence(voices[1])
	v, err := e.Judge(0)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v", v)
	if book := x.Remove(voices[1]); book.Missing > 0 || book.Received < 100 || book.Sent < 150 {
		t.Errorf("%+v", book)
	}
	if c := x.Count(); c.Voices != 1 || c.Refused > 0 {
		t.Errorf("%+v", c)
	}
	if v.Chirps == 0 || len(v.Delays) != v.Chirps || slices.Min(v.Delays) < later-time.Millisecond {
		t.Errorf("of %d chirps %v were heard, want all, none before %v", v.Chirps, v.Delays, later)
	}
	if v.Match.Median < 0.99 || v.Match.SNRDB < 30 || v.Path.R() < 90 {
		t.Errorf("R %.1f, %v; want the same sound", v.Path.R(), v.Match)
	}
}

// TestNothingIsAllocated sends and hears without garbage, where the network is ideal.
func TestNothingIsAllocated(t *testing.T) {
	far, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer far.Close()
	x, err := newChorus(Config{Address: netip.MustParseAddrPort("127.0.0.1:0"), Sound: testSound(t), Talkers: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer x.rtp.close()
	defer x.rtcp.close()
	v := newVoice(Line{Remote: far.LocalAddr().(*net.UDPAddr).AddrPort(), PayloadType: 8}, 0, Network{})
	v.room = newRoom(1)
	v.room.members = []*Voice{v}
	x.voices[0], x.from[v.Remote] = []*Voice{v}, v
	tick := 0
	packet := make([]byte, 172)
	if n := testing.AllocsPerRun(200, func() {
		v.room.step(tick, 1)
		x.speak(tick, 0)
		v.header(packet)
		far.WriteToUDPAddrPort(packet, x.rtp.addr)
		x.read()
		tick++
	}); n > 0.01 {
		t.Errorf("%v allocations a packet", n)
	}
	if x.received == 0 || x.sent == 0 {
		t.Errorf("%d packets sent, %d received", x.sent, x.received)
	}
}
