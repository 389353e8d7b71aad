//go:build peers

package peers

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/pion/rtcp"
)

// Chorus is the sound of many phones behind one address, as a telephone exchange has it: one socket for all of
// RTP, one for RTCP, and one goroutine that sends by the millisecond and reads in batches. A crowd of phones
// with sockets of their own would take from a small machine what is to be measured.
type Chorus struct {
	addr   netip.AddrPort // of RTP; RTCP is on the next port
	fd     int            // not the runtime's poller's: nothing wakes up for a packet
	rtcp   *net.UDPConn
	speech []byte // mu-law, whole frames
	quit   chan struct{}
	work   sync.WaitGroup

	mu     sync.Mutex
	voices [slotsOf20][]*Voice // by the millisecond of 20 that they speak in
	from   map[netip.AddrPort]*Voice
	stray  int           // packets from where no voice sends to
	late   time.Duration // the most that the clock was behind
}

const (
	slotsOf20  = 20  // a millisecond each
	ulawFrame  = 160 // bytes of 20 ms
	soTimestNS = 35  // SO_TIMESTAMPNS of asm-generic/socket.h, which package syscall knows on some systems only
)

// StartChorus makes a chorus without voices that says speech, mu-law, again and again; it ends with the test.
func StartChorus(t testing.TB, speech []byte) *Chorus {
	t.Helper()
	c := &Chorus{speech: speech[:len(speech)/ulawFrame*ulawFrame], quit: make(chan struct{}), from: map[netip.AddrPort]*Voice{}}
	if err := c.listen(t); err != nil {
		t.Fatalf("the phones' sound: %v", err)
	}
	c.work.Go(c.run) // ends with quit
	c.work.Go(c.readRTCP)
	t.Cleanup(func() {
		close(c.quit)
		_ = c.rtcp.Close()
		c.work.Wait()
		_ = syscall.Close(c.fd)
	})
	return c
}

func (c *Chorus) listen(t testing.TB) (err error) {
	c.addr = netip.AddrPortFrom(Loopback(), Ports(t, 2))
	if c.fd, err = syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0); err != nil {
		return os.NewSyscallError("socket", err)
	}
	_ = syscall.SetsockoptInt(c.fd, syscall.SOL_SOCKET, syscall.SO_RCVBUFFORCE, 16<<20)
	if err := syscall.SetsockoptInt(c.fd, syscall.SOL_SOCKET, soTimestNS, 1); err != nil {
		return os.NewSyscallError("setsockopt", err)
	}
	if err := syscall.Bind(c.fd, &syscall.SockaddrInet4{Port: int(c.addr.Port()), Addr: c.addr.Addr().As4()}); err != nil {
		return os.NewSyscallError("bind", err)
	}
	c.rtcp, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(c.addr.Addr(), c.addr.Port()+1)))
	return err
}

// Add has one more phone speak and listen to the gateway's end of a call.
func (c *Chorus) Add(remote netip.AddrPort, silent bool) *Voice {
	c.mu.Lock()
	defer c.mu.Unlock()
	slot, n := 0, len(c.from)
	for i := range c.voices { // the emptiest; of several, one far from the last
		if at := (n*7 + i) % slotsOf20; i == 0 || len(c.voices[at]) < len(c.voices[slot]) {
			slot = at
		}
	}
	v := newVoice(remote, n*37%(len(c.speech)/ulawFrame), silent)
	c.voices[slot] = append(c.voices[slot], v)
	c.from[remote] = v
	return v
}

// Remove ends a phone's sound.
func (c *Chorus) Remove(v *Voice) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.from, v.remote)
	for i, voices := range c.voices {
		for k := range voices {
			if voices[k] == v {
				c.voices[i] = append(voices[:k:k], voices[k+1:]...)
				return
			}
		}
	}
}

// Begin begins a new book for every voice.
func (c *Chorus) Begin() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.read()
	c.late, c.stray = 0, 0
	for _, v := range c.from {
		v.ear.open()
	}
}

