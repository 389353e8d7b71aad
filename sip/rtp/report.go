package rtp

import (
	"time"

	"github.com/pion/rtcp"
)

// compound is our report: SR if we have sent sound lately, else RR, and who we are (RFC 3550
// section 6.1).
func compound(s sending, ntp uint64, reports []rtcp.ReceptionReport, cname string) []rtcp.Packet {
	names := rtcp.NewCNAMESourceDescription(s.ssrc, cname)
	if !s.lately {
		return []rtcp.Packet{&rtcp.ReceiverReport{SSRC: s.ssrc, Reports: reports}, names}
	}
	return []rtcp.Packet{&rtcp.SenderReport{
		SSRC:        s.ssrc,
		NTPTime:     ntp,
		RTPTime:     s.timestamp,
		PacketCount: s.packets,
		OctetCount:  s.octets,
		Reports:     reports,
	}, names}
}

const (
	// reportEvery is RTCP's minimum interval, which two parties never exceed (RFC 3550 section 6.2).
	reportEvery = 5 * time.Second
)

// reportIn is the time to the next report for a random r in [0, 1): 0.5 to 1.5 times the interval, half
// of that for the first (RFC 3550 section 6.2).
func reportIn(first bool, r float64) time.Duration {
	every := reportEvery
	if first {
		every /= 2
	}
	return time.Duration((0.5 + r) * float64(every))
}

// ntpTime is a wall clock time as sender reports carry it: seconds since 1900 and a fraction, 32 bits
// each (RFC 3550 section 4).
func ntpTime(t time.Time) uint64 {
	const to1970 = 2208988800
	return uint64(t.Unix()+to1970)<<32 | uint64(t.Nanosecond())<<32/uint64(time.Second)
}

// middle is what reports quote of an NTP time: the middle 32 of 64 bits.
func middle(ntp uint64) uint32 { return uint32(ntp >> 16) }

// mute reports whether there is no RTCP: there are no keys yet, or they are of the RTP port alone, since that of RTCP would
// have a handshake of its own (RFC 5764 section 4.1).
func (in *inbound) mute() bool {
	return in.agreed.DTLS != nil && (in.opener == nil || !in.agreed.RTCPMux)
}

// report sends our report, and with bye that we leave the session. Nobody is told of a BYE who cannot
// have heard of us (RFC 3550 section 6.3.7).
func (l *Line) report(now time.Duration, bye bool) {
	ntp := ntpTime(l.wall())
	ours := l.out.report(now)

	l.mu.Lock()
	to, mux := l.in.controlDestination(), l.in.agreed.RTCPMux
	if !to.IsValid() || l.in.mute() || bye && ours.packets == 0 && !l.in.reporting {
		l.mu.Unlock()
		return
	}
	packets := compound(ours, ntp, l.in.reports(now), l.cname)
	if ours.lately {
		l.in.round.sends(ntp, now)
	}
	l.in.reporting = true
	l.mu.Unlock()

	if bye {
		packets = append(packets, &rtcp.Goodbye{Sources: []uint32{ours.ssrc}})
	}
	conn := l.pair.rtcp
	if mux {
		conn = l.pair.rtp
	}
	data, err := rtcp.Marshal(packets)
	if err == nil {
		data, err = l.out.sealControl(data)
	}
	if err == nil {
		_, err = conn.WriteToUDPAddrPort(data, to)
	}
	if err != nil {
		l.out.failed()
	}
}
