package bridge

import (
	"context"
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"time"

	"passerelle/bridge/audio"
	"passerelle/codec"
	"passerelle/codec/g711"
	"passerelle/codec/opus"
	"passerelle/codec/wav"
	"passerelle/sip/rtp"
)

// The way up, socket to socket: a G.711 packet arrives on the phone's line, an Opus packet leaves on
// another socket. The floor beside it does what nobody can do without: it receives and sends the
// same packets, and encodes the same speech through the same binding. Both report the CPU time of the
// whole process, the sender and receiver of the benchmark included, and so does the bare echo that they
// both stand on.

// BenchmarkUpSocketToSocket is the gateway.
func BenchmarkUpSocketToSocket(b *testing.B) {
	ports, err := rtp.NewPorts(netip.MustParseAddr("127.0.0.1"), 0, 0)
	if err != nil {
		b.Fatal(err)
	}
	line, err := rtp.Listen(rtp.Config{Ports: ports})
	if err != nil {
		b.Fatal(err)
	}
	defer line.Close()
	w := newWire(b, line.LocalAddr())
	if err := line.Negotiate(rtp.Params{
		Remote: w.phoneAddr, Kind: codec.PCMA, PayloadType: 8, TelephoneEvent: -1, Send: true, Receive: true,
	}); err != nil {
		b.Fatal(err)
	}
	phone, err := audio.NewEngine(audio.Config{}).NewPhone(audio.PhoneConfig{Kind: codec.PCMA, Up: w, Down: line})
	if err != nil {
		b.Fatal(err)
	}
	defer phone.Close()

	ctx, stop := context.WithCancel(b.Context())
	ran := make(chan error, 1)
	go func() { ran <- line.Run(ctx, phone, nil) }()
	w.measure(b)
	stop()
	if err := <-ran; err != nil {
		b.Error(err)
	}
}

// BenchmarkUpFloor is what cannot be saved: receive, encode, send.
func BenchmarkUpFloor(b *testing.B) {
	encoder, err := opus.NewEncoder(opus.Config{Rate: g711.Rate, Complexity: 5, FEC: true})
	if err != nil {
		b.Fatal(err)
	}
	defer encoder.Close()
	decoder, err := g711.NewDecoder(codec.PCMA)
	if err != nil {
		b.Fatal(err)
	}
	pcm := make([]int16, 160)
	echo(b, func(dst, packet []byte) int {
		n, err := decoder.Decode(pcm, packet[12:])
		if err != nil {
			b.Error(err)
		}
		size, err := encoder.Encode(dst, pcm[:n])
		if err != nil {
			b.Error(err)
		}
		return size
	})
}

// BenchmarkUpEcho is the sockets alone.
func BenchmarkUpEcho(b *testing.B) {
	echo(b, func(dst, packet []byte) int { return copy(dst, packet[:60]) })
}

// echo answers each packet with what turn makes of it.
func echo(b *testing.B, turn func(dst, packet []byte) int) {
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		b.Fatal(err)
	}
	w := newWire(b, conn.LocalAddr().(*net.UDPAddr).AddrPort())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		in, out := make([]byte, 1500), make([]byte, 1500)
		for {
			n, _, err := conn.ReadFromUDPAddrPort(in)
			if err != nil {
				return
			}
			size := turn(out[12:], in[:n])
			if _, err := w.out.WriteToUDPAddrPort(out[:12+size], w.roomAddr); err != nil {
				return
			}
		}
	}()
	w.measure(b)
	conn.Close()
	<-ended
}

// wire is both ends of the way: it says G.711 as a phone, and receives as a room.
type wire struct {
	phone, room, out *net.UDPConn
	phoneAddr        netip.AddrPort
	roomAddr         netip.AddrPort
	to               netip.AddrPort
	payloads         [][]byte
	packet           [12 + 1500]byte
}

func newWire(b *testing.B, to netip.AddrPort) *wire {
	w := &wire{to: to, payloads: talk(b)}
	for _, conn := range []**net.UDPConn{&w.phone, &w.room, &w.out} {
		c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { c.Close() })
		*conn = c
	}
	w.phoneAddr = w.phone.LocalAddr().(*net.UDPAddr).AddrPort()
	w.roomAddr = w.room.LocalAddr().(*net.UDPAddr).AddrPort()
	return w
}

// WriteFrame is the seat: it sends the packet on.
func (w *wire) WriteFrame(f *codec.Frame) error {
	n := copy(w.packet[12:], f.Payload)
	_, err := w.out.WriteToUDPAddrPort(w.packet[:12+n], w.roomAddr)
	return err
}

// measure sends one packet after another and waits for each at the other end.
func (w *wire) measure(b *testing.B) {
	packet, in := make([]byte, 172), make([]byte, 1500)
	packet[0], packet[1], packet[11] = 0x80, 8, 1
	var seq uint16
	var timestamp uint32
	send := func() {
		copy(packet[12:], w.payloads[int(seq)%len(w.payloads)])
		packet[2], packet[3] = byte(seq>>8), byte(seq)
		packet[4], packet[5], packet[6], packet[7] = byte(timestamp>>24), byte(timestamp>>16), byte(timestamp>>8), byte(timestamp)
		seq++
		timestamp += 160
		if _, err := w.phone.WriteToUDPAddrPort(packet, w.to); err != nil {
			b.Fatal(err)
		}
	}
	receive := func(patience time.Duration) bool {
		w.room.SetReadDeadline(time.Now().Add(patience))
		_, _, err := w.room.ReadFromUDPAddrPort(in)
		return err == nil
	}
	for warm := 0; warm < 100; { // until the gate has opened and all packets come through
		if send(); receive(100 * time.Millisecond) {
			warm++
		}
	}
	for receive(20 * time.Millisecond) { // what looking back has sent beside them
	}
	b.ReportAllocs()
	b.ResetTimer()
	before := cpu()
	for range b.N {
		if send(); !receive(5 * time.Second) {
			b.Fatal("a packet was lost")
		}
	}
	b.StopTimer()
	b.ReportMetric(float64(cpu()-before)/float64(b.N), "cpu-ns/op")
}

// cpu is the CPU time of this process.
func cpu() time.Duration {
	var usage syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &usage) != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// talk is speech without its pauses, as packets of 20 ms of A-law.
func talk(b *testing.B) [][]byte {
	file, err := os.Open("../testdata/speech/rms.wav")
	if err != nil {
		b.Fatal(err)
	}
	defer file.Close()
	pcm, rate, err := wav.Read(file)
	if err != nil {
		b.Fatal(err)
	}
	pcm = wav.Resample(pcm, rate, g711.Rate)
	encoder, err := g711.NewEncoder(codec.PCMA)
	if err != nil {
		b.Fatal(err)
	}
	var payloads [][]byte
	for ; len(pcm) >= 160; pcm = pcm[160:] {
		var sum int
		for _, s := range pcm[:160] {
			sum += int(s) * int(s)
		}
		if sum/160 < 300*300 {
			continue
		}
		payload := make([]byte, 160)
		if _, err := encoder.Encode(payload, pcm[:160]); err != nil {
			b.Fatal(err)
		}
		payloads = append(payloads, payload)
	}
	return payloads
}
