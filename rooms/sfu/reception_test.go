package sfu

import (
	"testing"
	"time"
)

func TestReception(t *testing.T) {
	var r reception
	seq, n := uint16(65530), 0
	send := func(count, lose int) {
		for range count {
			r.packet(seq, uint32(n)*frameTime, time.Duration(n)*20*time.Millisecond)
			seq++
			n++
		}
		seq += uint16(lose)
		n += lose
	}
	send(100, 0)
	if got := r.report(1); got.FractionLost != 0 || got.TotalLost != 0 || got.LastSequenceNumber != 65530+99 || got.Jitter != 0 {
		t.Errorf("100 in time: %+v", got)
	}
	send(75, 25)
	send(1, 0)
	if got := r.report(1); got.FractionLost != 25*256/101 || got.TotalLost != 25 || got.LastSequenceNumber != 65530+200 {
		t.Errorf("25 of 101 lost: %+v", got)
	}
	send(10, 0)
	r.packet(seq-5, uint32(n-5)*frameTime, time.Duration(n)*20*time.Millisecond) // twice
	if got := r.report(1); got.FractionLost != 0 || got.TotalLost != 24 {
		t.Errorf("a duplicate: %+v", got)
	}
	if got := r.report(1); got.FractionLost != 0 {
		t.Errorf("nothing since: %+v", got)
	}
	r.packet(seq, uint32(n)*frameTime, time.Duration(n)*20*time.Millisecond+16*time.Millisecond)
	if got := r.report(1); got.Jitter == 0 {
		t.Errorf("16 ms late: no jitter")
	}
}

func TestCountingAllocatesNothing(t *testing.T) {
	var r reception
	seq := uint16(0)
	if got := testing.AllocsPerRun(1000, func() {
		seq++
		r.packet(seq, uint32(seq)*frameTime, time.Second)
	}); got != 0 {
		t.Errorf("%v allocations a packet, want 0", got)
	}
}
