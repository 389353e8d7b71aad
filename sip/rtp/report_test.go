package rtp

import (
	"net/netip"
	"testing"
	"time"

	"github.com/pion/rtcp"

	"passerelle/codec"
)

func TestNTPTime(t *testing.T) {
	// RFC 3550 section 6.4.1, figure 2: 10 Nov 1995 11:33:25.125 UTC is [0xb44d b705:2000 0000].
	at := time.Date(1995, 11, 10, 11, 33, 25, 125e6, time.UTC)
	if got := ntpTime(at); got != 0xb44db705_20000000 {
		t.Errorf("got %x", got)
	}
	if got := middle(ntpTime(at)); got != 0xb7052000 {
		t.Errorf("middle: got %x", got)
	}
}

func TestRoundTrip(t *testing.T) {
	var r roundTrip
	r.sends(0x1111_22223333_4444, 10*time.Second)
	r.sends(0x1111_55556666_4444, 15*time.Second)
	tests := []struct {
		name      string
		lsr, dlsr uint32
		now       time.Duration
		want      time.Duration
		ok        bool
	}{
		{"the last report", 0x55556666, 0x8000, 15600 * time.Millisecond, 100 * time.Millisecond, true},
		{"the one before", 0x22223333, 5 << 16, 15100 * time.Millisecond, 100 * time.Millisecond, true},
		{"none", 0, 0, 16 * time.Second, 0, false},
		{"one never sent", 0x77778888, 0, 16 * time.Second, 0, false},
		{"a delay longer than the time since", 0x55556666, 2 << 16, 16 * time.Second, 0, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := r.answered(tt.lsr, tt.dlsr, tt.now)
			if ok != tt.ok || ok && got != tt.want {
				t.Errorf("got %v %v, want %v %v", got, ok, tt.want, tt.ok)
			}
		})
	}
}

func TestReportTimes(t *testing.T) {
	for _, tt := range []struct {
		first bool
		r     float64
		want  time.Duration
	}{{true, 0, 1250 * time.Millisecond}, {true, 1, 3750 * time.Millisecond}, {false, 0, 2500 * time.Millisecond}, {false, 1, 7500 * time.Millisecond}} {
		if got := reportIn(tt.first, tt.r); got != tt.want {
			t.Errorf("first %v, random %v: got %v, want %v", tt.first, tt.r, got, tt.want)
		}
	}
}

// agreed is a plain PCMU call with the peer of the latch tests.
func agreed() Params {
	p, err := Params{
		Remote:         netip.MustParseAddrPort(exactA),
		Signalling:     netip.MustParseAddr("127.0.0.1"),
		Kind:           codec.PCMU,
		PayloadType:    0,
		TelephoneEvent: 101,
		Send:           true,
		Receive:        true,
	}.checked(netip.MustParseAddr("127.0.0.1"))
	if err != nil {
		panic(err)
	}
	return p
}

func TestReportOfThePeer(t *testing.T) {
	var in inbound
	in.agree(agreed(), 77, 0)
	if got := in.reports(0); got != nil {
		t.Errorf("before a packet: got %v", got)
	}
	from, f := netip.MustParseAddrPort(exactA), new(codec.Frame)
	for i := range uint16(100) {
		if i%2 == 0 || i < 50 {
			in.take(from, sound(9, 65500+i, uint32(i)*160), time.Duration(i)*20*time.Millisecond, f)
		}
	}
	in.control(marshal(t, &rtcp.SenderReport{SSRC: 9, NTPTime: 0x1111_22223333_4444}), 2*time.Second)
	got := in.reports(2500 * time.Millisecond)
	want := rtcp.ReceptionReport{
		SSRC: 9, FractionLost: 25 * 256 / 99, TotalLost: 24, LastSequenceNumber: 1<<16 + 62,
		Jitter: 0, LastSenderReport: 0x22223333, Delay: 0x8000,
	}
	want.FractionLost = uint8(24 * 256 / 99) // packets 51, 53 ... 97; 99 is not known to be lost
	if len(got) != 1 || got[0] != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestReportFromThePeer(t *testing.T) {
	var in inbound
	in.agree(agreed(), 77, 0)
	in.round.sends(0x1111_22223333_4444, time.Second)
	in.control(marshal(t, &rtcp.ReceiverReport{SSRC: 9, Reports: []rtcp.ReceptionReport{
		{SSRC: 78, FractionLost: 255},
		{SSRC: 77, FractionLost: 64, TotalLost: 0xFFFFFE, Jitter: 80, LastSenderReport: 0x22223333, Delay: 1 << 16},
		{SSRC: 79, FractionLost: 255},
	}}), 2050*time.Millisecond)
	got := in.stats()
	if got.RemoteLoss != 0.25 || got.RemoteLost != -2 || got.RemoteJitter != 10*time.Millisecond ||
		got.RoundTrip != 50*time.Millisecond || got.LastArrival != 2050*time.Millisecond || got.Reports != 1 {
		t.Errorf("got %+v", got)
	}
}

func TestCompound(t *testing.T) {
	s := newStream(8000, 0)
	if p := compound(s.report(0), 1, nil, "x"); len(p) != 2 || p[0].(*rtcp.ReceiverReport).SSRC != s.ssrc {
		t.Errorf("nothing sent yet: got %v", p)
	}
	var buf [maxPacket]byte
	s.next(buf[:], 0, false, 0, 160)
	s.timestamp, s.at = 160, time.Second
	sr := compound(s.report(1500*time.Millisecond), 42, nil, "x")[0].(*rtcp.SenderReport)
	if sr.NTPTime != 42 || sr.RTPTime != s.offset+160+4000 || sr.PacketCount != 1 || sr.OctetCount != 160 {
		t.Errorf("got %+v", sr)
	}
	if !s.report(0).lately {
		t.Error("sent before the last report: want a sender report still (RFC 3550 section 6.4)")
	}
	if s.report(0).lately {
		t.Error("nothing sent for two reports: want a receiver report")
	}
}

func marshal(t testing.TB, packets ...rtcp.Packet) []byte {
	t.Helper()
	data, err := rtcp.Marshal(packets)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
