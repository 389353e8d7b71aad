package peers

import (
	"bufio"
	"encoding/binary"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"
)

// These tests need no peers: they prove what the others measure and read with.

func TestMatchUp(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	begin := time.Now()
	var sent, received []Moment
	at := begin
	for i := range 500 {
		sent = append(sent, Moment{At: at, Begin: i * 160})
		if i >= 7 { // the voice gate opened late, and the room counts from its own first packet
			took := 3*time.Millisecond + time.Duration(random.IntN(200))*time.Microsecond
			received = append(received, Moment{At: at.Add(took), Begin: (i - 7) * 160})
		}
		at = at.Add(12*time.Millisecond + time.Duration(random.IntN(16000))*time.Microsecond)
	}
	delays, err := matchUp(sent, received)
	if err != nil {
		t.Fatal(err)
	}
	if p50 := percentile(delays, 50); p50 < 3*time.Millisecond || p50 > 3200*time.Microsecond {
		t.Errorf("half the packets took %v, want 3 to 3.2 ms", p50)
	}
	if _, err := matchUp(sent, received[:3]); err == nil {
		t.Error("three packets fit five hundred")
	}
}

func TestMatchDown(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	reference := make([]int16, 160*300)
	for i := range reference {
		reference[i] = int16(random.IntN(8000) - 4000)
	}
	const late = 250 // samples: the receiver's packets begin in the middle of the sender's
	heard := append(make([]int16, late), reference...)
	begin := time.Now()
	frame := func(i int) time.Time { return begin.Add(time.Duration(i) * 20 * time.Millisecond) }
	var sent, received []Moment
	for i := range 300 {
		sent = append(sent, Moment{At: frame(i), Begin: i * 160})
		received = append(received, Moment{At: frame(i).Add(5 * time.Millisecond), Begin: i * 160})
	}
	// A sample is 250/8000 s later on the receiver's time line, and that is 5 ms late itself.
	const want = 31250*time.Microsecond + 5*time.Millisecond
	delays := matchDown(sent, received, reference, heard, late+9) // roughly
	if len(delays) < 250 {
		t.Fatalf("%d of 300 packets were measured", len(delays))
	}
	for _, d := range delays {
		if d != want {
			t.Fatalf("a sample took %v, want %v", d, want)
		}
	}
	if delays := matchDown(sent, received, reference, make([]int16, len(heard)), late); len(delays) > 0 {
		t.Errorf("silence took %v", delays[0])
	}
}

func TestUnroll(t *testing.T) {
	payload := make([]byte, 160)
	var packets []Packet
	for _, timestamp := range []uint32{1<<32 - 160, 0, 480, 320} { // one is skipped, one comes late
		packets = append(packets, Packet{Timestamp: timestamp, Payload: payload})
	}
	moments, pcm, err := unroll(time.Now(), packets)
	if err != nil || len(moments) != 3 || moments[2].Begin != 640 || len(pcm) != 800 {
		t.Errorf("%d packets begin at %v in %d samples (%v), want 3, the last at 640 of 800", len(moments), moments, len(pcm), err)
	}
}

func TestAccount(t *testing.T) {
	s := &Stream{}
	for _, p := range []struct {
		ms        int
		seq       uint16
		timestamp uint32
	}{
		{0, 65534, 1000}, {20, 65535, 1160},
		{100, 1, 1480},                 // 0 is missing, after a gap of 80 ms
		{120, 2, 1800},                 // the timestamp ran ahead
		{130, 2, 1800}, {140, 1, 1480}, // a duplicate; a late duplicate, whose timestamp does not fit either
	} {
		s.received = append(s.received, Packet{At: time.Duration(p.ms) * time.Millisecond, Seq: p.seq, Timestamp: p.timestamp})
	}
	got := s.Account()
	want := Account{Received: 6, Missing: 1, Duplicate: 2, Late: 1, Jumps: 2, Longest: 80 * time.Millisecond, Gaps: 1, Reported: -1}
	if got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestReadNetstring(t *testing.T) {
	in := bufio.NewReader(strings.NewReader(`5:hello,0:,3:abcX`))
	for _, want := range []string{"hello", ""} {
		if got, err := readNetstring(in); err != nil || string(got) != want {
			t.Errorf("got %q, %v; want %q", got, err, want)
		}
	}
	if got, err := readNetstring(in); err == nil {
		t.Errorf("a netstring without its comma is read as %q", got)
	}
}

// TestDigitsPCAP reads the packets back: contiguous, the digit's timestamp standing still, its end said
// three times.
func TestDigitsPCAP(t *testing.T) {
	path := DigitsPCAP(t, t.TempDir(), make([]byte, 8000), "5", 200*time.Millisecond)
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var events, ends int
	var seq uint16
	for at := 24; at < len(file); {
		length := int(binary.LittleEndian.Uint32(file[at+8:]))
		p := file[at+16+42 : at+16+length]
		at += 16 + length
		if got := binary.BigEndian.Uint16(p[2:]); seq != 0 && got != seq+1 {
			t.Fatalf("sequence number %d comes after %d", got, seq)
		}
		seq = binary.BigEndian.Uint16(p[2:])
		if p[1]&0x7f != 101 {
			continue
		}
		events++
		if p[12] != 5 || binary.BigEndian.Uint32(p[4:]) != 8000+200*8 {
			t.Errorf("event % x at %d, want 5 at %d", p[12:], binary.BigEndian.Uint32(p[4:]), 8000+200*8)
		}
		if p[13]&0x80 != 0 {
			ends++
		}
	}
	if events != 10 || ends != 3 {
		t.Errorf("%d packets of a digit, of which %d end it; want 10 and 3", events, ends)
	}
}

func TestParseSIP(t *testing.T) {
	m, err := parseSIP([]byte("SIP/2.0 180 Ringing\r\nCSeq: 1 INVITE\r\nVia: a\r\nVia: b\r\nContent-Length: 2\r\n\r\nhi"))
	if err != nil || m.Status != 180 || m.Header.Get("Cseq") != "1 INVITE" || len(m.Header.Values("Via")) != 2 || string(m.Body) != "hi" {
		t.Errorf("got %+v, %v", m, err)
	}
	if m, err := parseSIP([]byte("\x00\x01")); err == nil {
		t.Errorf("garbage is read as %+v", m)
	}
}
