package rtp

import (
	"testing"
	"time"
)

func TestSourceCounts(t *testing.T) {
	tests := []struct {
		name     string
		seqs     []uint16
		orders   []order
		lost     uint64
		packets  uint64
		extended uint32
	}{
		{"in order", []uint16{5, 6, 7}, []order{inOrder, inOrder, inOrder}, 0, 3, 7},
		{"a gap is a loss", []uint16{5, 8}, []order{inOrder, inOrder}, 2, 2, 8},
		{"the late one was not lost", []uint16{5, 7, 6}, []order{inOrder, inOrder, late}, 0, 3, 7},
		{"a duplicate makes up for nothing", []uint16{5, 7, 7, 5}, []order{inOrder, inOrder, duplicate, duplicate}, 1, 4, 7},
		{"a duplicate of a late one", []uint16{5, 7, 6, 6}, []order{inOrder, inOrder, late, duplicate}, 0, 4, 7},
		{"round the corner", []uint16{65534, 65535, 0, 1}, []order{inOrder, inOrder, inOrder, inOrder}, 0, 4, 1<<16 + 1},
		{"late round the corner", []uint16{65534, 0, 65535}, []order{inOrder, inOrder, late}, 0, 3, 1 << 16},
		{"before the first", []uint16{5, 3, 4}, []order{inOrder, late, late}, 0, 3, 5},
		{"before the first, round the corner", []uint16{0, 65535}, []order{inOrder, late}, 0, 2, 0},
		{"99 back is late, 100 is astray", []uint16{1000, 901, 900}, []order{inOrder, late, astray}, 98, 2, 1000},
		{"2999 ahead is a gap, 3000 is astray", []uint16{0, 2999, 5999}, []order{inOrder, inOrder, astray}, 2998, 2, 2999},
		{"two astray in a row restart", []uint16{5, 9, 30000, 30001, 30002}, []order{inOrder, inOrder, astray, restarted, inOrder}, 3, 2, 30002},
		{"two astray apart do not", []uint16{5, 30000, 40000, 6}, []order{inOrder, astray, astray, inOrder}, 0, 2, 6},
		{"one that fits forgets the one astray", []uint16{5, 30000, 6, 30001}, []order{inOrder, astray, inOrder, astray}, 0, 2, 6},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newSource(1, tt.seqs[0], 8000)
			for i, seq := range tt.seqs {
				if got := s.packet(seq); got != tt.orders[i] {
					t.Errorf("packet %d (%d): got %d, want %d", i, seq, got, tt.orders[i])
				}
			}
			if s.lost() != tt.lost || s.packets != tt.packets || s.extended() != tt.extended {
				t.Errorf("got lost %d, packets %d, extended %d; want %d, %d, %d",
					s.lost(), s.packets, s.extended(), tt.lost, tt.packets, tt.extended)
			}
		})
	}
}

func TestSourceReportsFractions(t *testing.T) {
	s := newSource(1, 0, 8000)
	for seq := range uint16(100) {
		if seq%4 != 1 {
			s.packet(seq)
		}
	}
	if got := s.fraction(); got != 64 {
		t.Errorf("a quarter lost: got %d/256, want 64", got)
	}
	if got := s.fraction(); got != 0 {
		t.Errorf("nothing since: got %d/256, want 0", got)
	}
	s.packet(100)
	s.packet(100)
	if got := s.fraction(); got != 0 {
		t.Errorf("more than expected: got %d/256, want 0", got)
	}
	if got := s.cumulative(); got != 24 { // a duplicate counts as received (appendix A.3)
		t.Errorf("cumulative: got %d, want 24", got)
	}
}

func TestSourceJitter(t *testing.T) {
	const frame = 20 * time.Millisecond
	tests := []struct {
		name   string
		clock  int
		step   uint32
		offset func(i int) time.Duration // of packet i's arrival
		want   time.Duration
		within time.Duration
	}{
		{"a steady stream has none", 8000, 160, func(int) time.Duration { return 0 }, 0, 0},
		{"drift is hardly any", 8000, 160, func(i int) time.Duration { return time.Duration(i) * 2 * time.Microsecond }, 0, 125 * time.Microsecond},
		{"every other packet 4 ms late", 8000, 160, func(i int) time.Duration { return time.Duration(i%2) * 4 * time.Millisecond }, 4 * time.Millisecond, 300 * time.Microsecond},
		{"at 48 kHz too", 48000, 960, func(i int) time.Duration { return time.Duration(i%2) * 4 * time.Millisecond }, 4 * time.Millisecond, 300 * time.Microsecond},
		{"after days", 48000, 960, func(i int) time.Duration { return 400*24*time.Hour + time.Duration(i%2)*4*time.Millisecond }, 4 * time.Millisecond, 300 * time.Microsecond},
		{"a peer that counts from elsewhere", 8000, 160, func(i int) time.Duration { return time.Duration(i/100) * time.Hour }, 0, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newSource(1, 0, tt.clock)
			for i := range 200 {
				s.time(4294960000+uint32(i)*tt.step, time.Duration(i)*frame+tt.offset(i))
			}
			if got := s.arrivalJitter(); got < tt.want-tt.within || got > tt.want+tt.within {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestTicks(t *testing.T) {
	for d, want := range map[time.Duration]uint32{
		0: 0, time.Second: 48000, 20 * time.Millisecond: 960,
		100 * 24 * time.Hour: uint32(100 * 24 * 3600 * 48000 % (1 << 32)),
	} {
		if got := ticks(d, 48000); got != want {
			t.Errorf("%v: got %d, want %d", d, got, want)
		}
	}
}
