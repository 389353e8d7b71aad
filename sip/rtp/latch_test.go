package rtp

import (
	"net/netip"
	"testing"
	"time"
)

// A latch step: at ms, a packet from addr with ssrc and seq, and what the latch says. With reinvite
// set it is a re-INVITE that names addr.
type latchStep struct {
	ms       int
	from     string
	ssrc     uint32
	seq      uint16
	n        int // so many packets in sequence, 20 ms apart; the last one is judged. 0 is one
	want     verdict
	reinvite bool
}

const (
	exactA  = "127.0.0.1:4000"
	otherA  = "127.0.0.1:9999"
	thirdA  = "127.0.0.1:6666"
	strange = "127.0.0.2:4000"
	private = "192.168.1.20:4000"
	public  = "203.0.113.9:31234"
	rebound = "203.0.113.9:40000"
	media   = "198.51.100.7:4000"
)

func TestLatch(t *testing.T) {
	tests := []struct {
		name       string
		sdp        string
		signalling string
		steps      []latchStep
	}{
		{"the exact source latches with its first packet", exactA, "127.0.0.1", []latchStep{
			{ms: 0, from: exactA, ssrc: 1, seq: 1, want: latched},
			{ms: 20, from: exactA, ssrc: 1, seq: 2, want: known},
		}},
		{"a stranger never latches", exactA, "127.0.0.1", []latchStep{
			{ms: 0, from: strange, ssrc: 1, seq: 1, n: 500, want: foreign},
			{ms: 20000, from: exactA, ssrc: 1, seq: 2, want: latched},
			{ms: 40000, from: strange, ssrc: 1, seq: 3, n: 500, want: foreign},
		}},
		{"another port waits for the exact one", exactA, "127.0.0.1", []latchStep{
			{ms: 0, from: otherA, ssrc: 1, seq: 1, want: unlatched},
			{ms: 499, from: otherA, ssrc: 1, seq: 2, want: unlatched},
			{ms: 499, from: exactA, ssrc: 2, seq: 7, want: latched},
			{ms: 600, from: otherA, ssrc: 1, seq: 3, n: 100, want: unlatched},
		}},
		{"another port latches where the exact one does not speak", exactA, "127.0.0.1", []latchStep{
			{ms: 0, from: otherA, ssrc: 1, seq: 1, want: unlatched},
			{ms: 500, from: otherA, ssrc: 1, seq: 2, want: latched},
		}},
		{"the exact one wins over another port at once for a while", exactA, "127.0.0.1", []latchStep{
			{ms: 0, from: otherA, ssrc: 1, seq: 1, n: 30, want: known},
			{ms: 600, from: exactA, ssrc: 2, seq: 1, want: latched},
			{ms: 601, from: otherA, ssrc: 1, seq: 31, want: unlatched},
		}},
		{"the exact one wins with a row later, although the other speaks", exactA, "127.0.0.1", []latchStep{
			{ms: 0, from: otherA, ssrc: 1, seq: 1, n: 500, want: known},
			{ms: 10000, from: exactA, ssrc: 2, seq: 1, n: 4, want: unlatched},
			{ms: 10070, from: otherA, ssrc: 1, seq: 501, want: known},
			{ms: 10080, from: exactA, ssrc: 2, seq: 5, want: latched},
		}},
		{"behind NAT the signalling address latches at once", private, "203.0.113.9", []latchStep{
			{ms: 0, from: public, ssrc: 1, seq: 1, want: latched},
			{ms: 20, from: media, ssrc: 1, seq: 2, want: foreign},
		}},
		{"behind NAT the SDP's own address may still speak", private, "203.0.113.9", []latchStep{
			{ms: 0, from: private, ssrc: 1, seq: 1, want: latched},
		}},
		{"two private addresses are not NAT", private, "10.0.0.5", []latchStep{
			{ms: 0, from: "10.0.0.5:4000", ssrc: 1, seq: 1, want: unlatched},
			{ms: 20, from: private, ssrc: 1, seq: 1, want: latched},
		}},
		{"a media server apart from the proxy", media, "203.0.113.9", []latchStep{
			{ms: 0, from: public, ssrc: 1, seq: 1, want: unlatched},
			{ms: 100, from: media, ssrc: 1, seq: 1, want: latched},
		}},
		{"no signalling address", media, "", []latchStep{
			{ms: 0, from: public, ssrc: 1, seq: 1, want: foreign},
		}},
		{"a new SSRC needs a row, and silence of the old", exactA, "127.0.0.1", []latchStep{
			{ms: 0, from: exactA, ssrc: 1, seq: 1, want: latched},
			{ms: 20, from: exactA, ssrc: 2, seq: 1, n: 4, want: unlatched},
			{ms: 100, from: exactA, ssrc: 2, seq: 5, want: unlatched}, // five, but not silent yet
			{ms: 200, from: exactA, ssrc: 2, seq: 6, want: latched},
			{ms: 220, from: exactA, ssrc: 1, seq: 2, want: unlatched},
		}},
		{"a new SSRC does not take over from one that speaks", exactA, "127.0.0.1", []latchStep{
			{ms: 0, from: exactA, ssrc: 1, seq: 1, want: latched},
			{ms: 20, from: exactA, ssrc: 2, seq: 1, n: 4, want: unlatched},
			{ms: 110, from: exactA, ssrc: 1, seq: 2, want: known},
			{ms: 120, from: exactA, ssrc: 2, seq: 5, n: 5, want: unlatched},
		}},
		{"a gap begins the row anew", exactA, "127.0.0.1", []latchStep{
			{ms: 0, from: exactA, ssrc: 1, seq: 1, want: latched},
			{ms: 300, from: exactA, ssrc: 2, seq: 1, n: 4, want: unlatched},
			{ms: 400, from: exactA, ssrc: 2, seq: 6, n: 4, want: unlatched},
			{ms: 480, from: exactA, ssrc: 2, seq: 10, want: latched},
		}},
		{"a duplicate does not", exactA, "127.0.0.1", []latchStep{
			{ms: 0, from: exactA, ssrc: 1, seq: 1, want: latched},
			{ms: 300, from: exactA, ssrc: 2, seq: 1, n: 4, want: unlatched},
			{ms: 361, from: exactA, ssrc: 2, seq: 4, want: unlatched},
			{ms: 380, from: exactA, ssrc: 2, seq: 5, want: latched},
		}},
		{"another port does not take over from the exact one that pauses", exactA, "127.0.0.1", []latchStep{
			{ms: 0, from: exactA, ssrc: 1, seq: 1, want: latched},
			{ms: 100, from: otherA, ssrc: 1, seq: 2, n: 450, want: unlatched}, // 9 s
			{ms: 9500, from: exactA, ssrc: 1, seq: 2, want: known},
		}},
		{"a NAT that forgot even the exact one", exactA, "127.0.0.1", []latchStep{
			{ms: 0, from: exactA, ssrc: 1, seq: 1, want: latched},
			{ms: 100, from: otherA, ssrc: 1, seq: 2, n: 496, want: latched},
		}},
		{"a NAT that gives a new port", private, "203.0.113.9", []latchStep{
			{ms: 0, from: public, ssrc: 1, seq: 1, want: latched},
			{ms: 20, from: rebound, ssrc: 1, seq: 2, n: 99, want: unlatched},
			{ms: 2000, from: rebound, ssrc: 1, seq: 101, want: latched},
		}},
		{"who breaks into a row does not begin one", private, "203.0.113.9", []latchStep{
			{ms: 0, from: public, ssrc: 1, seq: 1, want: latched},
			{ms: 3000, from: rebound, ssrc: 1, seq: 2, n: 3, want: unlatched},
			{ms: 3050, from: "203.0.113.9:50000", ssrc: 1, seq: 2, want: unlatched},
			{ms: 3060, from: rebound, ssrc: 1, seq: 5, n: 2, want: latched},
		}},
		{"a re-INVITE to another port opens the latch", exactA, "127.0.0.1", []latchStep{
			{ms: 0, from: exactA, ssrc: 1, seq: 1, want: latched},
			{ms: 20, from: otherA, reinvite: true},
			{ms: 30, from: exactA, ssrc: 1, seq: 2, want: unlatched},
			{ms: 40, from: otherA, ssrc: 2, seq: 1, want: latched},
		}},
		{"a re-INVITE to the same address opens it for nobody else", exactA, "127.0.0.1", []latchStep{
			{ms: 0, from: exactA, ssrc: 1, seq: 1, want: latched},
			{ms: 20, from: exactA, reinvite: true},
			{ms: 30, from: otherA, ssrc: 9, seq: 1, want: unlatched},
			{ms: 40, from: exactA, ssrc: 2, seq: 1, want: latched},   // once, at once
			{ms: 60, from: exactA, ssrc: 3, seq: 1, want: unlatched}, // not twice
		}},
		{"the new SSRC must come soon after the re-INVITE", exactA, "127.0.0.1", []latchStep{
			{ms: 0, from: exactA, ssrc: 1, seq: 1, want: latched},
			{ms: 20, from: exactA, reinvite: true},
			{ms: 2020, from: exactA, ssrc: 2, seq: 1, want: unlatched},
		}},
		{"a hold keeps the latch for the resume", exactA, "127.0.0.1", []latchStep{
			{ms: 0, from: exactA, ssrc: 1, seq: 1, want: latched},
			{ms: 20, from: "0.0.0.0:4000", reinvite: true},
			{ms: 5000, from: exactA, reinvite: true},
			{ms: 5020, from: thirdA, ssrc: 9, seq: 1, want: unlatched},
			{ms: 5030, from: exactA, ssrc: 1, seq: 2, want: known},
		}},
		{"a call that begins on hold", "0.0.0.0:4000", "203.0.113.9", []latchStep{
			{ms: 0, from: media, ssrc: 1, seq: 1, want: foreign},
			{ms: 20, from: public, ssrc: 1, seq: 1, want: latched},
		}},
		{"IPv4 in IPv6 is IPv4", "[::ffff:127.0.0.1]:4000", "::ffff:127.0.0.1", []latchStep{
			{ms: 0, from: exactA, ssrc: 1, seq: 1, want: latched},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var signalling netip.Addr
			if tt.signalling != "" {
				signalling = netip.MustParseAddr(tt.signalling)
			}
			l := newLatch(netip.MustParseAddrPort(tt.sdp), signalling)
			for i, s := range tt.steps {
				from, now := netip.MustParseAddrPort(s.from), time.Duration(s.ms)*time.Millisecond
				if s.reinvite {
					l = l.moved(from, signalling, now)
					continue
				}
				var got verdict
				for k := range max(1, s.n) {
					got = l.packet(from, s.ssrc, s.seq+uint16(k), now+time.Duration(k)*20*time.Millisecond)
				}
				if got != s.want {
					t.Fatalf("step %d (%+v): got %d, want %d", i, s, got, s.want)
				}
			}
		})
	}
}

