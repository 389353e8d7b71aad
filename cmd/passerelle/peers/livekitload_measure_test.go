//go:build peers

package peers

import (
	"context"
	"testing"
	"time"
)

// TestEar keeps the book of one stream with everything in it that can go wrong.
func TestEar(t *testing.T) {
	var e Ear
	v := newVoice(loopbackPort(9), 0, false)
	hear := func(ms int, seq uint16, timestamp uint32, mulaw byte) {
		v.seq, v.timestamp = seq, timestamp
		e.hear(time.Duration(ms)*time.Millisecond, v.packet(make([]byte, 12), []byte{mulaw}))
	}
	hear(10, 65533, 1000-160, 0)
	e.open()
	hear(20, 65534, 1000, 0xff)
	hear(40, 65535, 1160, 0x7f) // digital silence, either way
	hear(120, 2, 1640, 0x20)    // 0 and 1 are missing, after a gap of 80 ms
	hear(125, 1, 1480, 0x20)    // late
	hear(130, 1, 1480, 0x20)    // and again: told from late by nothing but the count
	hear(160, 3, 1960, 0x20)    // the timestamp ran ahead
	hear(180, 3, 1960, 0x20)    // a duplicate
	e.reported = 7
	got := e.closed(300 * time.Millisecond) // a gap that lasts
	want := Ear{Received: 7, Sounding: 5, Late: 2, Duplicate: 1, Jumps: 1, Gaps: 2, Longest: 120 * time.Millisecond, Lost: 7}
	want.last, want.highest, want.timestamp, want.reported = e.last, e.highest, e.timestamp, e.reported
	if got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// TestExchange has twenty lines of one exchange talk in an embedded room: what the load counts with must not
// see trouble where there is none, and must see it where there is.
func TestExchange(t *testing.T) {
	dir := Folder(t)
	gateway := StartGateway(t, dir, GatewayConfig{Calls: 30})
	phones := StartExchange(t, gateway.SIP, encodeUlaw(t, withoutPauses(t, dir, Woman)))
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	lines, err := phones.Gather(ctx, 20, func(int) string { return "room-exchange" }, func(i int) bool { return i > 0 })
	if err != nil {
		t.Fatal(err)
	}
	more, err := phones.GatherAtRate(ctx, 2, 20*time.Millisecond, func(int) string { return "room-exchange" }, func(i int) bool { return true })
	if err != nil {
		t.Fatal(err)
	}
	if err := phones.Hangup(ctx, more[0]); err != nil {
		t.Error(err)
	}
	time.Sleep(500 * time.Millisecond)
	phones.Begin()
	time.Sleep(2 * time.Second)
	all, deaf, late := phones.Count()
	t.Logf("%v; %d deaf, at most %v late", all, deaf, late)
	const most = 21 * 102 // packets of 2 s, and one at either end
	if deaf > 0 || all.Sent > most || all.Sent < most*9/10 || all.Received > most || all.Received < most*9/10 || all.Missing > 0 {
		t.Errorf("21 lines for 2 s: %v, %d deaf", all, deaf)
	}
	if all.Sounding < all.Received*9/10 || all.Sounding > all.Received*96/100 {
		t.Errorf("20 of 21 lines hear the one that talks, but %d of %d packets had sound", all.Sounding, all.Received)
	}
	if err := phones.HangupAll(ctx, append(lines, more[1])); err != nil {
		t.Error(err)
	}
	if len(phones.from)+len(phones.lines) > 0 {
		t.Errorf("%d voices and %d lines are left", len(phones.from), len(phones.lines))
	}
}
