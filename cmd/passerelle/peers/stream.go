package peers

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/rtcp"
)

// Packet is one RTP packet, as it was sent or received.
type Packet struct {
	At        time.Duration // since the stream was made; of a sent one, just before it was handed to the system
	Seq       uint16
	Timestamp uint32
	Marker    bool
	Type      uint8
	Payload   []byte // kept only where the stream keeps sound
}

// Stream is a handset's RTP: PCMU, 20 ms a packet, one SSRC, an RTCP port beside it. It sends when it is
// told to, and keeps book of everything.
type Stream struct {
	// KeepSound keeps the payloads of received packets; set it before the call.
	KeepSound bool

	began     time.Time
	rtp, rtcp *net.UDPConn
	remote    atomic.Pointer[netip.AddrPort]
	readers   sync.WaitGroup

	ssrc      uint32
	seq       uint16
	timestamp uint32
	packet    []byte

	mu       sync.Mutex
	sent     []Packet
	received []Packet
	strange  int // packets that are not PCMU from where we send to
	report   *rtcp.ReceptionReport
	bye      bool
}

func newStream(from netip.Addr) (*Stream, error) {
	s := &Stream{began: time.Now(), ssrc: rand.Uint32(), seq: uint16(rand.Uint32()), timestamp: rand.Uint32(), packet: make([]byte, 12, 12+320)}
	for try := 0; ; try++ {
		var err error
		if s.rtp, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(from, 0))); err != nil {
			return nil, fmt.Errorf("a handset's RTP: %w", err)
		}
		next := s.Addr()
		if next.Port()%2 == 0 {
			if s.rtcp, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(from, next.Port()+1))); err == nil {
				break
			}
		}
		_ = s.rtp.Close()
		if try == 100 {
			return nil, fmt.Errorf("a handset's RTP: no pair of ports is free: %w", err)
		}
	}
	_ = s.rtp.SetReadBuffer(1 << 20)
	s.readers.Go(s.readRTP)
	s.readers.Go(s.readRTCP)
	return s, nil
}

// Addr returns where the stream listens for RTP.
func (s *Stream) Addr() netip.AddrPort { return s.rtp.LocalAddr().(*net.UDPAddr).AddrPort() }

func (s *Stream) connect(remote netip.AddrPort) { s.remote.Store(&remote) }

func (s *Stream) close() {
	_, _ = s.rtp.Close(), s.rtcp.Close()
	s.readers.Wait()
}

// Now returns the time since the stream was made.
func (s *Stream) Now() time.Duration { return time.Since(s.began) }

// Send sends 20 ms of mu-law. One goroutine at a time may call it, or SendEvent.
func (s *Stream) Send(payload []byte) {
	s.write(0, len(s.sent) == 0, s.timestamp, payload)
	s.timestamp += uint32(len(payload))
}

// SendEvent sends a packet of a key that is down since the frame which began that many samples ago, or, three
// times as RFC 4733 section 2.5.1.4 says, that it went up. Each is 20 ms of the stream.
func (s *Stream) SendEvent(event byte, since uint32, up bool) {
	const frame = 160
	payload := telephoneEvent(event, up, int(since+frame))
	times := 1
	if up {
		times = 3
	}
	for range times {
		s.write(telephoneEvents, since == 0, s.timestamp-since, payload)
	}
	s.timestamp += frame
}

// telephoneEvents is the payload type of keys in what a handset offers.
const telephoneEvents = 101

// write sends one packet, if there is anywhere to send it.
func (s *Stream) write(payloadType byte, marker bool, timestamp uint32, payload []byte) {
	remote := s.remote.Load()
	if remote == nil {
		return
	}
	p := append(s.packet[:12], payload...)
	p[0], p[1] = 0x80, payloadType
	if marker {
		p[1] |= 0x80
	}
	binary.BigEndian.PutUint16(p[2:], s.seq)
	binary.BigEndian.PutUint32(p[4:], timestamp)
	binary.BigEndian.PutUint32(p[8:], s.ssrc)
	at := s.Now()
	_, err := s.rtp.WriteToUDPAddrPort(p, *remote)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		s.sent = append(s.sent, Packet{At: at, Seq: s.seq, Timestamp: timestamp, Type: payloadType})
	}
	s.seq++
}

