//go:build peers

package peers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"
)

// TestTorture sends every message of RFC 4475, over UDP and TCP, while a call is up: the gateway answers
// after each, and the call loses nothing.
func TestTorture(t *testing.T) {
	messages := tortureMessages(t)
	for _, transport := range []string{"udp", "tcp"} {
		t.Run(transport, func(t *testing.T) {
			dir := Folder(t)
			gateway := StartGateway(t, dir, GatewayConfig{})
			before := warmUp(t, gateway)
			ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
			defer cancel()
			crowd := Gather(ctx, t, gateway, 2, func(int) string { return "room-torture" })
			talking, hush := context.WithCancel(ctx)
			defer hush()
			crowd.Talk(talking, t, Says(t, dir, Man, 0, 0))
			for name, message := range messages {
				if err := throw(gateway.SIP, transport, message); err != nil {
					t.Errorf("%s: %v", name, err)
				}
				if answer, err := Ping(loopbackPort(0), gateway.SIP, 2*time.Second); err != nil {
					t.Fatalf("after %s: %v\n%s", name, err, gateway.process.Tail(30))
				} else if answer != "SIP/2.0 200 OK" {
					t.Errorf("after %s OPTIONS is answered %q", name, answer)
				}
			}
			hush()
			crowd.Wait()
			crowd.Hangup(ctx, t)
			for _, h := range crowd.Handsets {
				if a := h.Media.Account(); a.Missing+a.Jumps+a.Strange > 0 || a.Reported > 0 {
					t.Errorf("the call lost sound: %v", a)
				}
			}
			t.Parallel() // the rest is waiting: others may go on
			after := gateway.AwaitBaseline(t, before, 45*time.Second)
			if after.Gateway.Media.Lost != before.Gateway.Media.Lost {
				t.Errorf("the gateway lost %d packets", after.Gateway.Media.Lost-before.Gateway.Media.Lost)
			}
		})
	}
}

// tortureMessages reads the messages from PASSERELLE_SHARED or a folder "shared" beside the repository.
func tortureMessages(t *testing.T) map[string][]byte {
	t.Helper()
	shared := os.Getenv("PASSERELLE_SHARED")
	if shared == "" {
		shared = filepath.Join(Root(), "..", "shared")
	}
	files, _ := filepath.Glob(filepath.Join(shared, "torture", "rfc4475", "*.dat"))
	if len(files) == 0 {
		t.Skip("the messages of RFC 4475 are not here: PASSERELLE_SHARED names no folder with torture/rfc4475")
	}
	messages := map[string][]byte{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		messages[filepath.Base(file)] = text
	}
	return messages
}

// throw sends a message as it is and does not care for the answer.
func throw(to netip.AddrPort, transport string, message []byte) error {
	conn, err := net.DialTimeout(transport, to.String(), time.Second)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.Write(message); err != nil {
		return err
	}
	_ = conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	_, _ = io.Copy(io.Discard, conn)
	return nil
}

// TestStranger calls from an address that the configuration does not name: not one byte comes back, over
// UDP or TCP, whatever is sent.
func TestStranger(t *testing.T) {
	t.Parallel()
	dir := Folder(t)
	gateway := StartGateway(t, dir, GatewayConfig{})
	before := gateway.Counters(t)
	from := netip.AddrPortFrom(Stranger(), 0)
	if answer, err := Ping(from, gateway.SIP, 500*time.Millisecond); !errors.Is(err, errSilence) {
		t.Errorf("OPTIONS from a stranger is answered %q (%v), want silence", answer, err)
	}
	for _, transport := range []string{"udp", "tcp"} {
		for name, message := range knocks(gateway.SIP) {
			if n, err := knock(from, gateway.SIP, transport, message); err != nil || n > 0 {
				t.Errorf("%s over %s from a stranger: %d bytes came back (%v), want silence", name, transport, n, err)
			}
		}
	}
	after := gateway.Counters(t)
	if after.Gateway.Answered != before.Gateway.Answered || after.Gateway.Calls > 0 {
		t.Error("a stranger's call was taken")
	}
	gateway.AwaitBaseline(t, before, 15*time.Second)
}

func knocks(to netip.AddrPort) map[string]string {
	request := func(method string) string {
		id := randomID()
		return fmt.Sprintf("%[1]s sip:room-stranger@%[2]s SIP/2.0\r\nVia: SIP/2.0/UDP %[3]s:5060;branch=z9hG4bK%[4]s;rport\r\nMax-Forwards: 70\r\n"+
			"From: <sip:stranger@%[3]s>;tag=%[4]s\r\nTo: <sip:room-stranger@%[2]s>\r\nCall-ID: %[4]s\r\nCSeq: 1 %[1]s\r\nContact: <sip:stranger@%[3]s>\r\nContent-Length: 0\r\n\r\n",
			method, to, Stranger(), id)
	}
	all := map[string]string{"garbage": "\x00\x01nonsense\r\n\r\n", "half a line": "INVITE sip:", "a page": "GET / HTTP/1.1\r\nHost: x\r\n\r\n"}
	for _, method := range []string{"INVITE", "CANCEL", "BYE", "REGISTER", "OPTIONS", "ACK", "SUBSCRIBE", "NONSENSE"} {
		all[method] = request(method)
	}
	return all
}

