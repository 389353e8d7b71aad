// Package chorus is the sound of many phones behind one address, as a telephone exchange has it: one socket for all
// of RTP and one for RTCP, and one goroutine that sends by the clock and reads in batches. Peers tell the phones
// apart by nothing, since each call has a port of its own at their end; the chorus tells them apart by that port. It
// knows packets and sound, and not how a call is made.
//
// The way of the sound: run (chorus.go) wakes every 2 ms, reads what has come (batch.go) into each phone's book
// (ear.go), decides in rooms who talks (room.go), and sends for those whose turn it is (voice.go). Between a phone
// and its socket may lie a bad [Network] (network.go). What was kept of the sound is judged afterwards (listen.go).
package chorus

import (
	"container/heap"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/pion/rtcp"
	"golang.org/x/sys/unix"

	"passerelle/cmd/internal/guard"
	"passerelle/codec/score"
)

const (
	slotTime    = 2 * time.Millisecond
	slots       = int(frameTime / slotTime)
	chirpFrames = int(score.ChirpLength / frameTime)
)

// Config is what a chorus is made of.
type Config struct {
	Address netip.AddrPort // of RTP, RTCP on the port after it; port 0 takes a free pair
	Sound   *Sound
	Talkers float64 // how many of a room's phones talk at any time, 0 to 1; one at least, unless it is 0
	Network Network
	Seed    uint64 // of who talks
}

// Chorus is many phones. Its methods may be called from any goroutine; they ask the one that owns it all.
type Chorus struct {
	Config
	rtp, rtcp *socket
	began     time.Time // slot 0
	letters   chan func()
	quit      chan struct{}
	ended     chan struct{}
	err       error // of run; valid after ended
	closing   sync.Once

	// What follows belongs to run.
	voices   [slots][]*Voice // by when they send
	from     map[netip.AddrPort]*Voice
	reports  map[netip.AddrPort]*Voice
	rooms    map[string]*room
	count    int // of voices ever
	up, down transits
	order    uint64
	late     time.Duration
	stray    int
	refused  int
	sent     uint64
	received uint64
}

// Start opens the sockets and begins. Close ends it.
func Start(c Config) (*Chorus, error) {
	x, err := newChorus(c)
	if err != nil {
		return nil, err
	}
	go func() {
		defer close(x.ended)
		x.err = guard.Root("chorus", x.run)()
	}()
	return x, nil
}

func newChorus(c Config) (*Chorus, error) {
	x := &Chorus{
		Config: c, letters: make(chan func(), 64), quit: make(chan struct{}), ended: make(chan struct{}),
		from: map[netip.AddrPort]*Voice{}, reports: map[netip.AddrPort]*Voice{}, rooms: map[string]*room{},
	}
	if err := x.open(); err != nil {
		return nil, err
	}
	x.began = time.Now()
	return x, nil
}

// open takes a pair of ports, the first even (RFC 3550 section 11).
func (x *Chorus) open() (err error) {
	const tries = 50
	for try := 0; ; try++ {
		if x.rtp, err = openSocket(x.Address); err != nil {
			return err
		}
		at := x.rtp.addr
		if at.Port()%2 == 0 || x.Address.Port() != 0 {
			if x.rtcp, err = openSocket(netip.AddrPortFrom(at.Addr(), at.Port()+1)); err == nil {
				return nil
			}
		}
		x.rtp.close()
		if try == tries || x.Address.Port() != 0 {
			return fmt.Errorf("no two free ports for RTP and RTCP: %w", err)
		}
	}
}

// Addrs returns where RTP and RTCP are received.
func (x *Chorus) Addrs() (rtp, rtcp netip.AddrPort) { return x.rtp.addr, x.rtcp.addr }

// Close ends all phones and waits. An error is a panic of the chorus'.
func (x *Chorus) Close() error {
	x.closing.Do(func() { close(x.quit) })
	<-x.ended
	x.rtp.close()
	x.rtcp.close()
	return x.err
}

