package sfu

import (
	"math/rand/v2"
	"testing"
	"time"
)

// spliced is a packet as it comes in and as it has to leave.
type spliced struct {
	cut             bool // before it
	seq             uint16
	timestamp       uint32
	at              time.Duration
	outSeq          uint16
	outTime         uint32
	begins, dropped bool
}

func TestSplice(t *testing.T) {
	const ms = time.Millisecond
	for name, packets := range map[string][]spliced{
		"the first piece begins where the slot stands": {
			{seq: 500, timestamp: 9000, outSeq: 100, outTime: 1000, begins: true},
			{seq: 501, timestamp: 9960, at: 20 * ms, outSeq: 101, outTime: 1960},
		},
		"a new piece goes on as much later as time has passed": {
			{seq: 500, timestamp: 9000, outSeq: 100, outTime: 1000, begins: true},
			{cut: true, seq: 7, timestamp: 70, at: 100 * ms, outSeq: 101, outTime: 5800, begins: true},
			{seq: 8, timestamp: 1030, at: 120 * ms, outSeq: 102, outTime: 6760},
		},
		"a new piece is at least a frame later": {
			{seq: 500, timestamp: 9000, at: 100 * ms, outSeq: 100, outTime: 1000, begins: true},
			{cut: true, seq: 7, timestamp: 70, at: 60 * ms, outSeq: 101, outTime: 1960, begins: true},
		},
		"what was lost on the way here stays lost": {
			{seq: 500, timestamp: 9000, outSeq: 100, outTime: 1000, begins: true},
			{seq: 503, timestamp: 11880, at: 60 * ms, outSeq: 103, outTime: 3880},
		},
		"late packets go out in their place": {
			{seq: 500, timestamp: 9000, outSeq: 100, outTime: 1000, begins: true},
			{seq: 502, timestamp: 10920, at: 40 * ms, outSeq: 102, outTime: 2920},
			{seq: 501, timestamp: 9960, at: 41 * ms, outSeq: 101, outTime: 1960},
			{seq: 503, timestamp: 11880, at: 60 * ms, outSeq: 103, outTime: 3880},
		},
		"a duplicate does not go out": {
			{seq: 500, timestamp: 9000, outSeq: 100, outTime: 1000, begins: true},
			{seq: 500, timestamp: 9000, at: ms, dropped: true},
		},
		"a late duplicate does not go out": {
			{seq: 500, timestamp: 9000, outSeq: 100, outTime: 1000, begins: true},
			{seq: 502, timestamp: 10920, at: 40 * ms, outSeq: 102, outTime: 2920},
			{seq: 501, timestamp: 9960, at: 41 * ms, outSeq: 101, outTime: 1960},
			{seq: 501, timestamp: 9960, at: 42 * ms, dropped: true},
		},
		"a packet that is far too late does not go out": {
			{seq: 500, timestamp: 9000, outSeq: 100, outTime: 1000, begins: true},
			{seq: 600, timestamp: 105000, at: 2000 * ms, outSeq: 200, outTime: 97000},
			{seq: 530, timestamp: 37800, at: 2001 * ms, dropped: true},
		},
		"a packet from before the piece does not go out": {
			{seq: 500, timestamp: 9000, outSeq: 100, outTime: 1000, begins: true},
			{seq: 499, timestamp: 8040, at: ms, dropped: true},
		},
		"DTX: a timestamp that jumps with the time": {
			{seq: 500, timestamp: 9000, outSeq: 100, outTime: 1000, begins: true},
			{seq: 501, timestamp: 28200, at: 400 * ms, outSeq: 101, outTime: 20200},
		},
		"a stream that starts again is a new piece": {
			{seq: 500, timestamp: 9000, outSeq: 100, outTime: 1000, begins: true},
			{seq: 30000, timestamp: 77, at: 20 * ms, outSeq: 101, outTime: 1960, begins: true},
		},
		"a timestamp that goes back is a new piece": {
			{seq: 500, timestamp: 9000, outSeq: 100, outTime: 1000, begins: true},
			{seq: 501, timestamp: 8000, at: 20 * ms, outSeq: 101, outTime: 1960, begins: true},
		},
		"a timestamp that runs away is a new piece": {
			{seq: 500, timestamp: 9000, outSeq: 100, outTime: 1000, begins: true},
			{seq: 501, timestamp: 9000 + 11*clockRate, at: 20 * ms, outSeq: 101, outTime: 1960, begins: true},
		},
		"numbers wrap": {
			{seq: 65535, timestamp: 1<<32 - 960, outSeq: 100, outTime: 1000, begins: true},
			{seq: 0, timestamp: 0, at: 20 * ms, outSeq: 101, outTime: 1960},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := splice{outSeq: 100, outTime: 1000}
			for i, p := range packets {
				if p.cut {
					s.cut()
				}
				seq, timestamp, begins, ok := s.next(p.seq, p.timestamp, p.at)
				if ok == p.dropped {
					t.Fatalf("packet %d: goes out: %v, want %v", i, ok, !p.dropped)
				}
				if ok && (seq != p.outSeq || timestamp != p.outTime || begins != p.begins) {
					t.Errorf("packet %d: %d, %d, begins %v, want %d, %d, %v", i, seq, timestamp, begins, p.outSeq, p.outTime, p.begins)
				}
			}
		})
	}
}