// knock sends a message from an address and returns how many bytes come back.
func knock(from, to netip.AddrPort, transport, message string) (int64, error) {
	dialer := net.Dialer{Timeout: time.Second, LocalAddr: net.UDPAddrFromAddrPort(from)}
	if transport == "tcp" {
		dialer.LocalAddr = net.TCPAddrFromAddrPort(from)
	}
	conn, err := dialer.Dial(transport, to.String())
	if transport == "tcp" && err != nil {
		return 0, nil // not even a connection: as silent as TCP can be
	}
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, message); err != nil {
		return 0, nil // closed on us
	}
	_ = conn.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
	n, _ := io.Copy(io.Discard, conn)
	return n, nil
}

// TestInjection sprays RTP at every media port, from a stranger's address all the time, and from the
// phone's own address, but another port, once its line is known: nobody hears it, nothing goes to it.
func TestInjection(t *testing.T) {
	dir := Folder(t)
	gateway := StartGateway(t, dir, GatewayConfig{Calls: 10, Complains: regexp.MustCompile(`"a stranger sends to this line"`)})
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	man, woman := Says(t, dir, Man, 0.5, 0.5), Says(t, dir, Woman, 0, 0)
	loud, err := os.ReadFile(woman.Raw("ulaw"))
	if err != nil {
		t.Fatal(err)
	}
	phone := StartPhone(t, dir, PhoneConfig{Name: "bob", Microphone: woman.WAV(8000)})
	phone.Dial(t, gateway.URI("room-spray", "udp"))
	phone.AwaitTalking(t, 5*time.Second)

	stranger := spray(ctx, t, gateway, Stranger(), loud)
	time.Sleep(300 * time.Millisecond)
	crowd := Gather(ctx, t, gateway, 1, func(int) string { return "room-spray" })
	talking, hush := context.WithTimeout(ctx, man.Length(t))
	defer hush()
	crowd.Talk(talking, t, man)
	time.Sleep(500 * time.Millisecond)
	neighbour := spray(ctx, t, gateway, Loopback(), loud)
	crowd.Wait()
	for _, s := range []*sprayer{stranger, neighbour} {
		if n := s.stop(); n > 0 {
			t.Errorf("%d packets went to %s, which had only sprayed", n, s.conn.LocalAddr())
		}
	}
	crowd.Hangup(ctx, t)
	phone.Hangup(t)
	phone.Quit(t)
	heard := Listen(t, "the phone", phone.Heard(t))
	heard.Hears(t, man, OverG711())
	heard.HearsNot(t, woman)
}

// sprayer sends RTP where it has no business.
type sprayer struct {
	conn     *net.UDPConn
	cancel   context.CancelFunc
	done     chan struct{}
	received int
}

// spray begins, with a packet of 20 ms to every port each 20 ms.
func spray(ctx context.Context, t testing.TB, gateway *Gateway, from netip.Addr, ulaw []byte) *sprayer {
	t.Helper()
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(from, 0)))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(ctx)
	s := &sprayer{conn: conn, cancel: cancel, done: make(chan struct{})}
	t.Cleanup(func() { s.stop() })
	go s.run(ctx, gateway, ulaw)
	return s
}

// run is the goroutine of spray; stop waits for it.
func (s *sprayer) run(ctx context.Context, gateway *Gateway, ulaw []byte) {
	defer close(s.done)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	answer := make([]byte, 2048)
	for n := 0; ctx.Err() == nil; n++ {
		<-tick.C
		at := n * 160 % (len(ulaw) - 160)
		packet := append([]byte{0x80, 0, byte(n >> 8), byte(n), 0, byte(n * 160 >> 16), byte(n * 160 >> 8), byte(n * 160), 1, 2, 3, 4}, ulaw[at:at+160]...)
		for port := gateway.Media[0]; port < gateway.Media[1]; port += 2 {
			_, _ = s.conn.WriteToUDPAddrPort(packet, netip.AddrPortFrom(Loopback(), port))
		}
		for {
			_ = s.conn.SetReadDeadline(time.Now().Add(100 * time.Microsecond))
			if _, _, err := s.conn.ReadFromUDPAddrPort(answer); err != nil {
				break
			}
			s.received++
		}
	}
}

// stop ends it and returns how many packets came to it.
func (s *sprayer) stop() int {
	s.cancel()
	<-s.done
	_ = s.conn.Close()
	return s.received
}
