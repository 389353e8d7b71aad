//go:build peers

package peers

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
)

// Exchange is a telephone exchange of ours in front of the gateway: any number of lines, one SIP socket, and
// the sound of a [Chorus].
type Exchange struct {
	*Chorus

	gateway netip.AddrPort
	conn    *net.UDPConn
	done    chan struct{} // closed when read has ended

	mu    sync.Mutex
	lines map[string]*Line // by Call-ID
}

// Line is one call of an exchange. Its dialog is a [Handset]'s, without the handset's sockets.
type Line struct {
	*Handset

	SetUp time.Duration // from INVITE to 200
	voice *Voice
}

// StartExchange makes an exchange without calls. It ends with the test; calls that are up are forgotten.
func StartExchange(t testing.TB, gateway netip.AddrPort, speech []byte) *Exchange {
	t.Helper()
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(Loopback(), 0)))
	if err != nil {
		t.Fatalf("an exchange: %v", err)
	}
	_ = conn.SetReadBuffer(4 << 20)
	x := &Exchange{Chorus: StartChorus(t, speech), gateway: gateway, conn: conn, done: make(chan struct{}), lines: map[string]*Line{}}
	go x.listen()
	t.Cleanup(func() {
		_ = conn.Close()
		<-x.done
	})
	return x
}

// Dial calls a number until the call is up and sound flows.
func (x *Exchange) Dial(ctx context.Context, number string, silent bool) (*Line, error) {
	l := &Line{Handset: &Handset{
		Number: number, conn: x.conn, target: x.gateway, callID: randomID(), tag: randomID(), done: x.done, ended: make(chan struct{}),
		waiting: map[string]chan sipMessage{}, to: fmt.Sprintf("<sip:%s@%s>", number, x.gateway), contact: fmt.Sprintf("sip:%s@%s", number, x.gateway),
	}}
	x.keep(l)
	began := time.Now()
	answer, err := l.transact(ctx, "INVITE", x.offer())
	if err != nil {
		x.forget(l)
		return nil, fmt.Errorf("call %s: %w", number, err)
	}
	l.SetUp = time.Since(began)
	remote, err := readAnswer(answer.Body)
	if err != nil {
		return nil, fmt.Errorf("call %s: %w", number, err)
	}
	l.voice = x.Add(remote, silent)
	return l, nil
}

// Hangup ends a call.
func (x *Exchange) Hangup(ctx context.Context, l *Line) error {
	x.Remove(l.voice)
	defer x.forget(l)
	return l.Hangup(ctx)
}

// HangupAll ends all of them, a few at once.
func (x *Exchange) HangupAll(ctx context.Context, lines []*Line) error {
	var group errgroup.Group
	group.SetLimit(8)
	for _, l := range lines {
		group.Go(func() error { return x.Hangup(ctx, l) })
	}
	return group.Wait()
}

// Gather dials n calls one after the other, each when the one before is answered; the i-th to number(i).
func (x *Exchange) Gather(ctx context.Context, n int, number func(i int) string, silent func(i int) bool) (lines []*Line, err error) {
	for i := range n {
		l, err := x.Dial(ctx, number(i), silent(i))
		if err != nil {
			return lines, err
		}
		lines = append(lines, l)
	}
	return lines, nil
}

// GatherAtRate does the same, but dials one each interval, come what may.
func (x *Exchange) GatherAtRate(ctx context.Context, n int, interval time.Duration, number func(i int) string, silent func(i int) bool) (lines []*Line, err error) {
	calls := make([]*Line, n)
	var group errgroup.Group
	begin := time.Now()
	for i := range n {
		time.Sleep(time.Until(begin.Add(time.Duration(i) * interval)))
		group.Go(func() (err error) {
			calls[i], err = x.Dial(ctx, number(i), silent(i))
			return err
		})
	}
	err = group.Wait()
	return slices.DeleteFunc(calls, func(l *Line) bool { return l == nil }), err
}

// offer is the same for every line: the gateway tells them apart by its own ports.
func (x *Exchange) offer() []byte {
	return fmt.Appendf(nil, "v=0\r\no=- 1 1 IN IP4 %[1]s\r\ns=-\r\nc=IN IP4 %[1]s\r\nt=0 0\r\nm=audio %[2]d RTP/AVP 0 101\r\n"+
		"a=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=ptime:20\r\na=sendrecv\r\n", x.addr.Addr(), x.addr.Port())
}

func (x *Exchange) keep(l *Line) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.lines[l.callID] = l
}

func (x *Exchange) forget(l *Line) {
	x.mu.Lock()
	defer x.mu.Unlock()
	delete(x.lines, l.callID)
}

// listen is the goroutine of StartExchange.
func (x *Exchange) listen() {
	defer close(x.done)
	packet := make([]byte, 65536)
	for {
		n, _, err := x.conn.ReadFromUDPAddrPort(packet)
		if err != nil {
			return
		}
		m, err := parseSIP(packet[:n])
		if err != nil {
			continue
		}
		x.mu.Lock()
		l := x.lines[m.Header.Get("Call-Id")]
		x.mu.Unlock()
		if l != nil {
			l.take(m)
		}
	}
}

// take does what [Handset.read] does with a message.
func (l *Line) take(m sipMessage) {
	if m.Status == 0 {
		l.serve(m)
		return
	}
	cseq := m.Header.Get("Cseq")
	l.mu.Lock()
	waiting := l.waiting[cseq]
	l.mu.Unlock()
	if waiting != nil {
		m.Body = append([]byte(nil), m.Body...) // the packet is the reader's
		select {
		case waiting <- m:
		default:
		}
		return
	}
	if number, method, _ := strings.Cut(cseq, " "); m.Status/100 == 2 && method == "INVITE" {
		n, _ := strconv.Atoi(number)
		l.send(l.request("ACK", n, randomID(), nil)) // ours was lost (RFC 3261 section 13.2.2.4)
	}
}