// ask has f run by the owner, and waits. Where the chorus has ended f does not run.
func (x *Chorus) ask(f func()) {
	done := make(chan struct{})
	select {
	case x.letters <- func() { f(); close(done) }:
	case <-x.ended:
		return
	}
	select {
	case <-done:
	case <-x.ended:
	}
}

// Add has one more phone speak and listen.
func (x *Chorus) Add(l Line) (v *Voice) {
	x.ask(func() {
		v = newVoice(l, x.count, x.Network)
		v.at = x.count * 37 % x.Sound.speech.frames() // each begins elsewhere
		v.slot = x.emptiest()
		x.count++
		r := x.rooms[l.Room]
		if r == nil {
			r = newRoom(x.Seed + uint64(len(x.rooms)))
			x.rooms[l.Room] = r
		}
		v.room = r
		r.members = append(r.members, v)
		x.voices[v.slot] = append(x.voices[v.slot], v)
		x.from[l.Remote], x.reports[l.RTCP] = v, v
	})
	return v
}

// emptiest returns the slot with the fewest voices; of several, one far from the last.
func (x *Chorus) emptiest() (slot int) {
	for i := range slots {
		if at := (x.count*3 + i) % slots; i == 0 || len(x.voices[at]) < len(x.voices[slot]) {
			slot = at
		}
	}
	return slot
}

// Remove ends a phone's sound and returns its book.
func (x *Chorus) Remove(v *Voice) (book Book) {
	x.ask(func() {
		x.read()
		book = v.ear.book(x.now())
		if x.from[v.Remote] == v { // and not of a call that got the same port
			delete(x.from, v.Remote)
			delete(x.reports, v.RTCP)
		}
		v.room.remove(v)
		if len(v.room.members) == 0 {
			delete(x.rooms, v.Room)
		}
		for i, w := range x.voices[v.slot] {
			if w == v {
				x.voices[v.slot] = append(x.voices[v.slot][:i:i], x.voices[v.slot][i+1:]...)
			}
		}
	})
	return book
}

// Begin opens a new book for every phone, and empties what listeners have kept.
func (x *Chorus) Begin() {
	x.ask(func() {
		x.read()
		x.late, x.stray, x.refused = 0, 0, 0
		for _, v := range x.from {
			v.ear.open()
			if v.record != nil {
				v.record = &Recording{}
			}
		}
	})
}

// Book returns what a phone has heard since its book was opened.
func (x *Chorus) Book(v *Voice) (book Book) {
	x.ask(func() {
		x.read()
		book = v.ear.book(x.now())
	})
	return book
}

// Count is what all phones together have done.
type Count struct {
	Voices, Talking int
	Sent, Received  uint64        // packets, since the chorus began
	Missing, Gaps   int           // of the phones that are there
	Late            time.Duration // the most that the chorus was behind its own clock since Begin
	Stray           int           // packets from where no phone sends to
	Refused         int           // packets that our own system refused
}

// Count adds up.
func (x *Chorus) Count() (c Count) {
	x.ask(func() {
		c = Count{Voices: len(x.from), Sent: x.sent, Received: x.received, Late: x.late, Stray: x.stray, Refused: x.refused}
		tick := int(x.now() / frameTime)
		for _, v := range x.from {
			c.Missing += v.ear.Missing
			c.Gaps += v.ear.Gaps
			if v.until > tick {
				c.Talking++
			}
		}
	})
	return c
}

func (x *Chorus) now() time.Duration { return time.Since(x.began) }

// run is the goroutine of Start; Close waits for it.
func (x *Chorus) run() error {
	for n := 0; ; n++ {
		due := time.Duration(n) * slotTime
		x.sleep(due)
		select {
		case <-x.quit:
			return nil
		default:
		}
		x.late = max(x.late, x.now()-due)
		x.read()
		x.answer()
		if n%slots == 0 {
			for _, r := range x.rooms {
				r.step(n/slots, x.Talkers)
			}
		}
		x.speak(n/slots, n%slots)
		x.carry()
	}
}