func TestControlLatch(t *testing.T) {
	addr := netip.MustParseAddrPort
	signalling := netip.MustParseAddr("203.0.113.9")
	open := newLatch(addr(private), signalling)
	exact, natted := open, open
	exact.packet(addr(private), 1, 1, 0)
	natted.packet(addr(public), 1, 1, 0)
	const told, other, third = "192.168.1.20:4001", "203.0.113.9:31235", "203.0.113.9:50000"
	type step struct {
		at   time.Duration
		from string
		ssrc uint32
		want verdict
	}
	tests := []struct {
		name  string
		sound latch
		mux   bool
		steps []step
		usual string
	}{
		{"from where the SDP says", open, false, []step{{0, told, 9, known}}, told},
		{"from elsewhere before there is sound", open, false, []step{{0, other, 1, unlatched}}, told},
		{"from elsewhere although the sound comes as said", exact, false, []step{{0, "192.168.1.20:5001", 1, unlatched}, {0, other, 1, unlatched}}, told},
		{"behind NAT with the SSRC of the sound", natted, false, []step{{0, other, 1, latched}, {time.Second, other, 9, known}}, other},
		{"behind NAT with another SSRC", natted, false, []step{{0, other, 2, unlatched}}, told},
		{"behind NAT the first one has it", natted, false, []step{{0, other, 1, latched}, {19 * time.Second, third, 1, unlatched}}, other},
		{"behind NAT with a new port", natted, false, []step{{0, other, 1, latched}, {20 * time.Second, third, 1, latched}}, third},
		{"a stranger with the SSRC of the sound", natted, false, []step{{0, media, 1, foreign}}, told},
		{"a shared port follows the sound", natted, true, []step{{0, public, 9, known}, {0, other, 1, unlatched}, {0, told, 1, unlatched}}, public},
		{"a shared port before there is sound", open, true, []step{{0, told, 9, known}}, told},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := controlLatch{sdp: addr(told), mux: tt.mux}
			for i, s := range tt.steps {
				if got := c.packet(&tt.sound, addr(s.from), s.ssrc, s.at); got != s.want {
					t.Errorf("step %d (%+v): got %d, want %d", i, s, got, s.want)
				}
			}
			if got := c.usual(&tt.sound); got != addr(tt.usual) {
				t.Errorf("got %v, want %v", got, tt.usual)
			}
		})
	}
}