// readRTP is a goroutine of newStream; close waits for it.
func (s *Stream) readRTP() {
	b := make([]byte, 2048)
	for {
		n, from, err := s.rtp.ReadFromUDPAddrPort(b)
		if err != nil {
			return
		}
		at := s.Now()
		remote := s.remote.Load()
		s.mu.Lock()
		if n < 12 || b[0] != 0x80 || b[1]&0x7f != 0 || remote != nil && from != *remote {
			s.strange++
			s.mu.Unlock()
			continue
		}
		p := Packet{At: at, Seq: binary.BigEndian.Uint16(b[2:]), Timestamp: binary.BigEndian.Uint32(b[4:]), Marker: b[1]&0x80 != 0, Type: b[1] & 0x7f}
		if s.KeepSound {
			p.Payload = append([]byte(nil), b[12:n]...)
		}
		s.received = append(s.received, p)
		s.mu.Unlock()
	}
}

// readRTCP is a goroutine of newStream; close waits for it.
func (s *Stream) readRTCP() {
	b := make([]byte, 2048)
	for {
		n, _, err := s.rtcp.ReadFromUDPAddrPort(b)
		if err != nil {
			return
		}
		packets, err := rtcp.Unmarshal(b[:n])
		if err != nil {
			continue
		}
		s.mu.Lock()
		for _, p := range packets {
			switch p := p.(type) {
			case *rtcp.SenderReport:
				s.reported(p.Reports)
			case *rtcp.ReceiverReport:
				s.reported(p.Reports)
			case *rtcp.Goodbye:
				s.bye = true
			}
		}
		s.mu.Unlock()
	}
}

// reported keeps the last report on our stream. The lock is held.
func (s *Stream) reported(reports []rtcp.ReceptionReport) {
	for _, r := range reports {
		if r.SSRC == s.ssrc {
			s.report = &r
		}
	}
}

// Account is the book of a stream.
type Account struct {
	Sent, Received  int
	Missing         int           // never received, of the sequence between the first and the last
	Duplicate, Late int           // received twice, and after a later one
	Jumps           int           // times that the timestamp ran ahead of the sequence, or fell behind
	Strange         int           // not PCMU, or not from where we send to
	Longest         time.Duration // between two packets that were received
	Gaps            int           // longer than 60 ms
	Reported        int           // of ours, lost on the way to the gateway, as it reports; -1 without a report
	Bye             bool          // the gateway has said goodbye (RTCP)
}

func (a Account) String() string {
	return fmt.Sprintf("sent %d (the gateway lost %d), received %d, missing %d, duplicate %d, late %d, timestamps jumped %d, strange %d, longest gap %v (%d above 60 ms)",
		a.Sent, a.Reported, a.Received, a.Missing, a.Duplicate, a.Late, a.Jumps, a.Strange, a.Longest.Round(time.Millisecond), a.Gaps)
}

// Account counts.
func (s *Stream) Account() Account {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := Account{Sent: len(s.sent), Received: len(s.received), Strange: s.strange, Reported: -1, Bye: s.bye}
	if s.report != nil {
		a.Reported = int(s.report.TotalLost)
	}
	if len(s.received) == 0 {
		return a
	}
	seen := map[uint16]bool{}
	first, highest := s.received[0], s.received[0].Seq
	for i, p := range s.received {
		if seen[p.Seq] {
			a.Duplicate++
		}
		seen[p.Seq] = true
		if i == 0 {
			continue
		}
		before := s.received[i-1]
		if int32(p.Timestamp-before.Timestamp) != int32(int16(p.Seq-before.Seq))*160 {
			a.Jumps++
		}
		if int16(p.Seq-highest) < 0 {
			a.Late++
		} else {
			highest = p.Seq
		}
		gap := p.At - before.At
		a.Longest = max(a.Longest, gap)
		if gap > 60*time.Millisecond {
			a.Gaps++
		}
	}
	a.Missing = int(highest-first.Seq) + 1 - len(seen)
	return a
}

// Packets returns copies of the books.
func (s *Stream) Packets() (sent, received []Packet) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Packet(nil), s.sent...), append([]Packet(nil), s.received...)
}
