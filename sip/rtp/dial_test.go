package rtp

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	pion "github.com/pion/rtp"
)

func TestSendDigits(t *testing.T) {
	a, b := newPhone(t, "127.0.0.1", Config{}), newPhone(t, "127.0.0.1", Config{})
	negotiate(t, a, call(b.LocalAddr()))
	negotiate(t, b, call(a.LocalAddr()))
	b.run(b)
	done := make(chan error, 2)
	for range 2 { // the second waits for the first
		go func() { done <- a.SendDigits(context.Background(), "1#") }()
	}
	clock := time.NewTicker(5 * time.Millisecond)
	defer clock.Stop()
	for n, ended := 0, 0; ended < 2; {
		select {
		case <-clock.C:
			if err := a.WriteFrame(pcmu(n)); err != nil {
				t.Fatal(err)
			}
			n++
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
			ended++
		}
	}
	for _, want := range "1#1#" {
		down, up := next(t, b.digits), next(t, b.digits)
		if down != (Digit{Rune: want}) || up != (Digit{Rune: want, Ended: true, Duration: 100 * time.Millisecond}) {
			t.Errorf("got %v, %v, want %c for 100 ms", down, up, want)
		}
	}
	none(t, b.digits)
	await(t, func() bool { return b.Stats().PacketsReceived == a.Stats().PacketsSent })
	for len(b.frames) > 0 {
		if f := next(t, b.frames); len(f.Payload) != 160 {
			t.Fatalf("an event was given to the sound: %+v", f)
		}
	}
	sa, sb := a.Stats(), b.Stats()
	if sa.DigitsSent != 4 || sb.DigitsReceived != 4 || sb.Lost != 0 {
		t.Errorf("got %+v and %+v", sa, sb)
	}
	if sa.SendDrops.Events == 0 || sa.SendDrops.Events == sa.PacketsSent {
		t.Errorf("got %d frames of sound held back by events, of %d", sa.SendDrops.Events, sa.PacketsSent)
	}
}

// What one key looks like on the wire.
func TestEventPackets(t *testing.T) {
	a, peer := newPhone(t, "127.0.0.1", Config{}), newSocket(t, "127.0.0.1")
	negotiate(t, a, call(peer.addr()))
	receive := func() (p pion.Packet) {
		t.Helper()
		if err := p.Unmarshal(peer.receive(soon)); err != nil {
			t.Fatal(err)
		}
		return p
	}
	if err := a.WriteFrame(pcmu(0)); err != nil {
		t.Fatal(err)
	}
	before := receive()
	if err := a.SendDigits(context.Background(), "5"); err != nil {
		t.Fatal(err)
	}
	var first pion.Packet
	for n := range 7 {
		p := receive()
		if n == 0 {
			first = p
		}
		e, _ := parseEvent(p.Payload)
		want := event{code: 5, end: n >= 4, volume: eventVolume, duration: uint16(160 * min(n+1, 5))}
		if p.PayloadType != 101 || p.Timestamp != first.Timestamp || p.SSRC != before.SSRC ||
			p.SequenceNumber != before.SequenceNumber+1+uint16(n) || p.Marker != (n == 0) || e != want {
			t.Errorf("packet %d: got %v %+v, want %+v", n, p.Header, e, want)
		}
	}
	if ahead := first.Timestamp - before.Timestamp; ahead < 160 || ahead > 40000 {
		t.Errorf("the event begins %d after the last frame, want at least its 160", ahead)
	}
}

func TestSendDigitsRefuses(t *testing.T) {
	a, peer := newPhone(t, "127.0.0.1", Config{}), newSocket(t, "127.0.0.1")
	if err := a.SendDigits(context.Background(), "1"); !errors.Is(err, ErrNoEvents) {
		t.Errorf("before anything is agreed on: got %v", err)
	}
	p := call(peer.addr())
	p.TelephoneEvent = -1
	negotiate(t, a, p)
	if err := a.SendDigits(context.Background(), "1"); !errors.Is(err, ErrNoEvents) {
		t.Errorf("without telephone-event: got %v, want ErrNoEvents", err)
	}
	err := a.SendDigits(context.Background(), "12x")
	if !errors.Is(err, ErrDigit) || strings.Contains(err.Error(), "12") {
		t.Errorf("got %v, want ErrDigit, and no digit told", err)
	}
}

func TestAnEventThatIsGivenUpEnds(t *testing.T) {
	a, peer := newPhone(t, "127.0.0.1", Config{}), newSocket(t, "127.0.0.1")
	negotiate(t, a, call(peer.addr()))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.SendDigits(ctx, "55555555") }()
	if peer.receive(soon) == nil {
		t.Fatal("no event")
	}
	cancel()
	if err := next(t, done); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	ends := 0
	for data := peer.receive(50 * time.Millisecond); data != nil; data = peer.receive(50 * time.Millisecond) {
		if e, _ := parseEvent(data[12:]); e.end {
			ends++
		}
	}
	if ends == 0 || ends%eventEnds != 0 {
		t.Errorf("got %d ends, want %d a key", ends, eventEnds)
	}
	if err := a.WriteFrame(pcmu(0)); err != nil || peer.receive(soon) == nil {
		t.Errorf("the sound goes on: got %v", err)
	}
}

func TestALostEndIsTimedOut(t *testing.T) {
	a, peer := newPhone(t, "127.0.0.1", Config{}), newSocket(t, "127.0.0.1")
	negotiate(t, a, call(peer.addr()))
	a.run(a)
	peer.send(t, a.LocalAddr(), rtpPacket(101, 5, 1, 0, event{code: 9, duration: 400}.append(nil)))
	if got := next(t, a.digits); got != (Digit{Rune: '9'}) {
		t.Errorf("got %v", got)
	}
	if got := next(t, a.digits); got != (Digit{Rune: '9', Ended: true, Duration: 50 * time.Millisecond}) {
		t.Errorf("got %v", got)
	}
	peer.send(t, a.LocalAddr(), sound(5, 2, 160)) // and the line still reads
	next(t, a.frames)
}

// Where the machine stands still while keys are sent, they come later, and each is one of its own.
func TestSendDigitsAfterAStall(t *testing.T) {
	a, b := newPhone(t, "127.0.0.1", Config{}), newPhone(t, "127.0.0.1", Config{})
	negotiate(t, a, call(b.LocalAddr()))
	negotiate(t, b, call(a.LocalAddr()))
	b.run(b)
	done := make(chan error, 1)
	go func() { done <- a.SendDigits(context.Background(), "123") }()
	if down := next(t, b.digits); down != (Digit{Rune: '1'}) {
		t.Fatalf("got %v, want the first key", down)
	}
	a.out.mu.Lock() // whoever sends stands still
	<-time.After(4 * eventCycle)
	a.out.mu.Unlock()
	for i, want := range []Digit{{Rune: '1', Ended: true}, {Rune: '2'}, {Rune: '2', Ended: true}, {Rune: '3'}, {Rune: '3', Ended: true}} {
		got := next(t, b.digits)
		if got.Duration = 0; got != want {
			t.Fatalf("event %d: got %c, up: %v; want %c, up: %v", i, got.Rune, got.Ended, want.Rune, want.Ended)
		}
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}
