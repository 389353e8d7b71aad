package rtp

import (
	"net/netip"
	"time"
)

// The latch's rules, in numbers.
const (
	// exactWait is how long a source that is not exactly where the SDP says is kept waiting for the
	// one that is.
	exactWait = 500 * time.Millisecond
	// exactGrace is how long after another source has latched the one that the SDP names takes over
	// with its first packet; after that it needs a run of relatchRun.
	exactGrace = 5 * time.Second
	// relatchRun is how many packets in sequence a new source or SSRC must send to take over.
	relatchRun = 5
	// ssrcSilence is how long the old SSRC must be silent for a new one from the same address.
	ssrcSilence = 200 * time.Millisecond
	// moveSilence is how long a source must be silent, RTCP included, for another address ...
	moveSilence = 2 * time.Second
	// ... and exactSilence if it is the one that the SDP names: that one has no reason to move
	// without a re-INVITE, but a NAT that forgot it.
	exactSilence = 10 * time.Second
	// renewed is how long after a re-INVITE the SSRC may change at once.
	renewed = 2 * time.Second
)

// latch decides whose packets the line takes. It is pure: packets and times come as arguments.
//
//	allowed   an address is allowed if it is the SDP's or the one that SIP comes from; ports differ
//	          behind NAT. All others never latch.
//	open      the exact address and port of the SDP latches with its first packet, another allowed
//	          source only after exactWait, unless the SDP's address cannot be meant: it is private
//	          and SIP comes from a public one, so the phone is behind NAT.
//	latched   address, port and SSRC must be equal. Another one takes the line over with relatchRun
//	          packets in sequence once the old one has been silent; the exact one even if it is not.
type latch struct {
	sdp        netip.AddrPort
	signalling netip.Addr

	open  bool // no source yet
	addr  netip.AddrPort
	ssrc  uint32
	since time.Duration // when addr latched
	last  time.Duration // when addr and ssrc last spoke
	alive time.Duration // when addr last spoke, RTCP included

	renew   time.Duration // until when the SSRC may change once, at once; 0 is no more
	waiting bool          // an inexact source is kept waiting ...
	waited  time.Duration // ... since then

	exact, other run // who would like to take over
}

// run is a row of packets in sequence from one source.
type run struct {
	addr netip.AddrPort
	ssrc uint32
	next uint16
	n    int
	last time.Duration
}

// verdict is what the latch says of a packet.
type verdict uint8

const (
	foreign   verdict = iota // the address may never send here
	unlatched                // it may, but another has the line, or the exact one is waited for
	known                    // the latched source
	latched                  // the source that has just latched: a new address, or a new SSRC
)

// newLatch is open to a peer.
func newLatch(sdp netip.AddrPort, signalling netip.Addr) latch {
	return latch{sdp: unmapped(sdp), signalling: place(signalling), open: true}
}

// moved is the latch after a re-INVITE. An address that did not change leaves no door open to others.
// A hold names no address: the latch stays for the resume.
func (l latch) moved(sdp netip.AddrPort, signalling netip.Addr, now time.Duration) latch {
	sdp = unmapped(sdp)
	if sdp != l.sdp && !held(sdp) {
		return newLatch(sdp, signalling)
	}
	l.signalling = place(signalling)
	l.renew = now + renewed
	return l
}

// held reports whether an address says that nothing is to be sent (RFC 3264 section 8.4).
func held(a netip.AddrPort) bool {
	return !a.IsValid() || a.Addr().IsUnspecified() || a.Port() == 0
}

// allowed reports whether an address may ever latch.
func (l *latch) allowed(a netip.Addr) bool {
	a = place(a)
	return a == place(l.sdp.Addr()) || a == l.signalling && a.IsValid()
}

// is reports whether a packet is of the latched source.
func (l *latch) is(from netip.AddrPort, ssrc uint32) bool {
	return !l.open && from == l.addr && ssrc == l.ssrc
}

// packet judges an RTP packet with a payload type that was agreed on.
func (l *latch) packet(from netip.AddrPort, ssrc uint32, seq uint16, now time.Duration) verdict {
	switch {
	case l.is(from, ssrc):
		l.last, l.alive = now, now
		return known
	case !l.allowed(from.Addr()):
		return foreign
	case l.open && (from == l.sdp || l.behindNAT(from) || l.waitedEnough(now)),
		!l.open && from == l.addr && now < l.renew,
		!l.open && from == l.sdp && l.addr != l.sdp && now < l.since+exactGrace:
		l.take(from, ssrc, now)
		return latched
	case l.open:
		return unlatched
	}
	r := &l.other
	if from == l.sdp {
		r = &l.exact
	}
	if n := r.packet(from, ssrc, seq, now); n < relatchRun {
		return unlatched
	}
	if now < l.silentUntil(from) {
		return unlatched
	}
	l.take(from, ssrc, now)
	return latched
}

// silentUntil returns until when the latched source must be silent for another one to take over.
func (l *latch) silentUntil(from netip.AddrPort) time.Duration {
	switch {
	case from == l.addr:
		return l.last + ssrcSilence
	case from == l.sdp:
		return 0
	case l.addr == l.sdp:
		return l.alive + exactSilence
	}
	return l.alive + moveSilence
}

// take gives the line to a source. The renewal is used up, and the exact address loses its grace once
// it has had the line.
func (l *latch) take(from netip.AddrPort, ssrc uint32, now time.Duration) {
	if l.open || from != l.addr {
		l.since = now
	}
	l.open, l.addr, l.ssrc, l.last, l.alive = false, from, ssrc, now, now
	l.renew, l.waiting = 0, false
	l.exact, l.other = run{}, run{}
}

// behindNAT reports that the SDP's address cannot be the one that packets come from: it is private or
// unspecified, and SIP comes from a public one.
func (l *latch) behindNAT(from netip.AddrPort) bool {
	a := l.sdp.Addr()
	if place(from.Addr()) == place(a) || local(from.Addr()) {
		return false
	}
	return local(a) || a.IsUnspecified()
}

// local reports whether an address means something else elsewhere (RFC 1918, 4193, 6598 and link-local).
func local(a netip.Addr) bool {
	shared := netip.PrefixFrom(netip.AddrFrom4([4]byte{100, 64}), 10)
	return a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast() || shared.Contains(a.Unmap())
}

// waitedEnough starts the wait for the exact source and tells when it is over.
func (l *latch) waitedEnough(now time.Duration) bool {
	if !l.waiting {
		l.waiting, l.waited = true, now
	}
	return now >= l.waited+exactWait
}

// packet counts a packet into the row and returns the row's length. A duplicate changes nothing; a gap,
// or another source, begins a new row. Another source must wait until this row is broken off.
func (r *run) packet(from netip.AddrPort, ssrc uint32, seq uint16, now time.Duration) int {
	same := r.n > 0 && from == r.addr && ssrc == r.ssrc
	switch {
	case same && seq == r.next:
		r.n++
	case same && seq == r.next-1:
		return r.n
	case r.n > 0 && from != r.addr && now < r.last+ssrcSilence:
		return 0
	default:
		r.addr, r.ssrc, r.n = from, ssrc, 1
	}
	r.next, r.last = seq+1, now
	return r.n
}
