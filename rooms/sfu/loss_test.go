package sfu

import (
	"testing"
	"time"
)

func TestLossMeterForgetsThoseWhoAreGone(t *testing.T) {
	var m lossMeter
	for i := range 1000 {
		m.report(new(ear), 0.1, time.Duration(i)*time.Minute) // nobody asks: a browser's voice
	}
	if n := len(m.by); n > 1 {
		t.Errorf("%d receivers are remembered, want 1", n)
	}
}
