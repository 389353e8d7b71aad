package sfu

import (
	"time"

	"github.com/pion/rtcp"
)

// reception counts what arrives of one RTP stream, for the receiver reports to whoever sends it
// (RFC 3550 sections 6.4.1 and A.3, jitter as in A.8). pion's interceptor for this allocates for every
// packet.
type reception struct {
	began   bool
	base    uint32 // first extended sequence number
	highest uint32 // highest extended sequence number: cycles above, number below
	count   uint32

	jitter  float64 // in ticks of the RTP clock
	transit uint32  // arrival less timestamp

	// At the report before.
	expected, received uint32
}

// packet counts one packet.
func (r *reception) packet(seq uint16, timestamp uint32, at time.Duration) {
	transit := uint32(ticks(at)) - timestamp
	if !r.began {
		r.began = true
		r.base, r.highest = uint32(seq), uint32(seq)
		r.transit = transit
	}
	if ahead := int16(seq - uint16(r.highest)); ahead > 0 {
		r.highest += uint32(ahead)
	}
	r.count++
	d := float64(int32(transit - r.transit))
	r.transit = transit
	r.jitter += (max(d, -d) - r.jitter) / 16
}

// report returns what came of the stream, and since the report before.
func (r *reception) report(ssrc uint32) rtcp.ReceptionReport {
	expected := r.highest - r.base + 1
	lost := max(0, int64(expected)-int64(r.count))
	expectedNow, receivedNow := expected-r.expected, r.count-r.received
	r.expected, r.received = expected, r.count
	var fraction uint8
	if expectedNow > receivedNow {
		fraction = uint8(min(255, uint64(expectedNow-receivedNow)<<8/uint64(expectedNow)))
	}
	return rtcp.ReceptionReport{
		SSRC: ssrc, FractionLost: fraction, TotalLost: uint32(min(lost, 1<<23-1)),
		LastSequenceNumber: r.highest, Jitter: uint32(r.jitter),
	}
}

// senderReport is what is kept of the newest sender report of a stream, for the round trip that its
// sender computes (RFC 3550 section 6.4.1).
type senderReport struct {
	middle uint32        // the middle 32 bits of its NTP time
	at     time.Duration // when it came
}

// delay returns the time since the report in 1/65536 seconds, 0 if there was none.
func (s senderReport) delay(now time.Duration) uint32 {
	if s.middle == 0 {
		return 0
	}
	return uint32((now - s.at) * 65536 / time.Second)
}