// sleep waits until due, and not with a timer of Go's, which would have the runtime look for work each time. A signal,
// such as the runtime's own, cuts a sleep short: who would go on then would send too early.
func (x *Chorus) sleep(due time.Duration) {
	for wait := due - x.now(); wait > 0; wait = due - x.now() {
		rest := unix.NsecToTimespec(wait.Nanoseconds())
		_ = unix.ClockNanosleep(unix.CLOCK_MONOTONIC, 0, &rest, nil) // EINTR
	}
}

// answer reads the letters.
func (x *Chorus) answer() {
	for {
		select {
		case letter := <-x.letters:
			letter()
		default:
			return
		}
	}
}

// speak sends for everybody whose slot it is.
func (x *Chorus) speak(tick, slot int) {
	ideal := x.Network.Ideal()
	for _, v := range x.voices[slot] {
		first := v.chirping == chirpFrames
		payload := v.next(tick, x.Sound)
		now := x.now()
		if r := v.room; first && len(r.chirps) > 0 {
			r.chirps[len(r.chirps)-1].Sent = v.due(tick)
		}
		v.ear.Sent++
		x.sent++
		if ideal {
			header, refused := x.rtp.put(v.Remote, payload)
			v.header(header)
			x.refused += refused
			continue
		}
		packet := make([]byte, headerSize, headerSize+frameBytes)
		v.header(packet)
		if at, ok := v.up.arrives(now); ok {
			x.order++
			heap.Push(&x.up, transit{v, at, x.order, append(packet, payload...)})
		}
	}
	x.refused += x.rtp.flush()
}

// carry lets go of what has been on its way for long enough.
func (x *Chorus) carry() {
	now := x.now()
	for len(x.up) > 0 && x.up[0].arrives <= now {
		t := x.pop(&x.up)
		header, refused := x.rtp.put(t.voice.Remote, t.packet[headerSize:])
		copy(header, t.packet)
		x.refused += refused
	}
	x.refused += x.rtp.flush()
	for len(x.down) > 0 && x.down[0].arrives <= now {
		t := x.pop(&x.down)
		x.hear(t.voice, t.arrives, t.packet)
	}
}

func (x *Chorus) pop(t *transits) transit {
	first, _ := heap.Pop(t).(transit)
	return first
}

// read takes all that has come.
func (x *Chorus) read() {
	x.rtp.read(x.take)
	x.rtcp.read(x.takeReport)
}

func (x *Chorus) take(d datagram) {
	v := x.from[d.from]
	if v == nil || len(d.bytes) <= headerSize || d.bytes[0] != 0x80 || d.bytes[1]&0x7f != v.PayloadType {
		x.stray++
		return
	}
	at := d.at.Sub(x.began.Round(0)) // both by the system's clock
	if x.Network.Ideal() {
		x.hear(v, at, d.bytes)
		return
	}
	if arrives, ok := v.down.arrives(at); ok {
		x.order++
		heap.Push(&x.down, transit{v, arrives, x.order, append([]byte(nil), d.bytes...)})
	}
}

func (x *Chorus) hear(v *Voice, at time.Duration, packet []byte) {
	x.received++
	v.ear.hear(at, packet, x.Sound.Kind.ClockRate())
	if v.record != nil {
		v.record.keep(at, packet)
	}
}

// takeReport keeps what a peer says of our stream.
func (x *Chorus) takeReport(d datagram) {
	v := x.reports[d.from]
	if v == nil {
		return
	}
	packets, err := rtcp.Unmarshal(d.bytes)
	if err != nil {
		return // not RTCP: nothing of ours
	}
	for _, p := range packets {
		var reports []rtcp.ReceptionReport
		switch p := p.(type) {
		case *rtcp.SenderReport:
			reports = p.Reports
		case *rtcp.ReceiverReport:
			reports = p.Reports
		}
		for _, r := range reports {
			if r.SSRC == v.ssrc {
				v.ear.reported = int(r.TotalLost)
			}
		}
	}
}

// Books returns what every phone has heard since its book was opened, at one instant.
func (x *Chorus) Books() map[*Voice]Book {
	books := map[*Voice]Book{}
	x.ask(func() {
		x.read()
		now := x.now()
		for _, v := range x.from {
			books[v] = v.ear.book(now)
		}
	})
	return books
}
