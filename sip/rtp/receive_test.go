package rtp

import (
	"net/netip"
	"testing"
	"time"

	"github.com/pion/rtcp"

	"passerelle/codec"
)

// peered is a line whose peer has sent a packet of SSRC 5 from the exact address.
func peered(p Params) *inbound {
	in := new(inbound)
	in.agree(p, 77, 0)
	in.take(netip.MustParseAddrPort(exactA), sound(5, 0, 0), 0, new(codec.Frame))
	return in
}

func TestNoByteOfAStrangerIsParsed(t *testing.T) {
	p := agreed()
	p.RTCPMux = true
	report := marshal(t, &rtcp.ReceiverReport{SSRC: 5})
	in := peered(p)
	for _, data := range [][]byte{nil, []byte("no RTP whatsoever"), report, sound(5, 1, 160)} {
		if a := in.take(netip.MustParseAddrPort(strange), data, 0, new(codec.Frame)); a.sound || a.control || a.moved {
			t.Errorf("%x was heard: %+v", data, a)
		}
		if in.admitControl(netip.MustParseAddrPort(strange), data, 0) {
			t.Errorf("%x was taken for a report", data)
		}
	}
	if want := (Drops{Foreign: 8}); in.seen.Drops != want {
		t.Errorf("got %+v, want %+v", in.seen.Drops, want)
	}
}

func TestReportsFromAnAddressThatMayNotSendSound(t *testing.T) {
	p := agreed()
	p.RemoteRTCP = netip.MustParseAddrPort("127.0.0.2:4001")
	if peered(p).admitControl(p.RemoteRTCP, marshal(t, &rtcp.ReceiverReport{SSRC: 5}), 0) {
		t.Error("a=rtcp opens the line to a third address")
	}
}

func TestReportsKeepTheLatch(t *testing.T) {
	for _, reports := range []bool{true, false} {
		in := peered(agreed())
		if reports {
			in.control(marshal(t, &rtcp.ReceiverReport{SSRC: 5}), 7*time.Second)
		}
		moved := false
		for n := range uint16(10) {
			now := 11*time.Second + time.Duration(n)*20*time.Millisecond
			a := in.take(netip.MustParseAddrPort(otherA), sound(9, n, 0), now, new(codec.Frame))
			moved = moved || a.moved
		}
		if moved == reports {
			t.Errorf("reports %v: taken over by another port %v", reports, moved)
		}
	}
}

func TestAKeyEndsWithItsSource(t *testing.T) {
	in := peered(agreed())
	from := netip.MustParseAddrPort(exactA)
	in.take(from, rtpPacket(101, 5, 1, 0, event{code: 7, duration: 160}.append(nil)), 0, new(codec.Frame))
	var told digits
	for n := range uint16(5) {
		now := time.Second + time.Duration(n)*20*time.Millisecond
		told = in.take(from, rtpPacket(101, 6, n, 0, event{code: 8, end: true, duration: 160}.append(nil)), now, new(codec.Frame)).digits
	}
	want := [3]Digit{{Rune: '7', Ended: true, Duration: 20 * time.Millisecond}, {Rune: '8'}, {Rune: '8', Ended: true, Duration: 20 * time.Millisecond}}
	if told.n != 3 || told.list != want {
		t.Errorf("got %v, want %v", told, want)
	}
	if in.seen.DigitsReceived != 2 {
		t.Errorf("got %d digits, want 2", in.seen.DigitsReceived)
	}
}

func TestLossIsKeptOverSources(t *testing.T) {
	in := peered(agreed())
	from := netip.MustParseAddrPort(exactA)
	in.take(from, sound(5, 4, 0), 0, new(codec.Frame)) // three lost
	in.agree(agreed(), 77, time.Second)
	in.take(from, sound(6, 9, 0), time.Second, new(codec.Frame))
	in.take(from, sound(6, 11, 0), time.Second, new(codec.Frame)) // one lost
	if got := in.stats(); got.Lost != 4 || got.RemoteSSRC != 6 {
		t.Errorf("got lost %d of %x, want 4 of 6", got.Lost, got.RemoteSSRC)
	}
}

func TestANewAddressForgetsWhereReportsCameFrom(t *testing.T) {
	p := agreed()
	p.Remote, p.RemoteRTCP = netip.MustParseAddrPort(private), netip.MustParseAddrPort("192.168.1.20:7001")
	p.Signalling = netip.MustParseAddr("203.0.113.9")
	in := new(inbound)
	in.agree(p, 77, 0)
	in.take(netip.MustParseAddrPort(public), sound(5, 0, 0), 0, new(codec.Frame))
	from := netip.MustParseAddrPort("203.0.113.9:31235")
	if !in.admitControl(from, marshal(t, &rtcp.ReceiverReport{SSRC: 5}), 0) || in.controlDestination() != from {
		t.Fatalf("behind NAT: got reports to %v, want %v", in.controlDestination(), from)
	}
	p.Remote = netip.MustParseAddrPort("192.168.1.20:5000")
	in.agree(p, 77, time.Second)
	if got := in.controlDestination(); got != p.RemoteRTCP {
		t.Errorf("after a re-INVITE: got reports to %v, want %v", got, p.RemoteRTCP)
	}
}