// Count adds up what all voices heard since Begin. deaf is how many heard nothing at all; late the most that
// the chorus itself was behind its clock.
func (c *Chorus) Count() (all Ear, deaf int, late time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.read()
	now := time.Duration(time.Now().UnixNano())
	for _, v := range c.from {
		ear := v.ear.closed(now)
		if ear.Received == 0 {
			deaf++
		}
		all = all.plus(ear)
	}
	return all, deaf, c.late
}

// run speaks each millisecond for those whose turn it is, and reads each fifth.
func (c *Chorus) run() {
	begin := time.Now()
	b := make([]byte, 12, 12+ulawFrame)
	silence := make([]byte, ulawFrame)
	for i := range silence {
		silence[i] = 0xff
	}
	for n := 0; ; n++ {
		due := begin.Add(time.Duration(n) * time.Millisecond)
		if wait := time.Until(due); wait > 200*time.Microsecond {
			time.Sleep(wait)
		}
		select {
		case <-c.quit:
			return
		default:
		}
		c.mu.Lock()
		c.late = max(c.late, time.Since(due))
		for _, v := range c.voices[n%slotsOf20] {
			said := silence
			if !v.silent {
				said = c.speech[v.at*ulawFrame:][:ulawFrame]
				v.at = (v.at + 1) % (len(c.speech) / ulawFrame)
			}
			_ = syscall.Sendto(c.fd, v.packet(b, said), 0, &v.to) // lost is lost, and counted
		}
		if n%5 == 0 {
			c.read()
		}
		c.mu.Unlock()
	}
}

// read takes all that has come. The lock is held.
func (c *Chorus) read() {
	var packet [2048]byte
	var control [64]byte
	for {
		n, m, _, from, err := syscall.Recvmsg(c.fd, packet[:], control[:], syscall.MSG_DONTWAIT)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil {
			return // EAGAIN: that was all
		}
		at, err := arrival(control[:m])
		source, ok := from.(*syscall.SockaddrInet4)
		if err != nil || !ok {
			c.stray++
			continue
		}
		v := c.from[netip.AddrPortFrom(netip.AddrFrom4(source.Addr), uint16(source.Port))]
		if v == nil || n < 13 || packet[0] != 0x80 || packet[1]&0x7f != 0 {
			c.stray++
			continue
		}
		v.ear.hear(at, packet[:n])
	}
}

// errNoTime: the system did not say when a packet came.
var errNoTime = errors.New("a packet without a time")

// arrival reads when a packet reached the socket (socket(7), SO_TIMESTAMPNS).
func arrival(control []byte) (time.Duration, error) {
	const header = syscall.SizeofCmsghdr
	if len(control) < header+16 || binary.NativeEndian.Uint32(control[header-4:]) != soTimestNS {
		return 0, errNoTime
	}
	seconds, nanos := binary.NativeEndian.Uint64(control[header:]), binary.NativeEndian.Uint64(control[header+8:])
	return time.Duration(seconds)*time.Second + time.Duration(nanos), nil
}

// readRTCP keeps what the gateway reports of our streams; StartChorus' cleanup waits for it.
func (c *Chorus) readRTCP() {
	b := make([]byte, 2048)
	for {
		n, from, err := c.rtcp.ReadFromUDPAddrPort(b)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		packets, err := rtcp.Unmarshal(b[:n])
		if err != nil {
			continue
		}
		c.mu.Lock()
		v := c.from[netip.AddrPortFrom(from.Addr(), from.Port()-1)]
		for _, p := range packets {
			for _, report := range receptionReports(p) {
				if v != nil && report.SSRC == v.ssrc {
					v.ear.reported = int(report.TotalLost)
				}
			}
		}
		c.mu.Unlock()
	}
}

func receptionReports(p rtcp.Packet) []rtcp.ReceptionReport {
	switch p := p.(type) {
	case *rtcp.SenderReport:
		return p.Reports
	case *rtcp.ReceiverReport:
		return p.Reports
	}
	return nil
}

func (e Ear) String() string {
	return fmt.Sprintf("sent %d (the gateway lost %d), received %d (%d with sound), missing %d, late %d, duplicate %d, timestamps jumped %d, %d gaps above 60 ms, the longest %v",
		e.Sent, e.Lost, e.Received, e.Sounding, e.Missing, e.Late, e.Duplicate, e.Jumps, e.Gaps, e.Longest.Round(time.Millisecond))
}