func TestPieceLastsForHours(t *testing.T) {
	s := splice{outSeq: 100, outTime: 1000}
	for n := range 200_000 {
		at := time.Duration(n) * 20 * time.Millisecond
		seq, timestamp, begins, ok := s.next(uint16(n), uint32(n)*frameTime, at)
		if !ok || begins != (n == 0) || seq != 100+uint16(n) || timestamp != 1000+uint32(n)*frameTime {
			t.Fatalf("packet %d: %d, %d, begins %v, goes out %v", n, seq, timestamp, begins, ok)
		}
	}
}

// FuzzSplice lets streams with loss, reordering, silence and restarts alternate in a slot. Whatever comes
// in, no number goes out twice, and what is numbered higher than all before is later than all before.
func FuzzSplice(f *testing.F) {
	f.Add(uint64(1), []byte{0, 0, 1, 0, 9, 0, 0, 17, 0})
	f.Add(uint64(7), []byte{8, 8, 8, 200, 201, 3, 3, 3, 20, 12, 12})
	f.Fuzz(func(t *testing.T, seed uint64, steps []byte) {
		r := rand.New(rand.NewPCG(seed, 1))
		s := splice{outSeq: uint16(r.Uint32()), outTime: r.Uint32()}
		seq, timestamp, at := uint16(r.Uint32()), r.Uint32(), time.Duration(0)
		used := make(map[uint32]bool)
		newest, newestTime, first := uint32(1<<20), s.outTime, true // newest is extended by its cycles
		for _, step := range steps {
			switch step % 8 {
			case 1:
				s.cut()
				seq, timestamp = uint16(r.Uint32()), r.Uint32()
			case 2:
				seq, timestamp = uint16(r.Uint32()), r.Uint32()
			case 3:
				at += time.Duration(step) * time.Second
				timestamp += uint32(step) * clockRate
			case 4:
				seq -= uint16(step / 8)
				timestamp -= uint32(step/8) * frameTime
			default:
				seq += 1 + uint16(step/128)
				timestamp += frameTime * (1 + uint32(step/128))
			}
			at += time.Duration(r.IntN(40)) * time.Millisecond
			before := s.outSeq
			outSeq, outTime, _, ok := s.next(seq, timestamp, at)
			if !ok {
				continue
			}
			number := newest + uint32(int32(int16(outSeq-before)))
			if used[number] {
				t.Fatalf("number %d went out twice", number)
			}
			used[number] = true
			if number <= newest {
				continue
			}
			if later := int32(outTime - newestTime); !first && later <= 0 {
				t.Fatalf("number %d has timestamp %d, after number %d with %d", number, outTime, newest, newestTime)
			}
			newest, newestTime, first = number, outTime, false
		}
	})
}
