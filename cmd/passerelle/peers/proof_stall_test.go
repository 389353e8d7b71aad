//go:build peers

package peers

import (
	"fmt"
	"math"
	"syscall"
	"testing"
	"time"

	"passerelle/codec/score"
)

// TestProofStandstill stops the gateway's process for a while under calls, as a machine that is busy elsewhere does. No
// phone hears a longer gap of another than that, and the delay is then what it was.
func TestProofStandstill(t *testing.T) {
	onlyInProof(t)
	dir := Folder(t)
	gateway := StartGateway(t, dir, GatewayConfig{Untouched: true})
	for i := range 80 { // what they sent meanwhile is to be read too
		crowd := Call(t, dir, gateway, Dialling{Name: fmt.Sprintf("crowd%d", i), Number: fmt.Sprintf("room-crowd%d", i/4)})
		hum, err := HumOf(i % (lastHum + 1)).MuLaw()
		if err != nil {
			t.Fatal(err)
		}
		crowd.idle.Store(&hum)
	}
	talker := Call(t, dir, gateway, Dialling{Name: "talker", Number: "room-still"})
	ear := Call(t, dir, gateway, Dialling{Name: "ear", Number: "room-still"})
	lengths := []time.Duration{40 * time.Millisecond, 60 * time.Millisecond, 100 * time.Millisecond, 150 * time.Millisecond, 200 * time.Millisecond}
	const between = 3 * time.Second
	said := make(chan struct{})
	go func() { // ends with what is said
		defer close(said)
		talker.do(t, order{ulaw: numbered(time.Duration(len(lengths)+2) * between)})
	}()
	time.Sleep(between)
	var stops []time.Duration // on the ear's clock
	for _, length := range lengths {
		stops = append(stops, ear.Media.Now())
		stopFor(t, gateway, length)
		time.Sleep(between - length)
	}
	<-said

	heard := numbersHeard(ear)
	for i, length := range lengths {
		at := stops[i]
		before, still, after := heard.between(at-time.Second, at), heard.between(at-time.Second, at+time.Second), heard.between(at+length+time.Second, at+length+2*time.Second)
		later := after.delay() - before.delay()
		gap, silent, without := still.gap()
		t.Logf("stopped for %v: nothing came for %v; by the timestamps %v are silent, and %d packets; a second later the delay is %v more",
			length, gap.Round(time.Millisecond), silent, without, later.Round(time.Millisecond))
		if gap > length+2*humFrame || silent > length || without > 0 {
			t.Errorf("stopped for %v, the ear hears nothing for %v, of it %v and %d packets silent", length, gap, silent, without)
		}
		if later > humFrame+humFrame/2 {
			t.Errorf("stopped for %v, the delay is %v more a second later", length, later)
		}
	}
}

// stopFor stops the gateway's process.
func stopFor(t *testing.T, g *Gateway, length time.Duration) {
	t.Helper()
	began := time.Now()
	for _, signal := range []syscall.Signal{syscall.SIGSTOP, syscall.SIGCONT} {
		if err := syscall.Kill(g.process.PID(), signal); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Until(began.Add(length)))
	}
}

// A phone can number its packets by a mu-law code each, a hundred of them, which no gain and no other voice changes.
const (
	codes     = 100
	firstCode = 0xff - 20
)

func numbered(length time.Duration) (ulaw []byte) {
	for n := range int(length / humFrame) {
		for range score.Rate / 50 {
			ulaw = append(ulaw, byte(firstCode-n%codes))
		}
	}
	return ulaw
}

// numberedPacket is one that somebody heard of a phone that numbers its packets.
type numberedPacket struct {
	at        time.Duration
	timestamp uint32
	number    int // the talker's, from anywhere; -1 where the packet holds nothing of the talker
}

type numberedSound []numberedPacket

// numbersHeard is what came, by numbers.
func numbersHeard(ear *Caller) (heard numberedSound) {
	_, received := ear.Media.Packets()
	number := codes
	for _, p := range received {
		n := -1
		if code := firstCode - int(p.Payload[len(p.Payload)/2]); code >= 0 && code < codes {
			number += (code-number%codes+codes+codes/2)%codes - codes/2 // the nearest of that code
			n = number
		}
		heard = append(heard, numberedPacket{p.At, p.Timestamp, n})
	}
	return heard
}

func (s numberedSound) between(from, to time.Duration) (part numberedSound) {
	for _, p := range s {
		if p.at >= from && p.at < to {
			part = append(part, p)
		}
	}
	return part
}

// delay is how much later than by its number the slowest packet came, from anywhere.
func (s numberedSound) delay() time.Duration {
	most := time.Duration(math.MinInt64)
	for _, p := range s {
		if p.number >= 0 {
			most = max(most, p.at-time.Duration(p.number)*humFrame)
		}
	}
	return most
}

// gap returns the longest time in which nothing of the talker came, the longest that is missing by the timestamps, and how
// many packets came without the talker.
func (s numberedSound) gap() (longest, silent time.Duration, without int) {
	var last *numberedPacket
	for i, p := range s {
		if p.number < 0 {
			without++
			continue
		}
		if last != nil {
			longest = max(longest, p.at-last.at-humFrame)
			silent = max(silent, time.Duration(p.timestamp-last.timestamp)*time.Second/score.Rate-humFrame)
		}
		last = &s[i]
	}
	return longest, silent, without
}
