package rtp

import (
	"net/netip"
	"time"
)

// controlSilence is how long the peer's RTCP must be silent for another port to take its place: longer
// than two reports are ever apart.
const controlSilence = 20 * time.Second

// controlLatch decides whose RTCP the line takes. It follows the latch of the sound, and is as pure.
//
//	as said   RTCP comes from where the SDP says; on a shared port from where the sound comes from
//	NAT       only where the sound has latched elsewhere than the SDP says may RTCP too: at the
//	          same address, from the SSRC of the sound, and the first port to say so has it
type controlLatch struct {
	sdp  netip.AddrPort
	mux  bool
	addr netip.AddrPort // latched behind NAT; else zero
	last time.Duration  // when RTCP last came
}

// usual is where RTCP comes from and goes to.
func (c *controlLatch) usual(sound *latch) netip.AddrPort {
	switch {
	case c.mux && sound.open, !c.mux && !c.addr.IsValid():
		return c.sdp
	case c.mux:
		return sound.addr
	}
	return c.addr
}

// packet judges an RTCP packet whose sender is ssrc.
func (c *controlLatch) packet(sound *latch, from netip.AddrPort, ssrc uint32, now time.Duration) verdict {
	natted := !c.mux && !sound.open && sound.addr != sound.sdp
	switch {
	case !sound.allowed(from.Addr()):
		return foreign
	case from == c.usual(sound):
		c.last = now
		return known
	case natted && from.Addr() == sound.addr.Addr() && ssrc == sound.ssrc &&
		(!c.addr.IsValid() || now >= c.last+controlSilence):
		c.addr, c.last = from, now
		return latched
	}
	return unlatched
}
