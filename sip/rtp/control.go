package rtp

import (
	"encoding/binary"
	"net/netip"
	"time"

	"github.com/pion/rtcp"
)

// lastReport is the peer's last sender report, as our reports quote it (RFC 3550 section 6.4.1).
type lastReport struct {
	any    bool
	middle uint32 // of its NTP time
	at     time.Duration
}

// roundTrip measures from our sender reports and the peer's answers. It keeps when each was sent on the
// monotonic clock, so that a wall clock that is set in between does no harm, and takes no answer to
// what was never sent.
type roundTrip struct {
	sent [8]struct {
		middle uint32
		at     time.Duration
	}
	next int
}

// sends notes a sender report.
func (r *roundTrip) sends(ntp uint64, now time.Duration) {
	r.sent[r.next].middle, r.sent[r.next].at = middle(ntp), now
	r.next = (r.next + 1) % len(r.sent)
}

// answered takes LSR and DLSR of a reception report (RFC 3550 section 6.4.1).
func (r *roundTrip) answered(lsr, dlsr uint32, now time.Duration) (time.Duration, bool) {
	if lsr == 0 {
		return 0, false
	}
	for _, s := range r.sent {
		if s.middle != lsr {
			continue
		}
		there := time.Duration(dlsr) * time.Second / (1 << 16)
		return now - s.at - there, now-s.at >= there
	}
	return 0, false
}

// openControl opens an RTCP packet of an address that may send one. What is not authentic goes no further; a
// stranger's is not looked at, and admitControl counts it.
func (in *inbound) openControl(from netip.AddrPort, data []byte, now time.Duration) ([]byte, bool) {
	if in.agreed.DTLS != nil && in.opener == nil {
		in.seen.Drops.Unauthentic++
		return nil, false
	}
	if in.opener == nil || !in.latch.allowed(from.Addr()) {
		return data, true
	}
	plain, ok := in.opener.rtcp(data, now)
	if !ok {
		in.seen.Drops.Unauthentic++
	}
	return plain, ok
}

// admitControl judges an RTCP packet before it is parsed, by the rules for sound.
func (in *inbound) admitControl(from netip.AddrPort, data []byte, now time.Duration) bool {
	from = unmapped(from)
	if !in.ready {
		in.seen.Drops.Unlatched++
		return false
	}
	var ssrc uint32
	if len(data) >= 8 {
		ssrc = binary.BigEndian.Uint32(data[4:])
	}
	switch in.rtcp.packet(&in.latch, from, ssrc, now) {
	case foreign:
		in.seen.Drops.Foreign++
		return false
	case unlatched:
		in.seen.Drops.Unlatched++
		return false
	case known, latched:
	}
	if len(data) < 8 || len(data) > maxPacket {
		in.seen.Drops.Malformed++
		return false
	}
	return true
}

// control takes an RTCP packet that was admitted.
func (in *inbound) control(data []byte, now time.Duration) {
	packets, err := rtcp.Unmarshal(data)
	if err != nil {
		in.seen.Drops.Malformed++
		return
	}
	in.living(now)
	in.latch.alive = now
	for _, p := range packets {
		switch p := p.(type) {
		case *rtcp.SenderReport:
			if !in.latch.open && p.SSRC == in.latch.ssrc {
				in.last = lastReport{true, middle(p.NTPTime), now}
			}
			in.reported(p.Reports, now)
		case *rtcp.ReceiverReport:
			in.reported(p.Reports, now)
		}
	}
}

// reported takes what the peer says of our stream.
func (in *inbound) reported(reports []rtcp.ReceptionReport, now time.Duration) {
	in.seen.Reports++
	for _, r := range reports {
		if r.SSRC != in.own {
			continue
		}
		in.seen.RemoteLoss = float64(r.FractionLost) / 256
		in.seen.RemoteLost = int(int32(r.TotalLost<<8) >> 8) // signed, 24 bits
		in.seen.RemoteJitter = span(r.Jitter, in.agreed.Kind.ClockRate())
		if trip, ok := in.round.answered(r.LastSenderReport, r.Delay, now); ok {
			in.seen.RoundTrip = trip
		}
	}
}

// reports is what we say of the peer's stream; nothing before it has one.
func (in *inbound) reports(now time.Duration) []rtcp.ReceptionReport {
	s := &in.source
	if !in.ready || in.latch.open || s.packets == 0 {
		return nil
	}
	r := rtcp.ReceptionReport{
		SSRC:               s.ssrc,
		FractionLost:       s.fraction(),
		TotalLost:          uint32(s.cumulative()) & 0xFFFFFF,
		LastSequenceNumber: s.extended(),
		Jitter:             s.jitter >> 4,
	}
	if in.last.any {
		r.LastSenderReport = in.last.middle
		r.Delay = ticks(now-in.last.at, 1<<16)
	}
	return []rtcp.ReceptionReport{r}
}
